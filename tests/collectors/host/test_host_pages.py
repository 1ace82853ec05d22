"""The page of users: page, API, CSV and command say the same, and what they say is what /proc has."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from collectors.host.now import APART_SECONDS, FORGOTTEN_SECONDS, KEPT_SECONDS, Looks
from dkumonitor.accounts.roles import Role
from tests.console_app import ROOT, RunningConsole, running_console
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = f"dkumonitor-pages-{os.getpid()}"
SETTINGS = f"""
[collectors.host.patterns]
marked = '{MARK}$'
none = 'no process has this in its command line {MARK}x'
"""
NAMES = ("users", "patterns")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder = tmp_path_factory.mktemp("users")
    with running_console(folder, programs=["console", "collectors"], settings=SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def marked() -> Iterator[psutil.Process]:
    """A process that the pattern matches, with memory of its own."""
    script = "import sys, time; kept = bytearray(b'x') * (64 << 20); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script, MARK], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield psutil.Process(process.pid)
        process.kill()


def rows(console: RunningConsole, name: str) -> dict[str, dict[str, Any]]:
    answer = console.client(Role.VIEWER).get(f"/api/v1/host-{name}", params={"limit": 1000})
    assert answer.status_code == 200, answer.text
    return {next(iter(row.values())): row for row in answer.json()["rows"]}


def command(console: RunningConsole, name: str) -> dict[str, dict[str, Any]]:
    told = subprocess.run(
        [sys.executable, "-m", "dkm", "host", name, "--json"],
        env={"PATH": os.environ["PATH"], "DKM_DIR": str(console.installation.dir), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return {next(iter(row.values())): row for row in json.loads(told.stdout)}


@pytest.fixture(scope="module", autouse=True)
def _as_me(console: RunningConsole) -> None:
    """`dkm` acts for the account of the installation alone: this one."""
    file = console.installation.conf / "installation.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"user": str(os.geteuid())}))


def test_a_process_of_a_pattern_is_shown_with_what_it_has(console: RunningConsole, marked: psutil.Process) -> None:
    wait_for("a look that has it", lambda: rows(console, "patterns")["marked"]["processes"] == 1)
    row = rows(console, "patterns")["marked"]
    told = command(console, "patterns")["marked"]

    for resident_bytes in (row["resident_bytes"], told["resident_bytes"]):  # the kernel counts it in batches
        assert resident_bytes == pytest.approx(marked.memory_info().rss, abs=2 << 20)
    assert row["threads"] == told["threads"] == marked.num_threads()
    assert row["open_files"] == told["open_files"] == marked.num_fds()
    assert rows(console, "patterns")["none"]["processes"] == command(console, "patterns")["none"]["processes"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_page_api_csv_and_command_have_the_same_columns_and_rows(console: RunningConsole, name: str) -> None:
    by_api, by_command = rows(console, name), command(console, name)
    by_csv = {
        next(iter(row.values())): row
        for row in csv.DictReader(io.StringIO(console.client(Role.VIEWER).get(f"/tables/host-{name}.csv").text))
    }
    page = console.client(Role.VIEWER).get("/users").text

    assert {tuple(row) for row in (*by_api.values(), *by_command.values(), *by_csv.values())} == {
        tuple(next(iter(by_api.values())))
    }
    lasting = {psutil.Process().username()} if name == "users" else {"marked", "none"}
    assert lasting <= set(by_api) & set(by_command) & set(by_csv)
    for account in lasting:
        assert account in page


def test_the_account_of_these_tests_is_there(console: RunningConsole) -> None:
    found = rows(console, "users")

    mine = psutil.Process().username()
    assert mine in found
    assert found[mine]["processes"] >= 1
    assert found[mine]["processes"] <= len(psutil.pids())


def test_rows_are_sorted_by_processor_time_unless_asked_otherwise(console: RunningConsole) -> None:
    shares = [row["cpu_percent"] for row in rows(console, "users").values()]
    assert shares == sorted(shares, reverse=True)

    by_name = console.client(Role.VIEWER).get("/api/v1/host-users", params={"sort": "user"}).json()["rows"]
    names = [row["user"].casefold() for row in by_name]
    assert names == sorted(names)


def test_where_no_collector_runs_the_page_says_what_to_do(tmp_path: Path) -> None:
    with running_console(tmp_path, programs=["console"]) as started:
        page = started.client(Role.VIEWER).get("/users")
        answer = started.client(Role.VIEWER).get("/api/v1/host-users").json()

    assert page.status_code == 200
    assert "install an agent" in page.text
    assert answer["rows"] == []


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0
        self.paused: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.seconds += seconds


def test_who_asks_again_gets_the_last_look_and_later_one_that_goes_on_from_it() -> None:
    clock = Clock()
    looks = Looks(dict, Path("/proc"), monotonic=clock, pause=clock.pause)

    first = looks.latest()
    clock.seconds += KEPT_SECONDS
    same = looks.latest()
    clock.seconds += 0.1
    later = looks.latest()
    clock.seconds += FORGOTTEN_SECONDS + 1
    anew = looks.latest()

    assert same is first
    assert later is not first
    assert later.sample.uptime_seconds >= first.sample.uptime_seconds
    assert anew is not later
    assert clock.paused == [APART_SECONDS, APART_SECONDS]
