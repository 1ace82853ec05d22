"""The arrivals collector: the watcher's state as metrics."""

import time

import msgspec

from collectors.arrivals.enablement import enabled
from collectors.arrivals.errors import ArrivalsError
from collectors.arrivals.rows import is_stopped, status_of
from collectors.arrivals.settings import ArrivalsSettings
from collectors.arrivals.status import Directory, Status
from dkumonitor.collector import Collector, Facts, Metric, Run
from dkumonitor.installation import Installation, current
from dkumonitor.metrics import Point, segment

_OF_A_DIRECTORY = (
    Metric("directories.<section>.arrivals_total", "events", "events announced since the spool was made"),
    Metric("directories.<section>.arrivals_per_second", "events/s", "events announced, smoothed over a minute"),
    Metric("directories.<section>.arrived_bytes_total", "bytes", "size of those files that were looked at"),
    Metric("directories.<section>.queue_length", "events", "events in the queue that no consumer has taken"),
    Metric("directories.<section>.oldest_age_seconds", "seconds", "how long the oldest of these waits; 0 for none"),
    Metric(
        "directories.<section>.silence_seconds", "seconds", "time since the last arrival; not sent before the first"
    ),
    Metric("directories.<section>.incomplete", "files", "files that are there and not complete yet"),
    Metric("directories.<section>.missing", "0 or 1", "whether the directory is not there"),
)
METRICS = (
    Metric("pushed_per_second", "events/s", "events that Redis has taken"),
    Metric("lag_seconds", "seconds", "mean time from the spool to Redis' answer; not sent where nothing was pushed"),
    Metric("lag_max_seconds", "seconds", "the longest of these within the last half minute"),
    Metric("spool_bytes", "bytes", "what lies in the spool"),
    Metric("spool_waiting_bytes", "bytes", "what of it Redis has not taken yet"),
    Metric("overflows_total", "overflows", "overflows of the kernel's queue since the watcher's start"),
    Metric("connection_failures_total", "failures", "connections to Redis that failed or broke since its start"),
    Metric("unspooled_total", "events", "events that the disk did not take at first, since its start"),
    Metric("listings_waiting", "directories", "directories that are still to be listed"),
    *_OF_A_DIRECTORY,
)


class ArrivalsState(msgspec.Struct, frozen=True):
    """What one run leaves to the next: the watcher's process and its sums, and when they were so."""

    pid: int
    at_seconds: float
    pushed: int
    lag_seconds_total: float


def collect_from(installation: Installation, now_seconds: float, run: Run) -> Facts:
    """One run for an installation.

    Raises:
        ArrivalsError: the watcher does not run.
    """
    if enabled(installation) is None:
        return Facts(no_data="nothing is watched: dkm arrivals enable FILE")
    status = status_of(installation)
    if status is None:
        return Facts(no_data="the watcher has never run: dkm start arrivals")
    if is_stopped(status, now_seconds):
        raise ArrivalsError(
            f"the watcher has told nothing for {now_seconds - status.at_seconds:.0f} s", "dkm restart arrivals"
        )
    points = [
        run.point("lag_max_seconds", status.lag_max_seconds),
        run.point("spool_bytes", status.spool_bytes),
        run.point("spool_waiting_bytes", status.waiting_bytes),
        run.point("overflows_total", status.overflows),
        run.point("connection_failures_total", status.failures),
        run.point("unspooled_total", status.unspooled),
        run.point("listings_waiting", status.listings_waiting),
        *_since(run, status),
    ]
    for directory in status.directories:
        points += _points(run, directory, now_seconds)
    state = ArrivalsState(status.pid, status.at_seconds, status.pushed, status.lag_seconds_total)
    return Facts(points=tuple(points), state=state)


def _since(run: Run, status: Status) -> list[Point]:
    """What was pushed since the run before, and how long that took."""
    before: ArrivalsState | None = run.state
    if before is None or before.pid != status.pid:
        return []
    pushed, elapsed_seconds = status.pushed - before.pushed, status.at_seconds - before.at_seconds
    points = [run.point("pushed_per_second", pushed / elapsed_seconds if elapsed_seconds > 0 else 0.0)]
    if pushed > 0:
        points.append(run.point("lag_seconds", (status.lag_seconds_total - before.lag_seconds_total) / pushed))
    return points


def _points(run: Run, directory: Directory, now_seconds: float) -> list[Point]:
    values: dict[str, float] = {
        "arrivals_total": directory.arrivals,
        "arrivals_per_second": directory.arrivals_per_second,
        "arrived_bytes_total": directory.bytes,
        "incomplete": directory.waiting,
        "missing": int(directory.state == "missing"),
    }
    if directory.queue_length is not None:
        oldest = directory.oldest_seconds
        values["queue_length"] = directory.queue_length
        values["oldest_age_seconds"] = max(0.0, now_seconds - oldest) if oldest is not None else 0.0
    if directory.last_arrival_seconds is not None:
        values["silence_seconds"] = max(0.0, now_seconds - directory.last_arrival_seconds)
    prefix = f"directories.{segment(directory.section)}"
    return [run.point(f"{prefix}.{name}", value) for name, value in values.items()]


def collect(run: Run) -> Facts:
    """One run for this installation."""
    return collect_from(current(), time.time(), run)


COLLECTOR = Collector(
    name="arrivals",
    summary="Files that arrive in directories",
    collect=collect,
    metrics=METRICS,
    settings=ArrivalsSettings,
    state=ArrivalsState,
)
