"""Something over time as an area below a line, wide enough for a page; its figures stand beside it as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH, HEIGHT = 600, 100
MIN_POINTS = 2


class Line(msgspec.Struct, frozen=True):
    """A line.

    Attributes:
        path, area: the ``d`` of the line and of what is below it, in a box of :data:`WIDTH` to :data:`HEIGHT`.
        top: the box's upper edge, for reading; its lower one is 0.
        words: lowest, highest and newest value.
        from_seconds, to_seconds: the time of its ends, UTC.
    """

    path: str
    area: str
    top: str
    words: str
    from_seconds: float
    to_seconds: float


def line(points: Sequence[tuple[float, float]], written: Callable[[float], str]) -> Line | None:
    """The line of points (UTC seconds, value), ascending in time, above 0; None of fewer than two.

    Args:
        points: at any distances.
        written: a value for reading.
    """
    if len(points) < MIN_POINTS or points[0][0] == points[-1][0]:
        return None
    start, end = points[0][0], points[-1][0]
    values = [value for _, value in points]
    top = max(values) or 1.0
    corners = [
        f"{WIDTH * (at - start) / (end - start):.1f} {HEIGHT * (1 - max(0.0, value) / top):.1f}" for at, value in points
    ]
    return Line(
        path=f"M{' L'.join(corners)}",
        area=f"M0 {HEIGHT} L{' L'.join(corners)} L{WIDTH} {HEIGHT} Z",
        top=written(top),
        words=f"from {written(min(values))} to {written(max(values))}, last {written(values[-1])}",
        from_seconds=start,
        to_seconds=end,
    )
