"""A line in the size of a word, drawn by the server as an SVG path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH, HEIGHT = 160, 32
_EDGE = 1.0


class Spark(msgspec.Struct, frozen=True):
    """A small line.

    Attributes:
        path: the ``d`` of an SVG path in a box of `width` to `height`.
        words: lowest, highest and newest value.
    """

    path: str
    words: str
    width: int = WIDTH
    height: int = HEIGHT


def spark(
    values: Sequence[float | None], written: Callable[[float], str] = "{:.1f}".format, width: int = WIDTH
) -> Spark | None:
    """The line of some values from 0 to their largest; a gap where one is missing. None where all are.

    Args:
        values: at equal distances.
        written: a value for reading.
        width: of its box.
    """
    there = [value for value in values if value is not None]
    if not there:
        return None
    top = max(*there, 0.0) or 1.0
    step = width / max(1, len(values) - 1)
    commands, drawing = [], False
    for index, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        x, y = index * step, _EDGE + (HEIGHT - 2 * _EDGE) * (1 - max(0.0, value) / top)
        commands.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
        if not drawing:
            commands.append("h0.1")  # one value between two gaps is a dot
        drawing = True
    words = f"from {written(min(there))} to {written(max(there))}, last {written(there[-1])}"
    return Spark(" ".join(commands), words, width)
