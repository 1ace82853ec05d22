"""Whisper files, written and read with struct alone, so that the bench trusts neither side.

Source: https://graphite.readthedocs.io/en/1.1.8/whisper.html#database-format
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HEADER = struct.Struct("!2LfL")  # aggregation method, longest retention, xFilesFactor, archives
_ARCHIVE = struct.Struct("!3L")  # offset, seconds a point, points
_POINT = struct.Struct("!Ld")
_AVERAGE = 1


def write(path: Path, step_seconds: int, count: int, first: int, values: Sequence[float]) -> None:
    """Write a file of one archive of ``count`` points, with a value every step from ``first`` on."""
    header = _HEADER.pack(_AVERAGE, step_seconds * count, 0.0, 1)
    archive = _ARCHIVE.pack(_HEADER.size + _ARCHIVE.size, step_seconds, count)
    points = b"".join(_POINT.pack(first + i * step_seconds, value) for i, value in enumerate(values))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + archive + points + b"\0" * (_POINT.size * (count - len(values))))


def finest(path: Path) -> dict[int, float]:
    """Value by time of the finest archive; an empty file has none."""
    data = path.read_bytes()
    offset, _, count = _ARCHIVE.unpack_from(data, _HEADER.size)
    return {at: value for at, value in _POINT.iter_unpack(data[offset : offset + count * _POINT.size]) if at}
