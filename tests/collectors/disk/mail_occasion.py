"""A scan of /scratch with something to tell everybody, for the tests of mail."""

from __future__ import annotations

from typing import Any

from collectors.disk.facts import Directory, DirectoryUser, FileSystem, Scan, TopFile, User
from collectors.disk.runs import Level
from collectors.disk.tasks import GIB, Task
from collectors.disk.warnings import Done, Occasion, Planned

NOW_SECONDS = 1_795_572_000  # 2026-11-25 02:00 UTC
DUE_SECONDS = NOW_SECONDS + 7 * 86400
DAY_SECONDS = 86400


def task(**changes: Any) -> Task:
    plain: dict[str, Any] = {"name": "scratch", "host": "example", "path": b"/scratch"}
    return Task(**(plain | changes))


def user(uid: int, size_gib: float, old_gib: float = 0, files: int = 10, old_files: int | None = None) -> User:
    return User(
        uid=uid,
        files=files,
        directories=2,
        apparent_bytes=int(size_gib * GIB),
        allocated_bytes=int(size_gib * GIB * 1.25),
        old_files=(5 if old_gib else 0) if old_files is None else old_files,
        old_bytes=int(old_gib * GIB),
    )


def scan(*users: User, used_percent: float = 85.0, **changes: Any) -> Scan:
    total_bytes = 1000 * GIB
    free_bytes = int(total_bytes * (100 - used_percent) / 100)
    plain: dict[str, Any] = {
        "path": b"/scratch",
        "now_seconds": NOW_SECONDS,
        "seconds": 12.5,
        "entries": 1000,
        "old_days": 90,
        "age_by": "newest",
        "partial": False,
        "filesystem": FileSystem(total_bytes=total_bytes, free_bytes=free_bytes, available_bytes=free_bytes),
        "users": users,
    }
    return Scan(**(plain | changes))


def below(path: bytes, uid: int, files: int, size_gib: float) -> DirectoryUser:
    size_bytes = int(size_gib * GIB)
    return DirectoryUser(path=path, uid=uid, files=files, apparent_bytes=size_bytes, allocated_bytes=size_bytes)


def large(path: bytes, uid: int, size_gib: float, unused_days: int = 100) -> TopFile:
    used_seconds = NOW_SECONDS - unused_days * DAY_SECONDS
    return TopFile(
        path=path,
        uid=uid,
        apparent_bytes=int(size_gib * GIB),
        allocated_bytes=int(size_gib * GIB),
        atime_seconds=used_seconds,
        mtime_seconds=used_seconds - DAY_SECONDS,
    )


def of_ann(uid: int = 1001) -> dict[str, Any]:
    """Where the files of one user lie, for :func:`scan`."""
    users = (
        below(b"", uid, 5230, 212.0),
        below(b"ann", uid, 5000, 200.0),
        below(b"ann/climate", uid, 4000, 150.0),
        below(b"ann/climate/run 7", uid, 1200, 90.0),
        below(b"shared/weights", uid, 230, 12.0),
    )
    return {
        "directories": tuple(Directory(path=one.path, depth=one.path.count(b"/"), uid=uid) for one in users),
        "directory_users": users,
        "top_files": (
            large(b"ann/climate/run 7/state.nc", uid, 60.5),
            large(b"ann/old.tar", uid, 22.25, 400),
            large(b"ben/other.bin", 1002, 30),
        ),
    }


def occasion(found: Scan, of: Task | None = None, level: Level = Level.WARNING, **changes: Any) -> Occasion:
    plain: dict[str, Any] = {"task": of or task(), "run_id": 7, "scan": found, "level": level}
    return Occasion(**(plain | changes))


def everything(action: str, uid: int = 1001) -> Occasion:
    """All that can be in one mail to a user."""
    policy = {"relocation_path": b"/archive/scratch"} if action == "move" else {"delete_old_files": True}
    act: Any = action
    return occasion(
        scan(user(uid, 212, 80.5, files=5230, old_files=1204), used_percent=91.3, **of_ann(uid)),
        task(**policy),
        Level.CRITICAL,
        planned=(Planned(action=act, users={uid: (1204, int(80.5 * GIB))}, due_seconds=DUE_SECONDS),),
        done=(Done(action=act, users={uid: (311, 35 * GIB)}),),
    )
