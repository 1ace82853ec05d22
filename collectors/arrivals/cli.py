"""``dkm arrivals``: files that arrive in directories, announced on Redis."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click
import msgspec

from collectors.arrivals.configuration import Configuration, load
from collectors.arrivals.enablement import PROGRAM, enabled, forget_enabled, note_enabled, spools_of
from collectors.arrivals.errors import ArrivalsError
from collectors.arrivals.keys import DIRECTORY
from collectors.arrivals.replay import chosen, push_again
from collectors.arrivals.rows import (
    DirectoryRow,
    EventRow,
    directory_rows,
    event_row,
    events_of,
    is_stopped,
    last_events,
    spool_of,
    status_of,
)
from dkumonitor import programs
from dkumonitor.cells import size
from dkumonitor.installation import Installation, current
from dkumonitor.render import Form, form_options, render
from dkumonitor.text import printable

FOLLOW_SECONDS = 0.5
FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """One key of one active section, as it is after inheritance and defaults."""

    section: str
    key: str
    value: str


@click.group(
    epilog="""\b
Examples:
  dkm arrivals check observer.ini        what the file says, after inheritance and defaults
  dkm arrivals enable observer.ini       put the watcher under supervision
  dkm arrivals status                    each directory: last arrival, queue, how far consumers are behind
  dkm arrivals tail -f                   announcements as they are made
  dkm arrivals replay --minutes 10       which events of the last ten minutes would be pushed again
"""
)
def cli() -> None:
    """Announce files that arrive in directories on Redis."""


@cli.command(
    epilog="""\b
Example:
  dkm arrivals run
"""
)
def run() -> None:
    """Watch in the foreground with the file that is enabled, until SIGTERM or Ctrl-C.

    Supervision runs the same once `dkm arrivals enable FILE` was called. SIGHUP has the file read again.
    """
    become_watcher([])


def become_watcher(arguments: list[str]) -> None:
    """Become the watcher: it stays for long, so it does not keep what a command line needs in memory."""
    sys.stdout.flush()
    os.execv(  # noqa: S606  becoming the program is the purpose; no shell is involved
        sys.executable, [sys.executable, "-I", "-B", "-m", "collectors.arrivals", *arguments]
    )


@cli.command(
    epilog="""\b
Examples:
  dkm arrivals check observer.ini
  dkm arrivals check observer.ini --json
"""
)
@FILE
@form_options
def check(file: Path, form: Form) -> None:
    """Check an INI file and list the effective settings of each active section."""
    configuration = load(file, spools_of(current()))
    render(effective(configuration), Effective, form, sys.stdout)
    for directory in configuration.directories:
        if not os.path.isdir(directory.path):  # noqa: PTH112  bytes
            click.echo(f"[{directory.section}] {printable(os.fsdecode(directory.path))} is not there yet.", err=True)


def effective(configuration: Configuration) -> list[Effective]:
    """Every key of every active section, the section's own first, with the value that holds."""
    found = []
    shared = {name: getattr(configuration.server, name) for name in configuration.server.__struct_fields__}
    own = ("monitor_inactivitytimeout", "position_key", "spool", "spool_max", "spool_keep", "spool_sync")
    shared |= {name: getattr(configuration, name) for name in own}
    for directory in configuration.directories:
        values = {"active": True, "directory": os.fsdecode(directory.path)}
        values |= {key.name: getattr(directory, key.name) for key in DIRECTORY if hasattr(directory, key.name)}
        values["directory"] = os.fsdecode(directory.path)
        found += [
            Effective(section=directory.section, key=key, value=_written(value))
            for key, value in (values | shared).items()
        ]
    return found


def _written(value: object) -> str:
    """A value as the INI file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ";".join(f"{part[0]}:{part[1]}" if isinstance(part, tuple) else str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


@cli.command(
    epilog="""\b
Example:
  dkm arrivals enable observer.ini
"""
)
@FILE
def enable(file: Path) -> None:
    """Put the watcher under supervision with this INI file, in place of another one.

    The file stays where it is, and so does what it names: relative paths in it begin at the current folder. After a
    change of it: dkm signal HUP arrivals.
    """
    installation = current()
    configuration = load(file, spools_of(installation))
    note_enabled(installation, file)
    started = programs.put_in(installation, PROGRAM, "collectors.arrivals")
    click.echo(f"{len(configuration.directories)} directories are watched; the spool is {configuration.spool}.")
    if not started:
        click.echo("supervisord does not run: `dkm start` starts the watcher with the rest.")


@cli.command(
    epilog="""\b
Example:
  dkm arrivals disable
"""
)
def disable() -> None:
    """Take the watcher from supervision. Its INI file and its spool stay."""
    installation = current()
    programs.take_out(installation, PROGRAM)
    forget_enabled(installation)


@cli.command(
    epilog="""\b
Examples:
  dkm arrivals status
  dkm arrivals status --json
"""
)
@form_options
def status(form: Form) -> None:
    """List each directory: its last arrival, its queue, how far consumers are behind.

    State is `ok`; `silent` where nothing has arrived for longer than usual; `missing` where the directory is not
    there; `stopped` where the watcher does not run. Exits 1 where one is missing or stopped.
    """
    installation = current()
    told, now = status_of(installation), time.time()
    rows = directory_rows(told, now)
    render(rows, DirectoryRow, form, sys.stdout)
    if form is Form.TABLE:
        _say_more(installation, now)
    sys.exit(any(row.state in {"missing", "stopped"} for row in rows))


def _say_more(installation: Installation, now: float) -> None:
    told = status_of(installation)
    if told is None:
        known = enabled(installation)
        click.echo("Nothing is enabled: dkm arrivals enable FILE" if known is None else "The watcher has never run.")
        return
    if is_stopped(told, now):
        click.echo(f"The watcher does not run; this is how it stood {now - told.at_seconds:.0f} s ago.")
    if told.failure:
        click.echo(f"Nothing is pushed: {printable(told.failure)}.")
    mean_ms = 1000 * told.lag_seconds_total / told.pushed if told.pushed else 0.0
    click.echo(
        f"{told.pushed} events pushed to {printable(told.redis)} since the start, after {mean_ms:.1f} ms in the mean; "
        f"{size(told.waiting_bytes)} of {size(told.spool_bytes)} in the spool wait."
    )
    if told.listings_waiting:
        click.echo(f"{told.listings_waiting} directories are still to be listed.")


@cli.command(
    epilog="""\b
Examples:
  dkm arrivals tail
  dkm arrivals tail --lines 100 --json
  dkm arrivals tail -f
"""
)
@click.option("-n", "--lines", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new ones, until Ctrl-C.")
@form_options
def tail(lines: int, follow: bool, form: Form) -> None:  # noqa: FBT001  click's
    """List the newest announcements that the spool has, the oldest of them first."""
    folder = _spool()
    rows, after = last_events(folder, lines)
    render(rows, EventRow, form, sys.stdout)
    while follow:
        sys.stdout.flush()
        time.sleep(FOLLOW_SECONDS)
        for position, queue, value in events_of(folder, after):
            row = event_row(queue, value)
            name = printable(os.fsdecode(os.path.join(os.fsencode(row.directory), row.filename)))  # noqa: PTH118  bytes
            click.echo(f"{row.event_timestamp_seconds:.3f}  {row.event:8}{name}")
            after = position


@cli.command(
    epilog="""\b
Examples:
  dkm arrivals replay --minutes 10                     what would be pushed again
  dkm arrivals replay --minutes 10 --section stage1    of one directory
  dkm arrivals replay --minutes 10 --push              do it
"""
)
@click.option("--minutes", type=click.FloatRange(0, min_open=True), required=True, help="How far back.")
@click.option("--section", help="Only events of this section's directory.")
@click.option("--push", is_flag=True, help="Push them; without it they are only listed.")
@form_options
def replay(minutes: float, section: str | None, push: bool, form: Form) -> None:  # noqa: FBT001  click's
    """List events of the last minutes that the spool still has, and with --push push them to their queues again.

    They go to the end of the queue as they were, and counters count them again.
    """
    configuration = _configuration()
    events = chosen(configuration, time.time() - 60 * minutes, section)
    if push:
        push_again(configuration.server, events)
        click.echo(f"{len(events)} events were pushed again.", err=True)
    else:
        render([event_row(queue, value) for queue, value in events], EventRow, form, sys.stdout)


def _configuration() -> Configuration:
    installation = current()
    known = enabled(installation)
    if known is None:
        raise ArrivalsError("nothing is enabled", "dkm arrivals enable FILE")
    os.chdir(known.folder)
    return known.load(installation)


def _spool() -> Path:
    folder = spool_of(current())
    if folder is None:
        raise ArrivalsError("nothing is enabled", "dkm arrivals enable FILE")
    return folder
