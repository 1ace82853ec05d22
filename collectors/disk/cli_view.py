"""``dkm disk view``: who and what fills the disk, as tables, JSON and CSV."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from collectors.disk.tables import COMPONENT
from collectors.disk.views import listings
from collectors.disk.views.choices import (
    DifferenceChoice,
    DirectoryChoice,
    HistoryChoice,
    RunChoice,
    TaskChoice,
    UserChoice,
)
from collectors.disk.views.directories import numbered
from collectors.disk.views.rows import SystemRow
from collectors.disk.views.selection import number_of, run_of, run_told, task_above
from dkumonitor.accounts.roles import Role
from dkumonitor.render import Form, form_options, render
from dkumonitor.store.migrations import open_checked
from dkumonitor.views import Question, Sources, Viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store
    from dkumonitor.views import Listing, Parameters

F = TypeVar("F", bound="Callable[..., Any]")
ALL_ROWS = 10_000_000
ME = Viewer("dkm", Role.ADMIN, sees_names=True)  # whoever may call dkm may read the store's file
_task = click.option("--task", default="", metavar="NAME", help="Only this task.")
_run = click.option("--run", metavar="RUN", help="This full run, not the newest: its number, or a date, UTC.")


@click.group()
def view() -> None:
    """Show who and what fills the disk, by what the runs found.

    Every listing takes --json and --csv, which give sizes in bytes and times in UTC seconds, and --limit.

    \b
    Examples:
      dkm disk view systems
      dkm disk view users --limit 20
      dkm disk view diff 2026-11-01 2026-11-08 --task scratch
    """  # noqa: D301  \b is click's


def _common(command: F) -> F:
    """The options of every listing: --json, --csv, --limit; the installation as the first argument."""
    limit = click.option(
        "--limit", type=click.IntRange(1), default=ALL_ROWS, metavar="ROWS", help="At most so many rows."
    )
    return cast("F", click.pass_obj(limit(form_options(command))))


def _list(installation: Installation, listing: Listing, parameters: Parameters, form: Form, limit: int) -> None:
    with open_checked(installation, [COMPONENT]) as store:
        _write(_sources(installation, store, parameters), listing, form, limit)


def _write(sources: Sources, listing: Listing, form: Form, limit: int) -> None:
    render(listing.of(sources, Question(limit=limit)).rows, listing.row_type, form, sys.stdout, listing.empty)


def _sources(installation: Installation, store: Store, parameters: Parameters) -> Sources:
    return Sources(installation, store, None, ME, time.time(), parameters)


@view.command()
@_task
@_run
@_common
def users(installation: Installation, form: Form, limit: int, *, task: str, run: str | None) -> None:
    """List what each user owns, by the newest full run of each task; the largest first.

    \b
    Examples:
      dkm disk view users
      dkm disk view users --task scratch --limit 20
      dkm disk view users --run 2026-11-01 --json
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store:
        with store.reading() as connection:
            number = _number_of_run(connection, run, task)
        choice = RunChoice(task=task, run=number)
        _write(_sources(installation, store, choice), listings.USERS, form, limit)


@view.command()
@_task
@_common
def systems(installation: Installation, form: Form, limit: int, *, task: str) -> None:
    """List the file system of each task: how full, when it is full, what the tree holds; the worst first.

    \b
    Examples:
      dkm disk view systems
      dkm disk view systems --csv > systems.csv
    """  # noqa: D301  \b is click's
    _list(installation, listings.SYSTEMS, TaskChoice(task=task), form, limit)


@view.command()
@click.argument("user")
@_task
@_common
def user(installation: Installation, form: Form, limit: int, *, user: str, task: str) -> None:
    """List what one user owned, by each full run; USER is a login or a uid.

    \b
    Examples:
      dkm disk view user ann
      dkm disk view user 20017 --task scratch --json
    """  # noqa: D301  \b is click's
    _list(installation, listings.USER, UserChoice(user=user, task=task), form, limit)


@view.command()
@click.argument("system", metavar="SYSTEM")
@_common
def system(installation: Installation, form: Form, limit: int, *, system: str) -> None:
    """List the users of one system; SYSTEM is a task or a host.

    As a table, how full it is stands above them.

    \b
    Examples:
      dkm disk view system scratch
      dkm disk view system atlas --json
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store:
        sources = _sources(installation, store, TaskChoice(task=system))
        found = cast("Sequence[SystemRow]", listings.SYSTEMS.of(sources, Question(limit=ALL_ROWS)).rows)
        if form is Form.TABLE:
            render(found, SystemRow, form, sys.stdout, listings.SYSTEMS.empty)
        wanted = [RunChoice(task=row.task) for row in found if row.run_id is not None]
        rows = [
            row
            for choice in wanted
            for row in listings.USERS.of(_sources(installation, store, choice), Question(limit=limit)).rows
        ]
    render(rows, listings.USERS.row_type, form, sys.stdout, listings.USERS.empty)


@view.command()
@click.argument("directory", default="", metavar="[DIRECTORY]")
@_task
@_run
@_common
def dirs(installation: Installation, form: Form, limit: int, *, directory: str, task: str, run: str | None) -> None:
    """List what lies in a directory of a full run: those below it, each with all that is below; the largest first.

    DIRECTORY is absolute, which tells the task, too, or relative to the task's tree; without one it is the tree itself.

    \b
    Examples:
      dkm disk view dirs --task scratch
      dkm disk view dirs projects/genome --task scratch
      dkm disk view dirs /scratch/projects
      dkm disk view dirs projects --run 4711 --json
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store:
        with store.reading() as connection:
            choice = _directory_choice(connection, os.fsencode(directory), task, run)
        _write(_sources(installation, store, choice), listings.DIRECTORIES, form, limit)


def _directory_choice(connection: Connection, path: bytes, task: str, run: str | None) -> DirectoryChoice:
    if path and (run is None or number_of(run) is None):
        task = task or task_above(connection, path)
    number = _number_of_run(connection, run, task)
    meant = run_of(connection, RunChoice(task=task, run=number)) if path else None
    if meant is None:
        return DirectoryChoice(task=task, run=number)
    return DirectoryChoice(task=task, run=meant.id, directory=numbered(connection, meant, path))


def _number_of_run(connection: Connection, run: str | None, task: str) -> int | None:
    return None if run is None else run_told(connection, run, task).id


@view.command()
@_task
@_common
def old(installation: Installation, form: Form, limit: int, *, task: str) -> None:
    """List whose files are old and where they lie, by the newest full runs; most old bytes first.

    \b
    Examples:
      dkm disk view old --limit 30
      dkm disk view old --task scratch --json
    """  # noqa: D301  \b is click's
    _list(installation, listings.OLD, TaskChoice(task=task), form, limit)


@view.command()
@_task
@click.option("--kind", type=click.Choice(["quick", "full"]), default=None, help="Only runs of this kind.")
@_common
def history(installation: Installation, form: Form, limit: int, *, task: str, kind: str | None) -> None:
    """List the runs there were, the newest first.

    \b
    Examples:
      dkm disk view history --limit 20
      dkm disk view history --task scratch --kind full --csv
    """  # noqa: D301  \b is click's
    _list(installation, listings.RUNS, HistoryChoice(task=task, kind=kind or ""), form, limit)


@view.command()
@click.argument("before")
@click.argument("after", default="")
@_task
@click.option("--kind", type=click.Choice(["user", "directory"]), default=None, help="Only users, or only directories.")
@_common
def diff(
    installation: Installation, form: Form, limit: int, *, before: str, after: str, task: str, kind: str | None
) -> None:
    """List what differs between two full runs of a task, by user and by directory; what grew most first.

    BEFORE and AFTER are numbers of runs or dates, UTC; a date means the newest run that had begun by the end of that
    day or minute. Without AFTER it is the newest run.

    \b
    Examples:
      dkm disk view diff 4711 4729
      dkm disk view diff 2026-11-01 2026-11-08 --task scratch
      dkm disk view diff 2026-11-01 --task scratch --kind user --json
    """  # noqa: D301  \b is click's
    choice = DifferenceChoice(task=task, before=before, after=after, kind=kind or "")
    _list(installation, listings.DIFFERENCE, choice, form, limit)
