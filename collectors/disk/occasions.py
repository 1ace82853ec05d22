"""The newest full run of a task, read back from the store as what there is to tell people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from collectors.disk import plans, runs, tables
from collectors.disk.errors import TaskError
from collectors.disk.facts import DirectoryUser, FileSystem, Scan, TopFile, User
from collectors.disk.warnings import Occasion, Planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from collectors.disk.plans import Owned, Plan
    from collectors.disk.tasks import Task


def newest(connection: Connection, task: Task) -> Occasion:
    """What a task's newest full run found, and what open plans hold.

    Raises:
        TaskError: no full run has ended well yet.
    """
    row = runs.newest_ended(connection, task.name, "full")
    if row is None:
        raise TaskError(f"no full run of {task.name!r} has ended well yet", f"`dkm disk run full {task.name}`")
    scan = _scan(connection, row)
    opened = plans.every(connection, task=task.name, states=plans.OPEN)
    return Occasion(
        task=task,
        run_id=row["id"],
        scan=scan,
        level=runs.level_of(task, scan.filesystem.used_percent),
        planned=tuple(planned(connection, plan) for plan in opened),
    )


def planned(connection: Connection, plan: Plan) -> Planned:
    """What a plan of the store holds of each owner."""
    return planned_of(plan, plans.owners(connection, plan.id))


def planned_of(plan: Plan, owned: Iterable[Owned]) -> Planned:
    """What a plan holds of each owner."""
    return Planned(
        action="move" if plan.action == "move" else "delete",
        users={one.uid: (one.files, one.bytes) for one in owned},
        due_seconds=plan.due_seconds,
    )


def _scan(connection: Connection, row: Mapping[str, Any]) -> Scan:
    """As much of the scan as mails need."""
    run_id = row["id"]

    def found(table: sa.Table, names: tuple[str, ...]) -> list[Mapping[str, Any]]:
        wanted = sa.select(*(table.c[name] for name in names)).where(table.c.run_id == run_id)
        return [dict(one) for one in connection.execute(wanted).mappings()]

    below, directories = tables.directory_users, tables.directories
    here = sa.and_(directories.c.run_id == below.c.run_id, directories.c.number == below.c.number)
    names = (name for name in DirectoryUser.__struct_fields__ if name != "path")
    of_users = sa.select(directories.c.path, *(below.c[name] for name in names))
    of_users = of_users.select_from(below.join(directories, here)).where(below.c.run_id == run_id)
    return Scan(
        path=row["path"],
        now_seconds=row["started_seconds"],
        seconds=row["scan_seconds"] or 0.0,
        entries=row["entries"] or 0,
        old_days=row["old_file_days"] or 0,
        age_by="",
        partial=row["partial"],
        filesystem=FileSystem(
            total_bytes=row["total_bytes"] or 0,
            free_bytes=(row["total_bytes"] or 0) - (row["used_bytes"] or 0),
            available_bytes=row["available_bytes"] or 0,
        ),
        users=tuple(User(**one) for one in found(tables.users, User.__struct_fields__)),
        directory_users=tuple(DirectoryUser(**one) for one in connection.execute(of_users).mappings()),
        top_files=tuple(TopFile(**one) for one in found(tables.top_files, TopFile.__struct_fields__)),
    )
