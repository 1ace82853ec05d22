"""Where most of a user's files lie, as far as a scan tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collectors.disk.facts import DirectoryUser, Scan

LINES = 5


class Place(msgspec.Struct, frozen=True):
    """A directory or a file: its path in the tree, a user's files and their bytes on disk, and when it was used."""

    path: bytes
    files: int
    size_bytes: int
    used_seconds: int = 0


class Largest:
    """Answers for many users of one scan.

    Args:
        scan: what was found.
    """

    def __init__(self, scan: Scan) -> None:
        self._files: dict[int, list[Place]] = {}
        for file in scan.top_files:
            used_seconds = max(file.atime_seconds, file.mtime_seconds)
            place = Place(file.path, 1, file.allocated_bytes, used_seconds)
            self._files.setdefault(file.uid, []).append(place)
        self._directories: dict[int, list[DirectoryUser]] = {}
        for row in scan.directory_users:
            self._directories.setdefault(row.uid, []).append(row)

    def files(self, uid: int) -> list[Place]:
        """The user's files among the largest of the tree."""
        return _most(self._files.get(uid, []))

    def directories(self, uid: int) -> list[Place]:
        """The directories that hold most of the user's files, not counting what lies in a directory that is listed."""
        rows = {row.path: row for row in self._directories.get(uid, ())}
        own = {path: [row.files, row.allocated_bytes] for path, row in rows.items()}
        for path, row in rows.items():
            above = _above(path, rows)
            if above is not None:
                own[above][0] -= row.files
                own[above][1] -= row.allocated_bytes
        return _most(Place(path, files, size_bytes) for path, (files, size_bytes) in own.items() if files > 0)


def _most(places: Iterable[Place]) -> list[Place]:
    return sorted(places, key=lambda place: (-place.size_bytes, place.path))[:LINES]


def _above(path: bytes, rows: dict[bytes, DirectoryUser]) -> bytes | None:
    """The nearest directory above that is there, too."""
    while path:
        path = path.rpartition(b"/")[0]
        if path in rows:
            return path
    return None
