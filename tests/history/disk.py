"""400 days of disk use: three trees, nightly and hourly runs, those of old thinned; people and paths with hard names.

What is laid is made as :class:`Scan`, so that tests compare what is shown with what was found and not with what was
stored.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from collectors.disk import runs, tables, tasks
from collectors.disk.facts import (
    Age,
    Directory,
    DirectoryUser,
    FileSystem,
    ReadError,
    Scan,
    Size,
    Sums,
    TopDirectory,
    TopFile,
    User,
)
from collectors.disk.plans import Owned, Plan, State
from dkumonitor.metrics import segment
from dkumonitor.store.engine import insert_rows
from tests import corpus
from tests.history.series import DAY_MINUTES, Day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from collectors.disk.tasks import Task
    from dkumonitor.store.engine import Store

GIB = 1 << 30
HOUR, DAY = 3600, 86400
FIRST_UID = 20_000
HISTORY_DAYS = 400
QUICK_DAYS = 14
AVERAGE_FILE_BYTES = 3 << 20
PROJECTS = ("genome", "imaging", "climate", "proteins", "telescope", "nlp", "robotics", "seismic", "weather", "archive")
PARTS = ("raw", "results", "tmp", "checkpoints", "logs", "cache", "figures", "backup", "envs", "notebooks", "data")
NASTY = tuple(name for name in corpus.NAMES if b"/" not in name and name not in (b"", b".", b".."))
_AGES = (0, 1, 7, 30, 90, 180, 365, 730)
_SIZES = (0, 1, 4096, 65_536, 1 << 20, 16 << 20, 256 << 20, GIB, 16 * GIB, 256 * GIB)


@dataclass(frozen=True)
class Tree:
    """A task with what its file system and its tree are like.

    Attributes:
        task: the task.
        size_bytes: of the file system.
        from_percent, to_percent: how full it was ten weeks ago and is now; before that it was as full as ten weeks ago.
        each: of how many people one owns something here.
        directories: how many directories the newest full runs list.
    """

    task: Task
    size_bytes: int
    from_percent: float
    to_percent: float
    each: int
    directories: int

    def used_bytes(self, days_ago: float) -> int:
        """How much was used, with a little of the hour's chance in it."""
        share = max(0.0, 1 - days_ago / 70)
        noise = random.Random(f"{self.task.name} {days_ago:.3f}").gauss(0, 0.004)
        percent = self.from_percent + (self.to_percent - self.from_percent) * share
        return int(self.size_bytes * (percent / 100 + noise * min(1.0, days_ago)))


@dataclass(frozen=True)
class DiskHistory:
    """What is laid: who there is, the trees, and when it ends."""

    logins: Sequence[str]
    host: str
    now_seconds: int
    directories: int = 10_000

    @cached_property
    def trees(self) -> tuple[Tree, ...]:
        """The three, by the names of their tasks; the first is critical, the second fine, the third has a warning."""

        seldom = {"quick_minutes": 1440, "full_hour": -1}  # there are no such trees where collectors run

        def task(name: str, host: str, path: bytes, **more: Any) -> Task:
            known = {"name": name, "host": host, "path": path, "changed_seconds": self.now_seconds}
            return tasks.make({**known, **seldom, **more})

        return (
            Tree(task("scratch", self.host, b"/srv/scratch", relocation_path=b"/archive/scratch"),
                 8000 * GIB, 71.0, 93.5, 1, self.directories),
            Tree(task("data", "borea", b"/data", delete_old_files=True, usage_warning_percent=70.0),
                 2000 * GIB, 34.0, 35.0, 3, 400),
            Tree(task("home", self.host, b"/home", usage_warning_percent=60.0, old_file_days=180),
                 4000 * GIB, 64.0, 66.0, 1, 700),
        )  # fmt: skip

    def full_runs(self, tree: Tree) -> Iterator[tuple[int, Scan]]:
        """When each full run began, and what it found; the oldest first. Old ones list fewer directories."""
        for days_ago in sorted(_nights(), reverse=True):
            rich = days_ago in (0, 7)
            started = self.now_seconds - days_ago * DAY - 2 * HOUR
            yield started, self.scan(tree, days_ago, tree.directories if rich else min(40, tree.directories))

    def quick_runs(self, tree: Tree) -> Iterator[tuple[int, FileSystem]]:
        """When each quick run began, and what it saw; the oldest first."""
        for hours_ago in range(QUICK_DAYS * 24 - 1, -1, -1):
            yield self.now_seconds - hours_ago * HOUR - 60, _file_system(tree, hours_ago / 24)

    def days(self) -> Iterator[Day]:
        """What the collector sent within the last day: the newest figures, again and again."""
        for tree in self.trees:
            prefix = f"dkm.{tree.task.host}.disk.{tree.task.name}"
            found = self.scan(tree, 0, 0)
            used = [float(tree.used_bytes(1 - minute / DAY_MINUTES)) for minute in range(DAY_MINUTES)]
            yield Day(f"{prefix}.used_bytes", [*used])
            yield Day(f"{prefix}.used_percent", [100 * one / tree.size_bytes for one in used])
            yield Day(f"{prefix}.available_bytes", [tree.size_bytes - one for one in used])
            level = runs.level_of(tree.task, found.filesystem.used_percent).number
            sums = {
                name: getattr(found.totals, name) for name in ("files", "old_files", "allocated_bytes", "old_bytes")
            }
            errors = sum(error.count for error in found.errors)
            flat = {**sums, "level": level, "entries": found.entries, "scan_seconds": found.seconds, "errors": errors,
                    "partial": int(found.partial)}  # fmt: skip
            largest = sorted(found.users, key=lambda user: user.allocated_bytes, reverse=True)[:20]
            for user in largest:
                login = segment(self.logins[user.uid - FIRST_UID])
                flat |= {
                    f"users.{login}.{name}": getattr(user, name) for name in ("files", "allocated_bytes", "old_bytes")
                }
            for name, value in flat.items():
                yield Day(f"{prefix}.{name}", [float(value)] * DAY_MINUTES)

    def scan(self, tree: Tree, days_ago: int, directories: int) -> Scan:
        """What one pass found."""
        users = list(self._users(tree, days_ago))
        totals = _summed(users)
        listed, shares = _directories(tree, users, totals, directories, self.logins)
        return Scan(
            path=tree.task.path,
            now_seconds=self.now_seconds - days_ago * DAY - 2 * HOUR,
            seconds=totals.files / 250_000,
            entries=totals.files + totals.directories + totals.other,
            old_days=tree.task.old_file_days,
            age_by="newest",
            partial=tree.task.name == "scratch",
            partial_reason="12 directories could not be read" if tree.task.name == "scratch" else None,
            unreadable_directories=12 if tree.task.name == "scratch" else 0,
            **{name: getattr(totals, name) for name in Sums.__struct_fields__ if name != "directories"},
            directory_count=totals.directories,
            filesystem=_file_system(tree, days_ago),
            users=tuple(users),
            directories=tuple(listed),
            directory_users=tuple(shares),
            ages=tuple(_ages(totals)),
            sizes=tuple(_sizes(totals)),
            top_files=tuple(_top_files(users, self.now_seconds)),
            top_directories=(TopDirectory(path=b"", uid=0, files=1, apparent_bytes=1, allocated_bytes=4096),),
            errors=_errors() if tree.task.name == "scratch" else (),
        )

    def _users(self, tree: Tree, days_ago: int) -> Iterator[User]:
        """What each owns; all of it together is what is used."""
        weights = {}
        for number in range(0, len(self.logins), tree.each):
            source = random.Random(f"{tree.task.name} {number}")
            drift = source.gauss(0, 0.004)
            weights[number] = source.lognormvariate(0, 1.4) * math.exp(-drift * days_ago)
        whole = sum(weights.values())
        for number, weight in weights.items():
            allocated = int(tree.used_bytes(days_ago) * weight / whole) // 4096 * 4096
            source = random.Random(f"{tree.task.name} {number} old")
            old = source.betavariate(1.1, 1.6)
            apparent = int(allocated * source.uniform(0.93, 1.02))
            files = 1 + allocated // int(AVERAGE_FILE_BYTES * source.lognormvariate(0, 0.5))
            yield User(
                uid=FIRST_UID + number,
                files=files,
                directories=1 + files // 30,
                other=files // 200,
                apparent_bytes=apparent,
                allocated_bytes=allocated,
                old_files=int(files * old),
                old_bytes=int(apparent * old),
                mean_age_seconds=DAY * (3 + 300 * old),
            )


def _nights() -> set[int]:
    """How many days ago full runs are kept of: each of two weeks, then each week of a quarter, then each month."""
    return {*range(14), *range(14, 98, 7), *range(98, HISTORY_DAYS, 30)}


def _file_system(tree: Tree, days_ago: float) -> FileSystem:
    free = tree.size_bytes - tree.used_bytes(days_ago)
    return FileSystem(
        type="xfs",
        total_bytes=tree.size_bytes,
        free_bytes=free,
        available_bytes=free,
        total_inodes=10**9,
        free_inodes=9 * 10**8,
    )


def _summed(parts: Sequence[Sums]) -> Sums:
    return Sums(**{name: sum(getattr(part, name) for part in parts) for name in Sums.__struct_fields__})


def _part(whole: Sums, share: float) -> dict[str, int]:
    return {name: int(getattr(whole, name) * share) for name in Sums.__struct_fields__}


def _directories(
    tree: Tree, users: Sequence[User], totals: Sums, count: int, logins: Sequence[str]
) -> tuple[list[Directory], list[DirectoryUser]]:
    """PROJECT/LOGIN/PART: a project has some people, each of whom has some parts of what he owns; rolled up."""
    each = max(0, count // max(1, len(users)) - 1)
    projects: dict[bytes, list[Sums]] = {}
    parts: list[Directory] = []
    below: list[DirectoryUser] = []
    for position, user in enumerate(users):
        nasty = NASTY[position % len(NASTY)]
        project = nasty if position % 9 == 0 else PROJECTS[position % len(PROJECTS)].encode()
        login = logins[user.uid - FIRST_UID].replace("/", "_").encode("utf-8", "surrogateescape")
        home = b"%s/%s" % (project, nasty if position % 11 == 0 else login)
        projects.setdefault(project, []).append(user)
        parts.append(Directory(path=home, depth=2, uid=user.uid, **_part(user, 1)))
        below.append(_owned(project, user))
        below.append(_owned(home, user))
        source = random.Random(f"{tree.task.name} {home!r}")
        weights = [source.lognormvariate(0, 1) for _ in range(each)]
        for number, weight in enumerate(weights):
            name = b"%s-%d" % (PARTS[number % len(PARTS)].encode(), number // len(PARTS))
            share = weight / sum(weights) * 0.97
            parts.append(Directory(path=b"%s/%s" % (home, name), depth=3, uid=user.uid, **_part(user, share)))
    rolled = [Directory(path=name, depth=1, uid=0, **_part(_summed(members), 1)) for name, members in projects.items()]
    listed = [Directory(path=b"", depth=0, uid=0, **_part(totals, 1)), *rolled, *parts]
    return listed[: max(count, 1 + len(rolled))], below


def _owned(path: bytes, user: User) -> DirectoryUser:
    names = ("uid", "files", "apparent_bytes", "allocated_bytes", "old_files", "old_bytes")
    return DirectoryUser(path=path, **{name: getattr(user, name) for name in names})


def _split(totals: Sums, shares: Sequence[float]) -> Iterator[dict[str, int]]:
    names = ("files", "apparent_bytes", "allocated_bytes")
    for share in shares:
        yield {name: int(getattr(totals, name) * share / sum(shares)) for name in names}


def _ages(totals: Sums) -> Iterator[Age]:
    shares = (4, 7, 12, 18, 14, 16, 19, 10)
    for low, high, counts in zip(_AGES, (*_AGES[1:], None), _split(totals, shares), strict=True):
        yield Age(from_days=low, to_days=high, **counts)
    yield Age(from_days=None, to_days=None, files=3, apparent_bytes=12_345, allocated_bytes=16_384)


def _sizes(totals: Sums) -> Iterator[Size]:
    shares = (0.01, 0.2, 0.8, 3, 9, 17, 22, 25, 18, 5)
    for low, high, counts in zip(_SIZES, (*_SIZES[1:], None), _split(totals, shares), strict=True):
        yield Size(from_bytes=low, to_bytes=high, **counts)


def _top_files(users: Sequence[User], now_seconds: int) -> Iterator[TopFile]:
    largest = sorted(users, key=lambda user: user.allocated_bytes, reverse=True)[:100]
    for position, user in enumerate(largest):
        size = user.allocated_bytes // 7
        name = NASTY[position % len(NASTY)] if position % 3 == 0 else b"model-%03d.ckpt" % position
        yield TopFile(
            path=b"%s/%s" % (PROJECTS[position % len(PROJECTS)].encode(), name),
            uid=user.uid,
            apparent_bytes=size,
            allocated_bytes=size,
            atime_seconds=now_seconds - position * DAY,
            mtime_seconds=now_seconds - position * 2 * DAY,
        )


def _errors() -> tuple[ReadError, ...]:
    return (
        ReadError(kind="EACCES", count=12, example=b"imaging/" + NASTY[0]),
        ReadError(kind="ENOENT", count=3, example=b"tmp/\xff\xfe gone"),
    )


def lay_disk(store: Store, laid: DiskHistory) -> None:
    """Write all of it into a store that has the tables and no records."""
    with store.writing() as connection:
        for tree in laid.trees:
            tasks.add(connection, tree.task, laid.now_seconds)
            for started, seen in laid.quick_runs(tree):
                _run(connection, tree.task, "quick", started, runs.of_file_system(seen))
            for started, scan in laid.full_runs(tree):
                _full_run(connection, tree.task, started, scan)
        _plans(connection, laid)


def _full_run(connection: Connection, task: Task, started: int, scan: Scan) -> None:
    number = _run(connection, task, "full", started, runs.of_scan(scan))
    for table, rows in runs._tables_of(scan):
        insert_rows(connection, table, ({"run_id": number, **row} for row in rows))


def _run(connection: Connection, task: Task, kind: str, started: int, values: dict[str, Any]) -> int:
    partial = bool(values.get("partial"))
    row = {
        "task": task.name,
        "host": task.host,
        "path": task.path,
        "kind": kind,
        "state": (runs.State.PARTIAL if partial else runs.State.DONE).value,
        "level": runs.level_of(task, values["used_percent"]).value,
        "detail": "12 directories could not be read" if partial else "",
        "started_seconds": started,
        "alive_seconds": started,
        "ended_seconds": started + 1 + int(values.get("scan_seconds", 0)),
        "partial": False,
        **values,
    }
    key = connection.execute(sa.insert(tables.runs).values(row)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _plans(connection: Connection, laid: DiskHistory) -> None:
    """A plan that was done and one that waits, both of the first tree."""
    tree = laid.trees[0]
    states = ((State.DONE, 30), (State.WAITING, 2))
    for state, days_ago in states:
        users = sorted(laid._users(tree, days_ago), key=lambda user: user.old_bytes, reverse=True)[:40]
        owned = [Owned(user.uid, user.old_files, user.old_bytes) for user in users]
        held = Counter(files=sum(one.files for one in owned), bytes=sum(one.bytes for one in owned))
        created = laid.now_seconds - days_ago * DAY
        done = state is State.DONE
        plan = Plan(
            id=f"{tree.task.name}-{days_ago:02d}-move",
            task=tree.task.name,
            host=tree.task.host,
            run_id=None,
            action="move",
            state=state.value,
            digest="0" * 64,
            created_seconds=created,
            warned_seconds=created + HOUR,
            due_seconds=created + 7 * DAY,
            ended_seconds=created + 8 * DAY if done else None,
            files=held["files"],
            bytes=held["bytes"],
            done_files=held["files"] - 7 if done else 0,
            done_bytes=held["bytes"] - 7 * AVERAGE_FILE_BYTES if done else 0,
            skipped_files=7 if done else 0,
            detail="7 files had changed" if done else "",
        )
        connection.execute(sa.insert(tables.plans).values(msgspec.structs.asdict(plan)))
        rows = ({"plan": plan.id, **msgspec.structs.asdict(one)} for one in owned)
        insert_rows(connection, tables.plan_users, rows)
