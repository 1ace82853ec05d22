"""Whisper files, written and read with struct alone, so that a test or a bench trusts neither side.

Source: https://graphite.readthedocs.io/en/1.1.8/whisper.html#database-format
"""

from __future__ import annotations

import functools
import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HEADER = struct.Struct("!2LfL")  # aggregation method, longest retention, xFilesFactor, archives
_ARCHIVE = struct.Struct("!3L")  # offset, seconds a point, points
_POINT = struct.Struct("!Ld")
AVERAGE = 1
LAST = 3


@dataclass(frozen=True)
class Archive:
    """A resolution of a file: `values` stand every `step_seconds` from `first` on, None where nothing came."""

    step_seconds: int
    count: int
    first: int
    values: Sequence[float | None]


def write(path: Path, step_seconds: int, count: int, first: int, values: Sequence[float]) -> None:
    """Write a file of one archive of ``count`` points, with a value every step from ``first`` on."""
    header = _HEADER.pack(AVERAGE, step_seconds * count, 0.0, 1)
    archive = _ARCHIVE.pack(_HEADER.size + _ARCHIVE.size, step_seconds, count)
    points = b"".join(_POINT.pack(first + i * step_seconds, value) for i, value in enumerate(values))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + archive + points + b"\0" * (_POINT.size * (count - len(values))))


def write_archives(path: Path, archives: Sequence[Archive], aggregation: int = AVERAGE) -> None:
    """Write a file of several archives, finest first, as sparse as go-carbon makes one."""
    longest = max(archive.step_seconds * archive.count for archive in archives)
    head = [_HEADER.pack(aggregation, longest, 0.0, len(archives))]
    offset = _HEADER.size + _ARCHIVE.size * len(archives)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for archive in archives:
            head.append(_ARCHIVE.pack(offset, archive.step_seconds, archive.count))
            if len(archive.values) > archive.count or archive.first % archive.step_seconds:
                raise ValueError(f"{path}: an archive of {archive.count} points has no room for these")
            file.seek(offset)
            file.write(_packed(archive))
            offset += archive.count * _POINT.size
        file.truncate(offset)
        file.seek(0)
        file.write(b"".join(head))


def _packed(archive: Archive) -> bytes:
    """The slots, oldest first. One whose time is zero holds nothing; the first may not, since all are found from it."""
    end = archive.first + archive.step_seconds * len(archive.values)
    cells = [
        (at, value) if value is not None else (0, 0.0)
        for at, value in zip(range(archive.first, end, archive.step_seconds), archive.values, strict=True)
    ]
    held = list(itertools.dropwhile(lambda cell: not cell[0], cells))
    return _slots(len(held)).pack(*itertools.chain.from_iterable(held))


@functools.cache
def _slots(count: int) -> struct.Struct:
    return struct.Struct("!" + "Ld" * count)


def finest(path: Path) -> dict[int, float]:
    """Value by time of the finest archive; an empty file has none."""
    data = path.read_bytes()
    offset, _, count = _ARCHIVE.unpack_from(data, _HEADER.size)
    return {at: value for at, value in _POINT.iter_unpack(data[offset : offset + count * _POINT.size]) if at}
