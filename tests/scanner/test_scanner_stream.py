"""The stream: frames as their format says, the entries that were asked for, and no faster than they are read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.proc import pss_bytes
from tests.scanner import oracle, trees
from tests.scanner.program import DIFFERENT, NOW, Scanner, decoded, listed
from tests.stack import wait_for

if TYPE_CHECKING:
    from pathlib import Path

MEMORY_BYTES = 40 << 20


def test_the_last_frame_is_the_document_with_paths_as_bytes(scanner: Scanner, tree: Path) -> None:
    *others, last = scanner.frames(tree)
    assert {frame["kind"] for frame in others} <= {"progress"}
    assert last.pop("kind") == "document"
    found = {key: value for key, value in last.items() if key not in DIFFERENT}
    assert _as_text(found) == scanner.figures(tree)
    assert last["path"] == os.fsencode(tree)


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return os.fsdecode(value) if isinstance(value, bytes) else value


@dataclass(frozen=True)
class Filter:
    """Which entries are asked for."""

    by: str = "newest"
    days: int | None = None
    least: int = 0
    uids: frozenset[int] = frozenset()

    def takes(self, node: os.stat_result) -> bool:
        age = oracle.Question(NOW, age_by=self.by).age(node)
        old = self.days is None or (age is not None and age >= self.days * oracle.DAY)
        return old and node.st_size >= self.least and (not self.uids or node.st_uid in self.uids)


def taken(tree: Path, wanted: Filter) -> set[bytes]:
    """The paths that a filter takes, by the oracle."""
    found = oracle.collect(tree, oracle.Question(NOW))
    entries = [entry for names in found.names.values() for entry in names]
    entries += [entry for entry in found.others if stat.S_ISLNK(entry[1].st_mode)]
    return {b"/".join(path) for path, node in entries if wanted.takes(node)}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((), Filter()),
        (("--list-old-days", 30), Filter(days=30)),
        (("--list-old-days", 0, "--age-by", "atime"), Filter("atime", 0)),
        (("--list-min-bytes", 4097, "--list-old-days", 1, "--age-by", "mtime"), Filter("mtime", 1, 4097)),
        (("--list-uid", 0, "--list-uid", 30003), Filter(uids=frozenset({0, 30003}))),
    ],
)
def test_the_entries_listed_are_those_of_the_filter(
    scanner: Scanner, tree: Path, arguments: tuple[object, ...], wanted: Filter
) -> None:
    rows = listed(scanner.frames("--list", *arguments, tree))
    assert rows.keys() == taken(tree, wanted)
    assert rows


def test_an_entry_is_listed_with_all_that_stat_says(scanner: Scanner, tree: Path) -> None:
    names = {name: f"st_{name}" for name in ("uid", "gid", "mode", "dev", "ino", "nlink", "size")}
    names |= {name: f"st_{name}" for name in ("atime_ns", "mtime_ns", "ctime_ns")}
    for path, row in listed(scanner.frames("--list", tree)).items():
        node = os.lstat(os.fsencode(tree) + b"/" + path)
        assert {name: row[name] for name in names} == {name: getattr(node, field) for name, field in names.items()}
        assert row["allocated"] == node.st_blocks * 512
        assert row["type"] == ("l" if stat.S_ISLNK(node.st_mode) else "f")


def test_a_reader_that_is_slow_stops_the_scan_and_not_the_memory(scanner: Scanner, workspace: Path) -> None:
    trees.many(workspace / "tree", 120_000)
    with scanner.start("--stream", "--list", "--threads", 4, workspace / "tree") as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        wait_for("every thread to wait for the reader", lambda: _all_wait(process.pid))
        assert pss_bytes(process.pid) < MEMORY_BYTES
        frames = list(decoded(first + process.stdout.read()))
    assert process.returncode == 0
    assert len(listed(frames)) == 120_000
    assert all(frame["rows"] <= 4096 for frame in frames if frame["kind"] == "entries")
    assert frames[-1]["files"] == 120_000


def _all_wait(pid: int) -> bool:
    """One thread writes to the pipe, and no other does anything."""
    states = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/wchan") as where:
            states.append(where.read())
    return any("pipe" in state for state in states)


def test_a_reader_that_goes_away_ends_the_scan(scanner: Scanner, workspace: Path) -> None:
    trees.many(workspace / "tree", 50_000)
    with scanner.start("--stream", "--list", workspace / "tree") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(60)
    assert process.returncode != 0


def test_progress_comes_as_frames_with_what_was_seen_so_far(scanner: Scanner, workspace: Path) -> None:
    trees.many(workspace / "tree", 3000)
    *progress, last = scanner.frames("--max-rate", 1500, workspace / "tree")
    assert progress, "it took two seconds"
    assert {frame["kind"] for frame in progress} == {"progress"}
    keys = {"kind", "entries", "directories", "files", "apparent_bytes", "seconds"}
    assert {frozenset(frame) for frame in progress} == {frozenset(keys)}
    counts = [frame["entries"] for frame in progress]
    assert counts == sorted(counts)
    assert counts[-1] <= last["entries"] == 3001
