"""A task is due by what its last runs say: no run is forgotten, none is doubled."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collectors.disk import due
from collectors.disk.runs import Level, Seen
from tests.collectors.disk.makers import a_task

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 11, 25, 12, tzinfo=PARIS).timestamp()
HOUR = 3600


@pytest.fixture(autouse=True)
def _local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()


def seen(quick: float | None = None, full: float | None = None, **values: Any) -> Seen:
    return Seen(None if quick is None else int(quick), None if full is None else int(full), **values)


@pytest.mark.parametrize(
    ("task", "last", "wanted"),
    [
        (a_task(), seen(), True),
        (a_task(), seen(quick=NOON - HOUR), True),
        (a_task(), seen(quick=NOON - HOUR + 1), False),
        (a_task(), seen(full=NOON - 60), False),
        (a_task(quick_minutes=0), seen(), False),
        (a_task(), seen(is_running=True), False),
        (a_task(), seen(quick=NOON + 2 * HOUR), True),  # a clock that went back
    ],
)
def test_a_look_is_due_after_its_minutes(task: object, last: Seen, *, wanted: bool) -> None:
    assert due.quick_is_due(task, last, NOON) is wanted  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hour", "last", "wanted"),
    [
        (2, None, True),
        (2, NOON - 11 * HOUR, True),  # one o'clock
        (2, NOON - 10 * HOUR, False),  # two o'clock sharp
        (2, NOON - 9 * HOUR, False),
        (13, NOON - 22 * HOUR, False),  # yesterday after one
        (13, NOON - 23.5 * HOUR, True),  # yesterday before one
        (-1, None, False),
    ],
)
def test_a_scan_is_due_once_after_its_hour_of_each_day(hour: int, last: float | None, *, wanted: bool) -> None:
    assert due.full_is_due(a_task(full_hour=hour), seen(full=last), NOON) is wanted


def test_the_hour_is_found_on_days_of_23_and_25_hours() -> None:
    for day in (datetime(2026, 3, 29, 12, tzinfo=PARIS), datetime(2026, 10, 25, 12, tzinfo=PARIS)):
        found = datetime.fromtimestamp(due.last_hour_seconds(2, day.timestamp()), PARIS)
        assert (found.day, found.hour in (2, 3)) == (day.day, True)


OK, WARNING, CRITICAL = Level.OK, Level.WARNING, Level.CRITICAL


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        (seen(full=NOON - HOUR), False),
        (seen(level=WARNING), True),
        (seen(full=NOON - HOUR, level=WARNING, full_level=OK), True),
        (seen(full=NOON - HOUR, level=CRITICAL, full_level=WARNING), True),
        (seen(full=NOON - 60, level=CRITICAL, full_level=WARNING), False),  # it may have failed
        (seen(full=NOON - HOUR + 1, level=WARNING, full_level=WARNING, scan_seconds=60.0), False),
        (seen(full=NOON - HOUR, level=WARNING, full_level=WARNING, scan_seconds=60.0), True),
        (seen(full=NOON - HOUR, level=WARNING, full_level=WARNING, scan_seconds=HOUR), False),
        (seen(full=NOON - 20 * HOUR, level=WARNING, full_level=WARNING, scan_seconds=HOUR), True),
    ],
)
def test_a_warning_brings_a_scan_but_scans_never_fill_the_day(last: Seen, *, wanted: bool) -> None:
    assert due.warning_scan_is_due(a_task(), last, NOON) is wanted
    assert not due.warning_scan_is_due(a_task(quick_minutes=0), last, NOON), "never is never"
