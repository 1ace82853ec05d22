import math
import os
import re

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dkumonitor.carbon import METRICS, encode
from dkumonitor.metrics import SEGMENT_MAX_BYTES, Point, segment, unsegment

ANY_TEXT = st.binary(max_size=200).map(os.fsdecode)
SAFE = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")


@settings(deadline=None)
@given(ANY_TEXT)
@example("")
@example("-_")
@example("-_2D")
@example("a.b/../c")
@example("x" * 101)
@example("é" * 17)
def test_a_segment_keeps_only_allowed_characters_and_gives_the_text_back(text: str) -> None:
    made = segment(text)
    assert SAFE.match(made)
    assert unsegment(made) in (text, None)
    if len(os.fsencode(text)) * 5 <= SEGMENT_MAX_BYTES:
        assert unsegment(made) == text


@settings(deadline=None)
@given(ANY_TEXT, ANY_TEXT)
@example("x" * 101, "x" * 102)
@example("-_", "")
@example(".", "-_2E")
def test_different_texts_give_different_segments(one: str, other: str) -> None:
    assert (segment(one) == segment(other)) == (one == other)


@settings(deadline=None)
@given(st.text("x-_.", min_size=90, max_size=110), st.text("x-_.", min_size=90, max_size=110))
def test_that_holds_for_long_ones_that_begin_alike(one: str, other: str) -> None:
    assert (segment("x" * 60 + one) == segment("x" * 60 + other)) == (one == other)


def test_usual_logins_stay_as_they_are() -> None:
    for login in ("alice", "www-data", "_apt", "systemd_timesync", "R2-D2"):
        assert segment(login) == login
    assert segment("alice.smith") == "alice-_2Esmith"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_a_point_takes_no_value_that_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Point("a.b", value, 10)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a b", "a\nb 1 2", "é", "x" * 101, "a;t=1", "a\n"])
def test_a_point_takes_no_name_that_could_be_read_as_something_else(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a metric"):
        Point(name, 1, 10)


@pytest.mark.parametrize("time_seconds", [-1, 2**32])
def test_a_point_takes_no_impossible_time(time_seconds: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        Point("a", 1, time_seconds)


def test_what_is_decoded_is_checked_in_the_same_way() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(["a b", 1, 10]), type=Point)
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(["a", math.nan, 10]), type=Point)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63))
def test_a_line_reads_back_as_its_point(value: float) -> None:
    [line] = encode([Point("a.b-c_d", value, 1_700_000_000)])
    name, text, time_seconds = line.decode().removesuffix("\n").split(" ")
    assert (name, float(text), time_seconds) == ("a.b-c_d", float(value), "1700000000")


def test_the_senders_metrics_are_declared_with_their_units() -> None:
    assert all(metric.unit and metric.summary and Point(metric.name, 0, 0) for metric in METRICS)
