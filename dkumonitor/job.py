"""A collector in the resident parent: what it is set to, how its runs went, and what is told of them in the log."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dkumonitor.runs import DETAIL_LENGTH, CollectorRun, RunState
from dkumonitor.text import printable

if TYPE_CHECKING:
    from dkumonitor.child import Answer, Child
    from dkumonitor.collector import Collector, CollectorSettings

OUTPUT_MAX_BYTES = 64 * 1024
_REMIND_AFTER_RUNS = 100
_TRACEBACKS_MAX = 16
_TELLING = (RunState.FAILED, RunState.NO_DATA)
_log = logging.getLogger(__name__)


@dataclass
class Job:
    """A collector, what it is set to, and how its runs went.

    Attributes:
        collector: what runs.
        settings: its settings struct.
        interval_seconds: how often.
        last: the time of the points of the last run.
        child: the run under way.
        given_up: that run was reported as failed, its process has not ended yet.
        started_seconds: when the last run began, by the monotonic clock; ``began_seconds`` by the wall's, UTC.
        run_state: how it stands.
        skipped_total: runs left out because the one before had not ended.
        was_skipped: whether one was since the last run that ended well.
        cause: why the last run failed or had no data.
    """

    collector: Collector
    settings: CollectorSettings
    interval_seconds: int
    last: int | None = None
    child: Child | None = None
    given_up: bool = False
    started_seconds: float = 0.0
    began_seconds: int | None = None
    duration_seconds: float | None = None
    state: bytes = b""
    run_state: RunState = RunState.NEVER
    last_success_seconds: int | None = None
    skipped_total: int = 0
    was_skipped: bool = False
    cause: str = ""
    failed_runs: int = 0
    shown_bytes: int = 0
    rest: bytes = b""
    _tracebacks: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The collector's name."""
        return self.collector.name

    def begin(self, monotonic_seconds: float, now_seconds: float) -> None:
        """A run begins."""
        self.started_seconds, self.began_seconds = monotonic_seconds, int(now_seconds)
        self.run_state, self.duration_seconds = RunState.RUNNING, None
        self.given_up, self.shown_bytes, self.rest = False, 0, b""

    def end(self, answer: Answer, monotonic_seconds: float, now_seconds: float) -> None:
        """It has ended, or was given up."""
        self.duration_seconds = monotonic_seconds - self.started_seconds
        if answer.error:
            self.run_state = RunState.FAILED
        else:
            self.run_state = RunState.NO_DATA if answer.no_data else RunState.OK
            self.state, self.was_skipped = answer.state, False
            self.last_success_seconds = int(now_seconds)
        self._tell(answer)

    def told(self, now_seconds: float) -> CollectorRun:
        """How it stands, for whoever asks."""
        return CollectorRun(
            collector=self.name,
            state=self.run_state,
            started_seconds=self.began_seconds,
            duration_seconds=None if self.duration_seconds is None else round(self.duration_seconds, 3),
            detail=printable(self.cause[:DETAIL_LENGTH]) if self.run_state in _TELLING else "",
            skipped=self.skipped_total,
            last_success_seconds=self.last_success_seconds,
            next_due_seconds=int(now_seconds) if self.last is None else self.last + self.interval_seconds,
            interval_seconds=self.interval_seconds,
        )

    def _tell(self, answer: Answer) -> None:
        """One line where the cause of failing changes, a reminder now and then, a traceback once."""
        cause = answer.error
        if not cause and self.failed_runs:
            _log.warning("collector %s: works again after %d failed runs", self.name, self.failed_runs)
        self.failed_runs = self.failed_runs + 1 if cause else 0
        if cause and (cause != self.cause or self.failed_runs % _REMIND_AFTER_RUNS == 0):
            _log.error("collector %s: failed: %s", self.name, printable(cause))
        elif answer.no_data and answer.no_data != self.cause:
            _log.info("collector %s: no data: %s", self.name, printable(answer.no_data))
        self.cause = cause or answer.no_data
        seen = hash(answer.traceback)
        if answer.traceback and seen not in self._tracebacks and len(self._tracebacks) < _TRACEBACKS_MAX:
            self._tracebacks.add(seen)
            for line in answer.traceback.splitlines():
                _log.error("collector %s: %s", self.name, printable(line))

    def show(self, output: bytes) -> None:
        """Log whole lines of a run's output, up to a bound a run."""
        *lines, self.rest = (self.rest + output).split(b"\n")
        if len(self.rest) > OUTPUT_MAX_BYTES:
            lines, self.rest = [*lines, self.rest], b""
        for line in filter(None, lines):
            if self.shown_bytes >= OUTPUT_MAX_BYTES:
                return
            text = printable(os.fsdecode(line[: OUTPUT_MAX_BYTES - self.shown_bytes]))
            self.shown_bytes += len(line)
            _log.info("collector %s: %s", self.name, text)
            if self.shown_bytes >= OUTPUT_MAX_BYTES:
                _log.warning(
                    "collector %s: wrote more than %d bytes, the rest is left out", self.name, OUTPUT_MAX_BYTES
                )
