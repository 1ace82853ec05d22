"""Whether an entry may be acted on: what was decided, what is there, and the bounds. Pure."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from collectors.disk.act.outcome import Reason
from collectors.disk.act.policy import DAY_SECONDS

if TYPE_CHECKING:
    import os
    import re

    from collectors.disk.act.policy import TreePolicy
    from collectors.disk.plan_file import Entry, Head

SECOND_NS = 1_000_000_000
STATE_FOLDER = b".dkumonitor"
_NAME_MAX_BYTES = 255
_PATH_MAX_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What no entry goes beyond.

    Attributes:
        age_by: which times make a file old.
        old_before_ns: what was used later, by those times, is not old.
        unused_since_ns: nothing is touched that was read or written later, whichever times the plan goes by.
        min_uid: no smaller owner is touched.
        exempt_uids: whose entries are left alone.
        exempt: matches paths that are left alone.
        max_files, max_bytes: no more is done by the plan.
    """

    age_by: Literal["newest", "atime", "mtime"]
    old_before_ns: int
    unused_since_ns: int
    min_uid: int
    exempt_uids: frozenset[int]
    exempt: re.Pattern[bytes] | None
    max_files: int
    max_bytes: int


def bounds_of(head: Head, allowed: TreePolicy, now_ns: int, tree_bytes: int) -> Bounds:
    """The narrower of what the plan and the policy say.

    Args:
        head: the plan's.
        allowed: the policy's.
        now_ns: the time.
        tree_bytes: what the tree can hold at most, whatever the plan says.
    """
    share_percent = min(head.max_share_percent, allowed.max_share_percent)
    share_bytes = int(min(head.tree_bytes, tree_bytes) * share_percent / 100)
    return Bounds(
        age_by=head.age_by,
        old_before_ns=head.old_before_seconds * SECOND_NS,
        unused_since_ns=now_ns - allowed.min_old_days * DAY_SECONDS * SECOND_NS,
        min_uid=allowed.min_uid,
        exempt_uids=allowed.exempt_uids(),
        exempt=allowed.exempt(),
        max_files=min(head.max_files, allowed.max_files),
        max_bytes=min(head.max_bytes, allowed.max_bytes, share_bytes),
    )


def is_path(path: bytes) -> bool:
    """Whether this is a path below a tree, in its one way of being written, and leads through no folder of ours."""
    names = path.split(b"/")
    return (
        len(path) <= _PATH_MAX_BYTES
        and b"\0" not in path
        and all(0 < len(name) <= _NAME_MAX_BYTES and name not in {b".", b"..", STATE_FOLDER} for name in names)
    )


def refusal(entry: Entry, there: os.stat_result, bounds: Bounds, now_ns: int) -> Reason | None:
    """Why an entry is left alone, by what is there now; None to go on.

    Args:
        entry: as it was decided on.
        there: what the open handle says.
        bounds: what may not be crossed.
        now_ns: the time.
    """
    if (there.st_dev, there.st_ino) != (entry.dev, entry.ino) or stat.S_IFMT(there.st_mode) != stat.S_IFMT(entry.mode):
        return Reason.REPLACED
    if not (stat.S_ISREG(there.st_mode) or stat.S_ISLNK(there.st_mode)):
        return Reason.TYPE
    if (there.st_size, there.st_mtime_ns, there.st_uid) != (entry.size_bytes, entry.mtime_ns, entry.uid):
        return Reason.CHANGED
    return protection(entry.path, there.st_uid, bounds) or _by_times(there, bounds, now_ns)


def protection(path: bytes, uid: int, bounds: Bounds) -> Reason | None:
    """Why nothing of this path and owner is touched, file or directory; None where it may be."""
    if uid < bounds.min_uid:
        return Reason.OWNER
    if uid in bounds.exempt_uids or (bounds.exempt is not None and bounds.exempt.match(path)):
        return Reason.EXEMPT
    return None


def _by_times(there: os.stat_result, bounds: Bounds, now_ns: int) -> Reason | None:
    times = {"newest": (there.st_atime_ns, there.st_mtime_ns), "atime": (there.st_atime_ns,)}.get(
        bounds.age_by, (there.st_mtime_ns,)
    )
    if max(there.st_atime_ns, there.st_mtime_ns, there.st_ctime_ns) > now_ns + SECOND_NS:
        return Reason.FUTURE
    if min(times) <= 0:
        return Reason.IMPLAUSIBLE
    is_old = max(times) <= bounds.old_before_ns and max(there.st_atime_ns, there.st_mtime_ns) <= bounds.unused_since_ns
    return None if is_old else Reason.USED
