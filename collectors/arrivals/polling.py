"""Directories that inotify cannot watch are looked at again and again; what is new or has changed is announced.

inotify tells of what this machine does to a network file system, not of what others do to it.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from collectors.arrivals.announcements import CREATED, decode
from collectors.arrivals.scanning import START, Found

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.arrivals.place import Place
    from collectors.arrivals.scanning import Scanner


class Known(msgspec.Struct, gc=False):
    """What the last looks found of a file.

    Attributes:
        seen: its time of change, size and inode.
        since_seconds: when it was first seen so.
        announced: whether it was announced so.
    """

    seen: tuple[int, int, int]
    since_seconds: float
    announced: bool


class Polling:
    """Looks at every polled place each ``poll_interval``, in its section's own thread.

    Args:
        scanner: looks at directories.
        folders: is told of the sub-directories that a look found.
        changed: is told of a place that is another directory now, or is gone.
        monotonic: the clock.
    """

    def __init__(
        self,
        scanner: Scanner,
        folders: Callable[[Place, list[bytes]], None],
        changed: Callable[[Place, OSError | None], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scanner = scanner
        self._folders = folders
        self._changed = changed
        self._monotonic = monotonic
        self._due: dict[Place, float | None] = {}  # None while a look is under way

    def begin(self, place: Place) -> None:
        """Look at a place from now on. What the first look finds is known; a listing announces it."""
        place.known = None
        self._due[place] = self._monotonic()

    def end(self, place: Place) -> None:
        """Look at it no more."""
        self._due.pop(place, None)
        if place.above is None:
            self._scanner.forget(place)

    def wait_seconds(self) -> float | None:
        """How long until the next look; None where there is none to come."""
        due = [seconds for seconds in self._due.values() if seconds is not None]
        return max(0.0, min(due) - self._monotonic()) if due else None

    def tick(self) -> None:
        """Ask for the looks that are due."""
        now = self._monotonic()
        for place, due_seconds in self._due.items():
            if due_seconds is not None and due_seconds <= now:
                self._due[place] = None
                self._scanner.ask(place.root, place.path, START, None, partial(self._take, place))

    def _take(self, place: Place, found: Found | OSError) -> None:
        if place not in self._due:
            return
        now = self._monotonic()
        self._due[place] = now + place.watched.poll_interval
        if isinstance(found, OSError):
            self._changed(place, found)
            return
        if place.identity != found.identity:
            self._changed(place, None)
            return
        self._folders(place, found.folders)
        before, known = place.known, {}
        for entry in found.entries:
            name = decode(entry.name)
            seen = (entry.mtime_ns, entry.size_bytes, entry.inode)
            old = before.get(name) if before is not None else None
            known[name] = self._judge(
                place, name, old if isinstance(old, Known) else None, Known(seen, now, announced=False)
            )
            if before is None:
                known[name].announced = True
        place.known = dict(known)

    def _judge(self, place: Place, name: str, old: Known | None, new: Known) -> Known:
        """What is known of a file after a look; announces it where it is time."""
        now = new.since_seconds
        if old is None or (old.seen != new.seen and place.waits_for_completion) or old.seen[2] != new.seen[2]:
            old = new
        if place.known is None or old.announced or not place.accepts(name):
            return old
        if place.waits_for_completion and (now - old.since_seconds < place.watched.settle or old.since_seconds == now):
            self._due[place] = min(self._due[place] or now, now + max(place.watched.settle, 0.1))
            return old
        old.announced = True
        if place.recent is None or name not in place.recent:
            place.announce(name, CREATED, place.status(name) if place.watched.details else None)
        return old
