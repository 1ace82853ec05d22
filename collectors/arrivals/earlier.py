"""``directory_observer``, as users of the earlier tool call it."""

from __future__ import annotations

import click

from collectors.arrivals.cli import become_watcher


@click.command(
    epilog="""\b
Example:
  directory_observer --config=directory_observer.ini --log=observer.log
"""
)
@click.option("--config", required=True, type=click.Path(exists=True, dir_okay=False), help="The INI file.")
@click.option("--log", type=click.Path(dir_okay=False), help="Log to this file; without it, to standard output.")
def directory_observer(config: str, log: str | None) -> None:
    """Announce files that arrive in directories on Redis, until SIGTERM.

    SIGHUP has the INI file read again. `dkm arrivals enable FILE` does the same under supervision.
    """
    become_watcher(["--config", config, *(("--log", log) if log else ())])


COMMANDS = {"directory_observer": directory_observer}
