"""`dkm start`, `status` and `shutdown` on the installed bundle keep their word when programs do not."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import proc
from tests.stack import Stack, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def own_stack(release: Path, workspace: Path) -> Iterator[Stack]:
    with running(release, workspace / "dkm") as started:
        yield started


def _family(stack: Stack) -> list[int]:
    return list(proc.descendants(int((stack.dir / "run/supervisord.pid").read_text())))


def _alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_status_is_not_0_while_a_program_does_not_stay_up(own_stack: Stack) -> None:
    assert own_stack.dkm("status").returncode == 0
    configuration = own_stack.dir / "conf/collectd/collectd.conf"
    configuration.write_text(configuration.read_text() + "\nNonsense here\n<\n")

    own_stack.dkm("restart", "collectd", check=False)

    assert own_stack.dkm("status", check=False).returncode == 3
    assert own_stack.dkm("status", "collectd", check=False).returncode == 3
    assert own_stack.dkm("status", "go-carbon").returncode == 0


def test_shutdown_returns_when_everything_has_ended_however_long_that_takes(own_stack: Stack) -> None:
    family = _family(own_stack)
    os.kill(own_stack.pids()["collectd"], signal.SIGSTOP)  # supervisord kills it after its stopwaitsecs

    outcome = own_stack.dkm("shutdown")

    assert outcome.returncode == 0
    wait_for("the kernel to bury them", lambda: not _alive(family), 5)


def test_a_start_during_a_shutdown_waits_for_its_end_and_succeeds(own_stack: Stack) -> None:
    os.kill(own_stack.pids()["collectd"], signal.SIGSTOP)
    with subprocess.Popen([own_stack.dir / "bin/dkm", "shutdown"], env=own_stack.environment) as ending:
        log = own_stack.dir / "run/supervisord.log"
        wait_for("the shutdown to begin", lambda: "waiting for" in log.read_text())
        outcome = own_stack.dkm("start", check=False)
        ending.wait(60)

    assert outcome.returncode == 0, outcome.stderr
    assert own_stack.dkm("status").returncode == 0


def test_the_callers_environment_is_none_of_the_programs_business(own_stack: Stack) -> None:
    own_stack.stop()
    own_stack.environment["AWS_SECRET_ACCESS_KEY"] = "of-the-one-who-calls"

    own_stack.start()

    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in _family(own_stack)]
    assert all(b"DKM_DIR" in environment for environment in environments)
    assert not any(b"of-the-one-who-calls" in environment for environment in environments)


def test_help_of_a_passed_through_verb_is_its_usage(own_stack: Stack) -> None:
    assert "Start a process" in own_stack.dkm("start", "--help").stdout
