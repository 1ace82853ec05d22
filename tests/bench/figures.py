"""One measured figure, for tables that have a bound and no peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A result and, where an issue names one, the bound that it must keep."""

    what: str
    value: float
    unit: str
    bound: float | None = None
