"""Series on one grid of times, with what is said of each: what a chart draws and a CSV writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from console.refused import Refused
from dkumonitor.render import write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from console.dashboards.period import Period
    from dkumonitor.carbonapi import Column
    from dkumonitor.dashboards.panels import Calculation

MAX_SERIES = 200
MAX_VALUES = 500_000  # of MAX_SERIES with as many points as a chart may have, and then some


class SeriesOnGrid(msgspec.Struct, frozen=True):
    """One series.

    Attributes:
        name: its legend.
        start_seconds: the first of its own times.
        step_seconds: the distance of its own times. A time of the grid that is none of them is no gap in the line.
        values: one for each time of the grid; null where there is none.
        last: the newest value that is there, null where there is none; so also the others.
    """

    name: str
    start_seconds: int
    step_seconds: int
    values: list[float | None]
    last: float | None
    max: float | None
    min: float | None
    mean: float | None


class Grid(msgspec.Struct, frozen=True):
    """What a panel shows.

    Attributes:
        from_seconds: values after it are shown, UTC.
        until_seconds: values up to it are shown, UTC.
        times: UTC seconds, ascending.
        targets: what carbonapi was asked.
        series: in carbonapi's order.
        total: how many series there are.
        left_out: how many of them are not in `series`, which has a bound.
    """

    from_seconds: int
    until_seconds: int
    targets: list[str]
    times: list[int]
    series: list[SeriesOnGrid]
    total: int
    left_out: int


def on_grid(columns: Sequence[Column], period: Period, targets: Sequence[str], total: int) -> Grid:
    """Put series on the union of their times; `total` is how many there are.

    Raises:
        Refused: that has more than MAX_VALUES values: series that share no times fill it with blanks.
    """
    spans = {(one.start_seconds, one.step_seconds, len(one.values)) for one in columns}
    alike = len(spans) == 1
    times = list(columns[0].times()) if alike else sorted({at for one in columns for at in one.times()})
    if len(times) * len(columns) > MAX_VALUES:
        raise Refused("bad-request", "The series have too many different times; choose fewer, or a shorter time.")
    return Grid(
        period.from_seconds,
        period.until_seconds,
        list(targets),
        times,
        [_series(one, None if alike else times) for one in columns],
        total,
        total - len(columns),
    )


def without_times(grid: Grid) -> Grid:
    """What is said of each series alone: all that a dial, a bar or a table shows."""
    series = [msgspec.structs.replace(one, values=[]) for one in grid.series]
    return msgspec.structs.replace(grid, times=[], series=series)


def _series(column: Column, times: Sequence[int] | None) -> SeriesOnGrid:
    values = column.values
    if times is not None:
        own = dict(zip(column.times(), column.values, strict=True))
        values = [own.get(at) for at in times]
    there = [value for value in column.values if value is not None]
    return SeriesOnGrid(
        column.name,
        column.start_seconds,
        column.step_seconds,
        values,
        last=there[-1] if there else None,
        max=max(there, default=None),
        min=min(there, default=None),
        mean=sum(there) / len(there) if there else None,
    )


def write_times(grid: Grid, out: TextIO) -> None:
    """As CSV, a row for each time: UTC seconds, the same as a date, and a column for each series."""
    columns = ["time_seconds", "time", *_different([one.name for one in grid.series])]
    rows = zip(grid.times, map(_utc, grid.times), *(one.values for one in grid.series), strict=True)
    write_csv(columns, rows, out)


def write_figures(grid: Grid, calculations: Sequence[Calculation], out: TextIO) -> None:
    """As CSV, a row for each series with what a figure or a table says of it."""
    names = ["last" if one == "lastNotNull" else one for one in calculations]
    write_csv(["name", *names], ([one.name, *(getattr(one, name) for name in names)] for one in grid.series), out)


def _different(names: Sequence[str]) -> list[str]:
    """Names that tell columns apart: a second one of the same name has its number behind it."""
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return told


def _utc(at_seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_seconds))
