"""The services page and the overview on the installed bundle: what they say is what the machine says."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.stack import Stack, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKS = 30


@pytest.fixture(scope="module")
def own_stack(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose programs these tests may restart."""
    with running(release, tmp_path_factory.mktemp("services") / "dkm") as started:
        yield started


@pytest.fixture(scope="module")
def token(own_stack: Stack) -> str:
    return own_stack.dkm("token", "create", "tests", "--scope", "write").stdout.strip()


def listed(stack: Stack, *verb: str) -> Any:
    return json.loads(stack.dkm(*verb, "--json").stdout)


def api(stack: Stack, token: str, path: str, method: str = "GET") -> tuple[int, Any]:
    """Status and JSON of the console's API; 0 where nothing answers."""
    console = listed(stack, "urls")["console"]
    request = urllib.request.Request(
        f"{console}/api/v1/{path}", method=method, headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
    except OSError:
        return 0, None


def test_programs_are_those_of_supervisorctl_and_their_memory_that_of_proc(own_stack: Stack) -> None:
    found = {row["program"]: row for row in listed(own_stack, "services")}

    assert {name: row["pid"] for name, row in found.items()} == own_stack.pids()
    assert set(found) == set(own_stack.installation["programs"])
    for row in found.values():
        resident_bytes = psutil.Process(row["pid"]).memory_info().rss
        assert row["resident_bytes"] == pytest.approx(resident_bytes, rel=0.3)


def test_the_api_lists_what_the_command_lists(own_stack: Stack, token: str) -> None:
    status, answer = api(own_stack, token, "services")

    assert status == 200
    by_command = {row["program"]: (row["state"], row["pid"]) for row in listed(own_stack, "services")}
    assert {row["program"]: (row["state"], row["pid"]) for row in answer["rows"]} == by_command


def test_the_collectors_last_runs_are_listed(own_stack: Stack) -> None:
    def ended() -> dict[str, Any] | None:
        rows = {row["collector"]: row for row in listed(own_stack, "collectors")}
        return rows.get("host") if rows.get("host", {}).get("state") == "ok" else None

    host = wait_for("a run of the host collector", ended, 60, 1.0)
    assert host is not None

    assert host["started_seconds"] <= host["next_due_seconds"]
    assert host["interval_seconds"] == own_stack.installation["interval_seconds"]
    assert host["last_success_seconds"] >= host["started_seconds"]
    assert (own_stack.dir / "run/collectors.json").stat().st_mode & 0o777 == 0o600


@dataclass(frozen=True)
class Machine:
    """A look at it: load, bytes of / by df, and whose processes there are."""

    load: float
    size: float
    used: float
    free: float
    users: set[str]


def look() -> Machine:
    told = subprocess.run(
        ["df", "--block-size=1", "--output=size,used,avail", "/"], check=True, capture_output=True, text=True
    ).stdout.splitlines()[1]
    uids = {process.info["uids"].effective for process in psutil.process_iter(["uids"]) if process.info["uids"]}
    names = {entry.pw_uid: entry.pw_name for entry in pwd.getpwall()}
    size, used, free = map(float, told.split())
    return Machine(os.getloadavg()[1], size, used, free, {names.get(uid, f"uid-{uid}") for uid in uids})


def among(value: float, seen: list[float], tolerance: float) -> bool:
    """Whether a value that somebody read meanwhile is one of these, or between them."""
    return min(seen) - tolerance <= value <= max(seen) + tolerance


def test_the_overview_says_what_the_machine_says(own_stack: Stack) -> None:
    looked: list[Machine] = [look()]

    def sent() -> Any:
        looked.append(look())
        found = listed(own_stack, "overview")
        looked.append(look())
        told = found["hosts"] and found["hosts"][0]["memory_used_percent"] and found["users"]
        return found if told and len(looked) > LOOKS else None  # what it tells may be some intervals old

    found = wait_for("the first points", sent, 120, 2.0)

    [host] = found["hosts"]
    assert host["host"] == own_stack.host
    assert host["cores"] == os.cpu_count()
    assert among(host["load"], [one.load for one in looked], 1.0)
    assert host["memory_bytes"] == pytest.approx(psutil.virtual_memory().total, rel=0.05)
    assert host["up_seconds"] == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]), abs=120)
    [root] = [disk for disk in found["file_systems"] if disk["file_system"] == "root"]
    assert root["size_bytes"] == pytest.approx(looked[-1].size, rel=0.01)
    assert among(root["used_bytes"], [one.used for one in looked], 0.02 * looked[-1].size)
    assert among(root["free_bytes"], [one.free for one in looked], 0.02 * looked[-1].size)
    shown, there = {user["user"] for user in found["users"]}, set.union(*(one.users for one in looked))
    assert shown & there
    # processes of others may come and go between two looks; what is shown is an account of this machine all the same
    assert shown - there <= {entry.pw_name for entry in pwd.getpwall()}
    assert found["verdict"].endswith(".")


def test_an_operator_restarts_a_program(own_stack: Stack, token: str) -> None:
    before = own_stack.pids()["carbonapi"]

    status, answer = api(own_stack, token, "services/carbonapi/restart", "POST")

    assert (status, answer["program"], answer["state"]) == (200, "carbonapi", "RUNNING")
    assert own_stack.pids()["carbonapi"] not in {0, before}


def test_the_console_restarts_itself_and_answers_again(own_stack: Stack, token: str) -> None:
    before = own_stack.pids()["console"]

    status, _ = api(own_stack, token, "services/console/restart", "POST")

    assert status == 200
    wait_for("another process", lambda: own_stack.pids().get("console", before) != before)
    wait_for("its answer", lambda: api(own_stack, token, "services")[0] == 200)


def test_the_log_of_a_program_is_its_own(own_stack: Stack, token: str) -> None:
    status, answer = api(own_stack, token, "services/collectors/log")

    assert status == 200
    written = (own_stack.dir / "run/collectors.log").read_text()
    assert answer["lines"]
    assert all(line in written for line in answer["lines"] if "\\" not in line)
