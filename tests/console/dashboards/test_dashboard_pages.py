"""The console draws dashboards from carbonapi: the same values, for whoever may, and nothing that nobody provided."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, Any

import pytest

from dkumonitor.accounts.roles import Role
from dkumonitor.dashboards.model import load
from dkumonitor.dashboards.targets import choose, expand
from tests import dashboard_files
from tests.console.dashboards.asking import EVERY, ask
from tests.console.dashboards.conftest import lay_dashboards
from tests.console_app import running_console
from tests.html_pages import assert_harmless
from tests.stack import free_port_range, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.console.dashboards.conftest import Metrics
    from tests.console_app import RunningConsole

pytestmark = pytest.mark.xdist_group("console-dashboards")  # one carbon serves all of them
BOARDS = [load(path) for path in dashboard_files.files()]
PANELS = [pytest.param(board, panel, id=f"{board.uid}: {panel.title}") for board in BOARDS for panel in board.queries()]


def rendered(metrics: Metrics, targets: list[str], period: dict[str, str], points: int) -> list[dict[str, Any]]:
    """What carbonapi itself says of targets in a time."""
    found: list[dict[str, Any]] = []
    for target in targets:
        found += metrics.stack.get("/render", target=target, format="json", maxDataPoints=str(points), **period)
    return found


def points_of(grid: dict[str, Any], series: dict[str, Any]) -> list[list[Any]]:
    """The values at the series' own times."""
    return [
        [value, at]
        for value, at in zip(series["values"], grid["times"], strict=True)
        if (at - series["start_seconds"]) % series["step_seconds"] == 0 and at >= series["start_seconds"]
    ]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_panel_shows_what_carbonapi_renders(
    board_console: RunningConsole, metrics: Metrics, board: Any, panel: Any
) -> None:
    prefix = {"var-prefix": "dss"} if board.uid.startswith("dkm-dss") else {}
    chosen = choose(board, {"prefix": ["dss"]} if prefix else {})
    targets = [expand(target.target, chosen) for target in panel.targets]
    period = {"from": str(metrics.oldest_seconds - 10), "until": str(metrics.newest_seconds)}
    path = f"/api/v1/dashboards/{board.uid}/panels/{panel.id}/data"

    def looks() -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """What both say, unless carbon (which reports on itself) has got something new between the looks."""
        before = rendered(metrics, targets, period, 2000)
        grid = board_console.client(Role.VIEWER).get(path, params={**period, **prefix, "points": "2000"}).json()
        return (grid, before) if rendered(metrics, targets, period, 2000) == before else None

    seen = wait_for("two looks without anything new", looks)
    assert seen is not None
    grid, direct = seen
    assert grid["targets"] == targets
    assert [one["name"] for one in grid["series"]] == [one["target"] for one in direct] != []
    for series, one in zip(grid["series"], direct, strict=True):
        there = [value for value, _ in one["datapoints"] if value is not None]
        assert series["last"] == (there[-1] if there else None)
        assert (series["max"], series["min"]) == (max(there, default=None), min(there, default=None))
        if panel.__struct_config__.tag in {"timeseries", "stat"}:
            last = one["datapoints"][-1][1]
            assert [point for point in points_of(grid, series) if point[1] <= last] == one["datapoints"]


def test_a_figure_says_the_newest_value_that_was_sent(board_console: RunningConsole, metrics: Metrics) -> None:
    (direct,) = metrics.stack.get(
        "/render", target="collectd.alpha.load.load.shortterm", format="json", **{"from": "-10min"}
    )
    newest = [value for value, _ in direct["datapoints"] if value is not None][-1]
    for number in (1, 2, 3, 4):
        grid = ask(board_console, f"{EVERY}/panels/{number}/data", var_host="alpha").json()
        assert [(one["name"], one["last"]) for one in grid["series"]] == [("alpha", newest)]
    assert ask(board_console, f"{EVERY}/panels/2/data", var_host="alpha").json()["times"] == []


def test_all_several_and_one_value_of_a_variable(board_console: RunningConsole) -> None:
    def hosts(**query: Any) -> list[str]:
        grid = ask(board_console, f"{EVERY}/panels/5/data", **query).json()
        return [one["name"] for one in grid["series"]]

    assert hosts() == hosts(var_host="$__all")
    assert {"alpha.sda", "beta.sdb"} <= set(hosts())
    assert hosts(var_host=["alpha", "beta"], var_disk=["sda", "sdb"]) == ["alpha.sda", "beta.sdb"]
    assert hosts(var_host="beta") == ["beta.sdb"]
    assert hosts(var_host="nobody") == []


def test_variables_offer_what_carbonapi_finds_below_what_is_chosen(board_console: RunningConsole) -> None:
    def offered(**query: Any) -> dict[str, Any]:
        return {one["name"]: one for one in ask(board_console, f"{EVERY}/variables", **query).json()["rows"]}

    everything = offered()
    assert everything["root"]["values"] == ["collectd", "dkm.of.tests"]
    assert {"alpha", "beta"} <= set(everything["host"]["values"])
    assert everything["host"]["values"] == sorted(everything["host"]["values"])
    assert everything["host"]["chosen"] == ["$__all"]
    assert {"sda", "sdb"} <= set(everything["disk"]["values"])
    below = offered(var_host="beta")
    assert (below["disk"]["values"], below["host"]["chosen"]) == (["sdb"], ["beta"])
    assert offered(var_root="dkm.of.tests")["host"]["values"] == []


def test_more_series_than_the_bound_are_counted_not_sent(board_console: RunningConsole) -> None:
    for number in (1, 2):
        grid = ask(board_console, f"/api/v1/dashboards/dkm-many/panels/{number}/data").json()
        assert (len(grid["series"]), grid["total"], grid["left_out"]) == (200, 230, 30)


def test_no_more_points_are_sent_than_asked_for(board_console: RunningConsole) -> None:
    grid = ask(board_console, f"{EVERY}/panels/5/data", points="10").json()

    assert 0 < len(grid["times"]) <= 20  # series of unequal starts: each has at most ten of them
    assert all(sum(value is not None for value in one["values"]) <= 10 for one in grid["series"])


def test_csv_is_what_is_shown_a_row_for_each_time(board_console: RunningConsole) -> None:
    period = {"from": str(int(time.time()) - 300), "until": str(int(time.time()) - 20)}
    client = board_console.client(Role.VIEWER)
    grid = client.get(f"{EVERY}/panels/5/data", params=period).json()
    answer = client.get(f"{EVERY}/panels/5/data.csv", params=period)
    head, *rows = csv.reader(io.StringIO(answer.text))

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="dkm-every-panel-a-timeseries.csv"'
    assert head == ["time_seconds", "time", *(one["name"] for one in grid["series"])]
    assert [int(row[0]) for row in rows] == grid["times"]
    assert rows[0][1] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(grid["times"][0]))
    for column, one in enumerate(grid["series"], 2):
        assert [float(row[column]) if row[column] else None for row in rows] == one["values"]


def test_csv_of_a_table_has_a_row_for_each_series(board_console: RunningConsole) -> None:
    grid = ask(board_console, f"{EVERY}/panels/4/data").json()
    head, *rows = csv.reader(io.StringIO(ask(board_console, f"{EVERY}/panels/4/data.csv").text))

    assert head == ["name", "last", "max", "min", "mean"]
    assert [row[0] for row in rows] == [one["name"] for one in grid["series"]]
    assert {row[0]: float(row[2]) for row in rows} == {one["name"]: one["max"] for one in grid["series"]}


def test_a_name_that_a_spreadsheet_would_run_is_marked(board_console: RunningConsole) -> None:
    query = {"target": "aliasByNode(collectd.alpha.load.load.*,4)", "from": "now-10m"}
    names = [
        one["name"] for one in board_console.client(Role.OPERATOR).get("/api/v1/query", params=query).json()["series"]
    ]
    head = next(
        csv.reader(io.StringIO(board_console.client(Role.OPERATOR).get("/api/v1/query.csv", params=query).text))
    )

    assert "=HYPERLINK" in names
    assert "'=HYPERLINK" in head
    assert "=HYPERLINK" not in head


def test_the_list_has_every_dashboard_and_names_what_cannot_be_drawn(board_console: RunningConsole) -> None:
    listed = ask(board_console, "/api/v1/dashboards").json()
    page = ask(board_console, "/dashboards")

    assert {board.uid for board in BOARDS} < {one["uid"] for one in listed["rows"]}
    assert [one["title"] for one in listed["rows"]] == sorted(
        (one["title"] for one in listed["rows"]), key=str.casefold
    )
    (problem,) = listed["problems"]
    assert problem.startswith("unknown.json")
    assert "links" in problem
    assert all(f'href="/dashboards/{one["uid"]}"' in page.text for one in listed["rows"])
    assert "unknown.json" in page.text


def test_a_page_has_a_place_for_every_panel_and_nothing_of_elsewhere(board_console: RunningConsole) -> None:
    for uid in ("dkm-every-panel", "dkm-system"):
        drawing = ask(board_console, f"/api/v1/dashboards/{uid}").json()
        answer = ask(board_console, f"/dashboards/{uid}")
        assert_harmless(answer.text)
        assert answer.text.count("data-panel=") == len(drawing["panels"])
        for one in drawing["panels"]:
            assert f'data-panel="{one["id"]}"' in answer.text
            assert one["type"] == "row" or one["unit"] in drawing["units"]
        assert "http://" not in answer.text


def test_the_drawing_is_what_the_file_says(board_console: RunningConsole) -> None:
    drawing = ask(board_console, EVERY).json()
    by_type = {one["type"]: one for one in drawing["panels"]}

    assert (drawing["from"], drawing["until"], drawing["refresh_seconds"]) == ("now-15m", "now", 30)
    assert drawing["grafana"] is None
    assert set(by_type) == {"stat", "gauge", "bargauge", "table", "timeseries", "row"}
    lines = by_type["timeseries"]
    assert (lines["is_stacked"], lines["shows_thresholds"], lines["fill_percent"]) == (True, True, 20)
    assert (lines["legend"], lines["calculations"]) == ("table", ["last", "max"])
    assert by_type["table"]["calculations"] == ["last", "max", "min", "mean"]
    assert [step["value"] for step in by_type["gauge"]["thresholds"]] == [None, 20, 60]


def test_where_there_is_grafana_each_dashboard_links_to_itself_there(metrics: Metrics, tmp_path: Path) -> None:
    ports = {"web": 15000, "carbon": None, "carbonapi": None, "carbonserver": None, "pickle": None, "console": 15006}
    with running_console(
        tmp_path,
        carbonapi=metrics.stack.carbonapi.removeprefix("http://"),
        before_start=lambda _, installation: lay_dashboards(installation.lib / "dashboards"),
        grafana=True,
        ports=ports,
    ) as console:
        assert ask(console, EVERY).json()["grafana"] == "http://127.0.0.1:15000/d/dkm-every-panel"
        assert 'href="http://127.0.0.1:15000/d/dkm-every-panel"' in ask(console, "/dashboards/dkm-every-panel").text


def test_free_queries_are_for_operators(board_console: RunningConsole) -> None:
    query = {"target": "sumSeries(collectd.{alpha,beta}.load.load.shortterm)", "from": "now-10m"}
    for path in ("/query", "/api/v1/query", "/api/v1/query.csv"):
        assert board_console.client(Role.VIEWER).get(path, params=query).status_code == 403
        for role in (Role.OPERATOR, Role.ADMIN):
            assert board_console.client(role).get(path, params=query).status_code == 200
    for path in ("/dashboards", "/dashboards/dkm-every-panel"):
        assert "query" not in board_console.client(Role.VIEWER).get(path).text
        assert "query" in board_console.client(Role.OPERATOR).get(path).text


def test_a_free_query_shows_what_carbonapi_renders(board_console: RunningConsole, metrics: Metrics) -> None:
    targets = ["many.m00*.x", 'alias(collectd.alpha.load.load.shortterm,"<b>é</b>")']
    period = {"from": str(metrics.oldest_seconds - 10), "until": str(metrics.newest_seconds)}
    grid = board_console.client(Role.OPERATOR).get("/api/v1/query", params={"target": targets, **period}).json()
    direct = rendered(metrics, targets, period, 500)

    assert [one["name"] for one in grid["series"]] == [one["target"] for one in direct]
    assert [points_of(grid, one) for one in grid["series"]] == [one["datapoints"] for one in direct]
    assert grid["series"][-1]["name"] == "<b>é</b>"


def test_without_an_answer_of_carbonapi_the_panel_says_so_and_the_pages_stand(tmp_path: Path) -> None:
    with (
        free_port_range() as port,
        running_console(
            tmp_path,
            carbonapi=f"127.0.0.1:{port}",
            before_start=lambda _, installation: lay_dashboards(installation.lib / "dashboards"),
        ) as console,
    ):
        assert ask(console, "/dashboards/dkm-every-panel").status_code == 200
        for path in ("variables", "panels/1/data", "panels/1/data.csv"):
            answer = ask(console, f"{EVERY}/{path}")
            assert (answer.status_code, answer.json()["title"]) == (502, "A program behind the console does not answer")
            assert "carbonapi" in answer.json()["detail"]


def test_an_installation_that_reads_no_metrics_says_so(console: RunningConsole) -> None:
    page, answer = ask(console, "/dashboards"), ask(console, "/api/v1/query", Role.OPERATOR, target="x")

    assert page.status_code == 200  # its release has no dashboards either
    assert (answer.status_code, "has no carbonapi" in answer.json()["detail"]) == (502, True)
