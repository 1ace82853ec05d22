"""What follows from a run: people are told, plans get their day, and what is due is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.disk import due, runs, work

if TYPE_CHECKING:
    from collectors.disk.tasks import Task
    from collectors.disk.work import Bench, Outcome


def look_where_due(bench: Bench, task: Task) -> bool:
    """Look at a file system where that is due; whether it was."""
    if not due.quick_is_due(task, _seen(bench, task), bench.wall()):
        return False
    work.quick(bench, task)
    return True


def scan_where_due(bench: Bench, task: Task) -> bool:
    """Scan a tree where its hour has come, or a look found the file system too full; whether it was."""
    seen, now_seconds = _seen(bench, task), bench.wall()
    if seen.is_running or not (
        due.full_is_due(task, seen, now_seconds) or due.warning_scan_is_due(task, seen, now_seconds)
    ):
        return False
    scan_and_follow(bench, task)
    return True


def scan_and_follow(bench: Bench, task: Task) -> Outcome:
    """Scan a tree, and do all that follows from what was found."""
    return work.full(bench, task)


def _seen(bench: Bench, task: Task) -> runs.Seen:
    with bench.store.reading() as connection:
        return runs.last_seen(connection, task.name, bench.wall())
