"""What the overview reads from carbon: few queries, for all hosts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dkumonitor.carbonapi import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dkumonitor.carbonapi import Carbonapi

# An hour more than a week: then the archive of five minutes answers, and not the one of a minute, five times as large.
TREND_SECONDS = 7 * 86400 + 3600
TREND_POINTS = 169
DAY_SECONDS = 86400
DAY_POINTS = 96
NOW_SECONDS = 120
NOW_INTERVALS = 6
TOP_USERS = 10
MOST_SERIES = 20_000
NOW_TARGETS = (
    "collectd.*.load.load.midterm",
    "collectd.*.cpu.count",
    "collectd.*.memory.percent.used",
    "collectd.*.memory.memory.*",
    "collectd.*.swap.swap.{used,free}",
    "collectd.*.df.*.df_complex.{used,free,reserved}",
    "collectd.*.uptime.uptime",
)
DAY_TARGETS = ("collectd.*.load.load.midterm",)
TREND_TARGETS = ("collectd.*.df.*.df_complex.used",)
BUSIEST = f"highestCurrent(exclude(dkm.*.host.users.*.cpu_percent,'[.]users[.]_other[.]'),{TOP_USERS})"
USER_FIGURES = ("resident_bytes", "processes")

Series = dict[str, Column]


@dataclass(frozen=True)
class Readings:
    """Series by name.

    Attributes:
        now: of the last moments.
        day: the load of the last day.
        trend: what was used of each file system within the last week.
        users: of the busiest users of all hosts, of the last moments.
    """

    now: Mapping[str, Column]
    day: Mapping[str, Column]
    trend: Mapping[str, Column]
    users: Mapping[str, Column]


def read_now(carbonapi: Carbonapi, now_seconds: float, interval_seconds: int) -> tuple[Series, Series]:
    """How all hosts are now, and their busiest users.

    Raises:
        ServiceError: carbonapi does not answer.
    """
    window = (int(now_seconds) - max(NOW_SECONDS, NOW_INTERVALS * interval_seconds), int(now_seconds))
    hosts = _series(carbonapi, NOW_TARGETS, window, NOW_SECONDS)
    users = _series(carbonapi, (BUSIEST,), window, NOW_SECONDS)
    further = [f"{name.rpartition('.')[0]}.{figure}" for name in users for figure in USER_FIGURES]
    return hosts, users | (_series(carbonapi, further, window, NOW_SECONDS) if further else {})


def read_day(carbonapi: Carbonapi, now_seconds: float) -> Series:
    """The load of all hosts within a day.

    Raises:
        ServiceError: carbonapi does not answer.
    """
    return _series(carbonapi, DAY_TARGETS, (int(now_seconds) - DAY_SECONDS, int(now_seconds)), DAY_POINTS)


def read_trend(carbonapi: Carbonapi, now_seconds: float) -> Series:
    """What was used of each file system within a week, by the hour.

    Raises:
        ServiceError: carbonapi does not answer.
    """
    return _series(carbonapi, TREND_TARGETS, (int(now_seconds) - TREND_SECONDS, int(now_seconds)), TREND_POINTS)


def read(carbonapi: Carbonapi, now_seconds: float, interval_seconds: int) -> Readings:
    """All of it.

    Raises:
        ServiceError: carbonapi does not answer.
    """
    now, users = read_now(carbonapi, now_seconds, interval_seconds)
    return Readings(now, read_day(carbonapi, now_seconds), read_trend(carbonapi, now_seconds), users)


def _series(carbonapi: Carbonapi, targets: Sequence[str], window: tuple[int, int], points: int) -> Series:
    found, _count = carbonapi.columns(
        targets, from_seconds=window[0], until_seconds=window[1], points=points, most=MOST_SERIES
    )
    return {column.name: column for column in found}
