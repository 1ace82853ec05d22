"""The command ``dkmadmin``: what changes the installation that it belongs to."""

import csv
import io
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from installer import boot, certificate, grant, machine
from installer.errors import BusyError, DirectoryError, UsageError
from installer.message import told
from installer.plan import CERTIFICATE, SECRETS_FOLDER
from installer.tls import use_certificate
from installer.uninstall import plan_removal, prune, releases, uninstall
from installer.update import check_owner, read_installation, resume

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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
    done, warning = resume(_directory())
    if done:
        click.echo("dkmadmin: an update that was interrupted is completed", err=True)
    if warning:
        click.echo(f"warning: {warning}", err=True)


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


@main.command("tls")
@click.option("--cert", metavar="FILE", type=_FILE, help="A certificate, and below it those that have signed it (PEM).")
@click.option("--key", metavar="FILE", type=_FILE, help="Its key, without a pass phrase (PEM).")
@click.option("--self-signed", is_flag=True, help="Make a key and a certificate that is signed with itself.")
@click.option("--days", type=click.IntRange(1, 36500), default=certificate.DAYS, show_default=True, help="It is valid.")
@click.option("--name", "names", multiple=True, help="It is for; may be repeated. [default: of this machine]")
@click.option("--show", is_flag=True, help="Only show the certificate that is in use.")
def tls_command(
    *, cert: Path | None, key: Path | None, self_signed: bool, days: int, names: tuple[str, ...], show: bool
) -> None:
    """Exchange the certificate of the web pages; where they had no TLS, they have it from now on."""
    if sum([bool(cert or key), self_signed, show]) != 1 or bool(cert) != bool(key):
        raise UsageError("say what to do", "Give --cert FILE and --key FILE, or --self-signed, or --show")
    directory = _directory()
    installation = read_installation(directory)
    release = (directory / "lib").resolve()
    if show:
        click.echo(_shown_certificate(directory, release))
        return
    check_owner(directory)
    if cert and key:
        pair = certificate.given(cert, key, release, time.time())
    else:
        wanted = names or certificate.names_for(machine.hostname(), installation.listen)
        pair = certificate.self_signed(release, certificate.checked(wanted), days)
    for name in use_certificate(directory, installation, pair):
        click.echo(f"warning: {name} is edited: what TLS needs is laid beside it", err=True)
    click.echo(_shown_certificate(directory, release))
    pages = " ".join(program for program in installation.programs if program in {"grafana", "console"})
    click.echo(f"\nThe programs go on with what they have. To change over:  '{directory}/bin/dkm' restart {pages}")


def _shown_certificate(directory: Path, release: Path) -> str:
    path = directory / CERTIFICATE
    if not path.is_file():
        raise DirectoryError(f"{directory} has no certificate", f"'{directory}/bin/dkmadmin' tls --self-signed")
    found = certificate.facts(path.read_bytes(), release)
    valid = [
        datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d") for seconds in (found.not_before, found.not_after)
    ]
    lines = [("file", str(path)), ("subject", found.subject), ("names", ", ".join(found.names))]
    lines += [("valid", " to ".join(valid)), ("SHA-256", found.fingerprint)]
    return "\n".join(f"{name:<10}{text}" for name, text in lines)


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


@main.command("grant-scan")
@click.option("--revoke", is_flag=True, help="Take the right away again.")
@click.option("--any-group", is_flag=True, help="Also where others are in the account's group, who then may, too.")
def grant_scan_command(*, revoke: bool, any_group: bool) -> None:
    """Let the scanner read what the account of the service may not; for root, and only where DIR is root's.

    A copy of it gets the capability cap_dac_read_search, and only the account's group may run it.
    """
    directory = _directory()
    installation = read_installation(directory)
    if revoke:
        click.echo(f"removed {grant.revoke_scan(directory)}")
        return
    granted = grant.grant_scan(directory, installation, any_group=any_group)
    click.echo(f"{granted} may read every file, for members of the account's group")
    for unit in boot.units_of(directory):
        click.echo(f"Its unit must let it: '{directory}/bin/dkmadmin' install-boot again, for {unit}")


@main.command("grant-act")
@click.option("--name", help="Tells several installations on a machine apart: dkumonitor-act.NAME.service.")
@click.option("--revoke", is_flag=True, help="Remove the units again.")
@click.option("--print", "only_print", is_flag=True, help="Write the units to standard output, and change nothing.")
def grant_act_command(*, name: str | None, revoke: bool, only_print: bool) -> None:
    """Have root's systemd do what the service asks for, as far as conf/disk-acts.toml allows.

    For root, and only where DIR is root's. Again after each change of the trees in that file.
    """
    if revoke and only_print:
        raise UsageError("--print and --revoke exclude each other", "Leave one of them out")
    directory = _directory()
    installation = read_installation(directory)
    if revoke:
        click.echo("\n".join(f"removed {path}" for path in grant.revoke_act(directory, name)))
        return
    if only_print:
        units = grant.render_units(directory, installation, directory / "lib/templates", name)
        click.echo("\n".join(f"# {boot.UNITS / unit}\n{text}" for unit, text in units.items()), nl=False)
        return
    for path in grant.grant_act(directory, installation, directory / "lib/templates", name):
        click.echo(f"wrote {path}")


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
