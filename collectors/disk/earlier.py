"""``dkmonitor``: the disk monitor's commands by the names that its users know, verb for verb."""

from __future__ import annotations

import hashlib
import sys
import time
from typing import TYPE_CHECKING, Any

import click
import msgspec
import sqlalchemy as sa

from collectors.disk import cli_run, cli_task, tasks
from collectors.disk.cli_view import view as _VIEWS  # noqa: N812
from collectors.disk.errors import TaskError
from collectors.disk.questions import PathType
from collectors.disk.tables import COMPONENT
from dkumonitor.render import Form, form_options, render
from dkumonitor.store.migrations import open_checked
from dkumonitor.store.retention import DAY_SECONDS, Retention, Term, clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.disk.tasks import Task
    from dkumonitor.installation import Installation

_KINDS = click.Choice(["quick", "full"])
_ONCE = "once-"  # before the names of trees that were scanned without a task


class TableRow(msgspec.Struct, frozen=True):
    """A table of the disk monitor and its rows."""

    table: str
    rows: int


class RemovedRow(msgspec.Struct, frozen=True):
    """How many rows of a table were removed."""

    table: str
    removed_rows: int


@click.group("dkmonitor")
def dkmonitor() -> None:
    """Watch the use of disks. `dkm disk` has the same and more.

    \b
    Examples:
      dkmonitor task creation_interface
      dkmonitor run full
      dkmonitor view all users
    """  # noqa: D301  \b is click's


@dkmonitor.group("run")
def run() -> None:
    """Run tasks of this host: quick looks at the use, full scans every file."""


@run.command("full")
@form_options
@click.pass_obj
def run_full(installation: Installation, form: Form) -> None:
    """Scan the trees of all tasks of this host.

    \b
    Example:
      0 2 * * *  dkmonitor run full
    """  # noqa: D301  \b is click's
    cli_run.run_tasks(installation, None, form, "full")


@run.command("quick")
@form_options
@click.pass_obj
def run_quick(installation: Installation, form: Form) -> None:
    """Look at the use, and scan what is above its warning threshold.

    \b
    Example:
      0 * * * *  dkmonitor run quick
    """  # noqa: D301  \b is click's
    cli_run.run_tasks(installation, None, form, "quick")


@run.command("all")
@click.argument("kind", type=_KINDS)
@form_options
@click.pass_obj
def run_all(installation: Installation, kind: str, form: Form) -> None:
    """Run all tasks of this host, quick or full."""
    cli_run.run_tasks(installation, None, form, "full" if kind == "full" else "quick")


@run.command("task")
@click.argument("name")
@click.argument("kind", type=_KINDS)
@form_options
@click.pass_obj
def run_task(installation: Installation, name: str, kind: str, form: Form) -> None:
    """Run one task, quick or full."""
    cli_run.run_tasks(installation, name, form, "full" if kind == "full" else "quick")


@run.command("quick_task")
@click.argument("directory", type=PathType())
@click.option("-m", "relocation_path", type=PathType(), help="Where old files would be moved to.")
@click.option("-d", "delete_old_files", is_flag=True, help="Old files would be deleted.")
@click.option("-w", "usage_warning_percent", type=float, help="The warning threshold, percent.")
@click.option("-c", "usage_critical_percent", type=float, help="The critical threshold, percent.")
@click.option("-f", "old_file_days", type=int, help="A file is old after so many days.")
@click.option("-e", "email_usage_warnings", is_flag=True, help="Write to the largest users.")
@click.option("-a", "email_data_alterations", is_flag=True, help="Write to the owners of files that are touched.")
@click.option("-p", "email_top_percent", type=float, help="The share of users that is written to.")
@form_options
@click.pass_obj
def run_quick_task(installation: Installation, /, directory: bytes, form: Form, **given: Any) -> None:
    """Scan a directory once, without a task of its own.

    What it finds is kept. Nothing is moved or deleted: `dkm disk plan` shows what would be, and applies it.

    \b
    Example:
      dkmonitor run quick_task /scratch -w 70 -c 90 -f 30
    """  # noqa: D301  \b is click's
    values = {field: value for field, value in given.items() if value is not None}
    with open_checked(installation, [COMPONENT]) as store:
        once = store.write(lambda connection: _once(connection, installation.host, directory, values))
    cli_run.run_tasks(installation, once.name, form, "full")


def _once(connection: sa.Connection, host: str, directory: bytes, values: Mapping[str, Any]) -> Task:
    """The disabled task that keeps what is found in a directory, made or changed."""
    name = _ONCE + hashlib.blake2b(directory, digest_size=6).hexdigest()
    task = tasks.make({**values, "name": name, "host": host, "path": directory, "enabled": False, "dry_run": True})
    if any(known.name == name for known in tasks.every(connection)):
        return tasks.change(connection, name, msgspec.structs.asdict(task), time.time())
    tasks.add(connection, task, time.time())
    return task


@dkmonitor.group("view")
def view() -> None:
    """Show what the runs found."""


@view.command("all")
@click.argument("what", type=click.Choice(["users", "systems"]))
@form_options
@click.pass_context
def view_all(context: click.Context, what: str, form: Form) -> None:
    """Show all users, or all systems.

    \b
    Example:
      dkmonitor view all users
    """  # noqa: D301  \b is click's
    context.invoke(_VIEWS.commands[what], form=form)


def _add_views() -> None:
    """`view user U` and `view system S`, and the views that the earlier tool had not."""
    for name, command in _VIEWS.commands.items():
        view.add_command(command, name)


_add_views()


@dkmonitor.group("task")
def task() -> None:
    """Make, show, change and remove tasks."""


def _add_task_verbs() -> None:
    for name, known in (
        ("creation_command", "create"),
        ("list", "list"),
        ("display", "list"),
        ("remove", "remove"),
        ("enable", "enable"),
        ("disable", "disable"),
        ("edit", "edit"),
    ):
        task.add_command(cli_task.task.commands[known], name)


_add_task_verbs()


@task.command("creation_interface")
@click.pass_context
def creation_interface(context: click.Context) -> None:
    """Make a task by answering one question after the other."""
    context.invoke(cli_task.create, name=None, host=None, interactive=True)


@dkmonitor.group("database")
def database() -> None:
    """List, clean and empty the tables of the disk monitor."""


@database.command("list")
@form_options
@click.pass_obj
def list_tables(installation: Installation, form: Form) -> None:
    """List the tables and how many rows each has."""
    with open_checked(installation, [COMPONENT]) as store, store.reading() as connection:
        rows = [
            TableRow(name, connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
            for name, table in sorted(COMPONENT.metadata.tables.items())
        ]
    render(rows, TableRow, form, sys.stdout)


def _which(command: Any) -> Any:
    for option in (
        click.option("--table", help="One table, of `dkmonitor database list`."),
        click.option("--all", "every", is_flag=True, help="All tables that hold records."),
    ):
        command = option(command)
    return command


@database.command("clean")
@click.argument("days", type=click.IntRange(1, 36500))
@_which
@form_options
@click.pass_obj
def clean_tables(installation: Installation, days: int, form: Form, table: str | None, *, every: bool) -> None:
    """Remove records that are older than DAYS.

    \b
    Example:
      dkmonitor database clean 365 --all
    """  # noqa: D301  \b is click's
    _remove(installation, _chosen(table, every=every), days, form)


@database.command("drop")
@_which
@click.option("--yes", is_flag=True, help="Do not ask.")
@form_options
@click.pass_obj
def drop_tables(installation: Installation, form: Form, table: str | None, *, every: bool, yes: bool) -> None:
    """Remove all records. The tables themselves stay, and so do the tasks.

    \b
    Example:
      dkmonitor database drop --table disk_runs
    """  # noqa: D301  \b is click's
    chosen = _chosen(table, every=every)
    if not yes:
        names = ", ".join(retention.table.name for retention in chosen)
        click.confirm(f"Remove all records of {names}?", abort=True)
    _remove(installation, chosen, 0, form)


def _chosen(table: str | None, *, every: bool) -> list[Retention]:
    if every == (table is not None):
        raise click.UsageError("say either --all or --table TABLE")
    if every:
        return list(COMPONENT.retentions)
    found = [retention for retention in COMPONENT.retentions if retention.table.name == table]
    if not found:
        known = ", ".join(retention.table.name for retention in COMPONENT.retentions)
        what = "is emptied with disk_runs" if table in COMPONENT.metadata.tables else "is no table of the disk monitor"
        raise TaskError(f"{table!r} {what}", f"Name one of {known}")
    return found


def _remove(installation: Installation, chosen: list[Retention], days: int, form: Form) -> None:
    """Remove what is older than so many days; with 0, all there is."""
    now_seconds = time.time() + (0 if days else 2 * DAY_SECONDS)
    with open_checked(installation, [COMPONENT]) as store:
        done = clean(store, [Term(retention, days or 1) for retention in chosen], now_seconds)
    render([RemovedRow(one.table, one.removed) for one in done], RemovedRow, form, sys.stdout)


COMMANDS = {"dkmonitor": dkmonitor}
