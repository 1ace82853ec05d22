"""When will it be full? A straight line through the last days that a few odd hours do not bend."""

from __future__ import annotations

from math import floor, sqrt
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_POINTS = 6
MIN_SPAN_SECONDS = 6 * 3600
MOST_POINTS = 60  # 1,770 pairs
YEAR_SECONDS = 365 * 86400
_NINE_OF_TEN = 1.645  # standard deviations to both sides that hold 90 % of a normal distribution

Points = list[tuple[float, float]]


class Slope(NamedTuple):
    """A growth a second, and between which bounds it is in nine of ten cases."""

    low: float
    middle: float
    high: float


def slope_per_second(points: Sequence[tuple[float, float]]) -> float | None:
    """The median of the slopes between all pairs of points: the Theil-Sen estimator.

    Up to 29 % of the points may be anything without changing it much, so that a folder that is filled and emptied again
    (a backup, an upgrade) does not count as growth.

    Args:
        points: (seconds, value), ascending in time.

    Returns:
        None where there are too few points, or they span too short a time, to say anything.
    """
    slope = slope_between(points)
    return None if slope is None else slope.middle


def slope_between(points: Sequence[tuple[float, float]]) -> Slope | None:
    """The same with its bounds: Sen's interval, from how many pairs of points that do not grow would go up by chance.

    Source: P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968), 1379-1389.
    """
    if len(points) < MIN_POINTS or points[-1][0] - points[0][0] < MIN_SPAN_SECONDS:
        return None
    thin = thinned(points, MOST_POINTS)
    slopes = sorted(
        (later - earlier) / (at - before)
        for index, (before, earlier) in enumerate(thin)
        for at, later in thin[index + 1 :]
    )
    count = len(thin)
    spread = _NINE_OF_TEN * sqrt(count * (count - 1) * (2 * count + 5) / 18)
    below = max(0, floor((len(slopes) - spread) / 2))
    return Slope(slopes[below], median(slopes), slopes[-1 - below])


def thinned(points: Sequence[tuple[float, float]], most: int) -> Points:
    """At most `most` points: the median time and value of neighbours."""
    if len(points) <= most:
        return list(points)
    size = -(-len(points) // most)
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    return [(median(at for at, _ in group), median(value for _, value in group)) for group in groups]


def seconds_to_full(free: float, growth_per_second: float | None) -> float | None:
    """How long until nothing is free at this growth; None where that is not known, never, or not within a year."""
    if growth_per_second is None or growth_per_second <= 0:
        return None
    seconds = max(0.0, free) / growth_per_second
    return seconds if seconds <= YEAR_SECONDS else None


def trend(free: float, growth_per_second: float | None) -> str:
    """The same in words, where there is no number."""
    if growth_per_second is None:
        return "too early to say"
    if growth_per_second <= 0:
        return "not growing"
    return "growing" if seconds_to_full(free, growth_per_second) is not None else "not full within a year"
