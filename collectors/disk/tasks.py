"""Tasks: which tree is watched on which host, when it is too full, and what happens then. Kept in the store."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.errors import TaskError
from dkumonitor.store.types import PATH_MAX_BYTES
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

GIB = 1024**3
AgeBy = Literal["newest", "atime", "mtime"]
Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]
Days = Annotated[int, msgspec.Meta(ge=0, le=36500)]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One watched tree. The names are those of the store's columns, of the flags, and of JSON.

    Attributes:
        name: of letters, digits, ``_`` and ``-``.
        host: the machine that scans it, as ``--hostname`` names it in metrics.
        path: the tree, absolute.
        enabled: whether it is scanned at all.
        usage_warning_percent: from here on people are warned.
        usage_critical_percent: from here on old files are moved or deleted.
        old_file_days: a file is old when it is so many days since it was used.
        age_by: what "used" is: the newest of atime and mtime, or one of them.
        relocation_path: where old files are moved to; None to move nothing.
        delete_old_files: whether old files are deleted instead.
        delete_when_full: whether what did not fit at the relocation path becomes a plan of deletion.
        email_usage_warnings: whether the largest users are written to.
        email_data_alterations: whether owners are written to before and after their files are moved or deleted.
        email_top_percent: the share of the users that counts as the largest.
        dry_run: whether plans are only made; an act then needs ``dkm disk plan apply``.
        warning_days: how long owners have between the warning and an act that comes by itself.
        quarantine_days: how long deleted files can be brought back.
        remove_empty_directories: whether directories that an act leaves empty go, too.
        max_files: the most that one plan takes.
        max_bytes: the same in bytes.
        max_share_percent: the same as a share of the tree's bytes.
        quick_minutes: how often the use of the file system is looked at; 0 for never.
        full_hour: the hour of local time at which the whole tree is scanned each night; -1 for never.
        depth: how many levels of directories are told apart.
        threads: of the scanner; 0 leaves it to the scanner.
        max_rate: entries a second that the scanner looks at; 0 for no bound.
        changed_seconds: when the task was last changed.

    Raises:
        ValueError: a value is impossible by itself or beside another.
    """

    name: str
    host: str
    path: bytes
    enabled: bool = True
    usage_warning_percent: Percent = 80.0
    usage_critical_percent: Percent = 90.0
    old_file_days: Annotated[int, msgspec.Meta(ge=1, le=36500)] = 90
    age_by: AgeBy = "newest"
    relocation_path: bytes | None = None
    delete_old_files: bool = False
    delete_when_full: bool = False
    email_usage_warnings: bool = True
    email_data_alterations: bool = True
    email_top_percent: Percent = 25.0
    dry_run: bool = True
    warning_days: Days = 7
    quarantine_days: Days = 14
    remove_empty_directories: bool = False
    max_files: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    max_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] = 1024 * GIB
    max_share_percent: Percent = 25.0
    quick_minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)] = 60
    full_hour: Annotated[int, msgspec.Meta(ge=-1, le=23)] = 2
    depth: Annotated[int, msgspec.Meta(ge=0, le=32)] = 3
    threads: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0
    max_rate: Annotated[int, msgspec.Meta(ge=0, le=100_000_000)] = 0
    changed_seconds: Moment = 0

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"name {self.name!r} is not of 1 to {tables.NAME_MAX} letters, digits, _ and -")
        for name, path in (("path", self.path), ("relocation_path", self.relocation_path)):
            if path is not None:
                _check_path(name, path)
        if self.usage_critical_percent < self.usage_warning_percent:
            raise ValueError("usage_critical_percent is below usage_warning_percent")
        if self.relocation_path is not None and self.delete_old_files:
            raise ValueError("relocation_path and delete_old_files exclude each other: move or delete")
        if self.delete_when_full and self.relocation_path is None:
            raise ValueError("delete_when_full is nothing without a relocation_path")
        if self.relocation_path is not None and _is_inside(self.relocation_path, self.path):
            raise ValueError("relocation_path and path lie in each other")

    @property
    def action(self) -> Literal["move", "delete"] | None:
        """What happens to old files when the file system is critical."""
        if self.relocation_path is not None:
            return "move"
        return "delete" if self.delete_old_files else None


FIELDS = tuple(name for name in Task.__struct_fields__ if name != "changed_seconds")


def make(values: Mapping[str, Any]) -> Task:
    """A task from its values, checked.

    Raises:
        TaskError: a value is impossible; the text names its key.
    """
    try:
        return msgspec.convert(dict(values), Task, builtin_types=(bytes,))
    except (msgspec.ValidationError, ValueError) as error:
        text = str(error).replace(" - at `$.", ": `")
        raise TaskError(f"this is no task: {text}", "Correct that value, see `dkm disk task create --help`") from None


def add(connection: Connection, task: Task, now_seconds: float) -> None:
    """Keep a new task.

    Raises:
        TaskError: there is one of that name.
    """
    if _row(connection, task.name) is not None:
        raise TaskError(
            f"there is a task {task.name!r} already", f"Choose another name, or `dkm disk task edit {task.name}`"
        )
    connection.execute(sa.insert(tables.tasks).values(_values(task, now_seconds)))


def change(connection: Connection, name: str, values: Mapping[str, Any], now_seconds: float) -> Task:
    """Change some values of a task; the rest stays.

    Raises:
        TaskError: there is no such task, or a value is impossible.
    """
    task = make({**msgspec.structs.asdict(find(connection, name)), **values, "name": name})
    connection.execute(sa.update(tables.tasks).where(tables.tasks.c.name == name).values(_values(task, now_seconds)))
    return task


def remove(connection: Connection, name: str) -> None:
    """Forget a task. What its runs found stays until it is too old.

    Raises:
        TaskError: there is no such task.
    """
    find(connection, name)
    connection.execute(sa.delete(tables.exemptions).where(tables.exemptions.c.task == name))
    connection.execute(sa.delete(tables.tasks).where(tables.tasks.c.name == name))


def find(connection: Connection, name: str) -> Task:
    """The task of a name.

    Raises:
        TaskError: there is none.
    """
    row = _row(connection, name)
    if row is None:
        known = [task.name for task in every(connection)]
        do = f"There are {', '.join(known[:10])}" if known else "Make one with `dkm disk task create`"
        raise TaskError(f"there is no task {name!r}", do)
    return Task(**row)


def every(connection: Connection, host: str | None = None) -> list[Task]:
    """All tasks by name, or those of one host."""
    wanted = sa.select(*_columns()).order_by(tables.tasks.c.name)
    if host is not None:
        wanted = wanted.where(tables.tasks.c.host == host)
    return [Task(**row) for row in connection.execute(wanted).mappings()]


def _row(connection: Connection, name: str) -> Mapping[str, Any] | None:
    found = connection.execute(sa.select(*_columns()).where(tables.tasks.c.name == name)).mappings().first()
    return None if found is None else dict(found)


def _columns() -> list[sa.Column[Any]]:
    return [tables.tasks.c[name] for name in Task.__struct_fields__]


def _values(task: Task, now_seconds: float) -> dict[str, Any]:
    return {**msgspec.structs.asdict(task), "changed_seconds": int(now_seconds)}


def _check_path(name: str, path: bytes) -> None:
    shown = os.fsdecode(path)
    if not path.startswith(b"/") or b"\0" in path or len(path) > PATH_MAX_BYTES:
        raise ValueError(f"{name} {shown!r} is no absolute path")
    if os.path.normpath(path) != path or path == b"/":
        raise ValueError(f"{name} {shown!r} is the root folder, or holds '.', '..' or doubled or last slashes")


def _is_inside(one: bytes, other: bytes) -> bool:
    return (one + b"/").startswith(other + b"/") or (other + b"/").startswith(one + b"/")
