"""How the watcher is: written beside its spool, read by the collector, the command and the console."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from collectors.arrivals.errors import ArrivalsError
from collectors.arrivals.place import Tally
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collectors.arrivals.pusher import Pusher
    from collectors.arrivals.watcher import Watcher

FILE_NAME = "status.json"
STALE_SECONDS = 60.0
LONGER_THAN_USUAL = 1.5
USUAL_LEAST_GAPS = 3
RATE_SECONDS = 60.0
_HEARTBEAT_SECONDS = 5.0
_BUSY_SECONDS = 2.0
_PEAK_SECONDS = 30.0  # a collector that looks less often misses some
_MAX_BYTES = 64 * 1024 * 1024


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """One section.

    Attributes:
        section: its name.
        directory: what it watches.
        state: ``watched``, ``polled`` or ``missing``.
        queue: where its events go.
        arrivals: events since the spool was made.
        arrivals_per_second: of late: smoothed over a minute.
        last_arrival_seconds: when the last came, UTC seconds; None where none has.
        queue_length: events that no consumer has taken; None where Redis has not told.
        oldest_seconds: when the oldest of these was announced, UTC seconds.
        usual_silence_seconds: the longest pause between arrivals of late; None where too few are known.
        bytes: of the files whose size was looked at.
        vanished: files that were gone before they were complete.
        waiting: files that are not complete yet.
        gaps: pauses between arrivals of late.
    """

    section: str
    directory: str
    state: str
    queue: str
    arrivals: int
    arrivals_per_second: float
    last_arrival_seconds: Moment | None
    queue_length: int | None
    oldest_seconds: Moment | None
    usual_silence_seconds: float | None
    bytes: int
    vanished: int
    waiting: int
    gaps: list[float]

    def is_silent(self, now_seconds: float) -> bool:
        """Whether nothing has arrived for longer than usual."""
        usual, last = self.usual_silence_seconds, self.last_arrival_seconds
        return usual is not None and last is not None and now_seconds - last > LONGER_THAN_USUAL * usual


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The watcher at one moment.

    Attributes:
        at_seconds: when this was written, UTC seconds.
        started_seconds: when the process began.
        pid: of the process.
        redis: where Redis is.
        failure: why nothing is pushed; empty where it is.
        pushed: events pushed since the start.
        lag_seconds: their mean time from the spool to Redis' answer, since the start.
        lag_max_seconds: the longest within the last half minute.
        spool_bytes: what lies in the spool.
        waiting_bytes: what of it has not been pushed.
        overflows: how often the kernel's queue overflowed since the start.
        listings: directories listed since the start.
        listings_waiting: directories that are still to be listed.
        failures: connections to Redis that failed or broke since the start.
        unspooled: events that the disk did not take at first, since the start.
        directories: the sections, in the file's order.
    """

    at_seconds: Moment
    started_seconds: Moment
    pid: int
    redis: str
    failure: str
    pushed: int
    lag_seconds_total: float
    lag_max_seconds: float
    spool_bytes: int
    waiting_bytes: int
    overflows: int
    listings: int
    listings_waiting: int
    failures: int
    unspooled: int
    directories: list[Directory]


class Reporter:
    """The file's one writer.

    Args:
        folder: the spool's.
        wall: UTC seconds.
    """

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._path = folder / FILE_NAME
        self._wall = wall
        self._started_seconds = wall()
        self._written_seconds = 0.0
        self._last: tuple[object, ...] = ()
        self._rates: dict[str, _Rate] = {}
        self._peaks: deque[tuple[float, float]] = deque()  # when written, and the longest way since the time before

    def report(self, watcher: Watcher) -> None:
        """Write the status if something happened, and now and then if nothing did."""
        now = self._wall()
        missing = sum(place.identity is None for place in watcher.watching.roots.values())
        counts = (watcher.pusher.pushed_total, watcher.outbox.sequence, watcher.listings.waiting, missing)
        state = (*counts, watcher.link.failure)
        pause_seconds = _BUSY_SECONDS if state != self._last else _HEARTBEAT_SECONDS
        if not watcher.stopping and 0 <= now - self._written_seconds < pause_seconds:
            return
        self._last, self._written_seconds = state, now
        self._note_peak(watcher.pusher, now)
        new = self._path.with_name(f".{FILE_NAME}.new")
        with contextlib.suppress(
            OSError
        ):  # a full disk must not stop the watcher; what is read is old then, and says so
            new.write_bytes(msgspec.json.encode(self._status(watcher, now)))
            new.replace(self._path)

    def _note_peak(self, pusher: Pusher, now: float) -> None:
        self._peaks.append((now, pusher.lag_max_seconds))
        pusher.lag_max_seconds = 0.0
        while not 0 <= now - self._peaks[0][0] < _PEAK_SECONDS:
            self._peaks.popleft()

    def _status(self, watcher: Watcher, now: float) -> Status:
        pusher = watcher.pusher
        return Status(
            at_seconds=now,
            started_seconds=self._started_seconds,
            pid=os.getpid(),
            redis=str(watcher.configuration.server),
            failure=watcher.link.failure,
            pushed=pusher.pushed_total,
            lag_seconds_total=pusher.lag_seconds_total,
            lag_max_seconds=max(lag for _, lag in self._peaks),
            spool_bytes=pusher.spool.size_bytes,
            waiting_bytes=pusher.spool.waiting_bytes,
            overflows=watcher.overflows_total,
            listings=watcher.listings.listings_total,
            listings_waiting=watcher.listings.waiting,
            failures=watcher.link.failures_total,
            unspooled=pusher.unspooled_total,
            directories=[self._directory(watcher, section, now) for section in watcher.watching.roots],
        )

    def _directory(self, watcher: Watcher, section: str, now: float) -> Directory:
        place = watcher.watching.roots[section]
        rate = self._rates.setdefault(section, _Rate(place.tally.arrivals, self._started_seconds))
        return _told(watcher, section, rate.after(place.tally.arrivals, now))


class _Rate:
    """How often something comes, smoothed."""

    def __init__(self, count: int, at_seconds: float) -> None:
        self._count = count
        self._at_seconds = at_seconds
        self._per_second = 0.0

    def after(self, count: int, now: float) -> float:
        """The rate now that it has come so often."""
        elapsed_seconds = now - self._at_seconds
        if elapsed_seconds > 0:
            share = math.exp(-elapsed_seconds / RATE_SECONDS)
            self._per_second = share * self._per_second + (1 - share) * (count - self._count) / elapsed_seconds
            self._count, self._at_seconds = count, now
        return self._per_second


def _told(watcher: Watcher, section: str, arrivals_per_second: float) -> Directory:
    place = watcher.watching.roots[section]
    tally, fill = place.tally, watcher.queues.fills.get(place.watched.queue)
    state = "missing" if place.identity is None else "polled" if place.polled else "watched"
    return Directory(
        section=section,
        directory=place.text.encode("utf-8", "backslashreplace").decode(),
        state=state,
        queue=place.watched.queue.encode("utf-8", "backslashreplace").decode(),
        arrivals=tally.arrivals,
        arrivals_per_second=arrivals_per_second,
        last_arrival_seconds=tally.last_seconds,
        queue_length=fill.length if fill else None,
        oldest_seconds=fill.oldest_seconds if fill else None,
        usual_silence_seconds=max(tally.gaps) if len(tally.gaps) >= USUAL_LEAST_GAPS else None,
        bytes=tally.bytes,
        vanished=tally.vanished,
        waiting=len(place.tracked),
        gaps=list(tally.gaps),
    )


def read_status(folder: Path) -> Status | None:
    """The status beside a spool; None where no watcher has run with it.

    Raises:
        ArrivalsError: the file cannot be read, or is not what this version writes.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=Status)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArrivalsError(f"cannot read {path}: {error.strerror}", "Mend the cause, and ask again") from None
    except msgspec.MsgspecError as error:
        raise ArrivalsError(f"{path} is not what this version writes: {error}", "Restart the watcher") from None


def tallies_of(status: Status | None) -> dict[str, Tally]:
    """What sections had announced when a watcher ended, for the next one to go on from."""
    found = {}
    for directory in status.directories if status else ():
        tally = found[directory.section] = Tally()
        tally.arrivals, tally.bytes, tally.vanished = directory.arrivals, directory.bytes, directory.vanished
        tally.last_seconds = directory.last_arrival_seconds
        tally.gaps.extend(directory.gaps)
    return found
