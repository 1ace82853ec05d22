"""The rows of every listing of disk use. Sizes and counts carry the names that the scanner gives them.

``login`` is the account's name on the host that was scanned, ``uid-NUMBER`` where nobody knows one; ``real_name`` is
None but for viewers who may see it. A path is relative to the tree, empty for the tree itself; that of a task or a run
is absolute.
"""

from __future__ import annotations

import msgspec

from dkumonitor.views import Moment


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one user owns, by a task's newest full run.

    Attributes:
        old_percent: the share of its apparent bytes that is old.
        disk_percent: what it takes of the whole file system.
        growth_bytes: of allocated_bytes since a full run about a week before; None where there is none.
        growth_from_seconds: when that run was.
    """

    task: str
    login: str
    real_name: str | None
    allocated_bytes: int
    disk_percent: float | None
    old_percent: float
    growth_bytes: int | None
    files: int
    apparent_bytes: int
    old_bytes: int
    old_files: int
    directories: int
    other: int
    mean_age_seconds: float | None
    growth_from_seconds: Moment | None
    host: str
    uid: int
    run_id: int


class UserRunRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one user owned, by one full run."""

    task: str
    started_seconds: Moment
    allocated_bytes: int
    disk_percent: float | None
    old_percent: float
    files: int
    apparent_bytes: int
    old_bytes: int
    old_files: int
    directories: int
    other: int
    mean_age_seconds: float | None
    partial: bool
    login: str
    real_name: str | None
    host: str
    path: bytes
    uid: int
    run_id: int


class SystemRow(msgspec.Struct, frozen=True, kw_only=True):
    """A task's file system by its newest run, and its tree by its newest full run.

    Attributes:
        level: ok, warning or critical, by the task's thresholds; unknown before the first run.
        full_in_seconds: when it is full if it goes on as within the last two weeks; None where that says nothing.
        full_in_early_seconds, full_in_late_seconds: between these it is, in nine of ten cases; the second is None where
            it is beyond a year.
        trend: why there is no number, or that it grows.
        last_full_seconds, last_quick_seconds: when the newest run of that kind began that came to an end.
        run_id: the newest full run.
    """

    task: str
    host: str
    path: bytes
    enabled: bool
    level: str
    used_percent: float | None
    total_bytes: int | None
    used_bytes: int | None
    available_bytes: int | None
    files: int | None
    directories: int | None
    apparent_bytes: int | None
    allocated_bytes: int | None
    old_files: int | None
    old_bytes: int | None
    users: int | None
    partial: bool
    full_in_seconds: float | None
    full_in_early_seconds: float | None
    full_in_late_seconds: float | None
    trend: str
    usage_warning_percent: float
    usage_critical_percent: float
    last_full_seconds: Moment | None
    last_quick_seconds: Moment | None
    run_id: int | None


class DirectoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A directory with all that is below it.

    Attributes:
        number: tells it apart from the others of its run.
        share_percent: of what the directory above takes.
        listed: how many directories below it are listed.
    """

    path: bytes
    login: str
    allocated_bytes: int
    share_percent: float | None
    old_percent: float
    files: int
    apparent_bytes: int
    old_bytes: int
    old_files: int
    directories: int
    other: int
    listed: int
    depth: int
    uid: int
    number: int
    run_id: int


class PlaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is one user's of a directory with all that is below it; ``share_percent`` of what the directory takes."""

    path: bytes
    login: str
    allocated_bytes: int
    share_percent: float | None
    old_percent: float
    files: int
    apparent_bytes: int
    old_bytes: int
    old_files: int
    depth: int
    uid: int
    number: int
    run_id: int


class OldRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user, or a directory below the tree, with what is old of it; a user has no path and no number."""

    kind: str
    login: str
    path: bytes | None
    old_bytes: int
    old_percent: float
    old_files: int
    files: int
    apparent_bytes: int
    task: str
    host: str
    uid: int
    number: int | None
    run_id: int


class RunRow(msgspec.Struct, frozen=True):
    """A run. What a quick run does not look at is None; a run that saw no file system has the level unknown."""

    id: int
    task: str
    host: str
    path: bytes
    kind: str
    state: str
    level: str
    started_seconds: Moment
    ended_seconds: Moment | None
    used_percent: float | None
    used_bytes: int | None
    available_bytes: int | None
    total_bytes: int | None
    files: int | None
    directories: int | None
    apparent_bytes: int | None
    allocated_bytes: int | None
    old_files: int | None
    old_bytes: int | None
    entries: int | None
    scan_seconds: float | None
    partial: bool
    unreadable_directories: int | None
    errors: int | None
    detail: str


class DifferenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user or a directory in two runs; what is the same in both is left out.

    Attributes:
        kind: user or directory.
        change: grew, shrank, came, went; or touched where only the number of files differs.
        before_bytes, after_bytes: allocated.
    """

    kind: str
    login: str
    path: bytes | None
    change: str
    growth_bytes: int
    before_bytes: int
    after_bytes: int
    growth_files: int
    before_files: int
    after_files: int
    before_old_bytes: int
    after_old_bytes: int
    uid: int


class AgeRow(msgspec.Struct, frozen=True, kw_only=True):
    """Files that were used so many days ago; ``from_days`` is None of times in the future."""

    from_days: int | None
    to_days: int | None
    files: int
    apparent_bytes: int
    allocated_bytes: int


class SizeRow(msgspec.Struct, frozen=True, kw_only=True):
    """Files of a size, up to but without ``to_bytes``."""

    from_bytes: int
    to_bytes: int | None
    files: int
    apparent_bytes: int
    allocated_bytes: int


class TopFileRow(msgspec.Struct, frozen=True, kw_only=True):
    """One of the largest files of a run."""

    path: bytes
    login: str
    allocated_bytes: int
    apparent_bytes: int
    atime_seconds: Moment
    mtime_seconds: Moment
    uid: int


class ErrorRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a run could not read, by the kernel's name of the error."""

    kind: str
    count: int
    example: bytes


class PlanRow(msgspec.Struct, frozen=True):
    """A plan: what of a tree is to be moved or deleted."""

    id: str
    task: str
    host: str
    run_id: int | None
    action: str
    state: str
    created_seconds: Moment
    warned_seconds: Moment | None
    due_seconds: Moment | None
    ended_seconds: Moment | None
    files: int
    bytes: int
    left_files: int
    done_files: int
    done_bytes: int
    skipped_files: int
    detail: str


class PlanUserRow(msgspec.Struct, frozen=True, kw_only=True):
    """What of one user a plan holds."""

    login: str
    real_name: str | None
    files: int
    bytes: int
    uid: int
    plan: str
