"""What is asked of a dashboard in another form than its page does is refused, with a status that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dkumonitor.accounts.roles import Role
from tests.console.dashboards.asking import EVERY, ask

if TYPE_CHECKING:
    from tests.console_app import RunningConsole

pytestmark = pytest.mark.xdist_group("console-dashboards")  # one carbon serves all of them
HOSTILE = [
    "*", "?", "[a-z]", "{alpha,beta}", "alpha,beta", "a.b", "..", "../../etc/passwd", "", " ", "alpha beta", "alpha)",
    "alpha,1),randomWalk(x", "$host", "${host}", "$__all,alpha", "x" * 201, "alpha\n", "alpha\r\nX: y", "\x00", "é",
    "'", '"', ";", "|", "&target=x", "alpha&target=x", "<script>", "' OR 1=1 --", "$__interval", "\u202e",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_that_is_no_segment_of_a_name_is_refused(board_console: RunningConsole, value: str) -> None:
    for path in ("variables", "panels/1/data", "panels/1/data.csv"):
        answer = ask(board_console, f"{EVERY}/{path}", var_host=value)
        assert answer.status_code == 400, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert ask(board_console, f"{EVERY}/{path}", var_root=value).status_code == 400
        assert ask(board_console, f"{EVERY}/{path}", var_host=["alpha", value]).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"from": "now-6h", "until": "now-7h"}, {"from": "now", "until": "now"}, {"from": "now-3y"},
        {"from": "0", "until": "now"}, {"from": "-6h"}, {"from": "now+6h"}, {"until": "now+1y"},
        {"until": "9999999999"},
        {"from": "1e9"}, {"from": "\u0661\u0662"}, {"from": "00:00_20240101"}, {"from": ""},
        {"from": ["now-1h", "now-2h"]},
        {"from": "now-99999999999h"}, {"until": "now\n"}, {"points": "9"}, {"points": "2201"}, {"points": "-1"},
        {"points": "1e3"}, {"points": "\u0665\u0660\u0660"}, {"points": ""}, {"points": "0500000000000"},
        {"maxDataPoints": "10"},
        {"target": "collectd.*"}, {"format": "raw"}, {"var-nothing": "x"}, {"var-": "x"},
        {"var-host": "alpha", "x": ""},
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused_and_named(board_console: RunningConsole, query: dict[str, Any]) -> None:
    answer = board_console.client(Role.VIEWER).get(f"{EVERY}/panels/5/data", params=query)

    assert answer.status_code == 400
    assert len(answer.json()["detail"]) > 10


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/dashboards/dkm-nothing", "/api/v1/dashboards/..%2fsystem", "/api/v1/dashboards/%2e%2e",
        "/api/v1/dashboards/dkm-unknown", "/api/v1/dashboards/every", "/api/v1/dashboards/dkm-every-panel.json",
        f"{EVERY}/panels/99/data", f"{EVERY}/panels/6/data", f"{EVERY}/panels/-1/data", f"{EVERY}/panels/1e0/data",
        f"{EVERY}/panels/01/data", f"{EVERY}/panels/x/data", f"{EVERY}/panels/{'9' * 400}/data", f"{EVERY}/panels/1",
        "/dashboards/dkm-nothing", "/dashboards/..%2f..%2fconf%2finstallation.json", "/dashboards/'", "/dashboards/%00",
    ],
)  # fmt: skip
def test_what_is_not_provided_is_not_there(board_console: RunningConsole, path: str) -> None:
    assert board_console.client(Role.ADMIN).get(path).status_code in {400, 404}


@pytest.mark.parametrize(
    "targets",
    [
        [],
        [""],
        ["x"] * 11,
        ["x" * 4001],
        ["a\nb"],
        ["foo("],
        ["nofunc(collectd.alpha.load.load.shortterm)"],
        ["a\x00b"],
    ],
)
def test_a_free_query_that_is_none_is_refused(board_console: RunningConsole, targets: list[str]) -> None:
    answer = board_console.client(Role.OPERATOR).get("/api/v1/query", params={"target": targets})

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 10


def test_what_is_wrong_with_a_query_is_said_in_carbonapis_words(board_console: RunningConsole) -> None:
    answer = board_console.client(Role.OPERATOR).get("/api/v1/query", params={"target": "foo("})

    assert answer.json()["detail"] == "carbonapi does not render 'foo(': missing expression. Correct the query."
