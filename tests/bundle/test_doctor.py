"""`dkm doctor` on the installed bundle: silent about a healthy one, and right about each thing that is broken."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.stack import Stack, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def broken_stack(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(release, tmp_path_factory.mktemp("doctor") / "dkm") as started:
        wait_for("first points", lambda: _findings(started)[0] == 0, 60, 1.0)
        yield started


def _findings(stack: Stack) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    outcome = stack.dkm("doctor", "--json", check=False)
    rows = json.loads(outcome.stdout)
    return outcome.returncode, {(row["check"], row["subject"]): row for row in rows}


def test_a_healthy_installation_passes_every_check(broken_stack: Stack) -> None:
    code, findings = _findings(broken_stack)

    assert code == 0
    looked_at = {check for check, _subject in findings}
    assert {
        "programs",
        "ports",
        "console",
        "round trip",
        "freshness",
        "room",
        "clock",
        "versions",
        "store",
    } <= looked_at
    assert [row for row in findings.values() if row["status"] == "failed"] == []
    assert all(row["do"] for row in findings.values() if row["status"] != "ok")


def test_the_table_names_every_check(broken_stack: Stack) -> None:
    outcome = broken_stack.dkm("doctor")
    table = outcome.stdout

    assert outcome.stderr == ""
    for word in ("programs", "round trip", "freshness", "go-carbon"):
        assert word in table


def test_a_stopped_program_and_its_port_are_named_with_the_command_that_starts_it(broken_stack: Stack) -> None:
    broken_stack.dkm("stop", "carbonapi")

    code, findings = _findings(broken_stack)

    assert code == 1
    assert findings["programs", "carbonapi"]["do"].endswith("dkm start carbonapi")
    assert findings["ports", "carbonapi"]["status"] == "failed"
    broken_stack.dkm("start", "carbonapi")
    wait_for("health", lambda: _findings(broken_stack)[0] == 0, 60, 1.0)


def test_a_program_that_hangs_is_found_by_the_point_that_does_not_come_back(broken_stack: Stack) -> None:
    pid = broken_stack.pids()["go-carbon"]
    os.kill(pid, signal.SIGSTOP)
    try:
        code, findings = _findings(broken_stack)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert code == 1
    assert any(check == "round trip" and row["status"] == "failed" for (check, _subject), row in findings.items())


def test_supervisord_that_is_gone_is_named(broken_stack: Stack) -> None:
    broken_stack.stop()

    code, findings = _findings(broken_stack)

    assert code == 1
    assert findings["programs", "supervisord"]["do"].endswith("dkm start")
    broken_stack.start()
