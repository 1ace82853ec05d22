"""The resident parent: one process, no threads, that runs what is due in a child each and sends what comes back.

A run is due when a multiple of its interval (UTC) passes, and at the start; that multiple is the time of its points. A
run that is still under way when the next is due is not doubled: the next is left out and counted.
"""

import gc
import logging
import math
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dkumonitor.carbon import CarbonSender
from dkumonitor.child import Answer, Child, adopt_orphans, end_orphans, verdict
from dkumonitor.collector import RUN_METRICS, Run
from dkumonitor.job import Job
from dkumonitor.metrics import Point
from dkumonitor.runs import Board

_SLEEP_MAX_SECONDS = 10.0  # a clock that jumps is noticed after this
_BUSY_SECONDS = 1.0
_DOUBLED_INTERVALS = 2  # a clock that goes back by less waits to pass the last run again
_STOP_SECONDS = 1.0
_log = logging.getLogger(__name__)


def due_slot(now_seconds: float, interval_seconds: int, last: int | None) -> int | None:
    """The time of the run that is due now, or None where none is.

    Args:
        now_seconds: UTC seconds.
        interval_seconds: the run's interval; the answer is a multiple of it.
        last: the time of the last run. A clock that went back a little waits; one that went back more begins anew.
    """
    slot = math.floor(now_seconds / interval_seconds) * interval_seconds
    if last is None or slot > last or last - slot > _DOUBLED_INTERVALS * interval_seconds:
        return slot
    return None


class Scheduler:
    """Runs jobs until it is told to stop.

    Args:
        jobs: what to run.
        host: this machine's segment in names.
        sender: where points go.
        interval_seconds: how often the sender's own metrics are sent.
        runs_file: where it is written how the runs went; None for nowhere.
        wall: UTC seconds.
        monotonic: the clock for durations.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        host: str,
        sender: CarbonSender,
        *,
        interval_seconds: int,
        runs_file: Path | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._host = host
        self._sender = sender
        self._interval_seconds = interval_seconds
        self._wall = wall
        self._monotonic = monotonic
        self._selector = selectors.DefaultSelector()
        self._last_own: int | None = None
        self._stopping = False
        self._board = Board(runs_file, lambda: [job.told(wall()) for job in jobs], monotonic)

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; then end every child, leave unsent points in the spool, and return."""
        ear, mouth = socket.socketpair()
        ear.settimeout(0)
        mouth.settimeout(0)
        self._selector.register(ear, selectors.EVENT_READ)
        signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler nothing would wake the loop
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        adopt_orphans()
        gc.collect()
        gc.freeze()  # a child's collector then leaves the parent's pages shared
        while not self._stopping:
            self._begin_due()
            for key, _ in self._selector.select(self._sleep_seconds()):
                if key.fileobj is ear:
                    ear.recv(4096)
                else:
                    self._listen(key.data, key.fd)
            for job in self._jobs:
                self._look_after(job)
            self._sender.tick()
            self._board.tick()
        self._end()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _sleep_seconds(self) -> float:
        now_seconds = self._wall()
        waits = [_SLEEP_MAX_SECONDS, self._interval_seconds - now_seconds % self._interval_seconds]
        for job in self._jobs:
            waits.append(job.interval_seconds - now_seconds % job.interval_seconds)
            if job.child is not None and not job.given_up:
                waits.append(job.started_seconds + job.collector.deadline_seconds - self._monotonic())
        if self._sender.is_busy:
            waits.append(_BUSY_SECONDS)
        if (board_seconds := self._board.wait_seconds()) is not None:
            waits.append(board_seconds)
        return max(min(waits), 0.0)

    def _begin_due(self) -> None:
        now_seconds = self._wall()
        for job in self._jobs:
            slot = due_slot(now_seconds, job.interval_seconds, job.last)
            if slot is not None:
                job.last = slot
                self._begin(job, slot)
        slot = due_slot(now_seconds, self._interval_seconds, self._last_own)
        if slot is not None:
            self._last_own = slot
            self._sender.send(self._sender.points(self._host, slot))

    def _begin(self, job: Job, slot: int) -> None:
        if job.child is not None:
            if job.collector.outlasts_interval:
                return
            job.skipped_total += 1
            if not job.was_skipped:
                _log.warning("collector %s: runs are left out, the one before has not ended", job.name)
            job.was_skipped = True
            self._board.change(now=False)
            self._sender.send(self._run_points(job, slot, {"run.skipped_total": job.skipped_total}))
            return
        run = Run(self._prefix(job), job.settings, None, slot, job.interval_seconds, self._monotonic)
        job.begin(self._monotonic(), self._wall())
        self._board.change(now=False)
        try:
            job.child = Child.start(job.collector, run, job.state)
        except OSError as error:
            self._report(job, Answer(error=f"cannot start a process: {error.strerror}"))
            return
        self._selector.register(job.child.answer, selectors.EVENT_READ, job)
        self._selector.register(job.child.output, selectors.EVENT_READ, job)

    def _listen(self, job: Job, descriptor: int) -> None:
        """Read what a child says; a pipe that has nothing more, or too much, is not listened to again."""
        child = job.child
        if child is None:
            return
        if descriptor == child.answer:
            before = len(child.answered)
            if not child.read_answer():
                self._give_up(job, "its answer is too long")
            elif len(child.answered) == before:
                self._selector.unregister(descriptor)
        else:
            output = child.read_output()
            job.show(output)
            if not output:
                self._selector.unregister(descriptor)

    def _look_after(self, job: Job) -> None:
        child = job.child
        if child is None:
            return
        if child.has_ended():
            whole = child.read_answer()
            job.show(child.read_output() + b"\n")
            self._hear_no_more(child)
            job.child, status = None, child.bury()
            if not job.given_up:
                answer = verdict(bytes(child.answered), status, self._prefix(job))
                self._report(job, answer if whole else Answer(error="its answer is too long"))
            end_orphans({other.child.pid for other in self._jobs if other.child is not None})
        elif not job.given_up and self._monotonic() - job.started_seconds >= job.collector.deadline_seconds:
            self._give_up(job, f"killed after its deadline of {job.collector.deadline_seconds:g} s")

    def _give_up(self, job: Job, cause: str) -> None:
        """Kill a run and report it as failed now, however long its process takes to end."""
        if job.child is not None:
            job.child.kill()
            job.given_up = True
            self._hear_no_more(job.child)
            self._report(job, Answer(error=cause))

    def _hear_no_more(self, child: Child) -> None:
        for descriptor in (child.answer, child.output):
            if descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)

    def _report(self, job: Job, answer: Answer) -> None:
        """Send what a run found and how it went."""
        job.end(answer, self._monotonic(), self._wall())
        self._board.change(now=True)
        values: dict[str, float] = {
            "run.duration_seconds": job.duration_seconds or 0.0,
            "run.success": int(not answer.error),
            "run.skipped_total": job.skipped_total,
        }
        if job.last_success_seconds is not None:
            values["run.last_success_seconds"] = job.last_success_seconds
        self._sender.send((*answer.points, *self._run_points(job, job.last or 0, values)))

    def _prefix(self, job: Job) -> str:
        return f"dkm.{self._host}.{job.name}"

    def _run_points(self, job: Job, slot: int, values: dict[str, float]) -> tuple[Point, ...]:
        prefix = self._prefix(job)
        return tuple(
            Point(f"{prefix}.{metric.name}", values[metric.name], slot)
            for metric in RUN_METRICS
            if metric.name in values
        )

    def _end(self) -> None:
        """End every child and what it let loose; one that the kernel does not let go is left to it."""
        for job in self._jobs:
            if job.child is not None:
                job.child.kill()
        deadline = self._monotonic() + _STOP_SECONDS
        while end_orphans(set()) and self._monotonic() < deadline:
            time.sleep(0.01)
        self._sender.close()
