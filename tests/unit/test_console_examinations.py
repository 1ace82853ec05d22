"""The doctor's findings in the console: kept for a while, one look at a time, not waited for where that is asked."""

from __future__ import annotations

import threading

from console.examinations import KEPT_SECONDS, REFRESH_SECONDS, Examinations
from dkumonitor.doctor.findings import Finding, ok
from tests.stack import wait_for


class Doctor:
    """Counts its looks; each waits for `may_end`."""

    def __init__(self) -> None:
        self.looks = 0
        self.seconds = 1000.0
        self.may_end = threading.Event()
        self.may_end.set()

    def look(self) -> list[Finding]:
        self.looks += 1
        self.may_end.wait(60)
        return [ok("look", str(self.looks), "")]

    def clock(self) -> float:
        return self.seconds


def test_findings_are_kept_for_some_seconds() -> None:
    doctor = Doctor()
    examinations = Examinations(doctor.look, doctor.clock)

    first = examinations.fresh()
    doctor.seconds += KEPT_SECONDS
    again = examinations.fresh()
    doctor.seconds += 1
    later = examinations.fresh()

    assert [found[0].subject for found in (first, again, later)] == ["1", "1", "2"]


def test_many_who_ask_at_once_cost_one_look() -> None:
    doctor = Doctor()
    doctor.may_end.clear()
    examinations = Examinations(doctor.look, doctor.clock)
    found: list[list[Finding]] = []
    askers = [threading.Thread(target=lambda: found.append(examinations.fresh())) for _ in range(8)]
    for asker in askers:
        asker.start()
    wait_for("the first look", lambda: doctor.looks)
    doctor.may_end.set()
    for asker in askers:
        asker.join(60)

    assert doctor.looks == 1
    assert [len(findings) for findings in found] == [1] * 8


def test_who_comes_while_another_one_looks_gets_what_was_known() -> None:
    doctor = Doctor()
    examinations = Examinations(doctor.look, doctor.clock)
    examinations.fresh()
    doctor.may_end.clear()
    doctor.seconds += KEPT_SECONDS + 1
    looking = threading.Thread(target=examinations.fresh)
    looking.start()
    wait_for("the second look", lambda: doctor.looks == 2)

    assert examinations.fresh()[0].subject == "1"
    doctor.may_end.set()
    looking.join(60)
    assert examinations.fresh()[0].subject == "2"


def test_what_is_known_is_told_without_waiting_and_looked_at_again_in_the_background() -> None:
    doctor = Doctor()
    doctor.may_end.clear()
    examinations = Examinations(doctor.look, doctor.clock)

    assert examinations.known() is None
    doctor.may_end.set()
    wait_for("the look in the background", lambda: examinations.known() == [ok("look", "1", "")])
    doctor.seconds += REFRESH_SECONDS + 1
    old = examinations.known()
    assert old is not None
    assert old[0].subject in {"1", "2"}
    wait_for("a new look", lambda: (found := examinations.known()) and found[0].subject == "2")
