"""A line of a day in the size of a word, drawn by the server as an SVG path; and the figures of cards, as cells are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from console.cells import Column, cell_of, columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dkumonitor.views import Figure

WIDTH, HEIGHT = 160, 32
_EDGE = 1.0


class Spark(msgspec.Struct, frozen=True):
    """A small line.

    Attributes:
        path: the ``d`` of an SVG path in a box of :data:`WIDTH` to :data:`HEIGHT`.
        words: lowest, highest and newest value.
    """

    path: str
    words: str


def spark(values: Sequence[float | None]) -> Spark | None:
    """The line of some values from 0 to their largest; a gap where one is missing. None where all are."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    top = max(*there, 0.0) or 1.0
    step = WIDTH / max(1, len(values) - 1)
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
    return Spark(" ".join(commands), f"from {min(there):.1f} to {max(there):.1f}, last {there[-1]:.1f}")


def figure_label(figure: Figure) -> str:
    """A figure's name without its unit."""
    return _column(figure).label


def figure_text(figure: Figure) -> str:
    """A figure's value as a cell of a column of that name shows it."""
    return cell_of(_column(figure), figure.value).text


def _column(figure: Figure) -> Column:
    kind = msgspec.defstruct("_", [(figure.name, float | str | None)])
    return columns_of(kind)[0]
