"""One cell of a table, for reading and for a program: by its column's type and by the unit in its name.

==================  ==========================================================
column              shown as
==================  ==========================================================
``Moment``          ``2026-11-23 18:25:19``, UTC; where there is none, ``never`` of a ``last_...``
``..._seconds``     a duration: ``3 d 4 h``, ``12.5 s``
``..._bytes``       ``1.5 KiB``, as ``bytes`` alone; ``..._bytes_per_second`` with ``/s``
``..._percent``     ``12.5 %``
``uid``, ``...id``  ``1234``, and ``gid``, ``number``: it tells things apart and counts nothing
other numbers       ``1,234``; right-aligned, as all numbers are
bytes               a file name: what is not UTF-8, controls and overrides are escaped
==================  ==========================================================
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec

from dkumonitor.text import printable
from dkumonitor.views import Moment

_MOMENT = msgspec.inspect.type_info(Moment)
_NUMBERS = (msgspec.inspect.IntType, msgspec.inspect.FloatType)
_NUMBERED = frozenset({"id", "uid", "gid", "number"})
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNIT = 1024
_LAST_SECONDS = 253_402_300_799  # the end of the year 9999


class Column(msgspec.Struct, frozen=True):
    """A column as it is shown.

    Attributes:
        label: its heading.
        numeric: whether it is right-aligned.
        moment: whether its numbers are points in time.
    """

    name: str
    label: str
    numeric: bool
    moment: bool


class Cell(msgspec.Struct, frozen=True):
    """A cell as it is shown: its text, and its plain value where the text is not just that."""

    text: str
    value: str | None = None
    iso: str | None = None
    href: str | None = None


def columns_of(row_type: type[msgspec.Struct]) -> tuple[Column, ...]:
    """The columns of a type of rows."""
    info = msgspec.inspect.type_info(row_type)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101  for mypy: it was a struct's type
    return tuple(_column(field.name, field.type) for field in info.fields)


def _column(name: str, kind: msgspec.inspect.Type) -> Column:
    kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    moment = any(isinstance(one, msgspec.inspect.Metadata) and one == _MOMENT for one in kinds)
    plain = [one.type if isinstance(one, msgspec.inspect.Metadata) else one for one in kinds]
    numeric = any(isinstance(one, _NUMBERS) for one in plain)
    return Column(name, _label(name, moment=moment), numeric, moment)


def _label(name: str, *, moment: bool) -> str:
    for unit, written in (("_bytes_per_second", " per second"), ("_bytes", ""), ("_percent", " %"), ("_seconds", "")):
        if name.endswith(unit) and name != unit[1:]:
            name = name.removesuffix(unit) + written
            break
    label = name.replace("_", " ")
    return f"{label} (UTC)" if moment else label


def cell_of(column: Column, value: Any, href: str | None = None) -> Cell:
    """A value as it is shown in its column."""
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return Cell("never" if column.moment and column.name.startswith("last_") else "–", "", href=href)  # noqa: RUF001  a dash, for reading
    if isinstance(value, bool):
        return Cell("yes" if value else "no", "true" if value else "false", href=href)
    if isinstance(value, int | float):
        return _number(column, value, href)
    text = os.fsdecode(value) if isinstance(value, bytes) else str(value)
    return Cell(printable(text), href=href)


def _number(column: Column, value: float, href: str | None) -> Cell:
    raw = str(value)
    if column.moment:
        if not 0 <= value <= _LAST_SECONDS:
            return Cell(raw, raw, href=href)
        at = datetime.fromtimestamp(value, UTC)
        return Cell(at.strftime("%Y-%m-%d %H:%M:%S"), raw, at.isoformat(timespec="seconds"), href)
    return Cell(_written(column.name, value), raw, href=href)


def _written(name: str, value: float) -> str:
    if name.endswith("_bytes_per_second"):
        return f"{size(value)}/s"
    if name == "bytes" or name.endswith("_bytes"):
        return size(value)
    if name.endswith("_percent"):
        return f"{value:.1f} %"
    if name.endswith("_seconds"):
        return duration(value)
    if name in _NUMBERED or name.endswith("_id"):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def size(size_bytes: float) -> str:
    """A size for reading: ``512 B``, ``1.5 KiB``."""
    number = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < _UNIT:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _UNIT
    return f"{number:.1f} PiB"


def duration(seconds: float) -> str:
    """A duration for reading, in its two largest units."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < _MINUTE:
        return f"{seconds:.3g} s" if isinstance(seconds, float) else f"{seconds} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def about(seconds: float) -> str:
    """A duration for reading that is only an estimate: in days from two days on, else in hours."""
    days, hours = round(seconds / _DAY), round(seconds / _HOUR)
    if days > 1:
        return f"{days:,} days"
    return "1 hour" if hours == 1 else f"{hours} hours"


def moment(seconds: float | None) -> str:
    """A point in time for reading, UTC."""
    return cell_of(Column("", "", numeric=True, moment=True), seconds).text
