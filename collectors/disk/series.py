"""What carbon gets of disk use: the newest figures of each task, sent at every run so that a chart has no holes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from collectors.disk import runs, tables
from collectors.disk.runs import Level
from dkumonitor.metrics import segment
from dkumonitor.store.people import People

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from collectors.disk.tasks import Task
    from dkumonitor.collector import Run
    from dkumonitor.metrics import Point

OTHER = "_other"
_OWN = ("apparent_bytes", "allocated_bytes", "old_bytes", "files")
_USED = ("used_percent", "used_bytes", "available_bytes")
_FOUND = ("files", "apparent_bytes", "allocated_bytes", "old_files", "old_bytes", "entries", "scan_seconds", "errors")


def points(run: Run, connection: Connection, tasks: Sequence[Task], host: str, top_users: int) -> Iterator[Point]:
    """The newest figures of tasks.

    Args:
        run: whose points they become.
        connection: reads.
        tasks: which tasks.
        host: the machine whose accounts the uids are.
        top_users: how many accounts have series of their own; the rest is summed.
    """
    people = People(connection, host)
    for task in tasks:
        prefix = segment(task.name)
        looked = runs.newest_ended(connection, task.name)
        if looked is not None:
            yield run.point(f"{prefix}.level", Level(looked["level"]).number)
            for name in _USED:
                yield run.point(f"{prefix}.{name}", looked[name])
        found = runs.newest_ended(connection, task.name, "full")
        if found is not None:
            for name in _FOUND:
                yield run.point(f"{prefix}.{name}", found[name])
            yield run.point(f"{prefix}.partial", int(found["partial"]))
            yield from _users(run, f"{prefix}.users", connection, found["id"], people=people, top_users=top_users)


def _users(
    run: Run, prefix: str, connection: Connection, run_id: int, *, people: People, top_users: int
) -> Iterator[Point]:
    table = tables.users
    columns = [table.c[name] for name in _OWN]
    mine = sa.select(table.c.uid, *columns).where(table.c.run_id == run_id)
    largest = connection.execute(mine.order_by(table.c.allocated_bytes.desc(), table.c.uid)).all()
    known = people.by_uid([row.uid for row in largest[:top_users]])
    for row in largest[:top_users]:
        login = known[row.uid].login if row.uid in known else f"uid-{row.uid}"
        for name in _OWN:
            yield run.point(f"{prefix}.{segment(login)}.{name}", getattr(row, name))
    rest = largest[top_users:]
    if rest:
        for name in _OWN:
            yield run.point(f"{prefix}.{OTHER}.{name}", sum(getattr(row, name) for row in rest))
