"""Tasks, plans' heads and entries for tests, each with the values that the test names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collectors.disk import tasks
from collectors.disk.plan_file import Entry, Head

if TYPE_CHECKING:
    from collectors.disk.tasks import Task

NOW_SECONDS = 1_800_000_000


def a_task(path: bytes = b"/scratch", **values: Any) -> Task:
    """A task of the installation's host."""
    return tasks.make({"name": "scratch", "host": "example", "path": path, **values})


def a_head(**values: Any) -> Head:
    plain: dict[str, Any] = {
        "id": "scratch-20270115T080000Z-move",
        "task": "scratch",
        "host": "example",
        "action": "move",
        "tree": b"/scratch",
        "tree_dev": 1,
        "tree_ino": 2,
        "relocation": b"/archive",
        "age_by": "newest",
        "old_before_seconds": 1_790_000_000,
        "quarantine_days": 14,
        "remove_empty_directories": False,
        "max_files": 100,
        "max_bytes": 10**9,
        "tree_bytes": 10**10,
        "max_share_percent": 25.0,
        "created_seconds": 1_800_000_000,
    }
    return Head(**(plain | values))


def an_entry(path: bytes = b"a/b", **values: Any) -> Entry:
    plain: dict[str, Any] = {
        "path": path,
        "type": "f",
        "dev": 1,
        "ino": 7,
        "uid": 1000,
        "gid": 1000,
        "mode": 0o100644,
        "links": 1,
        "size_bytes": 5,
        "allocated_bytes": 4096,
        "atime_ns": 10**18,
        "mtime_ns": 10**18,
        "ctime_ns": 10**18,
        "reason": "old",
    }
    return Entry(**(plain | values))
