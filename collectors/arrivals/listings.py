"""Listings: what lies in the directories is announced at the start, every forced_poll seconds, and after a loss.

A listing announces nothing that still waits: neither what is on its way to Redis nor what is in the queue. It works in
rounds: note what is announced from now on; wait until all before that is in Redis; then, place by place, ask for the
queue and look at the directory. What is in neither is announced, the oldest first, as far as the queue's limit allows;
the rest follows once the queue is shorter.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from collectors.arrivals.announcements import EXISTS, decode
from collectors.arrivals.polling import Known
from collectors.arrivals.protocol import LIST, ReplyError, command, encode
from collectors.arrivals.queues import length_command, length_of
from collectors.arrivals.scanning import PORTION, START, Entry, Found

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.arrivals.place import Place
    from collectors.arrivals.protocol import Queue
    from collectors.arrivals.pusher import Pusher
    from collectors.arrivals.scanning import Scanner
    from collectors.arrivals.settling import Settling
    from collectors.arrivals.spool import Position

LOOKED_AT_MOST = 50_000  # events of a queue that a listing looks at; in a longer one it may announce again
AHEAD_BYTES = 1024 * 1024  # a listing waits while more than this is on its way to Redis
RETRY_SECONDS = 1.0
CLOCK_SECONDS = 0.02  # times of files may be behind the clock by a tick of the kernel


class Listings:
    """All listings, one directory at a time.

    Args:
        pusher: on whose connection queues are asked for.
        scanner: looks at directories.
        settling: takes files that may not be complete.
        folders: is told of the sub-directories that a listing found.
        gone: is told of a place that cannot be looked at.
    """

    def __init__(
        self,
        pusher: Pusher,
        scanner: Scanner,
        settling: Settling,
        folders: Callable[[Place, list[bytes]], None],
        gone: Callable[[Place, OSError], None],
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pusher = pusher
        self._scanner = scanner
        self._settling = settling
        self._folders = folders
        self._gone = gone
        self._wall = wall
        self._monotonic = monotonic
        self._due: dict[Place, Entry] = {}  # each with the entry that it goes on behind
        self._round: deque[Place] = deque()
        self._round_from: Position | None = None
        self._current: Place | None = None
        self._current_from = START
        self._turn = 0  # an answer to an earlier question is not taken
        self._not_before_seconds = 0.0
        self.listings_total = 0

    @property
    def waiting(self) -> int:
        """How many directories are still to be listed."""
        return len(self._due)

    def request(self, place: Place) -> None:
        """List a place from its beginning, as soon as Redis is there."""
        self._due[place] = START
        if place is self._current:
            self._current_from = Entry(0, b"again", 0, 0)  # what it is finding now may lack what made this necessary

    def forget(self, place: Place) -> None:
        """A place is watched no more."""
        self._due.pop(place, None)

    def tick(self) -> None:
        """Go on where it is possible. Called after all events that the kernel had were taken."""
        if not self._pusher.ready:
            self._abandon()
            return
        now = self._monotonic()
        if self._current is not None:
            return
        if self._round_from is None:
            if self._due and now >= self._not_before_seconds:
                self._round = deque(self._due)
                for place in self._round:
                    place.recent = set()
                self._round_from = self._pusher.spool.end
            else:
                return
        if self._pusher.has_pushed(self._round_from) and self._pusher.spool.waiting_bytes <= AHEAD_BYTES:
            self._next()

    def _next(self) -> None:
        while self._round:
            place = self._round.popleft()
            unknown = place.polled and place.known is None  # until its first look has ended
            if place not in self._due or place.identity is None or unknown:
                place.recent = None
                continue
            self._current, self._current_from = place, self._due[place]
            self._ask(place, self._current_from)
            return
        self._round_from = None
        self._not_before_seconds = self._monotonic() + (RETRY_SECONDS if self._due else 0.0)

    def _abandon(self) -> None:
        """Redis is gone: the round begins anew when it is back."""
        self._turn += 1
        for place in self._round:
            place.recent = None
        if self._current is not None:
            self._current.recent = None
        self._round.clear()
        self._round_from = self._current = None

    def _ask(self, place: Place, after: Entry) -> None:
        """Ask how long the queue is and what waits in it."""
        self._turn = turn = self._turn + 1
        queue = place.lane.queue
        limit = place.watched.poll_queue_limit
        key, most = encode(queue.queue), b"%d" % min(LOOKED_AT_MOST, limit or LOOKED_AT_MOST)
        asked = [
            length_command(queue),
            command(b"LRANGE", key, b"-" + most, b"-1")
            if queue.output == LIST
            else command(b"XREVRANGE", key, b"+", b"-", b"COUNT", most),
        ]

        def take(replies: list[Any]) -> None:
            if self._turn != turn:
                return
            if isinstance(replies[1], ReplyError):
                self._leave(place, after)
                return
            length = length_of(queue, replies[0])
            room = limit - length if limit else PORTION
            if room <= 0:
                self._leave(place, after)
                return
            waiting = _waiting(queue, replies[1], place.text)

            def find(found: Found | OSError) -> None:
                if self._turn == turn:
                    self._take(place, after, found, waiting, room)

            self._scanner.ask(place.root if place.polled else None, place.path, after, PORTION, find)

        self._pusher.link.ask(b"".join(asked), len(asked), take)

    def _take(self, place: Place, after: Entry, found: Found | OSError, waiting: dict[str, float], room: int) -> None:
        """Announce what was found and waits nowhere."""
        if isinstance(found, OSError):
            self._leave(place, after)
            self._gone(place, found)
            return
        self._folders(place, found.folders)
        recent = place.recent or set()
        if place.watched.directories and not after.name:
            for folder in map(decode, found.folders):
                if folder not in waiting and folder not in recent and place.accepts(folder):
                    place.announce(folder, EXISTS)
        last = after
        for entry in found.entries:
            if room <= 0:
                break
            last = entry
            name = decode(entry.name)
            if name in recent or not place.accepts(name) or _waits(place, name, waiting.get(name)):
                continue
            room -= self._announce(place, name, entry)
        if self._current_from is not after:  # asked for again meanwhile
            last = START
        elif last is (found.entries[-1] if found.entries else after) and not found.more:
            self._finish(place)
            return
        self._leave(place, last)

    def _announce(self, place: Place, name: str, entry: Entry) -> int:
        """Announce one file that a listing found; how many events that made at once."""
        if place.polled and place.known is not None:
            if place.waits_for_completion and self._wall() - entry.mtime_ns / 1e9 < place.watched.settle:
                place.known.pop(name, None)  # the next looks find whether it still grows
                return 0
            seen = (entry.mtime_ns, entry.size_bytes, entry.inode)
            place.known[name] = Known(seen, self._monotonic(), announced=True)
        status = place.status(name) if place.waits_for_completion or place.watched.details else None
        if not place.waits_for_completion or place.polled:
            place.announce(name, EXISTS, status)
            return 1
        if status is not None:
            self._settling.listed(place, name, EXISTS, status, self._wall())
        return 1

    def _finish(self, place: Place) -> None:
        self._due.pop(place, None)
        place.listed_seconds = self._monotonic()
        self.listings_total += 1
        self._end(place)

    def _leave(self, place: Place, after: Entry) -> None:
        """Go on with a place later, behind an entry."""
        if place in self._due:
            self._due[place] = after
        self._end(place)

    def _end(self, place: Place) -> None:
        place.recent = None
        self._current = None
        if self._pusher.spool.waiting_bytes <= AHEAD_BYTES:
            self._next()


def _waiting(queue: Queue, values: list[Any], directory: str) -> dict[str, float]:
    """The files of a directory whose events wait in a queue, and when each was announced; for ever in a list.

    What is none of our events is passed over. Entries of a stream stay when they were read: what an entry says of its
    file holds only if the file has not changed since.
    """
    is_list = queue.output == LIST
    waiting: dict[str, float] = {}
    for value in values:
        try:
            event = json.loads(value if is_list else value[1][1])
            if event["directory"] == directory:
                moment = float("inf") if is_list else float(event["event_timestamp"])
                waiting.setdefault(event["filename"], moment)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            continue
    return waiting


def _waits(place: Place, name: str, announced_seconds: float | None) -> bool:
    """Whether a file was announced as it is now."""
    if announced_seconds is None or announced_seconds == float("inf"):
        return announced_seconds is not None
    status = place.status(name)
    return status is not None and status.st_ctime + CLOCK_SECONDS < announced_seconds
