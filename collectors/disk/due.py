"""When a task is due: from what the store says of its last runs, so that a restart neither forgets nor doubles one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from collectors.disk.runs import Level

if TYPE_CHECKING:
    from collectors.disk.runs import Seen
    from collectors.disk.tasks import Task

RETRY_SECONDS = 600  # a scan that failed is not begun again at once
SHARE_OF_TIME = 20  # a scan that a warning brings about may take a twentieth of the time, like the nightly one


def quick_is_due(task: Task, seen: Seen, now_seconds: float) -> bool:
    """Whether the file system's use is to be looked at. A full run looks at it, too."""
    if task.quick_minutes == 0 or seen.is_running:
        return False
    last = max(seen.quick_seconds or 0, seen.full_seconds or 0)
    return not 0 <= now_seconds - last < task.quick_minutes * 60


def full_is_due(task: Task, seen: Seen, now_seconds: float) -> bool:
    """Whether the tree is to be scanned: each night at its hour of local time, and at once where it never was."""
    if task.full_hour < 0:
        return False
    if seen.full_seconds is None:
        return True
    return seen.full_seconds < last_hour_seconds(task.full_hour, now_seconds)


def warning_scan_is_due(task: Task, seen: Seen, now_seconds: float) -> bool:
    """Whether a look that found the file system full enough is followed by a scan.

    It is where the level has risen since the last scan, and otherwise no more often than the scan's own time allows.
    """
    if seen.level is Level.OK or task.quick_minutes == 0:
        return False
    if seen.full_seconds is None or seen.full_level is None or seen.level.number > seen.full_level.number:
        return seen.full_seconds is None or now_seconds - seen.full_seconds >= RETRY_SECONDS
    pause_seconds = max(task.quick_minutes * 60, SHARE_OF_TIME * (seen.scan_seconds or 0))
    return now_seconds - seen.full_seconds >= pause_seconds


def last_hour_seconds(hour: int, now_seconds: float) -> float:
    """When it was last so many o'clock in local time, UTC seconds; of an hour that summer time leaves out, the next."""
    now = datetime.fromtimestamp(now_seconds).astimezone()
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0, tzinfo=None)
    wanted = today.timestamp()
    if wanted > now_seconds:
        wanted = (today - timedelta(days=1)).timestamp()
    return wanted
