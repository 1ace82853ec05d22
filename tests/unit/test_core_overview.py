"""The overview's figures, from series that a real machine sent and from series made to be unwell."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkumonitor.accounts.roles import Role
from dkumonitor.address import Address
from dkumonitor.carbonapi import Carbonapi, Column
from dkumonitor.doctor.findings import failed, ok, warning
from dkumonitor.errors import ServiceError
from dkumonitor.overview import judgement
from dkumonitor.overview.facts import facts
from dkumonitor.overview.fit import MIN_SPAN_SECONDS, seconds_to_full, slope_between, slope_per_second, thinned, trend
from dkumonitor.overview.judgement import verdict
from dkumonitor.overview.readings import Readings
from dkumonitor.overview.rows import Problem
from dkumonitor.overview.survey import overview
from dkumonitor.views import Card, Figure, Level, Sources, Told, Viewer
from tests.installations import an_installation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dkumonitor.overview.rows import Overview

CAPTURED = json.loads((Path(__file__).parent / "captured/overview.json").read_text())
NOW = CAPTURED["now_seconds"]
HOUR, DAY = 3600, 86400
GIB = 1 << 30


def captured() -> Readings:
    """Two processors, 23.5 GiB, no swap, one disk; sent for an hour."""
    parts = ("now", "day", "trend", "users")
    return Readings(*({one["name"]: msgspec.convert(one, Column) for one in CAPTURED[part]} for part in parts))


def series(values: dict[str, float], step: int = 10, count: int = 12) -> dict[str, Column]:
    return {name: Column(name, NOW - step * count, step, [value] * count) for name, value in values.items()}


def a_host(name: str = "db1", changes: Mapping[str, float | None] | None = None) -> dict[str, Column]:
    values: dict[str, float | None] = {
        "load.load.midterm": 1.0,
        "cpu.count": 4,
        "memory.percent.used": 40.0,
        "memory.memory.used": 4.0 * GIB,
        "memory.memory.free": 6.0 * GIB,
        "swap.swap.used": 1.0 * GIB,
        "swap.swap.free": 3.0 * GIB,
        "df.root.df_complex.used": 40.0 * GIB,
        "df.root.df_complex.free": 60.0 * GIB,
        "df.root.df_complex.reserved": 5.0 * GIB,
        "uptime.uptime": 1000.0,
    }
    values |= changes or {}
    return series({f"collectd.{name}.{key}": value for key, value in values.items() if value is not None})


def readings(now: dict[str, Column], **parts: dict[str, Column]) -> Readings:
    return Readings(now, parts.get("day", {}), parts.get("trend", {}), parts.get("users", {}))


def week(name: str, at: Callable[[float], float | None]) -> dict[str, Column]:
    """By the hour, `at` the hours from the beginning."""
    start = NOW - 168 * HOUR
    return {name: Column(name, start, HOUR, [at(hour) for hour in range(169)])}


def test_a_real_machines_figures_are_those_that_it_sent() -> None:
    [host] = facts(captured(), NOW, 10).hosts
    last = {one["name"].removeprefix("collectd.vm."): one["values"] for one in CAPTURED["now"]}

    def newest(name: str) -> float:
        return float([value for value in last[name] if value is not None][-1])

    assert (host.host, host.cores) == ("vm", round(newest("cpu.count")))
    assert host.load == newest("load.load.midterm")
    assert host.memory_used_percent == newest("memory.percent.used")
    assert host.memory_bytes == sum(newest(name) for name in last if name.startswith("memory.memory."))
    assert host.memory_used_percent == pytest.approx(100 * newest("memory.memory.used") / host.memory_bytes, abs=0.5)
    assert host.swap_used_percent is None
    assert host.up_seconds == newest("uptime.uptime")
    assert host.last_seen_seconds is not None
    assert 0 <= NOW - host.last_seen_seconds <= 20
    assert (host.fullest, host.full_in_seconds) == ("root", None)


def test_a_real_machines_file_system_and_accounts() -> None:
    found = facts(captured(), NOW, 10)

    [disk] = found.file_systems
    assert disk.used_percent == pytest.approx(100 * disk.used_bytes / (disk.used_bytes + disk.free_bytes))
    assert disk.trend == "too early to say"
    assert found.users[0].user == "root"
    shares = [user.cpu_percent for user in found.users]
    assert shares == sorted(shares, reverse=True)
    assert all(user.processes for user in found.users)


@pytest.mark.parametrize(
    ("changes", "level", "says"),
    [
        ({}, Level.OK, "well"),
        ({"load.load.midterm": 6.0}, Level.WARNING, "load 6.0 for 4 processors"),
        ({"load.load.midterm": 16.0}, Level.FAILED, "load 16.0 for 4 processors"),
        ({"load.load.midterm": 5.9}, Level.OK, "well"),
        ({"load.load.midterm": 2.0, "cpu.count": 1}, Level.WARNING, "load 2.0 for 1 processor"),
        ({"memory.percent.used": 92.0}, Level.WARNING, "92 % of the memory is used"),
        ({"memory.percent.used": 99.0}, Level.FAILED, "99 % of the memory is used"),
        ({"swap.swap.used": 9.0 * GIB}, Level.WARNING, "75 % of the swap is used"),
        ({"df.root.df_complex.free": 4.0 * GIB}, Level.WARNING, "root is 91 % full"),
        ({"df.root.df_complex.free": 0.0}, Level.FAILED, "root is 100 % full"),
        ({"cpu.count": None, "memory.percent.used": None}, Level.OK, "well"),
    ],
)
def test_each_threshold_makes_a_machine_unwell_and_says_why(
    changes: dict[str, float | None], level: Level, says: str
) -> None:
    found = facts(readings(a_host(changes=changes)), NOW, 10)

    assert (found.hosts[0].level, found.hosts[0].state) == (level, says)
    assert [problem.text for problem in found.problems] == ([] if says == "well" else [says])


def test_a_machine_that_sends_nothing_more_is_told_with_when_it_was_last_seen() -> None:
    name = "collectd.db1.load.load.midterm"
    day = {name: Column(name, NOW - DAY, 900, [1.0] * 50 + [None] * 46)}

    found = facts(readings(a_host("db2"), day=day), NOW, 10)

    silent, well = found.hosts
    assert (silent.host, silent.level, silent.state) == ("db1", Level.FAILED, "sends nothing")
    assert silent.last_seen_seconds == NOW - DAY + 49 * 900
    assert (well.host, well.level) == ("db2", Level.OK)


def test_a_disk_that_grows_is_told_with_when_it_is_full() -> None:
    name = "collectd.db1.df.root.df_complex.used"
    trending = week(name, lambda hour: 10 * GIB + hour * GIB / 24 * 10)  # 10 GiB a day, 60 are free

    found = facts(readings(a_host(), trend=trending), NOW, 10)

    [disk] = found.file_systems
    assert disk.daily_growth_bytes == pytest.approx(10 * GIB)
    assert disk.full_in_seconds == pytest.approx(6 * DAY)
    assert (disk.level, disk.trend) == (Level.WARNING, "growing")
    assert found.hosts[0].state == "root is 40 % full, and full in 6 days if it goes on so"
    assert found.hosts[0].full_in_seconds == disk.full_in_seconds
    assert disk.size_bytes == 105 * GIB


def test_a_backup_that_comes_and_goes_is_no_growth() -> None:
    name = "collectd.db1.df.root.df_complex.used"
    nightly = week(name, lambda hour: 40 * GIB + (30 * GIB if hour % 24 in {1, 2, 3, 4} else 0))
    last_hours = week(name, lambda hour: 40 * GIB + (30 * GIB if hour > 158 else 0))

    for trending in (nightly, last_hours):
        [disk] = facts(readings(a_host(), trend=trending), NOW, 10).file_systems
        assert (disk.full_in_seconds, disk.level) == (None, Level.OK)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.integers(0, 40), st.randoms(use_true_random=False))
def test_a_quarter_of_odd_points_does_not_bend_the_line(slope: float, odd: int, chance: random.Random) -> None:
    points = [(hour * HOUR, slope * hour * HOUR) for hour in range(169)]
    for index in chance.sample(range(169), odd):
        points[index] = (points[index][0], chance.uniform(-1e12, 1e12))

    assert slope_per_second(points) == pytest.approx(slope, rel=0.25, abs=1e-6)


def test_a_straight_line_with_a_few_odd_points_keeps_its_slope() -> None:
    points = [(hour * HOUR, 5.0 * hour * HOUR + (1e9 if hour in {20, 70, 71, 150} else 0)) for hour in range(169)]

    assert slope_per_second(points) == pytest.approx(5.0, rel=0.01)


@pytest.mark.parametrize("points", [[], [(0, 1.0)], [(hour * 60, 1.0) for hour in range(100)]])
def test_too_few_points_or_too_short_a_time_say_nothing(points: list[tuple[float, float]]) -> None:
    assert slope_per_second(points) is None
    assert MIN_SPAN_SECONDS == 6 * HOUR


def test_thinning_keeps_the_ends_and_the_bound() -> None:
    points = [(float(at), float(at)) for at in range(1000)]

    thin = thinned(points, 60)

    assert len(thin) <= 60
    assert all(at == value for at, value in thin)
    assert thin == sorted(thin)


@pytest.mark.parametrize(
    ("free", "growth", "seconds", "words"),
    [
        (100.0, None, None, "too early to say"),
        (100.0, 0.0, None, "not growing"),
        (100.0, -1.0, None, "not growing"),
        (100.0, 1.0, 100.0, "growing"),
        (-5.0, 1.0, 0.0, "growing"),
        (1e12, 1.0, None, "not full within a year"),
    ],
)
def test_time_to_full_in_numbers_and_words(
    free: float, growth: float | None, seconds: float | None, words: str
) -> None:
    assert (seconds_to_full(free, growth), trend(free, growth)) == (seconds, words)


def test_accounts_are_named_as_they_are_and_the_rest_is_nobody() -> None:
    users = series({
        "dkm.db1.host.users.alice.cpu_percent": 50.0,
        "dkm.db1.host.users.alice.resident_bytes": 100.0,
        "dkm.db1.host.users.alice.processes": 3.0,
        "dkm.db2.host.users.bob-_40example.cpu_percent": 70.0,
    })  # fmt: skip

    found = facts(readings(a_host(), users=users), NOW, 10).users

    assert [(user.host, user.user, user.processes) for user in found] == [
        ("db2", "bob@example", None),
        ("db1", "alice", 3),
    ]


def a_problem(level: Level, about: str = "db1", text: str = "is ill") -> Problem:
    return Problem(level=level, source="x", about=about, text=text, do="")


@pytest.mark.parametrize(
    ("hosts", "problems", "says"),
    [
        ([], [], "Nothing has sent anything yet."),
        (["db1"], [], "The machine db1 is well."),
        (["db1", "db2"], [], "All 2 machines are well."),
        (["db1"], [a_problem(Level.UNKNOWN)], "The machine db1 is well."),
        (["db1"], [a_problem(Level.WARNING)], "Well, with a warning: db1: is ill."),
        (["db1"], [a_problem(Level.WARNING)] * 2, "Well, with warnings: db1: is ill; db1: is ill."),
        (["db1"], [a_problem(Level.FAILED)], "Not well: db1: is ill."),
        ([], [a_problem(Level.FAILED)] * 5, "Not well: db1: is ill; db1: is ill; db1: is ill; and 2 more."),
    ],
)
def test_the_verdict_is_one_sentence(hosts: list[str], problems: list[Problem], says: str) -> None:
    assert verdict(hosts, problems) == says


def surveyed(folder: Path, **given_: Any) -> Overview:
    carbonapi = given_.pop("carbonapi", Carbonapi(Address("127.0.0.1", 1)))  # never asked
    now_seconds = float(given_.pop("now_seconds", NOW))
    role = given_.pop("role", Role.ADMIN)
    answer: Readings | ServiceError = given_.pop("readings", readings(a_host()))

    def read() -> Readings:
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    sources = Sources(an_installation(folder), None, carbonapi, Viewer("x", role), now_seconds)  # type: ignore[arg-type]
    return overview(sources, read, given_.pop("findings", []), given_.pop("cards", []))


def test_what_the_doctor_found_and_collectors_that_failed_are_told_worst_first(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run = {"collector": "host", "state": "failed", "started_seconds": 1, "duration_seconds": 1, "detail": "no \\x1b"}
    more = {"skipped": 0, "last_success_seconds": None, "next_due_seconds": 2, "interval_seconds": 10}
    (tmp_path / "run/collectors.json").write_text(json.dumps([run | more]))
    findings = [
        ok("room", "storage", "fine"),
        warning("clock", "kernel", "drifts", "switch on chrony"),
        failed("round trip", "carbon\x1b", "took no point", "look"),
        failed("programs", "supervisord", "told already", "start"),
        warning("collectors", "host", "told already", "read"),
    ]

    found = surveyed(tmp_path, findings=findings)

    told = [(problem.level, problem.about) for problem in found.problems]
    assert told == [
        (Level.FAILED, "supervisord"),
        (Level.FAILED, "round trip, carbon\\x1b"),
        (Level.WARNING, "host"),
        (Level.WARNING, "clock, kernel"),
    ]
    assert (found.level, found.verdict.startswith("Not well: ")) == (Level.FAILED, True)


def test_carbonapi_that_is_down_is_said_and_takes_nothing_else(tmp_path: Path) -> None:
    found = surveyed(tmp_path, readings=ServiceError("carbonapi does not answer", "see the log"))

    assert ("metrics", "carbonapi does not answer") in [(one.about, one.text) for one in found.problems]
    assert found.hosts == []
    assert found.next_step.endswith("bin/dkm start")


def test_an_empty_carbon_says_what_to_run_next(tmp_path: Path) -> None:
    found = surveyed(tmp_path, readings=readings({}))

    assert (found.hosts, found.users, found.file_systems) == ([], [], [])
    assert "dkm start" in found.next_step


def test_a_collectors_card_is_shown_to_its_role_and_joins_the_verdict(tmp_path: Path) -> None:
    late = Told(Level.WARNING, "3 files are late\x1b", (Figure("waiting_bytes", 5.0),))
    cards = [
        Card(name="arrivals", title="Arrivals", tell=lambda _: late, path="/arrivals", order=2),
        Card(name="jobs", title="Jobs", tell=lambda _: Told(Level.OK, "none runs"), order=1),
        Card(name="silent", title="Silent", tell=lambda _: None),
        Card(name="secret", title="Secret", tell=lambda _: Told(Level.OK, "seen"), role=Role.ADMIN, order=3),
    ]

    as_admin, as_viewer = (surveyed(tmp_path, cards=cards, role=role) for role in (Role.ADMIN, Role.VIEWER))

    assert [card.name for card in as_admin.cards] == ["jobs", "arrivals", "secret"]
    assert [card.name for card in as_viewer.cards] == ["jobs", "arrivals"]
    assert as_viewer.cards[1].figures == (Figure("waiting_bytes", 5.0),)
    assert ("Arrivals", "3 files are late\\x1b") in [(one.about, one.text) for one in as_viewer.problems]


def test_a_card_that_fails_takes_nothing_else_with_it(tmp_path: Path) -> None:
    def faulty(_: Sources) -> Told:
        raise TypeError("a fault")

    def unreachable(_: Sources) -> Told:
        raise ServiceError("the database is away")

    cards = [Card(name="a", title="A", tell=faulty), Card(name="b", title="B", tell=unreachable)]
    found = surveyed(tmp_path, cards=cards)

    assert [(card.level, "cannot be told" in card.sentence) for card in found.cards] == [(Level.UNKNOWN, True)] * 2
    assert found.hosts[0].host == "db1"


def test_a_hundred_machines_are_surveyed_without_a_fault(tmp_path: Path) -> None:
    now: dict[str, Column] = {}
    for number in range(100):
        now |= a_host(f"host{number:03d}")

    found = surveyed(tmp_path, readings=readings(now), now_seconds=time.time())

    assert len(found.hosts) == 100
    assert judgement.worst(host.level for host in found.hosts) in set(Level)


def test_the_bounds_of_a_slope_hold_the_true_one_nine_times_of_ten() -> None:
    held, runs = 0, 200
    for number in range(runs):
        source = random.Random(number)
        points = [(HOUR * at, 100.0 * at + source.gauss(0, 2000)) for at in range(60)]
        slope = slope_between(points)
        assert slope is not None
        assert slope.low <= slope.middle <= slope.high
        assert slope.middle == slope_per_second(points)
        held += slope.low <= 100 / HOUR <= slope.high
    assert 0.8 * runs <= held <= 0.97 * runs


def test_what_does_not_grow_may_as_well_shrink() -> None:
    source = random.Random(1)
    slope = slope_between([(HOUR * at, source.gauss(0, 1)) for at in range(50)])
    assert slope is not None
    assert slope.low < 0 < slope.high
    assert slope_between([(0.0, 1.0)] * 3) is None
    straight = slope_between([(HOUR * at, 7.0 * at) for at in range(12)])
    assert straight is not None
    assert straight.low == pytest.approx(straight.high) == pytest.approx(7 / HOUR)
