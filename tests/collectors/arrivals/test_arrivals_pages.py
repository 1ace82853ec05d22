"""The pages of arrivals: page, API, CSV and command say the same, of a watcher that runs."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import collectors
from collectors.arrivals.doctor import CHECKS
from collectors.arrivals.enablement import forget_enabled, note_enabled
from dkumonitor.accounts.roles import Role
from dkumonitor.doctor.findings import Finding, Status
from tests.collectors.arrivals.conftest import Watch
from tests.console_app import ROOT, RunningConsole, running_console
from tests.redis_server import redis_server
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKUP = b"<script>alert(1)</script>.csv".replace(b"/", b"|")
BYTES = b"caf\xe9 \x1b[31m"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder = tmp_path_factory.mktemp("arrivals")
    with running_console(folder, programs=["console", "collectors"], user=str(os.geteuid())) as started:
        yield started


@pytest.fixture(scope="module")
def watch(console: RunningConsole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """A watcher of two directories, in one of which names that hurt have arrived."""
    with redis_server() as server:
        made = Watch(tmp_path_factory.mktemp("watched"), server, "", {"stage & 1": "", "empty": ""}).start()
        for name in (MARKUP, BYTES, b"plain.csv"):
            with open(os.path.join(os.fsencode(made.directory("stage & 1")), name), "wb"):  # noqa: PTH118, PTH123  bytes
                pass
        wait_for("the queue's length", lambda: made.status["directories"][0]["queue_length"] == 3)
        note_enabled(console.installation, made.ini)
        yield made
        if made.process is not None:
            made.end(signal.SIGKILL)
        forget_enabled(console.installation)


def api(console: RunningConsole, name: str, **asked: str) -> list[dict[str, Any]]:
    answer = console.client(Role.VIEWER).get(f"/api/v1/{name}", params=asked)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def command(console: RunningConsole, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dkm", "arrivals", *words],
        env={"PATH": os.environ["PATH"], "DKM_DIR": str(console.installation.dir), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_page_api_csv_and_command_say_the_same_of_a_directory(console: RunningConsole, watch: Watch) -> None:
    [row, empty] = api(console, "arrivals-directories")
    told = json.loads(command(console, "status", "--json").stdout)
    text = console.client(Role.VIEWER).get("/tables/arrivals-directories.csv").text
    page = console.client(Role.VIEWER).get("/arrivals").text

    lasting = ("section", "directory", "state", "arrivals", "last_arrival_seconds", "queue", "queue_length")
    assert [{key: one[key] for key in lasting} for one in told] == [
        {key: one[key] for key in lasting} for one in (row, empty)
    ]
    assert [one["section"] for one in csv.DictReader(io.StringIO(text))] == ["stage & 1", "empty"]
    assert (row["state"], row["arrivals"], row["queue_length"]) == ("ok", 3, 3)
    assert 0 <= row["oldest_age_seconds"] < 300
    assert (empty["last_arrival_seconds"], empty["queue_length"]) == (None, 0)
    assert row["directory"].replace("&", "&amp;") in page
    assert watch.directory("empty").name in page


def test_a_directory_has_a_page_with_its_announcements(console: RunningConsole, watch: Watch) -> None:
    page = console.client(Role.VIEWER).get("/arrivals/directory", params={"section": "stage & 1"})
    events = api(console, "arrivals-events", section="stage & 1")

    assert page.status_code == 200
    assert "plain.csv" in page.text
    assert MARKUP.decode() not in page.text
    assert MARKUP.decode().replace("<", "&lt;").replace(">", "&gt;") in page.text
    assert "\x1b" not in page.text
    assert {os.fsencode(event["filename"]) for event in events} == {MARKUP, BYTES, b"plain.csv"}
    assert {event["directory"] for event in events} == {str(watch.directory("stage & 1"))}
    assert api(console, "arrivals-events", section="empty") == []
    assert console.client(Role.VIEWER).get("/arrivals/directory", params={"section": "none"}).status_code == 404


def test_tail_and_replay_show_what_was_announced_and_push_it_again(console: RunningConsole, watch: Watch) -> None:
    rows = json.loads(command(console, "tail", "-n", "2", "--json").stdout)
    listed = json.loads(command(console, "replay", "--minutes", "10", "--section", "stage & 1", "--json").stdout)
    before = watch.events("stage & 1")
    pushed = command(console, "replay", "--minutes", "10", "--section", "stage & 1", "--push")
    wrong = command(console, "replay", "--minutes", "10", "--section", "none")

    assert [row["filename"] for row in rows] == [event["filename"] for event in before[-2:]]
    assert [row["filename"] for row in listed] == [event["filename"] for event in before]
    assert (pushed.returncode, pushed.stderr) == (0, "3 events were pushed again.\n")
    assert watch.events("stage & 1") == before + before
    assert wrong.returncode == 40
    assert "stage & 1" in wrong.stderr
    assert "\x1b" not in command(console, "tail").stdout


def test_tail_follows(console: RunningConsole, watch: Watch) -> None:
    follower = subprocess.Popen(
        [sys.executable, "-m", "dkm", "arrivals", "tail", "-f", "-n", "1"],
        env={"PATH": os.environ["PATH"], "DKM_DIR": str(console.installation.dir), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert follower.stdout is not None
        while "event timestamp" not in follower.stdout.readline():
            pass
        (watch.directory("empty") / "followed").touch()
        while "/empty/followed" not in (line := follower.stdout.readline()):
            assert line, "it ended"
    finally:
        follower.kill()
        follower.communicate()


def test_check_lists_the_effective_settings(console: RunningConsole, watch: Watch) -> None:
    rows = json.loads(command(console, "check", str(watch.ini), "--json").stdout)
    found = {(row["section"], row["key"]): row["value"] for row in rows}
    assert found["empty", "queue"] == "empty"
    assert found["empty", "settle"] == "0.5"
    assert found["stage & 1", "redis_port"] == str(watch.server.port)
    wrong = watch.folder / "wrong.ini"
    wrong.write_text("[a]\nactive=true\nqueues=x\n")
    told = command(console, "check", str(wrong))
    assert told.returncode == 41
    assert f"{wrong}: [a] queues: there is no such key. Did you mean queue" in told.stderr


def test_the_overview_and_the_doctor_say_what_is_wrong(console: RunningConsole, watch: Watch) -> None:
    def card() -> dict[str, Any]:
        overview = console.client(Role.VIEWER).get("/api/v1/overview").json()
        [found] = [one for one in overview["cards"] if one["name"] == "arrivals"]
        return dict(found)

    def found() -> Finding:
        [finding] = [one for check in CHECKS for one in check(console.installation)]
        return finding

    assert (card()["level"], card()["sentence"]) == ("ok", "2 directories are watched")
    assert (found().status, found().do) == (Status.OK, "")
    watch.directory("empty").rename(watch.folder / "away")
    wait_for("the missing directory", lambda: card()["level"] == "failed", 60)
    assert "empty is not there" in card()["sentence"]
    assert command(console, "status").returncode == 1
    assert (found().status, found().detail) == (Status.FAILED, card()["sentence"])
    assert "mend its access" in found().do
    assert CHECKS[0] in collectors.checks(connects=False)
    (watch.folder / "away").rename(watch.directory("empty"))
    wait_for("it to be there again", lambda: card()["level"] == "ok", 60)


def test_where_nothing_is_enabled_page_and_command_say_what_to_do(tmp_path: Path) -> None:
    with running_console(tmp_path, programs=["console", "collectors"], user=str(os.geteuid())) as started:
        page = started.client(Role.VIEWER).get("/arrivals").text
        cards = started.client(Role.VIEWER).get("/api/v1/overview").json()["cards"]
        told = command(started, "status")
    assert "dkm arrivals enable FILE" in page
    assert "arrivals" not in [card["name"] for card in cards]
    assert list(CHECKS[0](started.installation)) == []
    assert (told.returncode, "dkm arrivals enable FILE" in told.stdout) == (0, True)
