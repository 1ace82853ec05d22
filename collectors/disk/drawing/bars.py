"""Parts of a whole as bars of one row each: files by age and by size, users beside each other, what grew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dkumonitor.cells import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.disk.views.rows import AgeRow, SizeRow

_DAYS_A_YEAR = 365


class Bar(msgspec.Struct, frozen=True):
    """One bar.

    Attributes:
        label: what it is of.
        length: in hundredths of the longest one.
        share_percent: of all of them together.
        files: how many.
        size_bytes: what they take.
    """

    label: str
    length: float
    share_percent: float
    files: int
    size_bytes: int


def of_ages(rows: Sequence[AgeRow]) -> list[Bar]:
    """Files by how long ago they were used."""
    return _bars([(_age(row), row.files, row.allocated_bytes) for row in rows])


def of_sizes(rows: Sequence[SizeRow]) -> list[Bar]:
    """Files by their size."""
    return _bars([(_size(row), row.files, row.allocated_bytes) for row in rows])


def lengths(values: Sequence[float]) -> list[float]:
    """Each value in hundredths of the largest."""
    longest = max((abs(value) for value in values), default=0) or 1
    return [round(100 * abs(value) / longest, 1) for value in values]


def _bars(found: Sequence[tuple[str, int, int]]) -> list[Bar]:
    sizes = [size_bytes for _, _, size_bytes in found]
    whole = sum(sizes) or 1
    return [
        Bar(label, length, 100 * size_bytes / whole, files, size_bytes)
        for (label, files, size_bytes), length in zip(found, lengths(sizes), strict=True)
    ]


def _age(row: AgeRow) -> str:
    if row.from_days is None:
        return "in the future"
    if row.to_days is None:
        return f"{_days(row.from_days)} and more"
    return "within a day" if row.to_days == 1 else f"{_days(row.from_days)} to {_days(row.to_days)}"


def _days(days: int) -> str:
    if days and days % _DAYS_A_YEAR == 0:
        years = days // _DAYS_A_YEAR
        return "1 year" if years == 1 else f"{years} years"
    return "1 day" if days == 1 else f"{days} days"


def _size(row: SizeRow) -> str:
    if row.to_bytes is None:
        return f"{_short(row.from_bytes)} and more"
    return "empty" if row.to_bytes == 1 else f"{_short(row.from_bytes)} to {_short(row.to_bytes)}"


def _short(size_bytes: int) -> str:
    return size(size_bytes).replace(".0 ", " ")
