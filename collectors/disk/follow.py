"""What follows from a run: people are told, plans get their day, and what is due is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.disk import due, runs, work

if TYPE_CHECKING:
    from collectors.disk.tasks import Task
    from collectors.disk.work import Bench, Outcome


def look_where_due(bench: Bench, task: Task) -> Outcome | None:
    """Look at a file system where that is due, and scan where the look asks for it."""
    seen = _seen(bench, task)
    if not due.quick_is_due(task, seen, bench.wall()) or due.full_is_due(task, seen, bench.wall()):
        return None
    looked = work.quick(bench, task)
    if not due.warning_scan_is_due(task, seen, looked.level, bench.wall()):
        return looked
    return scan_and_follow(bench, task)


def scan_where_due(bench: Bench, task: Task) -> Outcome | None:
    """Scan a tree where the nightly scan is due."""
    if not due.full_is_due(task, _seen(bench, task), bench.wall()):
        return None
    return scan_and_follow(bench, task)


def scan_and_follow(bench: Bench, task: Task) -> Outcome:
    """Scan a tree, and do all that follows from what was found."""
    return work.full(bench, task)


def _seen(bench: Bench, task: Task) -> runs.Seen:
    with bench.store.reading() as connection:
        return runs.last_seen(connection, task.name)
