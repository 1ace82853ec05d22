"""Runs in the store: one at a time for each task, what each found, and how it ended."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.errors import BusyError, ScanError
from collectors.disk.facts import FileSystem
from dkumonitor.store.engine import insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from collectors.disk.facts import Scan
    from collectors.disk.tasks import Task
    from dkumonitor.store.engine import Store

Kind = Literal["quick", "full"]
STALE_SECONDS = 300  # a run that has said nothing for so long is dead
DETAIL_MAX = 500
UNKNOWN = "unknown"  # the level of a run that saw no file system


class State(StrEnum):
    """How it stands with a run."""

    RUNNING = "running"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Level(StrEnum):
    """How full a file system is, by the thresholds of a task."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def number(self) -> int:
        """The same as a metric: 0, 1, 2."""
        return list(Level).index(self)


def level_of(task: Task, used_percent: float) -> Level:
    """How full that is for a task."""
    if used_percent >= task.usage_critical_percent:
        return Level.CRITICAL
    return Level.WARNING if used_percent >= task.usage_warning_percent else Level.OK


def look(path: bytes) -> FileSystem:
    """The file system of a path, by statvfs(3).

    Raises:
        ScanError: it is not there, or cannot be asked.
    """
    try:
        seen = os.statvfs(path)
    except OSError as error:
        raise ScanError(
            f"cannot look at {os.fsdecode(path)}: {error.strerror}",
            "Is it mounted? `dkm disk task edit` changes a path",
        ) from None
    return FileSystem(
        total_bytes=seen.f_blocks * seen.f_frsize,
        free_bytes=seen.f_bfree * seen.f_frsize,
        available_bytes=seen.f_bavail * seen.f_frsize,
        total_inodes=seen.f_files,
        free_inodes=seen.f_ffree,
    )


@contextmanager
def alone(folder: Path, task: str) -> Iterator[None]:
    """Hold a task's lock on this machine; the kernel lets go when the process ends, however that is.

    Raises:
        ScanError: another process here runs the task.
    """
    path = folder / f"disk-{task}.lock"
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(task) from None
        yield


def begin(store: Store, task: Task, kind: Kind, now_seconds: float) -> int:
    """Note that a run begins.

    Returns:
        Its number.

    Raises:
        ScanError: a run of the task is under way, on this host or on another.
    """
    now = int(now_seconds)

    def act(connection: Connection) -> int:
        mine = sa.and_(tables.runs.c.task == task.name, tables.runs.c.state == State.RUNNING.value)
        fresh = tables.runs.c.alive_seconds > now - STALE_SECONDS
        if connection.scalar(sa.select(sa.func.count()).select_from(tables.runs).where(mine, fresh)):
            raise _busy(task.name)
        dead = {"state": State.INTERRUPTED.value, "detail": "it ended without a word", "ended_seconds": now}
        connection.execute(sa.update(tables.runs).where(mine).values(dead))
        values = {
            "task": task.name,
            "host": task.host,
            "path": task.path,
            "kind": kind,
            "state": State.RUNNING.value,
            "level": Level.OK.value,
            "detail": "",
            "started_seconds": now,
            "alive_seconds": now,
            "partial": False,
        }
        key = connection.execute(sa.insert(tables.runs).values(values)).inserted_primary_key
        assert key is not None  # noqa: S101  every server gives it
        return int(key[0])

    return store.write(act)


def tell_alive(store: Store, run_id: int, now_seconds: float) -> None:
    """Say that a run is still under way."""
    values = {"alive_seconds": int(now_seconds)}
    with store.writing() as connection:
        connection.execute(sa.update(tables.runs).where(tables.runs.c.id == run_id).values(values))


def end(
    store: Store, run_id: int, state: State, now_seconds: float, *, level: Level | None, values: Mapping[str, Any]
) -> None:
    """Note how a run ended.

    Args:
        store: the store.
        run_id: which.
        state: how.
        now_seconds: the time.
        level: how full the file system is; None where that was not seen.
        values: other columns: :func:`of_file_system`, :func:`of_scan`, ``detail``.
    """
    known = {
        "state": state.value,
        "level": level.value if level else UNKNOWN,
        "ended_seconds": int(now_seconds),
        **values,
    }
    if "detail" in known:
        known["detail"] = str(known["detail"])[:DETAIL_MAX]
    with store.writing() as connection:
        connection.execute(sa.update(tables.runs).where(tables.runs.c.id == run_id).values(known))


def of_file_system(seen: FileSystem) -> dict[str, Any]:
    """A file system as the columns of a run."""
    return {
        "total_bytes": seen.total_bytes,
        "used_bytes": seen.used_bytes,
        "available_bytes": seen.available_bytes,
        "used_percent": seen.used_percent,
        "total_inodes": seen.total_inodes,
        "free_inodes": seen.free_inodes,
    }


def of_scan(found: Scan) -> dict[str, Any]:
    """A scan's sums as the columns of a run."""
    return {
        **of_file_system(found.filesystem),
        **msgspec.structs.asdict(found.totals),
        "entries": found.entries,
        "scan_seconds": found.seconds,
        "old_file_days": found.old_days,
        "partial": found.partial,
        "unreadable_directories": found.unreadable_directories,
        "errors": sum(error.count for error in found.errors),
    }


def keep(store: Store, run_id: int, found: Scan) -> None:
    """Keep what a scan found, in several transactions so that no other writer waits for long.

    The run itself still says that it is under way: nobody takes half of it for the whole.
    """
    for table, rows in _tables_of(found):
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append({"run_id": run_id, **row})
            if len(batch) == 1000:  # noqa: PLR2004  dkumonitor.store.engine.BATCH_ROWS, at most
                _insert(store, table, batch)
                batch = []
        if batch:
            _insert(store, table, batch)


def _insert(store: Store, table: Table, rows: list[dict[str, Any]]) -> None:
    with store.writing() as connection:
        insert_rows(connection, table, rows)


def _tables_of(found: Scan) -> Iterator[tuple[Table, Iterable[dict[str, Any]]]]:
    asdict = msgspec.structs.asdict
    yield tables.users, (asdict(user) for user in found.users)
    yield tables.groups, (asdict(group) for group in found.groups)
    numbers = {directory.path: number for number, directory in enumerate(found.directories)}
    yield (
        tables.directories,
        (
            {**asdict(directory), "number": number, "parent": _parent(directory.path, numbers)}
            for number, directory in enumerate(found.directories)
        ),
    )
    yield (
        tables.directory_users,
        (
            {**{name: getattr(row, name) for name in _DIRECTORY_USER}, "number": numbers[row.path]}
            for row in found.directory_users
            if row.path in numbers
        ),
    )
    yield (
        tables.buckets,
        (
            {"kind": kind, "number": number, "lower": lower, "upper": upper} | _counts(bucket)
            for kind, number, lower, upper, bucket in _buckets(found)
        ),
    )
    yield tables.top_files, ({**asdict(file), "number": number} for number, file in enumerate(found.top_files))
    yield tables.errors, (asdict(error) for error in found.errors)


_DIRECTORY_USER = ("uid", "files", "apparent_bytes", "allocated_bytes", "old_files", "old_bytes")


def _parent(path: bytes, numbers: Mapping[bytes, int]) -> int | None:
    """The number of the directory above, or of the nearest one above that is kept."""
    while path:
        path = path.rpartition(b"/")[0]
        if path in numbers:
            return numbers[path]
    return None


def _buckets(found: Scan) -> Iterator[tuple[str, int, int | None, int | None, Any]]:
    for number, age in enumerate(found.ages):
        yield "age", number, age.from_days, age.to_days, age
    for number, size in enumerate(found.sizes):
        yield "size", number, size.from_bytes, size.to_bytes, size


def _counts(bucket: Any) -> dict[str, int]:
    return {name: getattr(bucket, name) for name in ("files", "apparent_bytes", "allocated_bytes")}


def _busy(task: str) -> BusyError:
    return BusyError(f"a run of {task!r} is under way", "Wait for its end: `dkm disk view history` shows it")


class Seen(msgspec.Struct, frozen=True):
    """When a task was last looked at.

    Attributes:
        quick_seconds: when its last quick run began, however it ended; None where there was none.
        full_seconds: the same of full runs.
        is_running: whether a run is under way.
        level: how full the file system was at the last run that ended well.
        full_level: the same at the last full run that did; None where none did.
        scan_seconds: how long that run's scan took.
    """

    quick_seconds: int | None = None
    full_seconds: int | None = None
    is_running: bool = False
    level: Level = Level.OK
    full_level: Level | None = None
    scan_seconds: float | None = None


def last_seen(connection: Connection, task: str, now_seconds: float) -> Seen:
    """When a task was last looked at. A run that failed counts: it is tried again when the next is due."""
    table = tables.runs
    began = sa.select(table.c.kind, sa.func.max(table.c.started_seconds)).where(table.c.task == task)
    newest = {row.kind: row[1] for row in connection.execute(began.group_by(table.c.kind))}
    alive = sa.and_(table.c.state == State.RUNNING.value, table.c.alive_seconds > int(now_seconds) - STALE_SECONDS)
    running = connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.task == task, alive))
    looked = newest_ended(connection, task)
    scanned = newest_ended(connection, task, "full")
    return Seen(
        quick_seconds=newest.get("quick"),
        full_seconds=newest.get("full"),
        is_running=bool(running),
        level=Level(looked["level"]) if looked else Level.OK,
        full_level=Level(scanned["level"]) if scanned else None,
        scan_seconds=scanned["scan_seconds"] if scanned else None,
    )


def newest_ended(connection: Connection, task: str, kind: Kind | None = None) -> dict[str, Any] | None:
    """The newest run of a task that ended well, as the table has it; of one kind where it is said."""
    table = tables.runs
    wanted = sa.select(table).where(table.c.task == task, table.c.state.in_([State.DONE.value, State.PARTIAL.value]))
    if kind is not None:
        wanted = wanted.where(table.c.kind == kind)
    row = connection.execute(wanted.order_by(table.c.started_seconds.desc(), table.c.id.desc()).limit(1)).mappings()
    found = row.first()
    return None if found is None else dict(found)
