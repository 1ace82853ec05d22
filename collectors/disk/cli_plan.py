"""`dkm disk plan`: what would be moved or deleted, read before it is done."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec

from collectors.disk import plans
from collectors.disk.plans import Owned, Plan
from collectors.disk.questions import UidType
from collectors.disk.tables import COMPONENT
from collectors.disk.views.listings import PLANS
from dkumonitor.render import Form, form_options, render, render_one
from dkumonitor.store.migrations import open_checked
from dkumonitor.store.people import People
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from collectors.disk.plan_file import Entry, PlanReader
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

_NS = 10**9


class PlanLine(msgspec.Struct, frozen=True):
    """A plan in one line."""

    id: str
    task: str
    action: str
    state: str
    created_seconds: Moment
    due_seconds: Moment | None
    files: int
    bytes: int
    left_files: int
    done_files: int
    detail: str


class EntryRow(msgspec.Struct, frozen=True):
    """One entry of a plan."""

    path: bytes
    type: str
    uid: int
    size_bytes: int
    allocated_bytes: int
    atime_seconds: Moment
    mtime_seconds: Moment
    links: int
    reason: str
    dev: int
    ino: int


class OwnedRow(msgspec.Struct, frozen=True):
    """What of one owner a plan holds."""

    user: str
    uid: int
    files: int
    bytes: int


@click.group("plan")
def plan() -> None:
    """Read, apply and discard plans: lists of old files that would be moved or deleted.

    A full run makes one where the task wants it and the file system is above its warning threshold.

    \b
    Examples:
      dkm disk plan list --open
      dkm disk plan show scratch-20261125T020000Z-move --owners
    """  # noqa: D301  \b is click's


@plan.command("list")
@click.option("--task", help="Only those of this task.")
@click.option("--open", "only_open", is_flag=True, help="Only those that may still be applied.")
@form_options
@click.pass_obj
def list_plans(installation: Installation, task: str | None, form: Form, *, only_open: bool) -> None:
    """List plans, the newest first.

    \b
    Examples:
      dkm disk plan list --open
      dkm disk plan list --task scratch --json
    """  # noqa: D301  \b is click's
    states = plans.OPEN if only_open else ()
    with open_checked(installation, [COMPONENT]) as store, store.reading() as connection:
        found = plans.every(connection, task=task, states=states)
    if form is Form.TABLE:
        render([_line(one) for one in found], PlanLine, form, sys.stdout, PLANS.empty)
    else:
        render(found, Plan, form, sys.stdout)


@plan.command("show")
@click.argument("name")
@click.option("--owners", is_flag=True, help="A row for each owner instead of each file.")
@click.option("--user", "uid", type=UidType(), help="Only the files of this login or uid.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Files in the table.")
@form_options
@click.pass_obj
def show_plan(installation: Installation, name: str, form: Form, uid: int | None, limit: int, *, owners: bool) -> None:
    """Show a plan: what it is, what of each owner is in it, and its files.

    Its file is read and compared with its digest first. JSON and CSV have every file.

    \b
    Examples:
      dkm disk plan show scratch-20261125T020000Z-move
      dkm disk plan show scratch-20261125T020000Z-move --owners --json
      dkm disk plan show scratch-20261125T020000Z-move --user 10012 --csv
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store:
        with store.reading() as connection:
            found = plans.find(connection, name)
            mine = plans.owners(connection, name)
        rows = _owned_rows(store, installation.host, mine)
    if owners:
        render(rows, OwnedRow, form, sys.stdout)
        return
    with plans.opened(installation, found) as reader:
        if form is Form.TABLE:
            render_one(found, form, sys.stdout)
            click.echo()
            render(rows, OwnedRow, form, sys.stdout)
            _show_some(reader, uid, limit)
        else:
            render(_entries(reader, uid), EntryRow, form, sys.stdout)


@plan.command("discard")
@click.argument("name")
@click.pass_obj
def discard(installation: Installation, name: str) -> None:
    """Give a plan up. No file is touched; the next full run may make another one.

    \b
    Example:
      dkm disk plan discard scratch-20261125T020000Z-move
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store:
        store.write(lambda connection: plans.discard(connection, name, time.time()))
    click.echo(f"The plan {name} is discarded.")


def _line(one: Plan) -> PlanLine:
    return PlanLine(**{field: getattr(one, field) for field in PlanLine.__struct_fields__})


def _owned_rows(store: Store, host: str, mine: Sequence[Owned]) -> list[OwnedRow]:
    with store.reading() as connection:
        known = People(connection, host).by_uid([one.uid for one in mine])
    return [
        OwnedRow(known[one.uid].login if one.uid in known else f"uid-{one.uid}", one.uid, one.files, one.bytes)
        for one in mine
    ]


def _entries(reader: PlanReader, uid: int | None) -> Iterator[EntryRow]:
    for block in reader.blocks():
        yield from (_entry_row(entry) for entry in block if uid is None or entry.uid == uid)


def _entry_row(entry: Entry) -> EntryRow:
    return EntryRow(
        path=entry.path,
        type="link" if entry.type == "l" else "file",
        uid=entry.uid,
        size_bytes=entry.size_bytes,
        allocated_bytes=entry.allocated_bytes,
        atime_seconds=entry.atime_ns / _NS,
        mtime_seconds=entry.mtime_ns / _NS,
        links=entry.links,
        reason=entry.reason,
        dev=entry.dev,
        ino=entry.ino,
    )


def _show_some(reader: PlanReader, uid: int | None, limit: int) -> None:
    rows, more = _first(_entries(reader, uid), limit)
    render(rows, EntryRow, Form.TABLE, sys.stdout)
    if more:
        click.echo("... and more: --limit shows them, --json and --csv give all.")


def _first(rows: Iterable[EntryRow], limit: int) -> tuple[list[EntryRow], bool]:
    found: list[EntryRow] = []
    for row in rows:
        if len(found) == limit:
            return found, True
        found.append(row)
    return found, False
