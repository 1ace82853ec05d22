"""Rectangles whose areas are as given, as near to squares as they come.

Source: M. Bruls, K. Huizing, J. van Wijk, Squarified Treemaps, Data Visualization 2000, 33-42.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


def squarify(values: Sequence[float], box: Box) -> list[Box]:
    """Cut a box into one for each value.

    Args:
        values: above 0, the largest first.
        box: what is cut.

    Returns:
        A box for each value in the same order; their areas are as the values, and together they are the whole.
    """
    whole = sum(values)
    if not values or whole <= 0:
        return []
    scale = box.width * box.height / whole
    areas = [value * scale for value in values]
    found: list[Box] = []
    left, start = box, 0
    while start < len(areas):
        side = min(left.width, left.height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            end += 1
        row, left = _row(areas[start:end], left, is_last=end == len(areas))
        found += row
        start = end
    return found


def _worst(row: Sequence[float], side: float) -> float:
    """The longest of the sides' ratios in a row of areas along a side."""
    whole = sum(row)
    return (
        max(side**2 * row[0] / whole**2, whole**2 / (side**2 * row[-1])) if side > 0 and row[-1] > 0 else float("inf")
    )


def _row(row: Sequence[float], left: Box, *, is_last: bool) -> tuple[list[Box], Box]:
    """Boxes of a row along the shorter side, and what is left beside them; the last row takes all there is."""
    whole = sum(row)
    stands = left.width >= left.height
    side, depth_left = (left.height, left.width) if stands else (left.width, left.height)
    depth = depth_left if is_last or side <= 0 else min(depth_left, whole / side)
    boxes, at = [], 0.0
    for area in row:
        length = side * area / whole
        boxes.append(Box(left.x, left.y + at, depth, length) if stands else Box(left.x + at, left.y, length, depth))
        at += length
    if stands:
        return boxes, Box(left.x + depth, left.y, depth_left - depth, left.height)
    return boxes, Box(left.x, left.y + depth, left.width, depth_left - depth)
