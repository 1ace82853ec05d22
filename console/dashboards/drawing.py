"""What the browser draws of a dashboard: its panels and variables without the keys that only Grafana reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dkumonitor.dashboards.model import Dashboard, QueryVariable
from dkumonitor.dashboards.panels import LineDefaults, QueryPanel, Row, TimeSeries, calculations
from dkumonitor.dashboards.targets import chosen_words, expand, is_segment
from dkumonitor.dashboards.units import UNITS, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dkumonitor.carbonapi import Carbonapi

MAX_OFFERED = 2000
_SECONDS = {"s": 1, "m": 60}


class ColorStep(msgspec.Struct, frozen=True):
    """A colour from a value on; null is the lowest."""

    color: str
    value: float | None


class PanelDrawing(msgspec.Struct, frozen=True, kw_only=True):
    """One panel: ``row`` is a heading, the other types draw the panel's data.

    Attributes:
        x: its place in a grid of 24 columns; so also y, w (width) and h (height, in rows).
        unit: a key of the dashboard's `units`.
        thresholds: colours by value, ascending.
        shows_thresholds: whether they are lines in a time series.
        calculations: what is said of each series: last, max, min, mean.
        legend: ``list`` or ``table``.
        targets: the queries, with the variables' names in them.
    """

    id: int
    type: str
    title: str
    x: int
    y: int
    w: int
    h: int
    description: str = ""
    unit: str = "none"
    decimals: int | None = None
    min: float | None = None
    max: float | None = None
    thresholds: list[ColorStep] = msgspec.field(default_factory=list)
    shows_thresholds: bool = False
    fill_percent: int = 0
    line_width: int = 1
    is_stacked: bool = False
    legend: str = "list"
    calculations: list[str] = msgspec.field(default_factory=list)
    targets: list[str] = msgspec.field(default_factory=list)


class BoardDrawing(msgspec.Struct, frozen=True, kw_only=True):
    """One dashboard.

    Attributes:
        from_: the time that it shows at first, ``now-6h``; `until` is its end.
        refresh_seconds: how often it is drawn anew.
        units: how values are written, by the unit's name.
        grafana: the address of the same dashboard in Grafana, null where the installation has none.
    """

    uid: str
    title: str
    description: str
    from_: str = msgspec.field(name="from")
    until: str
    refresh_seconds: int
    panels: list[PanelDrawing]
    units: dict[str, Unit]
    grafana: str | None


class VariableChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What may be chosen of a variable at this moment.

    Attributes:
        is_multiple: whether several values may be chosen, and ``$__all``.
        values: what is offered.
        chosen: what is chosen; a value may be chosen that is not (or no longer) offered.
        left_out: how many values there are beyond the bound of `values`, or that no query can name.
    """

    name: str
    label: str
    is_multiple: bool
    values: list[str]
    chosen: list[str]
    left_out: int


def draw(board: Dashboard, grafana: str | None) -> BoardDrawing:
    """What to draw of a dashboard."""
    panels = [_panel(panel) for panel in board.panels]
    return BoardDrawing(
        uid=board.uid,
        title=board.title,
        description=board.description,
        from_=board.time.from_,
        until=board.time.to,
        refresh_seconds=int(board.refresh[:-1]) * _SECONDS[board.refresh[-1]],
        panels=sorted(panels, key=lambda panel: (panel.y, panel.x)),
        units={name: UNITS[name] for name in sorted({panel.unit for panel in panels})},
        grafana=grafana,
    )


def offer(board: Dashboard, chosen: Mapping[str, Sequence[str]], carbonapi: Carbonapi) -> list[VariableChoice]:
    """The variables with what may be chosen now.

    Args:
        board: declares them.
        chosen: by variable, from :func:`dkumonitor.dashboards.targets.choose`; a variable's query may use others.
        carbonapi: knows the values.

    Raises:
        ServiceError: carbonapi does not answer.
    """
    choices = []
    for variable in board.templating.variables:
        if isinstance(variable, QueryVariable):
            found = carbonapi.find(expand(variable.query, chosen))
            values = [value for value in found if is_segment(value)][:MAX_OFFERED]
        else:
            found = values = variable.offered
        choices.append(
            VariableChoice(
                name=variable.name,
                label=variable.label,
                is_multiple=isinstance(variable, QueryVariable),
                values=values,
                chosen=chosen_words(variable, chosen[variable.name]),
                left_out=len(found) - len(values),
            )
        )
    return choices


def _panel(panel: Row | QueryPanel) -> PanelDrawing:
    place = panel.grid_pos
    kind = panel.__struct_config__.tag
    if isinstance(panel, Row):
        return PanelDrawing(id=panel.id, type=str(kind), title=panel.title, x=place.x, y=place.y, w=place.w, h=place.h)
    defaults = panel.field_config.defaults
    drawing = PanelDrawing(
        id=panel.id,
        type=str(kind),
        title=panel.title,
        x=place.x,
        y=place.y,
        w=place.w,
        h=place.h,
        description=panel.description,
        unit=defaults.unit,
        decimals=defaults.decimals,
        min=defaults.min,
        max=defaults.max,
        thresholds=[
            ColorStep(step.color, step.value) for step in (defaults.thresholds.steps if defaults.thresholds else [])
        ],
        calculations=["last" if one == "lastNotNull" else one for one in calculations(panel)],
        targets=[target.target for target in panel.targets],
    )
    if not isinstance(panel, TimeSeries):
        return drawing
    return _with_lines(drawing, panel, panel.field_config.defaults)


def _with_lines(drawing: PanelDrawing, panel: TimeSeries, defaults: LineDefaults) -> PanelDrawing:
    style = defaults.custom.thresholds_style
    return msgspec.structs.replace(
        drawing,
        shows_thresholds=style is not None and style.mode == "line",
        fill_percent=defaults.custom.fill_opacity,
        line_width=defaults.custom.line_width,
        is_stacked=defaults.custom.stacking.mode == "normal",
        legend=panel.options.legend.display_mode,
    )
