"""The figures of cards, as cells are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dkumonitor.cells import Column, cell_of, columns_of

if TYPE_CHECKING:
    from dkumonitor.views import Figure


def figure_label(figure: Figure) -> str:
    """A figure's name without its unit."""
    return _column(figure).label


def figure_text(figure: Figure) -> str:
    """A figure's value as a cell of a column of that name shows it."""
    return cell_of(_column(figure), figure.value).text


def _column(figure: Figure) -> Column:
    kind = msgspec.defstruct("_", [(figure.name, float | str | None)])
    return columns_of(kind)[0]
