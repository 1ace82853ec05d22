"""``trigger=complete``: names wait here until their file is closed, and stays closed and unchanged for a while."""

from __future__ import annotations

import errno
import fcntl
import heapq
import itertools
import os
import stat
from typing import TYPE_CHECKING

from collectors.arrivals.announcements import CREATED
from collectors.arrivals.inotify import CLOSE_NOWRITE, CLOSE_WRITE, CREATE, MOVED_FROM, MOVED_TO, OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.arrivals.place import Place

QUIET_SECONDS = (
    30.0  # the kernel joins equal events, so a count of openings may be wrong: then the file itself is asked
)
GIVEN_UP_SECONDS = 3600.0  # where it cannot be asked
LOOK_SECONDS = 5.0
_OPENED_SECONDS = 0.02  # between a file's creation and its opening, which the kernel tells as two events


class _Track:
    """A name that waits: how many have its file open, when it is looked at, and how it was at the last look."""

    __slots__ = ("due_seconds", "kind", "opens", "quiet_since_seconds", "stamp")

    def __init__(self, kind: str, due_seconds: float, stamp: tuple[int, int, int] | None = None) -> None:
        self.kind = kind
        self.opens = 0
        self.due_seconds = due_seconds
        self.quiet_since_seconds = due_seconds
        self.stamp = stamp


class Settling:
    """The names of all places that wait.

    A file that is created is open: it is complete when all who opened it for writing have closed it. One that is linked
    or moved in was complete before, unless somebody still writes it.

    Args:
        monotonic: the clock.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due: list[tuple[float, int, Place, str]] = []
        self._number = itertools.count()
        self._moved: tuple[int, _Track] | None = None  # the first half of a rename

    def event(self, place: Place, mask: int, cookie: int, name: str) -> None:
        """Something happened to a file whose name is to be announced."""
        track = place.tracked.get(name)
        assert track is None or isinstance(track, _Track)  # noqa: S101  place.py does not know this class
        if mask & OPEN:
            if track is not None:
                track.opens += 1
        elif mask & MOVED_FROM:
            if track is not None:
                del place.tracked[name]
                self._moved = (cookie, track)
        elif mask & CLOSE_NOWRITE:
            if track is not None:
                track.opens = max(0, track.opens - 1)
                if track.opens == 0:
                    self._hasten(place, name, track)
        else:
            self._came(place, mask, cookie, name)

    def _came(self, place: Place, mask: int, cookie: int, name: str) -> None:
        """A name was created, moved in, or closed by who wrote it."""
        track = place.tracked.get(name)
        if isinstance(track, _Track):
            track.kind = CREATED
            self._restart(place, name, track)
        else:
            track = self._begin(place, name, CREATED, _OPENED_SECONDS if mask & CREATE else 0.0)
        if mask & CLOSE_WRITE:
            track.opens = max(0, track.opens - 1)
            return
        track.opens = 0  # it is another file than the one that had this name
        if mask & MOVED_TO and self._moved is not None and self._moved[0] == cookie:
            track.opens = self._moved[1].opens  # whoever writes it goes on under the new name
            self._moved = None

    def listed(self, place: Place, name: str, kind: str, status: os.stat_result, now_seconds: float) -> None:
        """A listing found a file: announce it, or let it wait where it changed a moment ago or is being written."""
        if name in place.tracked:
            return
        age_seconds = now_seconds - status.st_mtime
        if age_seconds < GIVEN_UP_SECONDS and is_written(place.file(name), status):
            track = self._begin(place, name, kind)
            track.stamp, track.opens = _stamp(status), 1
        elif age_seconds < place.watched.settle:
            self._begin(place, name, kind).stamp = _stamp(status)
        else:
            place.announce(name, kind, status)

    def wait_seconds(self) -> float | None:
        """How long until :meth:`settle` has something to do; None while nothing waits."""
        return None if not self._due else max(0.0, self._due[0][0] - self._monotonic())

    def settle(self) -> None:
        """Announce what is complete now."""
        now = self._monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, place, name = heapq.heappop(self._due)
            track = place.tracked.get(name)
            if not isinstance(track, _Track):
                continue  # renamed, or its place is watched no more
            if track.due_seconds > now:
                self._schedule(place, name, track.due_seconds)
                continue
            self._look(place, name, track, now)

    def _look(self, place: Place, name: str, track: _Track, now: float) -> None:
        status = place.status(name)
        if status is None or stat.S_ISDIR(status.st_mode):
            del place.tracked[name]
            place.tally.vanished += status is None
            return
        stamp = _stamp(status)
        changed = track.stamp is not None and track.stamp != stamp
        if track.stamp is None or changed:
            track.stamp, track.quiet_since_seconds = stamp, now
        # The kernel joins equal events, so a count of openings may be wrong: where it can be asked, it decides.
        by_count = track.opens > 0 and now - track.quiet_since_seconds < GIVEN_UP_SECONDS
        if is_written(place.file(name), status, otherwise=by_count):
            track.opens = max(1, track.opens)
            track.due_seconds = now + LOOK_SECONDS
        elif changed:  # by somebody who had it open before we looked
            track.due_seconds = now + max(place.watched.settle, 0.05)
        else:
            del place.tracked[name]
            place.announce(name, track.kind, status)
            return
        self._schedule(place, name, track.due_seconds)

    def _begin(self, place: Place, name: str, kind: str, least_seconds: float = 0.0) -> _Track:
        track = _Track(kind, self._monotonic() + max(place.watched.settle, least_seconds))
        place.tracked[name] = track
        self._schedule(place, name, track.due_seconds)
        return track

    def _restart(self, place: Place, name: str, track: _Track) -> None:
        """What was written and closed again is looked at later; nothing of an earlier look counts."""
        track.stamp = None
        self._hasten(place, name, track)

    def _hasten(self, place: Place, name: str, track: _Track) -> None:
        """Look at a file when it has rested, be that sooner or later than planned."""
        due_seconds = self._monotonic() + place.watched.settle
        if track.due_seconds > due_seconds:
            self._schedule(place, name, due_seconds)
        track.due_seconds = due_seconds

    def _schedule(self, place: Place, name: str, due_seconds: float) -> None:
        heapq.heappush(self._due, (due_seconds, next(self._number), place, name))


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino


def is_written(path: bytes, status: os.stat_result, *, otherwise: bool = False) -> bool:
    """Whether somebody has a regular file open for writing: then the kernel refuses a lease for reading (fcntl(2)).

    Args:
        path: the file.
        status: as it was a moment ago; nothing but a regular file is opened.
        otherwise: the answer where the kernel does not say: another account's file, some file systems.
    """
    if not stat.S_ISREG(status.st_mode):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return otherwise
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else otherwise
    finally:
        os.close(descriptor)  # which gives the lease back
    return False
