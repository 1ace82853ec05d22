"""What is told of the collectors' runs: written by the resident parent, read by whoever shows it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from dkumonitor.child import Answer
from dkumonitor.collector import Collector, CollectorSettings, Facts
from dkumonitor.errors import ServiceError
from dkumonitor.job import Job
from dkumonitor.runs import Board, CollectorRun, RunState, read_runs
from tests.installations import an_installation

if TYPE_CHECKING:
    from pathlib import Path

BEGAN = 1_700_000_000.5
COLLECTOR = Collector(name="x", summary="", collect=lambda _: Facts(), metrics=())


def a_job() -> Job:
    return Job(COLLECTOR, CollectorSettings(), 10)


def run(job: Job, answer: Answer, at_seconds: float = 0.0) -> CollectorRun:
    job.last = int(BEGAN + at_seconds) // 10 * 10
    job.begin(100 + at_seconds, BEGAN + at_seconds)
    job.end(answer, 100.25 + at_seconds, BEGAN + at_seconds + 0.25)
    return job.told(BEGAN + at_seconds + 1)


def test_before_its_first_run_a_collector_has_never_run_and_is_due() -> None:
    told = a_job().told(BEGAN)

    assert (told.state, told.started_seconds, told.duration_seconds) == (RunState.NEVER, None, None)
    assert (told.last_success_seconds, told.next_due_seconds, told.interval_seconds) == (None, int(BEGAN), 10)


def test_a_good_run_is_told_with_its_times() -> None:
    told = run(a_job(), Answer())

    assert (told.state, told.detail, told.started_seconds, told.duration_seconds) == ("ok", "", int(BEGAN), 0.25)
    assert (told.last_success_seconds, told.next_due_seconds) == (int(BEGAN), int(BEGAN) + 10)


def test_a_failed_run_keeps_the_last_success_and_tells_its_cause_harmless() -> None:
    job = a_job()
    run(job, Answer())

    told = run(job, Answer(error="ValueError: \x1b[2J" + "x" * 5000), at_seconds=10)

    assert (told.state, told.last_success_seconds) == ("failed", int(BEGAN))
    assert told.detail.startswith("ValueError: \\x1b[2Jxxx")
    assert len(told.detail) < 1010


def test_no_data_is_told_as_such_and_a_good_run_after_it_tells_nothing() -> None:
    job = a_job()

    nothing = run(job, Answer(no_data="no such folder"))
    good = run(job, Answer(), at_seconds=10)

    assert (nothing.state, nothing.detail, nothing.last_success_seconds) == ("no data", "no such folder", int(BEGAN))
    assert (good.state, good.detail) == ("ok", "")


def test_a_run_under_way_is_running_and_tells_nothing_of_the_one_before() -> None:
    job = a_job()
    run(job, Answer(error="broken"))
    job.begin(200, BEGAN + 100)

    told = job.told(BEGAN + 101)

    assert (told.state, told.detail, told.duration_seconds, told.started_seconds) == ("running", "", None, BEGAN + 99.5)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_runs_end_is_written_at_once_and_its_beginning_only_where_it_takes_longer_than_a_moment(
    tmp_path: Path,
) -> None:
    file, clock, told = tmp_path / "collectors.json", Clock(), list[CollectorRun]()
    board = Board(file, lambda: told, clock)
    assert board.wait_seconds() is None
    board.tick()

    board.change(now=False)
    board.tick()
    assert (file.exists(), board.wait_seconds()) == (False, 1.0)
    clock.seconds = 1.0
    board.tick()
    assert (json.loads(file.read_text()), board.wait_seconds()) == ([], None)

    told.append(run(a_job(), Answer()))
    board.change(now=False)
    board.change(now=True)
    board.change(now=False)
    board.tick()
    assert [row["collector"] for row in json.loads(file.read_text())] == ["x"]
    assert board.wait_seconds() is None
    assert [path.name for path in tmp_path.iterdir()] == ["collectors.json"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_takes_nothing_is_logged_once_and_then_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    board = Board(folder / "collectors.json", list, lambda: 0.0)

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            board.change(now=True)
            board.tick()
    assert len(caplog.records) == 1
    folder.mkdir()
    board.change(now=True)
    board.tick()
    assert (folder / "collectors.json").read_text() == "[]"


def test_without_a_file_nothing_is_waited_for() -> None:
    board = Board(None, list, lambda: 0.0)
    board.change(now=True)
    board.tick()
    assert board.wait_seconds() is None


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    installation = an_installation(tmp_path)
    installation.run.mkdir()
    told = [run(a_job(), Answer(error="café \udcff"))]
    board = Board(installation.run / "collectors.json", lambda: told, lambda: 0.0)
    assert read_runs(installation) == []

    board.change(now=True)
    board.tick()

    assert read_runs(installation) == told


@pytest.mark.parametrize("text", ["", "{}", "[{}]", "[1", "\0", '[{"collector": 1}]'])
def test_a_file_of_another_version_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    installation = an_installation(tmp_path)
    installation.run.mkdir()
    (installation.run / "collectors.json").write_text(text)

    with pytest.raises(ServiceError, match="dkm restart collectors"):
        read_runs(installation)
