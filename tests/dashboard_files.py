"""The dashboards of the repository, one with a panel of every type, and the metrics that a dashboard reads."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.dashboards.model import Dashboard

ROOT = Path(__file__).resolve().parent.parent
DATASOURCE = {"type": "graphite", "uid": "dkm-graphite"}
STEPS = {
    "mode": "absolute",
    "steps": [{"color": "green", "value": None}, {"color": "orange", "value": 20}, {"color": "red", "value": 60}],
}
LOAD = "aliasByNode(collectd.$host.load.load.shortterm,1)"
NEWEST = {"reduceOptions": {"calcs": ["lastNotNull"]}}
_GLOB = re.compile(r"\{([^}]*)\}")


def files() -> list[Path]:
    """Every dashboard's file."""
    return sorted([*ROOT.glob("dashboards/*.json"), *ROOT.glob("collectors/*/dashboard.json")])


def query_variable(name: str, query: str) -> dict[str, Any]:
    """A variable that is chosen from what carbonapi finds."""
    return {
        "name": name, "label": name.title(), "type": "query", "datasource": DATASOURCE, "query": query, "refresh": 2,
        "sort": 1, "multi": True, "includeAll": True, "allValue": "*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }  # fmt: skip


def panel(number: int, kind: str, target: str, options: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A panel below the one of the number before."""
    place = {"x": 0, "y": 8 * number, "w": 24, "h": 8}
    lines = {"custom": {"fillOpacity": 20, "lineWidth": 1, "stacking": {"mode": "normal"},
                        "thresholdsStyle": {"mode": "line"}}}  # fmt: skip
    defaults = {"unit": "short", "thresholds": STEPS, **(lines if kind == "timeseries" else {})}
    return {
        "id": number, "type": kind, "title": f"A {kind}", "description": f"What is shown as a {kind}, for tests.",
        "datasource": DATASOURCE, "gridPos": place, "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options, "targets": [{"refId": "A", "target": target}], **more,
    }  # fmt: skip


def every_panel() -> dict[str, Any]:
    """A dashboard with a panel of every type, and variables of both types, one of which hangs on another."""
    legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
    reduce = [{"id": "reduce", "options": {"reducers": ["lastNotNull", "max", "min", "mean"]}}]
    roots = {"name": "root", "label": "Root", "type": "custom", "query": "collectd,dkm.of.tests",
             "current": {"text": "collectd", "value": "collectd"}}  # fmt: skip
    return {
        "uid": "dkm-every-panel", "title": "Every panel", "description": "A panel of every type that there is.",
        "tags": ["dkumonitor"], "schemaVersion": 39, "editable": True, "refresh": "30s",
        "time": {"from": "now-15m", "to": "now"}, "timezone": "browser",
        "templating": {"list": [roots, query_variable("host", "$root.*"),
                                query_variable("disk", "collectd.$host.disk.*")]},
        "panels": [
            panel(1, "stat", LOAD, NEWEST),
            panel(2, "gauge", LOAD, NEWEST),
            panel(3, "bargauge", LOAD, {**NEWEST, "orientation": "horizontal", "displayMode": "basic"}),
            panel(4, "table", LOAD, {"showHeader": True}, transformations=reduce),
            panel(5, "timeseries", "aliasByNode($root.$host.disk.$disk.ops,1,3)",
                  {"legend": legend, "tooltip": {"mode": "multi"}}),
            {"id": 6, "type": "row", "title": "Below", "collapsed": False, "panels": [],
             "gridPos": {"x": 0, "y": 60, "w": 24, "h": 1}},
        ],
    }  # fmt: skip


def metrics_of(board: Dashboard, variables: dict[str, str], star: str) -> set[str]:
    """Names that the targets of a dashboard match: the variables as given, a wildcard as `star`, every alternative."""
    return {
        name
        for one in board.queries()
        for target in one.targets
        for name in _alternatives(_expression(target.target, variables).replace("*", star))
    }


def _expression(target: str, variables: dict[str, str]) -> str:
    """The innermost argument: what stands behind the last bracket, up to a comma outside of braces."""
    inner, depth = target[target.rindex("(") + 1 :], 0
    for at, char in enumerate(inner):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0 and char in ",)":
            inner = inner[:at]
            break
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], inner)


def _alternatives(glob: str) -> Iterator[str]:
    parts = _GLOB.split(glob)  # text, choices, text, ...
    choices = [part.split(",") if at % 2 else [part] for at, part in enumerate(parts)]
    return map("".join, itertools.product(*choices))
