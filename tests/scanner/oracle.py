"""The same figures as dkm-scan's, counted slowly and in another way: everything is collected first, then summed up."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[bytes, ...]  # names below the root; () is the root
DAY = 86_400
AGE_DAYS = (0, 1, 7, 30, 90, 180, 365, 730)
SIZE_BYTES = (0, 1, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20, 1 << 30, 16 << 30, 256 << 30)
SIZES = ("files", "apparent_bytes", "allocated_bytes")
USAGE = (*SIZES, "old_files", "old_bytes")
TALLY = (*USAGE, "directories", "other")


@dataclass(frozen=True)
class Question:
    """What is asked; the defaults are those of dkm-scan, except the time."""

    now: int
    old_days: int = 30
    age_by: str = "newest"
    depth: int = 3
    top: int = 100
    max_directories: int = 10_000
    skip: tuple[bytes, ...] = ()
    mounts: tuple[Path, ...] = ()

    def age(self, node: os.stat_result) -> int | None:
        """In seconds; None where it cannot be told."""
        access, change = node.st_atime_ns // 10**9, node.st_mtime_ns // 10**9
        at = {"newest": max(access, change), "atime": access, "mtime": change}[self.age_by]
        return self.now - at if 0 <= at <= self.now else None


@dataclass
class Tree:
    """All that lies in a tree."""

    directories: dict[Path, os.stat_result] = field(default_factory=dict)
    others: list[tuple[Path, os.stat_result]] = field(default_factory=list)
    names: dict[int, list[tuple[Path, os.stat_result]]] = field(default_factory=lambda: defaultdict(list))
    mounts: int = 0
    errors: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))


def collect(root: str | bytes | os.PathLike[str], question: Question) -> Tree:
    """Look at everything below a directory; each level holds one descriptor."""
    tree = Tree()
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    tree.directories[()] = os.stat(top)
    levels: list[tuple[int, Path, Iterable[bytes]]] = [(top, (), _names(top))]
    while levels:
        handle, path, names = levels[-1]
        name = next(iter(names), None)
        if name is None:
            os.close(handle)
            levels.pop()
            continue
        entry = (*path, name)
        if not path and name in question.skip:
            continue
        node = os.stat(name, dir_fd=handle, follow_symlinks=False)
        if entry in question.mounts or node.st_dev != tree.directories[()].st_dev:
            tree.mounts += 1
        elif stat.S_ISDIR(node.st_mode):
            tree.directories[entry] = node
            try:
                child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                levels.append((child, entry, _names(child)))
            except OSError as error:
                tree.errors[errno.errorcode[error.errno or 0]].append(entry)
        elif stat.S_ISREG(node.st_mode):
            tree.names[node.st_ino].append((entry, node))
        else:
            tree.others.append((entry, node))
    return tree


def _names(handle: int) -> Iterable[bytes]:
    return iter([os.fsencode(name) for name in os.listdir(handle)])


def _place(path: Path) -> tuple[Path, bytes]:
    """What entries are ordered by: first their directory, then their name."""
    return path[:-1], path[-1]


def shown(path: Path) -> str:
    """A path as the document has it."""
    return os.fsdecode(b"/".join(path))


def document(root: str | bytes | os.PathLike[str], question: Question) -> dict[str, Any]:
    """What dkm-scan has to say, without what differs between two runs."""
    return _Sums(collect(root, question), question).document()


class _Sums:
    def __init__(self, tree: Tree, question: Question) -> None:
        self.tree = tree
        self.question = question
        self.files = {inode: min(names, key=lambda each: _place(each[0])) for inode, names in tree.names.items()}
        self.all: Counter[str] = Counter()
        self.users: dict[int, Counter[str]] = defaultdict(Counter)
        self.groups: dict[int, Counter[str]] = defaultdict(Counter)
        self.rows: dict[Path, Counter[str]] = defaultdict(Counter)
        self.user_rows: dict[tuple[Path, int], Counter[str]] = defaultdict(Counter)
        self.own: dict[Path, Counter[str]] = defaultdict(Counter)
        self.ages: dict[int | None, Counter[str]] = defaultdict(Counter)
        self.sizes: dict[int, Counter[str]] = defaultdict(Counter)
        for path, node in tree.directories.items():
            self._add(path, node, Counter(directories=1))
        for path, node in tree.others:
            self._add(path[:-1], node, Counter(other=1))
        for path, node in self.files.values():
            self._file(path[:-1], node)

    def _add(self, folder: Path, node: os.stat_result, what: Counter[str]) -> None:
        self.all.update(what)
        self.users[node.st_uid].update(what)
        self.groups[node.st_gid].update(what)
        for length in range(min(len(folder), self.question.depth) + 1):
            self.rows[folder[:length]].update(what)
            if what["files"]:
                self.user_rows[folder[:length], node.st_uid].update(what)

    def _file(self, folder: Path, node: os.stat_result) -> None:
        size = Counter(files=1, apparent_bytes=node.st_size, allocated_bytes=node.st_blocks * 512)
        age = self.question.age(node)
        old = age is not None and age >= self.question.old_days * DAY
        what = size + Counter(old_files=int(old), old_bytes=node.st_size if old else 0)
        self._add(folder, node, what)
        if age is not None:
            for listing in (self.users[node.st_uid], self.groups[node.st_gid]):
                listing.update(aged=1, age=age)
        self.own[folder].update(size)
        known = None if age is None else max(days for days in AGE_DAYS if age >= days * DAY)
        self.ages[known].update(size)
        self.sizes[max(least for least in SIZE_BYTES if node.st_size >= least)].update(size)

    def document(self) -> dict[str, Any]:
        names = sum(map(len, self.tree.names.values()))
        totals = _taken(self.all, TALLY)
        totals["directory_count"] = totals.pop("directories")
        return {
            "now_seconds": self.question.now,
            "entries": names + len(self.tree.directories) + len(self.tree.others),
            **totals,
            "old_days": self.question.old_days,
            "age_by": self.question.age_by,
            "partial": bool(self.tree.errors),
            "partial_reason": "unreadable" if self.tree.errors else None,
            "unreadable_directories": sum(map(len, self.tree.errors.values())),
            "skipped_mounts": self.tree.mounts,
            "users": _owners("uid", self.users),
            "groups": _owners("gid", self.groups),
            **self._directories(),
            "ages": [*_buckets("days", AGE_DAYS, self.ages), _bucket("days", None, None, self.ages[None])],
            "sizes": _buckets("bytes", SIZE_BYTES, self.sizes),
            **self._top(),
            "errors": [
                {"kind": kind, "count": len(paths), "example": shown(min(paths, key=_place))}
                for kind, paths in sorted(self.tree.errors.items(), key=lambda each: (-len(each[1]), each[0]))
            ],
        }

    def _directories(self) -> dict[str, Any]:
        limit = self.question.max_directories
        rows = sorted(self.rows.items(), key=lambda each: (-each[1]["allocated_bytes"], each[0]))
        given = {path for path, _ in rows[:limit]}
        users = sorted(self.user_rows.items(), key=lambda each: (-each[1]["allocated_bytes"], each[0]))
        kept = [each for each in users[: 3 * limit] if each[0][0] in given]
        return {
            "directories": [
                {"path": shown(path), "depth": len(path), "uid": self.tree.directories[path].st_uid}
                | _taken(row, TALLY)
                for path, row in rows[:limit]
            ],
            "directories_left_out": max(0, len(rows) - limit),
            "directory_users": [{"path": shown(path), "uid": uid} | _taken(row, USAGE) for (path, uid), row in kept],
            "directory_users_left_out": sum(path in given for (path, _), _ in users) - len(kept),
        }

    def _top(self) -> dict[str, Any]:
        files = sorted(self.files.values(), key=lambda each: (-each[1].st_blocks, -each[1].st_size, *_place(each[0])))
        folders = sorted(
            self.own.items(), key=lambda each: (-each[1]["allocated_bytes"], -each[1]["apparent_bytes"], each[0])
        )
        return {
            "top_files": [
                {
                    "path": shown(path),
                    "uid": node.st_uid,
                    "apparent_bytes": node.st_size,
                    "allocated_bytes": node.st_blocks * 512,
                    "atime_seconds": node.st_atime_ns // 10**9,
                    "mtime_seconds": node.st_mtime_ns // 10**9,
                }
                for path, node in files[: self.question.top]
            ],
            "top_directories": [
                {"path": shown(path), "uid": self.tree.directories[path].st_uid} | _taken(own, SIZES)
                for path, own in folders[: self.question.top]
            ],
        }


def _taken(counts: Counter[str], keys: tuple[str, ...]) -> dict[str, int]:
    return {key: counts[key] for key in keys}


def _owners(key: str, sums: dict[int, Counter[str]]) -> list[dict[str, Any]]:
    return [
        {key: number}
        | _taken(sums[number], TALLY)
        | {"mean_age_seconds": sums[number]["age"] // sums[number]["aged"] if sums[number]["aged"] else None}
        for number in sorted(sums, key=lambda number: (-sums[number]["allocated_bytes"], number))
    ]


def _buckets(unit: str, bounds: tuple[int, ...], sums: dict[Any, Counter[str]]) -> list[dict[str, Any]]:
    ends = (*bounds[1:], None)
    return [_bucket(unit, start, end, sums[start]) for start, end in zip(bounds, ends, strict=True)]


def _bucket(unit: str, start: int | None, end: int | None, size: Counter[str]) -> dict[str, Any]:
    return {f"from_{unit}": start, f"to_{unit}": end} | _taken(size, SIZES)
