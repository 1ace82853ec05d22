"""File systems: how full, how soon they are full, and what the trees on them hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from collectors.disk import tables, tasks
from collectors.disk.runs import newest_ended
from collectors.disk.views.choices import TaskChoice
from collectors.disk.views.rows import SystemRow
from collectors.disk.views.selection import DAY_SECONDS, ended
from dkumonitor.errors import NoSuchError
from dkumonitor.overview.fit import Slope, seconds_to_full, slope_between, trend
from dkumonitor.views import answer_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from collectors.disk.tasks import Task
    from dkumonitor.views import Answer, Question, Sources

TREND_SECONDS = 14 * DAY_SECONDS
UNKNOWN = "unknown"
_TREE = ("files", "directories", "apparent_bytes", "allocated_bytes", "old_files", "old_bytes")
_SYSTEM = ("used_percent", "total_bytes", "used_bytes", "available_bytes")
_LEVELS = ("critical", "warning", "ok")


class Fullness(msgspec.Struct, frozen=True):
    """When a file system is full if it goes on so: in the middle, at the earliest, at the latest; why not."""

    seconds: float | None
    early_seconds: float | None
    late_seconds: float | None
    trend: str


def systems(connection: Connection, choice: TaskChoice, now_seconds: float) -> list[SystemRow]:
    """Every task's file system, the worst first.

    Args:
        connection: reads.
        choice: a task's name, or a host's.
        now_seconds: the time.

    Raises:
        NoSuchError: there is neither a task nor a host of that name.
    """
    known = tasks.every(connection)
    wanted = [task for task in known if choice.task in ("", task.name, task.host)]
    if choice.task and not wanted:
        raise NoSuchError(f"there is no task {choice.task!r}", "`dkm disk task list` names those there are")
    rows = [_system(connection, task, now_seconds) for task in wanted]
    return sorted(rows, key=lambda row: (_rank(row.level), -(row.used_percent or 0.0), row.task))


def _rank(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def _system(connection: Connection, task: Task, now_seconds: float) -> SystemRow:
    system = newest_ended(connection, task.name)
    quick = newest_ended(connection, task.name, "quick")
    full = newest_ended(connection, task.name, "full")
    until = (
        Fullness(None, None, None, "too early to say") if system is None else fullness(connection, system, now_seconds)
    )
    return SystemRow(
        task=task.name,
        host=task.host,
        path=task.path,
        enabled=task.enabled,
        level=UNKNOWN if system is None else system["level"],
        **{name: None if system is None else system[name] for name in _SYSTEM},
        **{name: None if full is None else full[name] for name in _TREE},
        users=None if full is None else _users(connection, full["id"]),
        partial=full is not None and bool(full["partial"]),
        full_in_seconds=until.seconds,
        full_in_early_seconds=until.early_seconds,
        full_in_late_seconds=until.late_seconds,
        trend=until.trend,
        usage_warning_percent=task.usage_warning_percent,
        usage_critical_percent=task.usage_critical_percent,
        last_full_seconds=None if full is None else full["started_seconds"],
        last_quick_seconds=None if quick is None else quick["started_seconds"],
        run_id=None if full is None else full["id"],
    )


def _users(connection: Connection, run_id: int) -> int:
    counted = sa.select(sa.func.count()).select_from(tables.users).where(tables.users.c.run_id == run_id)
    return connection.scalar(counted) or 0


def use(connection: Connection, task: str, since_seconds: float) -> list[tuple[float, float]]:
    """How much of a task's file system was used over time: (UTC seconds, bytes) of each run that ended."""
    c = tables.runs.c
    wanted = sa.select(c.started_seconds, c.used_bytes).where(
        c.task == task, c.started_seconds >= int(since_seconds), c.used_bytes.is_not(None), ended()
    )
    found = dict(connection.execute(wanted.order_by(c.started_seconds, c.id)).all())  # one of each second
    return [(float(at), float(used)) for at, used in found.items()]


def fullness(connection: Connection, system: Mapping[str, Any], now_seconds: float) -> Fullness:
    """When the file system of a run is full, by the runs of the last two weeks.

    No number stands where it would say nothing: too few runs, no growth, growth that may be none, or not within a year.
    """
    slope = slope_between(use(connection, system["task"], now_seconds - TREND_SECONDS))
    free_bytes = float(system["available_bytes"] or 0)
    if slope is None:
        return Fullness(None, None, None, trend(free_bytes, None))
    if slope.middle > 0 and slope.low <= 0:
        return Fullness(None, None, None, "no clear growth")
    return _until(free_bytes, slope)


def _until(free_bytes: float, slope: Slope) -> Fullness:
    middle = seconds_to_full(free_bytes, slope.middle)
    told = trend(free_bytes, slope.middle)
    if middle is None:
        return Fullness(None, None, None, told)
    return Fullness(middle, free_bytes / slope.high, seconds_to_full(free_bytes, slope.low), told)


def ask_systems(sources: Sources, question: Question) -> Answer:
    """The listing of file systems."""
    with sources.store.reading() as connection:
        return answer_rows(systems(connection, sources.of(TaskChoice), sources.now_seconds), question)
