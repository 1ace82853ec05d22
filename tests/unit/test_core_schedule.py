import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collectors
from dkumonitor.child import Answer, verdict
from dkumonitor.collector import Facts, Run
from dkumonitor.schedule import due_slot

ROOT = Path(__file__).parents[2]
PREFIX = "dkm.h.x"


def test_a_run_is_due_at_the_start_and_at_each_multiple_of_its_interval() -> None:
    assert due_slot(1003.5, 10, None) == 1000
    assert due_slot(1009.9, 10, 1000) is None
    assert due_slot(1010.0, 10, 1000) == 1010


def test_a_clock_that_jumps_forward_gives_one_run_and_no_missed_ones() -> None:
    assert due_slot(9999.0, 10, 1000) == 9990
    assert due_slot(9999.5, 10, 9990) is None


def test_a_clock_that_goes_back_a_little_waits_and_one_that_goes_back_far_begins_anew() -> None:
    assert due_slot(999.0, 10, 1000) is None
    assert due_slot(985.0, 10, 1000) is None
    assert due_slot(500.0, 10, 1000) == 500


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), max_size=50), st.integers(1, 60))
def test_whatever_the_clock_does_no_two_runs_follow_at_the_same_time(jumps: list[float], interval: int) -> None:
    now, last = 1_000_000.0, None
    for jump in jumps:
        slot = due_slot(now, interval, last)
        if slot is not None:
            assert slot % interval == 0
            assert slot <= now
            assert slot != last
            last = slot
        now += jump


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_answer_can_make_the_parent_fail(answered: bytes) -> None:
    assert isinstance(verdict(answered, 0, PREFIX), Answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([[["dkm.h.y.value", 1, 10]]], "not its own"),
        ([[["dkm.h.xx.value", 1, 10]]], "not its own"),
        ([[["dkm.h.x.value\n", 1, 10]]], "cannot be read"),
        ([[["dkm.h.x.value", "1", 10]]], "cannot be read"),
        ("text", "cannot be read"),
    ],
)
def test_an_answer_is_checked(answer: Any, says: str) -> None:
    assert says in verdict(msgspec.msgpack.encode(answer), 0, PREFIX).error


def test_a_good_answer_is_taken() -> None:
    run = Run(PREFIX, None, None, 10, 10)
    answer = Answer(points=(run.point("value", 1.5),), state=b"x")
    assert verdict(msgspec.msgpack.encode(answer), 0, PREFIX) == answer
    assert Facts().points == ()


def test_every_collector_in_the_house_can_be_loaded() -> None:
    found = collectors.discover()
    assert found.broken == {}
    assert "host" in found.collectors
    for name, collector in found.collectors.items():
        assert name == collector.name
        assert collector.settings()
        for one in (collector, *collector.more):
            assert one.name == name or one.name.startswith(f"{name}_")
            assert one.metrics
            assert one.outlasts_interval or one.deadline_seconds < (one.interval_seconds or 10)


@pytest.mark.parametrize(
    ("description", "settings_text", "code", "says"),
    [
        (None, "", 4, "is not an installation"),
        ({}, "[carbon]\nserve = 1", 5, "'carbon.serve'"),
        ({}, "", 4, "collects nothing"),
    ],
)
def test_the_program_says_what_is_wrong_and_what_to_do(
    tmp_path: Path, description: dict[str, Any] | None, settings_text: str, code: int, says: str
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/dkumonitor.toml").write_text(settings_text)
    if description is not None:
        whole: dict[str, Any] = {
            "version": "0.1.0",
            "type": "backend",
            "host": "h",
            "user": "u",
            "interval_seconds": 10,
            "programs": [],
            **dict.fromkeys(("listen", "carbon_listen", "carbonapi_listen"), "127.0.0.1"),
            **dict.fromkeys(("carbon_server", "carbonapi_server", "system_collectd")),
            "ports": dict.fromkeys(("web", "carbon", "carbonapi", "carbonserver", "pickle", "console")),
            "grafana": False,
            "tls": False,
            "database": None,
        }
        (tmp_path / "conf/installation.json").write_text(json.dumps(whole))
    ended = subprocess.run(
        [sys.executable, "-m", "collectors"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DKM_DIR": str(tmp_path), "DKM_LOG": str(tmp_path)},
        check=False,
        timeout=60,
    )
    log = (tmp_path / "collectors.log").read_text()
    assert (ended.returncode, says in log, "Traceback" in log) == (code, True, False), log


def test_the_resident_parent_imports_no_database_and_no_presentation() -> None:
    script = "import collectors.__main__, collectors, sys; collectors.discover(); print(*sorted(sys.modules))"
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {
        "sqlite3",
        "sqlalchemy",
        "psycopg",
        "pymysql",
        "click",
        "rich",
        "jinja2",
        "psutil",
        "ssl",
        "hashlib",
        "asyncio",
    }
    assert heavy & set(told.stdout.split()) <= ({"hashlib"} if sys.version_info < (3, 12) else set())
