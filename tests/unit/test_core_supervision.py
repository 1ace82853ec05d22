"""Asking a real supervisord: what it knows, and what a caller may have done."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dkumonitor import supervision
from dkumonitor.errors import ServiceError
from dkumonitor.supervision import State, Supervision, UnknownProgramError, last_lines
from tests.installations import an_installation
from tests.stack import wait_for
from tests.supervised import SLEEPER, supervised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.installation import Installation

HOSTILE = r"import sys, time; print('\x1b[2Jbell\x07 \x00\tcaf\u00e9'); print('last', flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("supervised")
    (folder / "hostile.py").write_text(HOSTILE)
    programs = {"sleeper": SLEEPER, "hostile": f"{sys.executable} {folder}/hostile.py", "missing": "/no/such/program"}
    with supervised(folder, programs) as made:
        yield made


@pytest.mark.parametrize("name", ["sleeper", "hostile"])
def test_a_program_is_started_shown_with_its_process_and_stopped(installation: Installation, name: str) -> None:
    asked = Supervision(installation)

    asked.start(name)
    running = asked.program(name)
    asked.stop(name)

    assert running.state == "RUNNING"
    assert running.pid > 0
    assert not Path(f"/proc/{running.pid}").exists()
    assert (asked.program(name).state, asked.program(name).pid) == ("STOPPED", 0)


def test_starting_what_runs_and_stopping_what_does_not_change_nothing(installation: Installation) -> None:
    asked = Supervision(installation)
    asked.start("sleeper")
    first = asked.program("sleeper").pid

    asked.start("sleeper")
    assert asked.program("sleeper").pid == first
    asked.stop("sleeper")
    asked.stop("sleeper")
    assert asked.program("sleeper").state == "STOPPED"


def test_a_restart_gives_another_process(installation: Installation) -> None:
    asked = Supervision(installation)
    asked.start("sleeper")
    first = asked.program("sleeper").pid

    asked.restart("sleeper")

    second = asked.program("sleeper")
    asked.stop("sleeper")
    assert second.state == "RUNNING"
    assert second.pid not in {0, first}


def test_the_callers_own_program_is_started_again_by_supervisord(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Supervision(installation)
    asked.start("sleeper")
    first = asked.program("sleeper").pid
    command = Path(f"/proc/{first}/cmdline")
    wait_for("exec, before which supervisord's handlers swallow signals", lambda: b"time.sleep" in command.read_bytes())
    monkeypatch.setattr(os, "getpid", lambda: first)

    asked.restart("sleeper")

    wait_for("another process", lambda: asked.program("sleeper").pid not in {0, first})
    monkeypatch.undo()
    asked.stop("sleeper")


@pytest.mark.parametrize(
    "name", ["nosuch", "", "all", "*", "sleeper:*", "sleeper:sleeper", "../sleeper", "sleeper\n", "slee\0per", "\ud800"]
)
def test_a_name_that_is_no_programs_is_refused_with_those_that_are(installation: Installation, name: str) -> None:
    asked = Supervision(installation)
    for act in (asked.start, asked.stop, asked.restart, lambda name: asked.tail(name, 5)):
        with pytest.raises(UnknownProgramError, match=" sleeper"):
            act(name)


def test_a_program_that_cannot_be_started_is_an_error_that_names_its_log(installation: Installation) -> None:
    with pytest.raises(ServiceError, match=r"cannot start missing.*missing\.log"):
        Supervision(installation).start("missing")


def test_the_last_lines_of_a_log_cannot_command_a_terminal(installation: Installation) -> None:
    asked = Supervision(installation)
    asked.start("hostile")
    lines = wait_for("both lines", lambda: "last" in (found := asked.tail("hostile", 2)) and found)
    asked.stop("hostile")

    assert lines == ["\\x1b[2Jbell\\x07 \\x00    café", "last"]


def test_a_long_log_is_read_from_its_end_and_in_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number:06d} {'x' * 100}\n" for number in range(5000)))

    lines = last_lines(log, 5000)

    assert lines[-1].startswith("line 004999")
    assert all(line.startswith("line ") for line in lines)
    assert sum(len(line) + 1 for line in lines) <= supervision.TAIL_BYTES
    assert [line.split()[1] for line in last_lines(log, 2)] == ["004998", "004999"]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none", 5) == []


def test_supervisord_that_is_not_there_is_absent_and_an_error_that_names_the_start(tmp_path: Path) -> None:
    asked = Supervision(an_installation(tmp_path))

    assert asked.state() is State.ABSENT
    with pytest.raises(ServiceError, match=r"bin/dkm start"):
        asked.programs()


def test_supervisord_that_hangs_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "run/supervisord.sock"))
        deaf.listen()
        with pytest.raises(ServiceError, match="does not answer"):
            Supervision(an_installation(tmp_path), answer_seconds=0.2).programs()
