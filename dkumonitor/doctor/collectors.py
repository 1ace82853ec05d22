"""Whether the collectors run, as the resident program tells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dkumonitor.doctor.findings import Finding, failed, ok, warning
from dkumonitor.errors import ServiceError
from dkumonitor.runs import CollectorRun, RunState, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dkumonitor.installation import Installation

OVERDUE_INTERVALS = 3
OVERDUE_SECONDS = 60
_FINE = {RunState.OK: "the last run ended well", RunState.RUNNING: "a run is under way", RunState.NEVER: "not yet run"}


def collectors(installation: Installation, wall: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Each collector's last run ended well, and the next is not overdue."""
    if "collectors" not in installation.programs:
        return
    log = f"read {installation.run}/collectors.log"
    try:
        runs = read_runs(installation)
    except ServiceError as error:
        yield failed("collectors", "runs", error.what, error.do)
        return
    for run in runs:
        if run.state is RunState.FAILED:
            yield warning("collectors", run.collector, f"the last run failed: {run.detail}", log)
        elif _is_overdue(run, wall()):
            late_seconds = wall() - run.next_due_seconds
            do = f"does the program run? {installation.dir}/bin/dkm restart collectors"
            yield warning("collectors", run.collector, f"a run was due {late_seconds:.0f} s ago", do)
        else:
            detail = f"no data: {run.detail}" if run.state is RunState.NO_DATA else _FINE[run.state]
            yield ok("collectors", run.collector, detail)


def _is_overdue(run: CollectorRun, now_seconds: float) -> bool:
    return now_seconds - run.next_due_seconds > max(OVERDUE_SECONDS, OVERDUE_INTERVALS * run.interval_seconds)
