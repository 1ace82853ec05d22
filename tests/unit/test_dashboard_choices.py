"""What a person chooses can become a segment of a metric's name in a target, and nothing else."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.dashboards.grid import on_grid
from console.dashboards.period import MAX_SECONDS, Period, PeriodError, parse
from dkumonitor.carbonapi import Column
from dkumonitor.dashboards.model import Dashboard
from dkumonitor.dashboards.targets import MAX_CHOSEN, ChoiceError, choose, chosen_words, expand
from dkumonitor.metrics import segment
from tests.dashboard_files import every_panel

BOARD = msgspec.convert(every_panel(), Dashboard)
NOW = 1_795_460_004.5


def test_what_is_not_chosen_is_what_the_file_begins_with() -> None:
    assert choose(BOARD, {}) == {"root": ["collectd"], "host": ["*"], "disk": ["*"]}
    assert choose(BOARD, {"host": []}) == choose(BOARD, {"host": ["$__all"]}) == choose(BOARD, {})
    assert choose(BOARD, {"host": ["a", "$__all"]})["host"] == ["*"]


def test_values_stand_in_the_order_chosen_and_once() -> None:
    chosen = choose(BOARD, {"host": ["b", "a", "b"]})

    assert expand("collectd.$host.x", chosen) == "collectd.{b,a}.x"
    assert [chosen_words(one, chosen[one.name]) for one in BOARD.templating.variables] == [
        ["collectd"], ["b", "a"], ["$__all"]
    ]  # fmt: skip


@given(st.text(max_size=40))
def test_a_chosen_text_is_one_segment_or_is_refused(text: str) -> None:
    try:
        (value,) = choose(BOARD, {"host": [text]})["host"]
    except ChoiceError:
        return
    assert text == "$__all" or re.fullmatch(r"[A-Za-z0-9_:@%-]+", value)


@given(st.text(min_size=1, max_size=60))
def test_every_segment_that_our_collectors_send_can_be_chosen(text: str) -> None:
    try:
        name = segment(text)
    except UnicodeEncodeError:
        return
    assert choose(BOARD, {"host": [name]})["host"] == [name]


@given(st.text(max_size=40))
def test_a_listed_value_is_one_of_the_list_or_is_refused(text: str) -> None:
    try:
        (value,) = choose(BOARD, {"root": [text]})["root"]
    except ChoiceError:
        return
    assert value in {"collectd", "dkm.of.tests"}


@pytest.mark.parametrize(
    "asked",
    [{"nothing": ["x"]}, {"": ["x"]}, {"root": ["collectd", "dkm.of.tests"]}, {"host": ["x"] * (MAX_CHOSEN + 1)}],
)
def test_an_unknown_variable_and_too_many_values_are_refused(asked: dict[str, list[str]]) -> None:
    with pytest.raises(ChoiceError):
        choose(BOARD, asked)


@pytest.mark.parametrize(
    ("from_", "until", "seconds"),
    [("now-6h", "now", 6 * 3600), ("now-15m", "now-5m", 600), ("now-2d", "now", 172800), ("now-1M", "now", 2592000),
     ("1795459000", "1795460000", 1000), ("now-2y", "now", MAX_SECONDS)],
)  # fmt: skip
def test_a_period_is_as_long_as_it_says_to_the_interval(from_: str, until: str, seconds: int) -> None:
    period = parse(from_, until, NOW, 10)

    assert 0 <= seconds - (period.until_seconds - period.from_seconds) < 10
    assert period.from_seconds % 10 == 0


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_other_text_is_no_period(from_: str, until: str) -> None:
    try:
        period = parse(from_, until, NOW, 10)
    except PeriodError:
        return
    assert 0 <= period.from_seconds < period.until_seconds <= NOW + 86400
    assert period.until_seconds - period.from_seconds <= MAX_SECONDS


def test_a_period_shorter_than_the_interval_is_kept() -> None:
    assert parse("1795459001", "1795459003", NOW, 10) == Period(1795459001, 1795459003)


def test_series_of_different_steps_stand_on_one_grid() -> None:
    columns = [Column("a", 100, 10, [1.0, None, 3.0]), Column("b", 100, 20, [5.0, 6.0]), Column("c", 0, 1, [])]
    grid = on_grid(columns, Period(90, 120), ["t"], 5)

    assert grid.times == [100, 110, 120]
    assert [one.values for one in grid.series] == [[1.0, None, 3.0], [5.0, None, 6.0], [None, None, None]]
    assert [(one.last, one.max, one.min, one.mean) for one in grid.series] == [
        (3.0, 3.0, 1.0, 2.0), (6.0, 6.0, 5.0, 5.5), (None, None, None, None)
    ]  # fmt: skip
    assert (grid.total, grid.left_out) == (5, 2)


def test_no_series_is_an_empty_grid() -> None:
    grid = on_grid([], Period(0, 10), [], 0)

    assert (grid.times, grid.series, grid.left_out) == ([], [], 0)
