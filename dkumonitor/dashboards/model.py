"""The subset of Grafana's dashboard keys that our dashboards use, as strict types.

This (with panels.py) is the one list of the keys: Grafana and the console draw the same files, so a key that is not
here is refused. What a key means is Grafana's documentation of its dashboard JSON; docs/dashboards.md says how the
console draws it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from dkumonitor.dashboards.panels import (
    Bars,
    Datasource,
    Description,
    Gauge,
    Keys,
    QueryPanel,
    Row,
    Stat,
    Table,
    Text,
    TimeSeries,
)

if TYPE_CHECKING:
    from pathlib import Path

ALL = "$__all"  # what Grafana writes for the choice of all values
Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]\w*$", max_length=40)]


class AllSelected(Keys, frozen=True):
    """The choice that a variable of the datasource begins with."""

    text: tuple[Literal["All"]]
    value: tuple[Literal["$__all"]]


class OneSelected(Keys, frozen=True):
    """The choice that a list begins with."""

    text: Text
    value: Text


class QueryVariable(Keys, frozen=True, tag_field="type", tag="query"):
    """Chosen from what the datasource finds; All stands for ``*``."""

    name: Word
    label: Text
    datasource: Datasource
    query: Text
    refresh: Literal[2]
    sort: Literal[1]
    multi: Literal[True]
    include_all: Literal[True]
    all_value: Literal["*"]
    current: AllSelected


class CustomVariable(Keys, frozen=True, tag_field="type", tag="custom"):
    """Chosen from the values that `query` lists, parted by commas."""

    name: Word
    label: Text
    query: Text
    current: OneSelected

    @property
    def offered(self) -> list[str]:
        """The values, in the order of the file."""
        return [value.strip() for value in self.query.split(",")]


class Templating(Keys, frozen=True):
    """The variables, those first that others use."""

    variables: list[QueryVariable | CustomVariable] = msgspec.field(name="list")


class TimeRange(Keys, frozen=True):
    """What is shown at first."""

    from_: Literal["now-15m", "now-1h", "now-6h", "now-24h", "now-7d", "now-30d"] = msgspec.field(name="from")
    to: Literal["now"]


class Dashboard(Keys, frozen=True):
    """One file."""

    uid: Annotated[str, msgspec.Meta(pattern=r"^dkm-[a-z-]+$", max_length=40)]
    title: Text
    description: Description
    tags: tuple[Literal["dkumonitor"]]
    schema_version: Literal[39]
    editable: Literal[True]
    refresh: Literal["10s", "30s", "1m", "5m"]
    time: TimeRange
    timezone: Literal["browser"]
    templating: Templating
    panels: list[Row | TimeSeries | Stat | Gauge | Bars | Table]

    def queries(self) -> list[QueryPanel]:
        """The panels that draw something."""
        return [panel for panel in self.panels if not isinstance(panel, Row)]


def load(path: Path) -> Dashboard:
    """One dashboard; a key, a type or a value outside the subset raises msgspec.ValidationError, which names it."""
    return msgspec.json.decode(path.read_bytes(), type=Dashboard)
