"""The subset of Grafana's dashboard keys that our dashboards use, as strict types, and targets as Grafana expands them.

This is the one list of the keys: the files are made to be drawn by more than one renderer, so a key that is not here is
refused. What a key means is Grafana's documentation of its dashboard JSON.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 24  # of Grafana's grid

# Graphite's functions; each is proven against carbonapi by tests/bundle/test_dashboards.py.
FUNCTIONS = frozenset(
    {
        "aliasByNode",
        "groupByNode",
        "groupByNodes",
        "nonNegativeDerivative",
        "perSecond",
        "scale",
        "sumSeriesWithWildcards",
    }
)
NAMING_FUNCTIONS = frozenset({"aliasByNode", "groupByNode", "groupByNodes"})

Unit = Literal["binBps", "bytes", "cps", "dateTimeFromNow", "iops", "ms", "percent", "pps", "reqps", "s", "short"]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Description = Annotated[str, msgspec.Meta(min_length=20, pattern=r"[.]$")]
Color = Literal["green", "orange", "red"]
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Every key must be known."""


class Datasource(Keys, frozen=True):
    """Always ours."""

    type: Literal["graphite"]
    uid: Literal["dkm-graphite"]


class GridPos(Keys, frozen=True):
    """Place and size, in columns of 24 and rows."""

    x: Annotated[int, msgspec.Meta(ge=0)]
    y: Annotated[int, msgspec.Meta(ge=0)]
    w: Annotated[int, msgspec.Meta(ge=1, le=COLUMNS)]
    h: Annotated[int, msgspec.Meta(ge=1)]

    def cells(self) -> set[tuple[int, int]]:
        return {(self.x + right, self.y + down) for right in range(self.w) for down in range(self.h)}


class Target(Keys, frozen=True):
    """One query in Graphite's language."""

    ref_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]$")]
    target: Text


class Step(Keys, frozen=True):
    """A colour from a value on; null is the lowest."""

    color: Color
    value: float | None


class Thresholds(Keys, frozen=True):
    mode: Literal["absolute"]
    steps: Annotated[list[Step], msgspec.Meta(min_length=1)]


class Stacking(Keys, frozen=True):
    mode: Literal["none", "normal"]


class Lines(Keys, frozen=True):
    """How the lines of a time series are drawn."""

    fill_opacity: Annotated[int, msgspec.Meta(ge=0, le=100)]
    line_width: Annotated[int, msgspec.Meta(ge=0, le=10)]
    stacking: Stacking


class LineDefaults(Keys, frozen=True):
    unit: Unit
    custom: Lines
    decimals: int | None = None
    min: float | None = None
    max: float | None = None


class FigureDefaults(Keys, frozen=True):
    unit: Unit
    thresholds: Thresholds
    decimals: int | None = None
    min: float | None = None
    max: float | None = None


class LineConfig(Keys, frozen=True):
    defaults: LineDefaults
    overrides: Annotated[list[None], msgspec.Meta(max_length=0)]


class FigureConfig(Keys, frozen=True):
    defaults: FigureDefaults
    overrides: Annotated[list[None], msgspec.Meta(max_length=0)]


class Legend(Keys, frozen=True):
    display_mode: Literal["list", "table"]
    placement: Literal["bottom"]
    calcs: list[Literal["lastNotNull", "max"]]


class Tooltip(Keys, frozen=True):
    mode: Literal["multi"]


class LineOptions(Keys, frozen=True):
    legend: Legend
    tooltip: Tooltip


class Reduction(Keys, frozen=True):
    """The one value of a series that a figure shows."""

    calcs: tuple[Literal["lastNotNull"]]


class FigureOptions(Keys, frozen=True):
    reduce_options: Reduction


class _Panel(Keys, frozen=True, tag_field="type"):
    id: Annotated[int, msgspec.Meta(ge=1)]
    title: Text
    grid_pos: GridPos


class Row(_Panel, frozen=True, tag="row"):
    """A heading over the panels below it."""

    collapsed: Literal[False]
    panels: Annotated[list[None], msgspec.Meta(max_length=0)]


class _Query(_Panel, frozen=True):
    description: Description
    datasource: Datasource
    targets: Annotated[list[Target], msgspec.Meta(min_length=1)]


class TimeSeries(_Query, frozen=True, tag="timeseries"):
    """Lines over time."""

    field_config: LineConfig
    options: LineOptions


class Stat(_Query, frozen=True, tag="stat"):
    """The newest value of each series as a figure."""

    field_config: FigureConfig
    options: FigureOptions


class Gauge(_Query, frozen=True, tag="gauge"):
    """The newest value of each series on a dial."""

    field_config: FigureConfig
    options: FigureOptions


QueryPanel = TimeSeries | Stat | Gauge


class QuerySelection(Keys, frozen=True):
    text: tuple[Literal["All"]]
    value: tuple[Literal["$__all"]]


class CustomSelection(Keys, frozen=True):
    text: Text
    value: Text


class QueryVariable(Keys, frozen=True, tag_field="type", tag="query"):
    """Chosen from what the datasource finds; All stands for ``*``."""

    name: Text
    label: Text
    datasource: Datasource
    query: Text
    refresh: Literal[2]
    sort: Literal[1]
    multi: Literal[True]
    include_all: Literal[True]
    all_value: Literal["*"]
    current: QuerySelection


class CustomVariable(Keys, frozen=True, tag_field="type", tag="custom"):
    """Chosen from the values that `query` lists, parted by commas."""

    name: Text
    label: Text
    query: Text
    current: CustomSelection


class Templating(Keys, frozen=True):
    variables: list[QueryVariable | CustomVariable] = msgspec.field(name="list")


class TimeRange(Keys, frozen=True):
    from_: Literal["now-1h", "now-6h"] = msgspec.field(name="from")
    to: Literal["now"]


class Dashboard(Keys, frozen=True):
    """One file."""

    uid: Annotated[str, msgspec.Meta(pattern=r"^dkm-[a-z-]+$", max_length=40)]
    title: Text
    description: Description
    tags: tuple[Literal["dkumonitor"]]
    schema_version: Literal[39]
    editable: Literal[True]
    refresh: Literal["10s", "1m"]
    time: TimeRange
    timezone: Literal["browser"]
    templating: Templating
    panels: list[Row | TimeSeries | Stat | Gauge]

    def queries(self) -> list[QueryPanel]:
        """The panels that draw something."""
        return [panel for panel in self.panels if not isinstance(panel, Row)]


def files() -> list[Path]:
    """Every dashboard of the repository."""
    return sorted([*ROOT.glob("dashboards/*.json"), *ROOT.glob("collectors/*/dashboard.json")])


def load(path: Path) -> Dashboard:
    """One dashboard; a key, a type or a value outside the subset raises msgspec.ValidationError, which names it."""
    return msgspec.json.decode(path.read_bytes(), type=Dashboard)


def variables_of(text: str) -> set[str]:
    """Names of the variables that a target or a variable's query uses."""
    return {first or second for first, second in _VARIABLE.findall(text)}


def expand(text: str, chosen: dict[str, list[str]]) -> str:
    """Put the chosen values in, in Grafana's glob format: one value stands as it is, several in braces."""

    def values(match: re.Match[str]) -> str:
        found = chosen[match[1] or match[2]]
        return found[0] if len(found) == 1 else "{" + ",".join(found) + "}"

    return _VARIABLE.sub(values, text)
