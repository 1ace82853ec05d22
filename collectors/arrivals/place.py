"""A watched directory: what it announces, and what has come of it so far."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from collectors.arrivals.announcements import Wording, decode, filter_of
from collectors.arrivals.inotify import ARRIVED, CLOSE_NOWRITE, CLOSE_WRITE, DELETE_SELF, MOVE_SELF, MOVED_FROM, OPEN
from collectors.arrivals.protocol import Queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.arrivals.configuration import Watched
    from collectors.arrivals.outbox import Outbox

COMPLETE = "complete"
GAP_LEAST_SECONDS = 60.0  # pauses within a delivery say nothing about how often deliveries come
GAPS = 50


class Identity(NamedTuple):
    """Which directory it is, whatever its path says."""

    device: int
    inode: int


class Tally:
    """What a section has announced since its spool was made."""

    __slots__ = ("arrivals", "bytes", "gaps", "last_seconds", "vanished")

    def __init__(self) -> None:
        self.arrivals = 0
        self.bytes = 0
        self.vanished = 0
        self.last_seconds: float | None = None
        self.gaps: deque[float] = deque(maxlen=GAPS)

    def note(self, now_seconds: float) -> None:
        """Something has arrived now."""
        self.arrivals += 1
        if self.last_seconds is not None and now_seconds - self.last_seconds >= GAP_LEAST_SECONDS:
            self.gaps.append(now_seconds - self.last_seconds)
        self.last_seconds = now_seconds


class Place:
    """One directory of a section: the one it names, or one below it.

    Attributes:
        watched: the section.
        path: the directory.
        above: the place that it lies in, for one below.
        watch: its number in inotify; None where it is polled or missing.
        identity: None while it is missing.
        polled: whether inotify cannot watch it.
        below: the places in it by name, where the section is recursive.
        recent: names announced since the listing that is under way was asked for; None outside of one.
        tracked: names that are not announced yet (:mod:`collectors.arrivals.settling`).
        known: what a look at a polled place found, by name.
        listed_seconds: when it was last listed to its end, by the monotonic clock.
    """

    __slots__ = (
        "_outbox", "_wording", "above", "accepts", "below", "failure", "identity", "known", "lane", "listed_seconds",
        "path", "polled", "recent", "tally", "text", "tracked", "watch", "watched",
    )  # fmt: skip

    def __init__(self, watched: Watched, path: bytes, outbox: Outbox, tally: Tally, above: Place | None = None) -> None:
        self.watched = watched
        self.path = path
        self.text = decode(path)
        self.above = above
        self.accepts: Callable[[str], bool] = above.accepts if above else filter_of(watched.only, watched.ignore)
        self.lane = outbox.lane(Queue(watched.queue, watched.counter, watched.output, watched.stream_maxlen))
        self.tally = tally
        self.watch: int | None = None
        self.identity: Identity | None = None
        self.polled = False
        self.failure = ""
        self.below: dict[str, Place] = {}
        self.recent: set[str] | None = None
        self.tracked: dict[str, object] = {}
        self.known: dict[str, object] | None = None
        self.listed_seconds: float | None = None
        self._outbox = outbox
        self._wording = Wording(path)

    @property
    def root(self) -> Place:
        """The place that the section names."""
        return self if self.above is None else self.above.root

    @property
    def waits_for_completion(self) -> bool:
        """Whether a file is announced only once it is complete."""
        return self.watched.trigger == COMPLETE

    @property
    def mask(self) -> int:
        """What inotify is asked for."""
        mask = ARRIVED | DELETE_SELF | MOVE_SELF  # the kernel tells the other losses unasked
        if self.watched.recursive:
            mask |= MOVED_FROM
        return mask | (OPEN | CLOSE_WRITE | CLOSE_NOWRITE | MOVED_FROM if self.waits_for_completion else 0)

    def file(self, name: str) -> bytes:
        """The path of a file in it."""
        return os.path.join(self.path, name.encode("utf-8", "surrogateescape"))  # noqa: PTH118  bytes

    def status(self, name: str) -> os.stat_result | None:
        """The file's status, of a link its own; None where it is gone."""
        try:
            return os.lstat(self.file(name))
        except OSError:
            return None

    def announce(self, name: str, kind: str, status: os.stat_result | None = None) -> None:
        """Announce a name, now."""
        outbox, tally = self._outbox, self.tally
        if self.watched.details:
            status = status or self.status(name)
            value = self._wording.detailed(name, kind, outbox.moment, status, outbox.number())
        else:
            value = self._wording.event(name, kind, outbox.moment)
        self.lane.add(value)
        tally.note(outbox.seconds)
        if status is not None:
            tally.bytes += status.st_size
        if self.recent is not None:
            self.recent.add(name)
