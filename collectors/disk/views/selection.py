"""Which runs are meant: the newest full one of each task, one by its number, two by numbers or dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from collectors.disk import tables, tasks
from collectors.disk.runs import State
from dkumonitor.errors import NoSuchError, QuestionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Select

    from collectors.disk.views.choices import PairChoice, RunChoice

DAY_SECONDS = 86400
WEEK_SECONDS = 7 * DAY_SECONDS
_EARLY_SECONDS = DAY_SECONDS // 2  # a nightly run does not begin at the same second each night
_LATE_SECONDS = WEEK_SECONDS  # what is older than that by so much is no week before
NUMBER_DIGITS = 9
_ENDED = (State.DONE.value, State.PARTIAL.value)
_DATES = (("%Y-%m-%d", timedelta(days=1)), ("%Y-%m-%d %H:%M", timedelta(minutes=1)),
          ("%Y-%m-%dT%H:%M", timedelta(minutes=1)))  # fmt: skip


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A full run that found something, as far as queries need it."""

    id: int
    task: str
    host: str
    path: bytes
    started_seconds: int
    total_bytes: int | None
    files: int
    directories: int
    apparent_bytes: int
    allocated_bytes: int
    old_files: int
    old_bytes: int
    old_file_days: int | None
    partial: bool

    def disk_percent(self, allocated_bytes: int) -> float | None:
        """What so many bytes are of the whole file system."""
        return 100 * allocated_bytes / self.total_bytes if self.total_bytes else None


def ended(kind: str | None = None) -> sa.ColumnElement[bool]:
    """Of runs that came to their end, and of full runs found something."""
    c = tables.runs.c
    whole = c.state.in_(_ENDED)
    return whole if kind is None else sa.and_(whole, c.kind == kind)


def newest_runs(connection: Connection, task: str) -> list[Run]:
    """The newest full run of each task that has one, by the tasks' names; or of the named task alone.

    Raises:
        NoSuchError: there is neither such a task nor a run of one.
    """
    known = [one.name for one in tasks.every(connection)]
    names = [task] if task.isascii() and task else known if not task else []  # no other text is a task's name
    found = [run for name in names if (run := _newest(connection, name)) is not None]
    if task and not found and task not in known:
        raise NoSuchError(f"there is no task {task!r}", "`dkm disk task list` names those there are")
    return found


def run_of(connection: Connection, choice: RunChoice) -> Run | None:
    """The one full run that is meant; None where none has come to its end yet and no number was said.

    Raises:
        NoSuchError: there is no run of that number, or no such task.
    """
    if choice.run is not None:
        return run_numbered(connection, choice.run)
    return max(newest_runs(connection, choice.task), key=lambda run: run.started_seconds, default=None)


def task_above(connection: Connection, path: bytes) -> str:
    """The name of the task whose tree holds an absolute path, of the innermost where several do; empty for none."""
    holding = [one for one in tasks.every(connection) if (path + b"/").startswith(one.path + b"/")]
    return max(holding, key=lambda one: len(one.path)).name if holding else ""


def run_numbered(connection: Connection, number: int) -> Run:
    """The full run of a number.

    Raises:
        NoSuchError: there is none, or it found nothing.
    """
    run = _first(connection, _select().where(tables.runs.c.id == number))
    if run is None:
        raise NoSuchError(f"there is no full run {number} that found something", "See `dkm disk view history`")
    return run


def week_before(connection: Connection, run: Run) -> Run | None:
    """The full run of the same task about a week before a run: the newest of those at least that much older."""
    by = run.started_seconds - WEEK_SECONDS + _EARLY_SECONDS
    found = _newest(connection, run.task, by)
    return found if found is not None and by - found.started_seconds <= _LATE_SECONDS else None


def pair_of(connection: Connection, choice: PairChoice) -> tuple[Run, Run] | None:
    """The two full runs that are to be compared; None where there are no two yet and none was said.

    Raises:
        NoSuchError: one that was said is not there.
        QuestionError: they are of two tasks, or it is not said of which task a date is.
    """
    after = run_told(connection, choice.after, choice.task) if choice.after else None
    before = run_told(connection, choice.before, choice.task) if choice.before else None
    if after is None:
        after = _only(newest_runs(connection, before.task if before else choice.task))
    if after is None:
        return None
    if before is None:
        before = week_before(connection, after) or _newest(connection, after.task, after.started_seconds - 1)
    if before is None:
        if not choice.after:
            return None
        raise NoSuchError(
            f"there is no full run of {after.task!r} before run {after.id}", "See `dkm disk view history`"
        )
    if before.task != after.task:
        raise QuestionError(
            f"run {before.id} is of {before.task!r}, run {after.id} of {after.task!r}", "Name two of one"
        )
    return before, after


def recent(connection: Connection, task: str, most: int) -> list[Run]:
    """The newest full runs of a task, the newest first."""
    return list(_all(connection, _newest_first(_select().where(tables.runs.c.task == task)).limit(most)))


def run_told(connection: Connection, text: str, task: str) -> Run:
    """The full run of a number, or the newest that had begun by the end of a day or minute.

    Args:
        connection: to the store.
        text: the number or the date, UTC.
        task: of which task; empty where the number tells it, or there is one task alone.

    Raises:
        NoSuchError: there is none.
        QuestionError: it is neither, or it is not said of which task a date is, or the run is of another one.
    """
    number = number_of(text)
    if number is not None:
        told = run_numbered(connection, number)
        if task and task != told.task:
            raise QuestionError(f"run {number} is of {told.task}, not of {task}", "See `dkm disk view history`")
        return told
    by = int(moment_of(text))
    newest = _only(newest_runs(connection, task))
    found = None if newest is None else _newest(connection, newest.task, by - 1)
    if found is None:
        raise NoSuchError(f"no full run had begun by {text}", "See `dkm disk view history`")
    return found


def number_of(text: str) -> int | None:
    """A run's number; None where the text is something else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS else None


def moment_of(text: str) -> float:
    """The end of a day or of a minute, UTC seconds.

    Raises:
        QuestionError: it is no date.
    """
    for form, length in _DATES:
        try:
            return (datetime.strptime(text, form).replace(tzinfo=UTC) + length).timestamp()
        except (ValueError, OverflowError):
            continue
    raise QuestionError(f"{text!r} is neither a run's number nor a date", "Write 2026-11-25 or '2026-11-25 14:30'")


def _only(found: list[Run]) -> Run | None:
    if len(found) > 1:
        names = ", ".join(run.task for run in found[:10])
        raise QuestionError("it is not said of which task", f"Name one of {names}")
    return found[0] if found else None


def _newest(connection: Connection, task: str, by_seconds: int | None = None) -> Run | None:
    wanted = _select().where(tables.runs.c.task == task)
    if by_seconds is not None:
        wanted = wanted.where(tables.runs.c.started_seconds <= by_seconds)
    return _first(connection, _newest_first(wanted))


def _newest_first(wanted: Select[Any]) -> Select[Any]:
    return wanted.order_by(tables.runs.c.started_seconds.desc(), tables.runs.c.id.desc())


def _select() -> Select[Any]:
    return sa.select(*(tables.runs.c[name] for name in Run.__struct_fields__)).where(ended("full"))


def _first(connection: Connection, wanted: Select[Any]) -> Run | None:
    return next(_all(connection, wanted.limit(1)), None)


def _all(connection: Connection, wanted: Select[Any]) -> Iterator[Run]:
    return (Run(**row) for row in connection.execute(wanted).mappings())
