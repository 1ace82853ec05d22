"""What DSS, Grafana and scripts read: carbonapi answers as Graphite's API documents it, with the limits recorded here.

Source: https://graphite.readthedocs.io/en/latest/render_api.html and metrics_api.html.
"""

from __future__ import annotations

import csv
import io
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.stack import wait_for

if TYPE_CHECKING:
    from tests.stack import Stack

MINUTE = 60
VALUES = (5.0, 4.0, 3.0, 2.0, 1.0)  # oldest first
BASE = "contract.render"
FACTORS = {"a.x": 1, "a.y": 10, "b.x": 100}
Query = dict[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Api:
    """carbonapi, with metrics of known values: BASE.a.x, BASE.a.y (ten times x), BASE.b.x (a hundred times)."""

    base: str
    newest: int  # the slot of the newest value
    points: tuple[tuple[float, int], ...]  # of BASE.a.x

    def ask(self, path: str, query: Query, *, post: bool = False) -> Answer:
        form = urllib.parse.urlencode(query)
        address = f"{self.base}{path}" if post else f"{self.base}{path}?{form}"
        request = urllib.request.Request(address, data=form.encode() if post else None)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, answer.headers.get_content_type(), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers.get_content_type(), error.read())

    def render(self, *targets: str, **query: str) -> Answer:
        window = {"from": str(self.points[0][1] - 1), "until": str(self.newest), "format": "json"}
        return self.ask("/render", [*[("target", target) for target in targets], *(window | query).items()])

    def values(self, *targets: str, **query: str) -> dict[str, list[float | None]]:
        answer = self.render(*targets, **query)
        assert answer.status == 200, answer
        return {series["target"]: [value for value, _ in series["datapoints"]] for series in answer.json}


@pytest.fixture(scope="module")
def api(stack: Stack) -> Api:
    newest = int(time.time()) // MINUTE * MINUTE - MINUTE
    points = tuple((value, newest - MINUTE * age) for age, value in zip(range(4, -1, -1), VALUES, strict=True))
    stack.send(*[f"{BASE}.{name} {value * factor} {at}" for name, factor in FACTORS.items() for value, at in points])
    made = Api(stack.carbonapi, newest, points)
    expected = {f"{BASE}.{name}": [value * factor for value in VALUES] for name, factor in FACTORS.items()}
    wait_for("the new metrics on disk", lambda: made.values(f"{BASE}.*.*") == expected)
    return made


def test_json_has_a_series_for_each_match_with_value_and_time(api: Api) -> None:
    answer = api.render(f"{BASE}.a.*")

    assert (answer.status, answer.kind) == (200, "application/json")
    assert [series["target"] for series in answer.json] == [f"{BASE}.a.x", f"{BASE}.a.y"]
    assert answer.json[0]["datapoints"] == [[value, at] for value, at in api.points]
    assert answer.json[0]["tags"] == {"name": f"{BASE}.a.x"}


def test_several_targets_and_a_posted_form_are_one_answer(api: Api) -> None:
    posted = api.ask(
        "/render",
        [("target", f"{BASE}.b.x"), ("target", f"{BASE}.a.x"), ("from", "-10min"), ("format", "json")],
        post=True,
    )

    assert posted.status == 200
    assert [series["target"] for series in posted.json] == [f"{BASE}.b.x", f"{BASE}.a.x"]
    assert list(api.values(f"{BASE}.b.x", f"{BASE}.a.x")) == [f"{BASE}.b.x", f"{BASE}.a.x"]


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        (f"{BASE}.*.x", ["a.x", "b.x"]),
        (f"{BASE}.a.?", ["a.x", "a.y"]),
        (f"{BASE}.[ab].x", ["a.x", "b.x"]),
        (f"{BASE}.{{a,b}}.x", ["a.x", "b.x"]),
        (f"{BASE}.a.{{x,y}}", ["a.x", "a.y"]),
    ],
)
def test_wildcards_of_graphite(api: Api, glob: str, names: list[str]) -> None:
    expected = [f"{BASE}.{name}" for name in names]

    assert sorted(api.values(glob)) == expected
    assert sorted(api.ask("/metrics/expand", {"query": glob}).json["results"]) == expected


def test_functions_over_several_series(api: Api) -> None:
    assert api.values(f"sumSeries({BASE}.a.*)") == {f"sumSeries({BASE}.a.*)": [value * 11 for value in VALUES]}
    assert api.values(f"alias(scale({BASE}.a.x,2),'twice')") == {"twice": [value * 2 for value in VALUES]}
    assert api.values(f"aliasByNode({BASE}.*.x,2)") == {"a": list(VALUES), "b": [value * 100 for value in VALUES]}
    assert api.values(f"groupByNode({BASE}.*.*,2,'sum')") == {
        "a": [value * 11 for value in VALUES],
        "b": [value * 100 for value in VALUES],
    }
    assert api.values(f"perSecond({BASE}.b.x)") == {f"perSecond({BASE}.b.x)": [None] * 5}  # it only falls
    assert api.values(f"absolute(derivative({BASE}.a.x))") == {f"absolute(derivative({BASE}.a.x))": [None, 1, 1, 1, 1]}


@pytest.mark.parametrize("form", ["-{age}s", "-{minutes}min", "-{minutes}minutes", "{epoch}", "{clock}_{day}"])
def test_from_may_be_relative_an_epoch_or_a_clock_time(api: Api, form: str) -> None:
    oldest = api.points[0][1]
    age = int(time.time()) - oldest
    moment = time.gmtime(oldest - MINUTE)
    text = form.format(
        age=age + MINUTE,
        minutes=age // MINUTE + 2,
        epoch=oldest - MINUTE,
        clock=time.strftime("%H:%M", moment),
        day=time.strftime("%Y%m%d", moment),
    )

    series = api.render(f"{BASE}.a.x", **{"from": text}, until="now", tz="UTC").json[0]["datapoints"]

    assert [tuple(point) for point in series if point[0] is not None] == list(api.points)
    assert len(series) < 60  # the window asked for, not the day that an unknown form gives


def test_until_ends_the_window(api: Api) -> None:
    middle = api.points[2][1]

    assert api.values(f"{BASE}.a.x", until=str(middle)) == {f"{BASE}.a.x": list(VALUES[:3])}


def test_max_data_points_bounds_and_averages(api: Api) -> None:
    for most in (1, 2, 3, 5, 100):
        (values,) = api.values(f"{BASE}.a.x", maxDataPoints=str(most)).values()
        assert len(values) <= most
    assert api.values(f"{BASE}.a.x", maxDataPoints="1") == {f"{BASE}.a.x": [sum(VALUES) / len(VALUES)]}
    assert api.values(f"{BASE}.a.x", maxDataPoints="100") == {f"{BASE}.a.x": list(VALUES)}


def test_raw_csv_and_jsonp(api: Api) -> None:
    first, newest = api.points[0][1], api.newest
    raw = api.render(f"{BASE}.a.x", format="raw")
    rows = list(csv.reader(io.StringIO(api.render(f"{BASE}.a.x", format="csv").body.decode())))
    jsonp = api.render(f"{BASE}.a.x", jsonp="take")

    assert raw.kind == "text/plain"
    assert raw.body.decode().strip() == f"{BASE}.a.x,{first},{newest + MINUTE},{MINUTE}|5,4,3,2,1"
    assert [float(row[2]) for row in rows] == list(VALUES)
    assert {row[0] for row in rows} == {f"{BASE}.a.x"}
    assert jsonp.kind == "text/javascript"
    assert jsonp.body.startswith(b"take([")


@pytest.mark.parametrize("post", [False, True])
def test_find_lists_one_level_as_a_tree(api: Api, post: bool) -> None:
    for query in ({"query": f"{BASE}.*"}, {"query": f"{BASE}.*", "format": "treejson"}):
        answer = api.ask("/metrics/find", query, post=post)
        assert (answer.status, answer.kind) == (200, "application/json")
        assert answer.json == [
            {"text": name, "id": f"{BASE}.{name}", "leaf": 0, "expandable": 1, "allowChildren": 1, "context": {}}
            for name in ("a", "b")
        ]
    leaves = api.ask("/metrics/find", {"query": f"{BASE}.a.*"}, post=post).json
    assert [(leaf["text"], leaf["leaf"], leaf["expandable"]) for leaf in leaves] == [("x", 1, 0), ("y", 1, 0)]


def test_find_completes_a_name_that_is_being_typed(api: Api) -> None:
    answer = api.ask("/metrics/find", {"query": f"{BASE}.", "format": "completer"}).json
    leaves = api.ask("/metrics/find", {"query": f"{BASE}.a.", "format": "completer"}).json["metrics"]

    assert [entry["path"] for entry in answer["metrics"]] == [f"{BASE}.a.", f"{BASE}.b."]
    assert [(leaf["path"], leaf["name"], leaf["is_leaf"]) for leaf in leaves] == [
        (f"{BASE}.a.x", "x", "1"),
        (f"{BASE}.a.y", "y", "1"),
    ]


@pytest.mark.parametrize("name", ["contract.nothing", "contract.nothing.*", "nothing.*.here", f"{BASE}.a.nothing"])
def test_what_is_not_there_is_an_empty_answer_and_no_error(api: Api, name: str) -> None:
    rendered, found = api.render(name), api.ask("/metrics/find", {"query": name})

    assert (rendered.status, rendered.json) == (200, [])
    assert (found.status, found.json) == (200, [])


def test_what_cannot_be_answered_is_refused_with_400(api: Api) -> None:
    assert api.render(f"sumSeries({BASE}.a.x").status == 400
    assert api.render(f"nosuchfunction({BASE}.a.x)").status == 400
    assert api.render(f"{BASE}.a.x", **{"from": "-1min"}, until="-1min").status == 400
    assert api.render(f"{BASE}.a.x", format="nosuch").status == 400
    assert api.ask("/metrics/find", {}).status == 400
    assert api.ask("/metrics/find", {"query": "*", "format": "nosuch"}).status == 400


def test_a_brand_new_metric_becomes_visible(api: Api, stack: Stack) -> None:
    name = f"contract.new.m{time.time_ns()}"
    stack.send(f"{name} 42 {int(time.time())}")

    wait_for("the metric in find", lambda: api.ask("/metrics/find", {"query": name}).json)
    assert stack.newest(name) == 42


def test_the_functions_are_described(api: Api) -> None:
    described = api.ask("/functions", {}).json

    assert {"sumSeries", "aliasByNode", "groupByNode", "scale", "perSecond"} <= described.keys()


class TestKnownLimits:
    """Where carbonapi 0.18.2 differs from the documented API. One that fails after an upgrade: correct docs/dss.md."""

    @pytest.mark.parametrize("form", ["png", "svg"])
    def test_pictures_are_empty(self, api: Api, form: str) -> None:
        answer = api.render(f"{BASE}.a.x", format=form)

        assert (answer.status, answer.body) == (200, b"")

    @pytest.mark.parametrize("path", ["/tags", "/tags/autoComplete/tags", "/tags/autoComplete/values"])
    def test_there_are_no_tags(self, api: Api, path: str) -> None:
        assert api.ask(path, {}).json == []

    def test_there_are_no_events_and_no_index(self, api: Api) -> None:
        for path in ("/events/get_data", "/metrics/index.json"):
            assert b"supported requests" in api.ask(path, {}).body

    @pytest.mark.parametrize("start", ["-300", "now-5min", "nonsense"])
    def test_a_from_that_is_not_understood_means_a_day(self, api: Api, start: str) -> None:
        (values,) = api.values(f"{BASE}.a.x", **{"from": start}, until="now").values()

        assert math.isclose(len(values), 24 * 60, abs_tol=2)

    def test_an_unknown_function_of_an_unknown_metric_is_no_error(self, api: Api) -> None:
        answer = api.render("nosuchfunction(contract.nothing)")

        assert (answer.status, answer.json) == (200, [])

    def test_braces_in_a_find_stay_in_the_id(self, api: Api) -> None:
        found = api.ask("/metrics/find", {"query": f"{BASE}.{{a,b}}.x"}).json

        assert [entry["id"] for entry in found] == [f"{BASE}.{{a,b}}.x"]
