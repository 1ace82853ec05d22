"""What a person does with a chart shows what carbonapi says, and moves all the charts of the page together."""

from __future__ import annotations

import calendar
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from dkumonitor.accounts.roles import Role

if TYPE_CHECKING:
    from tests.browser.chromium import Chromium
    from tests.browser.site import Site

pytestmark = pytest.mark.xdist_group("browser")
PANEL = "Processors busy by host"
TARGET = "aliasByNode(sumSeriesWithWildcards(collectd.*.cpu.percent.{user,nice,system,interrupt,softirq,steal},4),1)"
FROM_MINUTES, UNTIL_MINUTES = 90, 60  # before the day's end: kept at ten seconds, and no host was silent
HALF_HOUR = 60 * (FROM_MINUTES - UNTIL_MINUTES)


@pytest.fixture(scope="module")
def span(site: Site) -> tuple[int, int]:
    """The time that is looked at, UTC seconds."""
    return site.history.end - 60 * FROM_MINUTES, site.history.end - 60 * UNTIL_MINUTES


@pytest.fixture(scope="module")
def told(chromium: Chromium, site: Site, span: tuple[int, int]) -> dict[str, Any]:
    path = f"/dashboards/dkm-system?from={span[0]}&until={span[1]}&zone=utc"
    answer: dict[str, Any] = chromium.act(
        "dashboard", **site.account(Role.VIEWER), path=path, panel=PANEL, series="atlas", at=0.5
    )
    return answer


@pytest.fixture(scope="module")
def rendered(site: Site, span: tuple[int, int]) -> dict[str, dict[int, float]]:
    """The same series by time, as carbonapi itself gives them."""
    series = site.stack.render(TARGET, str(span[0]), until=str(span[1]))
    return {name: {at: value for value, at in points} for name, points in series.items()}


def test_a_chart_is_given_what_carbonapi_has(told: dict[str, Any], rendered: dict[str, dict[int, float]]) -> None:
    grid = told["grid"]

    assert {one["name"] for one in grid["series"]} == set(rendered)
    for one in grid["series"]:
        assert dict(zip(grid["times"], one["values"], strict=True)) == pytest.approx(rendered[one["name"]])


def test_the_value_under_the_pointer_is_the_one_of_that_time(
    told: dict[str, Any], rendered: dict[str, dict[int, float]], span: tuple[int, int]
) -> None:
    at = calendar.timegm(time.strptime(told["hover"]["time"], "%Y-%m-%d %H:%M:%S"))

    assert abs(at - sum(span) / 2) <= 20
    assert set(told["hover"]["values"]) == set(rendered)
    for name, text in told["hover"]["values"].items():
        assert float(text.removesuffix("%")) == pytest.approx(rendered[name][at], abs=0.06)


def test_a_series_is_taken_out_by_its_name_in_the_legend(told: dict[str, Any]) -> None:
    assert (told["toggled"]["before"], told["toggled"]["after"]) == ("true", "false")
    assert "atlas" not in told["toggled"]["names"]
    assert "borea" in told["toggled"]["names"]


def test_a_drag_zooms_every_panel_and_zoom_out_goes_back(told: dict[str, Any], span: tuple[int, int]) -> None:
    address = told["zoomed"]["address"]
    first, last = int(address["from"]), int(address["until"])

    assert first - span[0] == pytest.approx(0.3 * HALF_HOUR, abs=0.03 * HALF_HOUR)
    assert last - span[0] == pytest.approx(0.6 * HALF_HOUR, abs=0.03 * HALF_HOUR)
    assert told["zoomed"]["ranges"] == [f"{first} {last}"]
    assert told["zoomed"]["panels"] > 3
    assert told["back"]["ranges"] == [f"{span[0]} {span[1]}"]


def test_the_arrow_keys_read_a_chart_aloud(told: dict[str, Any], rendered: dict[str, dict[int, float]]) -> None:
    for spoken in told["walked"].values():
        when, values = re.fullmatch(r"(\d+-\d+-\d+ \d+:\d+:\d+): (.*)", spoken).groups()  # type: ignore[union-attr]
        at = calendar.timegm(time.strptime(when, "%Y-%m-%d %H:%M:%S"))
        for name, value in (one.rsplit(" ", 1) for one in values.split(", ")):
            assert float(value.removesuffix("%")) == pytest.approx(rendered[name][at], abs=0.06)

    assert told["walked"]["last"] != told["walked"]["before"]


def test_nothing_was_wrong_meanwhile(told: dict[str, Any]) -> None:
    assert told["problems"] == []
