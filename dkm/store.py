"""`dkm store`: how large the store is, and what is too old in it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec

import collectors
from dkm.progress import Progress
from dkumonitor.cells import size
from dkumonitor.render import Form, form_options, render
from dkumonitor.store.engine import open_store
from dkumonitor.store.migrations import check
from dkumonitor.store.retention import clean, terms
from dkumonitor.store.status import TableStatus, look, size_bytes

if TYPE_CHECKING:
    from dkumonitor.installation import Installation
    from dkumonitor.store.migrations import Component
    from dkumonitor.store.retention import Term


class CleanedRow(msgspec.Struct, frozen=True):
    """A table that is cleaned; `keep_days` 0 is for ever."""

    table: str
    keep_days: int
    removed_rows: int


@click.group("store")
def store() -> None:
    """Look at the store and remove what is too old in it.

    The store keeps what is no number over time: people, accounts, records of the collectors.

    \b
    Examples:
      dkm store status
      dkm store clean --dry-run
    """  # noqa: D301  \b is click's


@store.command("status")
@form_options
@click.pass_obj
def status(installation: Installation, form: Form) -> None:
    """Show every table: its rows, its size, and how long its rows are kept.

    \b
    Examples:
      dkm store status
      dkm store status --json
    """  # noqa: D301  \b is click's
    components = collectors.components()
    with open_store(installation) as opened:
        tables = look(opened, components, _terms(installation, components))
        if form is Form.TABLE:
            click.echo(f"The {opened.address}, {size(size_bytes(opened, tables))}")
        render(tables, TableStatus, form, sys.stdout)


@store.command("clean")
@click.option("--dry-run", is_flag=True, help="Only count.")
@form_options
@click.pass_obj
def remove_old(installation: Installation, form: Form, *, dry_run: bool) -> None:
    """Remove rows that are older than [store.retention_days] in dkumonitor.toml says.

    The collectors do this once a day. It may be interrupted at any time.

    \b
    Examples:
      dkm store clean --dry-run
      dkm store clean
    """  # noqa: D301  \b is click's
    components = collectors.components()
    wanted = _terms(installation, components)
    with open_store(installation) as opened, Progress(sys.stderr) as progress:
        check(opened, components)
        done = clean(opened, wanted, time.time(), dry_run=dry_run, progress=progress.show)
    rows = [CleanedRow(cleaned.table, cleaned.days, cleaned.removed) for cleaned in done]
    render(rows, CleanedRow, form, sys.stdout)


def _terms(installation: Installation, components: list[Component]) -> list[Term]:
    settings = collectors.load_settings(collectors.discover(), installation, os.environ)
    return terms(components, settings.store.retention_days)
