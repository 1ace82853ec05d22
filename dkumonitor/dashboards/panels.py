"""The part of the subset of Grafana's keys that says what a panel draws. See model.py for the whole of a dashboard."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from dkumonitor.dashboards.units import UNITS

COLUMNS = 24  # of Grafana's grid

Text = Annotated[str, msgspec.Meta(min_length=1)]
Description = Annotated[str, msgspec.Meta(min_length=20, pattern=r"[.]$")]
Color = Literal["green", "yellow", "orange", "red", "blue"]
Calculation = Literal["lastNotNull", "max", "min", "mean"]


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
        """The cells that it covers."""
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
    """Colours by value, the values ascending."""

    mode: Literal["absolute"]
    steps: Annotated[list[Step], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        first, *rest = [step.value for step in self.steps]
        values = [value for value in rest if value is not None]
        if first is not None or len(values) < len(rest) or values != sorted(values):
            raise ValueError("the first step's value is null, and the others ascend")


class Stacking(Keys, frozen=True):
    """Whether each line begins at the one below it."""

    mode: Literal["none", "normal"]


class ThresholdsStyle(Keys, frozen=True):
    """Whether the thresholds of a time series are drawn as lines."""

    mode: Literal["off", "line"]


class Lines(Keys, frozen=True):
    """How the lines of a time series are drawn."""

    fill_opacity: Annotated[int, msgspec.Meta(ge=0, le=100)]
    line_width: Annotated[int, msgspec.Meta(ge=0, le=10)]
    stacking: Stacking
    thresholds_style: ThresholdsStyle | None = None


class _Defaults(Keys, frozen=True):
    unit: str
    decimals: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None
    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"{self.unit!r} is not among the units: {' '.join(UNITS)}")


class LineDefaults(_Defaults, frozen=True, kw_only=True):
    """Unit, bounds and lines of a time series."""

    custom: Lines
    thresholds: Thresholds | None = None


class FigureDefaults(_Defaults, frozen=True, kw_only=True):
    """Unit, bounds and colours of a figure."""

    thresholds: Thresholds


class LineConfig(Keys, frozen=True):
    """Of a time series."""

    defaults: LineDefaults
    overrides: Annotated[list[None], msgspec.Meta(max_length=0)]


class FigureConfig(Keys, frozen=True):
    """Of a figure."""

    defaults: FigureDefaults
    overrides: Annotated[list[None], msgspec.Meta(max_length=0)]


class Legend(Keys, frozen=True):
    """Names below the lines; a table also says what `calcs` names of each."""

    display_mode: Literal["list", "table"]
    placement: Literal["bottom"]
    calcs: list[Calculation]


class Tooltip(Keys, frozen=True):
    """What stands beside the pointer: every line's value."""

    mode: Literal["multi"]


class LineOptions(Keys, frozen=True):
    """Of a time series."""

    legend: Legend
    tooltip: Tooltip


class Reduction(Keys, frozen=True):
    """The one value of a series that a figure shows."""

    calcs: tuple[Calculation]


class FigureOptions(Keys, frozen=True):
    """Of a figure."""

    reduce_options: Reduction


class BarOptions(Keys, frozen=True):
    """Of bars."""

    reduce_options: Reduction
    orientation: Literal["horizontal"]
    display_mode: Literal["basic"]


class Reducers(Keys, frozen=True):
    """What a table has of each series, a column each."""

    reducers: Annotated[list[Calculation], msgspec.Meta(min_length=1)]


class Reduce(Keys, frozen=True):
    """The transformation that makes a row of each series."""

    id: Literal["reduce"]
    options: Reducers


class TableOptions(Keys, frozen=True):
    """Of a table."""

    show_header: Literal[True]


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
    """One value of each series as a figure."""

    field_config: FigureConfig
    options: FigureOptions


class Gauge(_Query, frozen=True, tag="gauge"):
    """One value of each series on a dial."""

    field_config: FigureConfig
    options: FigureOptions


class Bars(_Query, frozen=True, tag="bargauge"):
    """One value of each series as a bar."""

    field_config: FigureConfig
    options: BarOptions


class Table(_Query, frozen=True, tag="table"):
    """A row for each series."""

    field_config: FigureConfig
    options: TableOptions
    transformations: tuple[Reduce]


QueryPanel = TimeSeries | Stat | Gauge | Bars | Table


def calculations(panel: QueryPanel) -> list[Calculation]:
    """What is said of each series of a panel, in the order in which it is shown."""
    if isinstance(panel, TimeSeries):
        return panel.options.legend.calcs
    if isinstance(panel, Table):
        return panel.transformations[0].options.reducers
    return list(panel.options.reduce_options.calcs)
