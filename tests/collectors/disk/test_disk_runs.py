"""Runs are kept whole, one at a time for each task, and a dead one stands in nobody's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from collectors.disk import runs, tables
from collectors.disk.errors import ScanError
from collectors.disk.facts import (
    Age,
    Directory,
    DirectoryUser,
    FileSystem,
    Group,
    ReadError,
    Scan,
    Size,
    TopFile,
    User,
)
from collectors.disk.runs import STALE_SECONDS, Level, State
from tests.collectors.disk.makers import NOW_SECONDS, a_task
from tests.corpus import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from dkumonitor.store.engine import Store


def a_scan(**values: Any) -> Scan:
    plain: dict[str, Any] = {
        "path": b"/scratch",
        "now_seconds": NOW_SECONDS,
        "seconds": 12.5,
        "entries": 100,
        "old_days": 90,
        "age_by": "newest",
        "partial": False,
        "files": 80,
        "directory_count": 15,
        "other": 5,
        "apparent_bytes": 1000,
        "allocated_bytes": 2000,
        "old_files": 40,
        "old_bytes": 400,
        "filesystem": FileSystem(total_bytes=100, free_bytes=20, available_bytes=10),
    }
    return Scan(**(plain | values))


def rows(store: Store, table: sa.Table) -> list[dict[str, Any]]:
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test_one_run_of_a_task_is_under_way_and_no_more(store: Store) -> None:
    runs.begin(store, a_task(), "full", NOW_SECONDS)
    with pytest.raises(ScanError, match="under way"):
        runs.begin(store, a_task(), "quick", NOW_SECONDS + STALE_SECONDS - 1)
    runs.begin(store, a_task(name="other"), "full", NOW_SECONDS)


def test_a_run_that_says_that_it_lives_is_not_taken_for_dead(store: Store) -> None:
    number = runs.begin(store, a_task(), "full", NOW_SECONDS)
    runs.tell_alive(store, number, NOW_SECONDS + STALE_SECONDS)
    with pytest.raises(ScanError, match="under way"):
        runs.begin(store, a_task(), "full", NOW_SECONDS + STALE_SECONDS + 10)


def test_a_dead_run_is_noted_as_interrupted_by_the_next(store: Store) -> None:
    dead = runs.begin(store, a_task(), "full", NOW_SECONDS)
    alive = runs.begin(store, a_task(), "full", NOW_SECONDS + STALE_SECONDS)
    assert {row["id"]: row["state"] for row in rows(store, tables.runs)} == {dead: "interrupted", alive: "running"}


def test_this_machine_keeps_two_processes_apart_even_where_the_store_is_slow(tmp_path: Path) -> None:
    with runs.alone(tmp_path, "scratch"), pytest.raises(ScanError, match="under way"), runs.alone(tmp_path, "scratch"):
        pass
    with runs.alone(tmp_path, "scratch"), runs.alone(tmp_path, "other"):
        pass


def test_all_that_a_scan_found_is_kept(store: Store) -> None:
    found = a_scan(
        users=(User(uid=1000, files=80, apparent_bytes=1000, mean_age_seconds=5.5), User(uid=2**32 - 2)),
        groups=(Group(gid=100, files=80),),
        directories=(
            Directory(path=b"", depth=0, uid=0, files=80),
            Directory(path=b"a", depth=1, uid=1000, files=50),
            Directory(path=b"a/b/c", depth=3, uid=1000, files=10),
        ),
        directory_users=(
            DirectoryUser(path=b"a", uid=1000, files=50, apparent_bytes=1, allocated_bytes=2),
            DirectoryUser(path=b"left out", uid=1000, files=1, apparent_bytes=1, allocated_bytes=2),
        ),
        ages=(
            Age(from_days=None, to_days=0, files=1, apparent_bytes=1, allocated_bytes=1),
            Age(from_days=0, to_days=1, files=79, apparent_bytes=999, allocated_bytes=1999),
        ),
        sizes=(Size(from_bytes=0, to_bytes=None, files=80, apparent_bytes=1000, allocated_bytes=2000),),
        top_files=tuple(
            TopFile(path=name, uid=1, apparent_bytes=9, allocated_bytes=8, atime_seconds=-1, mtime_seconds=2**40)
            for name in NAMES
        ),
        errors=(ReadError(kind="EACCES", count=3, example=b"a/\xff"),),
    )
    number = runs.begin(store, a_task(), "full", NOW_SECONDS)
    runs.keep(store, number, found)
    runs.end(store, number, State.DONE, NOW_SECONDS + 13, level=Level.WARNING, values=runs.of_scan(found))

    [run] = rows(store, tables.runs)
    assert (run["state"], run["level"], run["files"], run["directories"]) == ("done", "warning", 80, 15)
    assert run["used_percent"] == pytest.approx(100 * 80 / 90)
    assert (run["errors"], run["scan_seconds"]) == (3, 12.5)
    assert [(row["uid"], row["mean_age_seconds"]) for row in rows(store, tables.users)] == [
        (1000, 5.5),
        (2**32 - 2, None),
    ]
    kept = [(row["path"], row["number"], row["parent"]) for row in rows(store, tables.directories)]
    assert kept == [(b"", 0, None), (b"a", 1, 0), (b"a/b/c", 2, 1)]
    assert [(row["number"], row["uid"]) for row in rows(store, tables.directory_users)] == [(1, 1000)]
    buckets = [(row["kind"], row["lower"], row["upper"]) for row in rows(store, tables.buckets)]
    assert sorted(buckets, key=str) == [("age", 0, 1), ("age", None, 0), ("size", 0, None)]
    assert [row["path"] for row in rows(store, tables.top_files)] == list(NAMES)
    assert [row["example"] for row in rows(store, tables.errors)] == [b"a/\xff"]


def test_what_a_run_found_goes_with_it(store: Store) -> None:
    number = runs.begin(store, a_task(), "full", NOW_SECONDS)
    runs.keep(store, number, a_scan(users=(User(uid=1),), errors=(ReadError(kind="EIO", count=1),)))
    with store.writing() as connection:
        connection.execute(sa.delete(tables.runs))
    assert rows(store, tables.users) == rows(store, tables.errors) == []


def test_the_newest_runs_are_found(store: Store) -> None:
    with store.reading() as connection:
        assert runs.last_seen(connection, "scratch", NOW_SECONDS) == runs.Seen()
    for at, kind, state, level in (
        (0, "full", State.DONE, Level.WARNING),
        (10, "quick", State.DONE, Level.CRITICAL),
        (20, "full", State.FAILED, Level.OK),
    ):
        number = runs.begin(store, a_task(), "full" if kind == "full" else "quick", NOW_SECONDS + at)
        values = runs.of_scan(a_scan()) if kind == "full" else {}
        runs.end(store, number, state, NOW_SECONDS + at + 1, level=level, values=values)
    with store.reading() as connection:
        seen = runs.last_seen(connection, "scratch", NOW_SECONDS + 30)
        scanned = runs.newest_ended(connection, "scratch", "full")
    assert seen == runs.Seen(
        quick_seconds=NOW_SECONDS + 10,
        full_seconds=NOW_SECONDS + 20,
        is_running=False,
        level=Level.CRITICAL,
        full_level=Level.WARNING,
        scan_seconds=12.5,
    )
    assert scanned is not None
    assert (scanned["id"], scanned["entries"]) == (1, 100)
    runs.begin(store, a_task(), "quick", NOW_SECONDS + 30)
    with store.reading() as connection:
        assert runs.last_seen(connection, "scratch", NOW_SECONDS + 31).is_running
