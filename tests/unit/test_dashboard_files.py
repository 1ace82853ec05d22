"""Every dashboard keeps to the subset of Grafana's keys (dkumonitor/dashboards) and the rules of docs/dashboards.md."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from dkumonitor.dashboards.model import Dashboard, QueryVariable, load
from dkumonitor.dashboards.panels import COLUMNS
from dkumonitor.dashboards.targets import FUNCTIONS, NAMING_FUNCTIONS, expand, variables_of
from tests import dashboard_files

if TYPE_CHECKING:
    from pathlib import Path

FILES = dashboard_files.files()
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(dashboard_files.ROOT)))
CALL = re.compile(r"(\w+)\(")


def targets_of(board: Dashboard) -> list[str]:
    return [target.target for panel in board.queries() for target in panel.targets]


def test_the_promised_dashboards_are_there() -> None:
    assert {load(path).uid for path in FILES} >= {
        "dkm-system",
        "dkm-users",
        "dkm-arrivals",
        "dkm-dss-backend",
        "dkm-dss-system",
        "dkm-stack",
        "dkm-disk",
    }


def test_no_two_dashboards_have_the_same_uid_or_title() -> None:
    boards = [load(path) for path in FILES]

    assert len({board.uid for board in boards}) == len(boards)
    assert len({board.title for board in boards}) == len(boards)


@every_file
def test_an_unknown_key_an_unknown_unit_and_a_missing_description_are_refused(path: Path) -> None:
    document = json.loads(path.read_bytes())
    panel = next(panel for panel in document["panels"] if panel["type"] != "row")
    broken = [
        {**document, "id": 7},
        {**document, "panels": [{**panel, "transparent": True}]},
        {**document, "panels": [{key: value for key, value in panel.items() if key != "description"}]},
        {**document, "panels": [{**panel, "description": ""}]},
        {**document, "panels": [{**panel, "type": "piechart"}]},
        {
            **document,
            "panels": [
                {
                    **panel,
                    "fieldConfig": {"overrides": [], "defaults": {**panel["fieldConfig"]["defaults"], "unit": "x"}},
                }
            ],
        },
    ]

    assert msgspec.convert(document, Dashboard) == load(path)
    for variant in broken:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(variant, Dashboard)


@every_file
def test_a_file_is_written_in_one_way(path: Path) -> None:
    text = path.read_text()

    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"


@every_file
def test_panels_have_ids_of_their_own_and_do_not_overlap(path: Path) -> None:
    panels = load(path).panels
    cells = [cell for panel in panels for cell in panel.grid_pos.cells()]

    assert len({panel.id for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) < COLUMNS


@every_file
def test_titles_tell_the_panels_apart(path: Path) -> None:
    titles = [panel.title for panel in load(path).panels]

    assert len(set(titles)) == len(titles)


@every_file
def test_each_target_calls_known_functions_and_names_its_series(path: Path) -> None:
    for panel in load(path).queries():
        assert len({target.ref_id for target in panel.targets}) == len(panel.targets), panel.title
        for target in panel.targets:
            functions = CALL.findall(target.target)
            assert set(functions) <= FUNCTIONS, target.target
            assert functions[0] in NAMING_FUNCTIONS, target.target
            assert target.target.startswith(f"{functions[0]}("), target.target
            assert target.target.count("(") == target.target.count(")"), target.target


@every_file
def test_every_variable_is_defined_once_and_used(path: Path) -> None:
    board = load(path)
    variables = board.templating.variables
    names = [variable.name for variable in variables]
    queries = [variable.query for variable in variables if isinstance(variable, QueryVariable)]

    assert len(set(names)) == len(names)
    assert set(names) == set().union(*map(variables_of, targets_of(board) + queries))


def test_values_are_put_in_as_grafana_does() -> None:
    chosen = {"host": ["a", "b"], "prefix": ["dss"]}

    assert expand("$prefix.$host.cpu", chosen) == "dss.{a,b}.cpu"
    assert expand("${prefix}.x.${host}", {**chosen, "host": ["*"]}) == "dss.x.*"


def test_every_type_of_panel_is_known_and_keeps_to_its_own_keys() -> None:
    whole = dashboard_files.every_panel()
    panels = [panel for panel in whole["panels"] if panel["type"] != "row"]

    assert {panel["type"] for panel in panels} == {"stat", "gauge", "bargauge", "table", "timeseries"}
    assert len(msgspec.convert(whole, Dashboard).queries()) == len(panels)
    for panel in panels:
        others = [other["options"] for other in panels if other["options"] != panel["options"]]
        for options in [{}, {**panel["options"], "sortBy": []}, *others]:
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({**whole, "panels": [{**panel, "options": options}]}, Dashboard)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("refresh", "1s"),
        ("refresh", False),
        ("time", {"from": "now-5y", "to": "now"}),
        ("uid", "dkm_system"),
        ("uid", "dkm-" + "x" * 40),
        ("timezone", "utc"),
        ("annotations", {"list": []}),
        ("links", []),
    ],
)
def test_a_value_outside_the_subset_is_refused(key: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**dashboard_files.every_panel(), key: value}, Dashboard)


@pytest.mark.parametrize("values", [[10, 20], [None, 20, 10], [None, None], [None, 5, None]])
def test_thresholds_begin_at_the_lowest_and_ascend(values: list[float | None]) -> None:
    whole = dashboard_files.every_panel()
    panel = whole["panels"][0]
    steps = [{"color": "green", "value": value} for value in values]
    panel["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": steps}

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(whole, Dashboard)
