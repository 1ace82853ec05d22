"""`dkm overview`: is the machine well?"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, cast

import click
import msgspec

import collectors
from dkumonitor.accounts.roles import Role
from dkumonitor.carbonapi import Carbonapi
from dkumonitor.doctor.examination import examine
from dkumonitor.errors import DkmError
from dkumonitor.overview.readings import read
from dkumonitor.overview.rows import FileSystem, Host, Overview, Problem, TopUser
from dkumonitor.overview.survey import overview
from dkumonitor.render import Form, render
from dkumonitor.services import Service
from dkumonitor.text import printable
from dkumonitor.views import Sources, Viewer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.installation import Installation
    from dkumonitor.overview.readings import Readings
    from dkumonitor.store.engine import Store

ANSWER_SECONDS = 5.0
ME = Viewer("command", Role.ADMIN)


@click.command("overview")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
@click.pass_obj
def show_overview(installation: Installation, *, as_json: bool) -> None:
    """Say whether the machine is well.

    What the console's first page shows: a verdict, warnings, machines, file systems with when they are full, the
    busiest accounts, programs, and what collectors have to say.

    \b
    Examples:
      dkm overview
      dkm overview --json
    """  # noqa: D301  \b is click's
    address = installation.carbonapi_address
    carbonapi = None if address is None else Carbonapi(address, ANSWER_SECONDS)
    now_seconds = time.time()
    findings = examine(installation, collectors.checks(connects=False))
    with _opened(installation) as store:
        cards = collectors.cards() if store is not None else []
        sources = Sources(installation, cast("Store", store), carbonapi, ME, now_seconds)

        def readings() -> Readings:
            return read(cast("Carbonapi", carbonapi), now_seconds, installation.interval_seconds)

        found = overview(sources, readings, findings, cards)
    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(found), indent=2) + "\n")
    else:
        _write(found)


def _write(found: Overview) -> None:
    click.echo(printable(found.verdict))
    if found.next_step:
        click.echo(printable(found.next_step))
    parts: tuple[tuple[list[msgspec.Struct], type[msgspec.Struct]], ...] = (
        (list(found.problems), Problem),
        (list(found.hosts), Host),
        (list(found.file_systems), FileSystem),
        (list(found.users), TopUser),
        (list(found.services), Service),
    )
    for rows, row_type in parts:
        if rows:
            render(rows, row_type, Form.TABLE, sys.stdout)
    for card in found.cards:
        click.echo(f"{printable(card.title)}: {printable(card.sentence)}")


@contextlib.contextmanager
def _opened(installation: Installation) -> Iterator[Store | None]:
    """The store; None where there is none or it cannot be used, which the doctor tells."""
    store = None
    if installation.has_store and (installation.database is not None or installation.store_file.exists()):
        from dkumonitor.store.engine import open_store  # noqa: PLC0415  only here is the database library needed

        with contextlib.suppress(DkmError):
            store = open_store(installation)
    try:
        yield store
    finally:
        if store is not None:
            store.close()
