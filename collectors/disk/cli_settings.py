"""`dkm disk import-settings`: take over what an earlier disk monitor was set to."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collectors.disk import old_settings
from collectors.disk.errors import DiskError
from dkumonitor.settings import settings_file
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collectors.disk.old_settings import OldSettings
    from dkumonitor.installation import Installation


@click.command("import-settings")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--apply", "applies", is_flag=True, help="Write them into the settings file; else they are only shown.")
@click.pass_obj
def import_settings(installation: Installation, file: Path, *, applies: bool) -> None:
    """Take over the settings.cfg of the earlier disk monitor.

    What has a place in dkumonitor.toml is shown, or with --apply added to it. A table that is
    there already is never changed. The database of an installation is chosen when it is installed.

    \b
    Examples:
      dkm disk import-settings ~/.dkmonitor/settings.cfg
      dkm disk import-settings /etc/dkmonitor/settings.cfg --apply
    """  # noqa: D301  \b is click's
    old = old_settings.read(file)
    text = old_settings.as_toml(old)
    target = settings_file(installation, os.environ)
    if not text:
        click.echo(f"{file} says nothing that belongs into {target}.")
    elif applies:
        _add(target, text)
        click.echo(f"Added to {target}:\n\n{text}")
    else:
        click.echo(f"For {target} (--apply adds it):\n\n{text}")
    for line in _notes(old):
        click.echo(printable(line))


def _add(target: Path, text: str) -> None:
    """Append tables to the settings file, atomically; a table that is there already is an error."""
    try:
        before = target.read_text(encoding="utf-8")
        there = tomllib.loads(before)
    except (OSError, ValueError) as error:
        raise DiskError(f"cannot read {target}: {error}", "Correct it, or add the lines by hand") from None
    if "mail" in there and "[mail]" in text:
        raise DiskError(f"{target} has a table [mail] already", "Add the lines by hand")
    if "retention_days" in there.get("store", {}) and "[store.retention_days]" in text:
        raise DiskError(f"{target} has a table [store.retention_days] already", "Add the lines by hand")
    partial = target.with_name(f".{target.name}.new")
    try:
        partial.write_text(f"{before.rstrip()}\n\n{text}", encoding="utf-8")
        partial.chmod(target.stat().st_mode & 0o777)
        partial.replace(target)
    except OSError as error:
        do = f"Add the lines by hand, as the owner of {target.parent}"
        raise DiskError(f"cannot write {target}: {error.strerror}", do) from None


def _notes(old: OldSettings) -> list[str]:
    notes = []
    if old.database is not None:
        where = f": install with --database '{old.database_url}'" if old.database_url else ""
        notes.append(f"Its {old.database} is not taken over; records go to this installation's store{where}.")
    if old.threads:
        notes.append(f"Threads are set for each task: dkm disk task edit NAME --threads {old.threads} (0 chooses).")
    notes += [f"{key} has no meaning here and is left out." for key in old.unknown]
    return notes
