"""The command ``dkmadmin``: what changes the installation that it belongs to."""

import csv
import io
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from installer import boot
from installer.errors import BusyError, DirectoryError, UsageError
from installer.message import told
from installer.plan import SECRETS_FOLDER
from installer.uninstall import plan_removal, prune, releases, uninstall
from installer.update import check_owner, read_installation, resume


@dataclass(frozen=True)
class ReleaseRow:
    """A release in DIR/releases, as ``dkmadmin releases`` lists it; the time is UTC seconds."""

    name: str
    version: str
    installed_at: int
    in_use: bool


def _directory() -> Path:
    directory = os.environ.get("DKM_DIR")
    if not directory:
        raise UsageError("DKM_DIR is not set", "Call DIR/bin/dkmadmin, which sets it")
    return Path(os.path.realpath(directory))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Change the installation that this command belongs to."""
    os.umask(0o077)


@main.command("resume", hidden=True)
def resume_command() -> None:
    """Complete an update that was interrupted; dkm and dkmadmin call this by themselves."""
    if resume(_directory()):
        click.echo("dkmadmin: an update that was interrupted is completed", err=True)


@main.command("update")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def update_command(folder: Path) -> None:
    """Update to the release that was extracted to FOLDER, by its own installer."""
    launcher = folder.absolute() / "installer"
    if not launcher.is_file():
        raise DirectoryError(f"{folder} is no extracted release", "Name the folder that holds `installer`")
    os.execv(launcher, [str(launcher), "-d", str(_directory()), "--update"])  # noqa: S606  the release's own installer


@main.command("releases")
@click.option("--prune", "wants_prune", is_flag=True, help="First remove all but the one in use and the one before it.")
@click.option("--json", "as_json", is_flag=True, help="As a list of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
def releases_command(*, wants_prune: bool, as_json: bool, as_csv: bool) -> None:
    """List the releases that are kept, the one in use last."""
    directory = _directory()
    read_installation(directory)
    if wants_prune:
        check_owner(directory)
        for release in prune(directory):
            click.echo(f"removed {release.name}", err=True)
    used = (directory / "lib").resolve()
    rows = [
        ReleaseRow(
            path.name, (path / "VERSION").read_text(encoding="ascii").strip(), int(path.stat().st_mtime), path == used
        )
        for path in releases(directory)
    ]
    click.echo(_shown(rows, as_json=as_json, as_csv=as_csv))


@main.command("uninstall")
@click.option("--storage", "with_storage", is_flag=True, help="Remove the metrics and Grafana's database, too.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
def uninstall_command(*, with_storage: bool, dry_run: bool) -> None:
    """Remove the installation; storage/, the secrets that belong to it, and edited files stay."""
    directory = _directory()
    removal = plan_removal(directory, with_storage=with_storage)
    if dry_run:
        lines = [*removal.files, *(f"releases/{path.name}/" for path in removal.releases), "lib", "run/"]
        lines += ["storage/", f"{SECRETS_FOLDER}/"] if with_storage else []
        click.echo("\n".join([f"would be removed from {directory}:", *(f"  {line}" for line in lines)]))
        return
    units = boot.units_of(directory)
    if units:
        raise BusyError(
            f"systemd starts {directory} at boot by {', '.join(units)}",
            boot.removing(units),
        )
    left = uninstall(removal)
    click.echo(f"dkumonitor {removal.installation.version} is removed from {directory}")
    if left:
        top = sorted({name.split("/")[0] for name in left})
        click.echo(f"left there: {', '.join(top)}")
        for name in removal.edited:
            click.echo(f"  {name}: you have edited it")


@main.command("install-boot")
@click.option("--name", help="Tells several installations on a machine apart: dkumonitor.NAME.service.")
@click.option("--remove", is_flag=True, help="Remove the unit again.")
@click.option(
    "--print", "only_print", is_flag=True, help="Write the unit to standard output, for root to read and place."
)
def install_boot_command(*, name: str | None, remove: bool, only_print: bool) -> None:
    """Have systemd start this installation at boot; for root, and only where DIR is root's."""
    if remove and only_print:
        raise UsageError("--print and --remove exclude each other", "Leave one of them out")
    directory = _directory()
    installation = read_installation(directory)
    if only_print:
        placing = boot.placing(name)
        click.echo(boot.render_unit(directory, installation, directory / "lib/templates"), nl=False)
        click.echo(placing, err=True)
        return
    if remove:
        click.echo(f"removed {boot.remove_boot(directory, installation, name)}")
        return
    path = boot.install_boot(directory, installation, directory / "lib/templates", name)
    click.echo(f"wrote and enabled {path}\nStart it now:  systemctl start {path.stem}")


def _shown(rows: list[ReleaseRow], *, as_json: bool, as_csv: bool) -> str:
    flat = [asdict(row) for row in rows]
    if as_json:
        return json.dumps(flat, indent=2)
    if as_csv:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(ReleaseRow.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
        return text.getvalue().rstrip("\n")
    lines = [f"{'release':<24} {'version':<12} installed"]
    for row in rows:
        at = datetime.fromtimestamp(row.installed_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        lines.append(f"{row.name:<24} {row.version:<12} {at} UTC{'  in use' if row.in_use else ''}")
    return "\n".join(lines)


if __name__ == "__main__":
    with told("dkmadmin"):
        main(prog_name="dkmadmin")
