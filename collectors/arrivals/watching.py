"""Which directory is watched by what: places are entered, lost, found again, left."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.arrivals.inotify import Inotify, NoRoomError, limit, told_limit
from collectors.arrivals.place import Identity, Place, Tally
from dkumonitor.store.filesystem import is_network
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collectors.arrivals.configuration import Watched
    from collectors.arrivals.listings import Listings
    from collectors.arrivals.outbox import Outbox
    from collectors.arrivals.polling import Polling

CHECK_SECONDS = 2.0
_log = logging.getLogger(__name__)


class Watching:
    """The places of all sections.

    Args:
        outbox: takes what the places announce.
        inotify: watches those that it can.
        polling: looks at the others.
        listings: lists each place that is entered.
        tallies: what each section has announced, by its name.

    Attributes:
        by_watch: the places of each watch: two sections may name one directory, which the kernel watches once.
    """

    def __init__(
        self, outbox: Outbox, inotify: Inotify, polling: Polling, listings: Listings, tallies: dict[str, Tally]
    ) -> None:
        self._outbox = outbox
        self._inotify = inotify
        self._polling = polling
        self._listings = listings
        self._tallies = tallies
        self._checked_seconds = 0.0
        self._told_no_room = False
        self.roots: dict[str, Place] = {}
        self.by_watch: dict[int, list[Place]] = {}

    def apply(self, directories: Sequence[Watched]) -> None:
        """Watch these sections and no others; one that is watched as it shall be is left alone."""
        wanted = {watched.section: watched for watched in directories}
        for section, place in list(self.roots.items()):
            if wanted.get(section) != place.watched:
                self._leave(place)
                del self.roots[section]
        most = limit("max_user_watches")
        if most is not None and most < len(wanted):
            _log.warning(
                "%d directories and %d watches. %s", len(wanted), most, told_limit("max_user_watches", len(wanted))
            )
        for section, watched in wanted.items():
            if section not in self.roots:
                tally = self._tallies.setdefault(section, Tally())
                self.roots[section] = Place(watched, watched.path, self._outbox, tally)
                self._enter(self.roots[section])
        self.roots = {section: self.roots[section] for section in wanted}  # in the file's order

    def places(self) -> Iterator[Place]:
        """Every place, those below others too."""
        for root in self.roots.values():
            yield from _with_below(root)

    def check(self, now: float) -> None:
        """Find places that came back or became others, and ask for the listings that are due."""
        is_time = now - self._checked_seconds >= CHECK_SECONDS
        if is_time:
            self._checked_seconds = now
        for place in list(self.places()):
            if place.identity is None:
                if place.above is None:
                    self._enter(place)
            elif is_time and place.above is None and not place.polled and _identity(place.path) != place.identity:
                self.doubt(place, None)
            forced_poll = place.watched.forced_poll
            if forced_poll and place.listed_seconds is not None and now - place.listed_seconds >= forced_poll:
                place.listed_seconds = None  # until this one has ended
                self._listings.request(place)

    def lose(self, place: Place) -> None:
        """A watch's directory is gone, says the kernel: for all places that share it."""
        for one in list(self.by_watch.get(place.watch or 0, ())):
            self.doubt(one, None)

    def doubt(self, place: Place, error: OSError | None) -> None:
        """A place is gone, or its path leads to another directory now."""
        if place.above is not None:
            self.leave_below(place.above, os.fsdecode(os.path.basename(place.path)))  # noqa: PTH119  bytes
            return
        if error is None or place.identity is not None:
            _log.warning("[%s] %s is gone, or another directory now", place.watched.section, printable(place.text))
        self._leave(place)
        self._enter(place)

    def enter_below(self, place: Place, name: bytes) -> None:
        """Watch a directory in a place as well."""
        text = os.fsdecode(name)
        if text in place.below:
            return
        path = os.path.join(place.path, name)  # noqa: PTH118  bytes
        below = Place(place.watched, path, self._outbox, place.tally, above=place)
        below.polled = place.polled
        if self._enter(below):
            place.below[text] = below

    def leave_below(self, place: Place, text: str) -> None:
        """A directory in a place is not there any more."""
        below = place.below.pop(text, None)
        if below is not None:
            self._leave(below)

    def renew(self, inotify: Inotify) -> None:
        """Watch all with another instance of inotify; the caller still has what the old one tells."""
        self._inotify, self.by_watch = inotify, {}
        for place in list(self.places()):
            if place.watch is not None:
                place.watch = None
                self._enter(place)

    def _enter(self, place: Place) -> bool:
        """Watch a place and have it listed; whether it is there."""
        try:
            identity = self._watch(place)
        except OSError as error:
            if place.failure != (error.strerror or ""):
                place.failure = error.strerror or "cannot be watched"
                section = place.watched.section
                _log.warning(
                    "[%s] %s: %s; it is tried again each second", section, printable(place.text), place.failure
                )
            return False
        if place.failure:
            _log.warning("[%s] %s is there again", place.watched.section, printable(place.text))
        place.failure, place.identity = "", identity
        if place.polled and place.watch is None:
            self._polling.begin(place)
        self._listings.request(place)
        return True

    def _watch(self, place: Place) -> Identity:
        """Have inotify watch a place, or polling where it cannot; which directory it is."""
        no_link = os.O_NOFOLLOW if place.above is not None else 0
        descriptor = os.open(place.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | no_link)
        try:
            status = os.fstat(descriptor)
            itself = f"/proc/self/fd/{descriptor}"  # the very directory that was opened, whatever its path says by now
            if place.above is None:
                place.polled = is_network(Path(itself))
            if not place.polled:
                try:
                    place.watch = self._inotify.add(itself.encode(), place.mask)
                except NoRoomError:
                    place.polled = True
                    if not self._told_no_room:
                        _log.warning("no watch is left for %s, so it is polled. %s",
                                     printable(place.text), told_limit("max_user_watches"))  # fmt: skip
                    self._told_no_room = True
                else:
                    self.by_watch.setdefault(place.watch, []).append(place)
        finally:
            os.close(descriptor)
        return Identity(status.st_dev, status.st_ino)

    def _leave(self, place: Place) -> None:
        for below in list(place.below.values()):
            self._leave(below)
        place.below.clear()
        if place.watch is not None:
            others = self.by_watch.get(place.watch, [])
            if place in others:
                others.remove(place)
            if not others:
                self.by_watch.pop(place.watch, None)
                self._inotify.remove(place.watch)
        elif place.polled:
            self._polling.end(place)
        self._listings.forget(place)
        place.watch = place.identity = None
        place.tracked.clear()


def _with_below(place: Place) -> Iterator[Place]:
    yield place
    for below in list(place.below.values()):
        yield from _with_below(below)


def _identity(path: bytes) -> Identity | None:
    try:
        status = os.stat(path)  # noqa: PTH116  bytes
    except OSError:
        return None
    return Identity(status.st_dev, status.st_ino)
