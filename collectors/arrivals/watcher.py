"""The watcher: one loop over inotify, Redis and the clock.

In each turn it takes all that the kernel has, writes it to the spool at once, and pushes it. When events come fast it
naps for some milliseconds between two turns, so that many share the work of one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import time
from typing import TYPE_CHECKING

from collectors.arrivals.announcements import CREATED, decode
from collectors.arrivals.inotify import ARRIVED, ISDIR, LOST, MOVED_FROM, OVERFLOW, Event, Inotify
from collectors.arrivals.link import Link
from collectors.arrivals.listings import Listings
from collectors.arrivals.outbox import Outbox
from collectors.arrivals.polling import Polling
from collectors.arrivals.pusher import Pusher
from collectors.arrivals.queues import Queues
from collectors.arrivals.scanning import Scanner
from collectors.arrivals.settling import Settling
from collectors.arrivals.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.arrivals.configuration import Configuration
    from collectors.arrivals.place import Place, Tally
    from collectors.arrivals.spool import EventSpool

TICK_SECONDS = 1.0
NAP_SECONDS = 0.002
BUSY_SECONDS = 0.01  # after a turn with events, the next within this time is one of many
QUEUES_SECONDS = 5.0
READS_MOST = 16  # of inotify in one turn
_log = logging.getLogger(__name__)


class Watcher:
    """Watches what a configuration names until it is told to stop.

    Args:
        configuration: what is watched, and where events go.
        spool: the configuration's.
        tallies: what sections announced before this process, by name; gets those of this one.
        report: called about once a second with the watcher, to tell others how it is.
    """

    def __init__(
        self,
        configuration: Configuration,
        spool: EventSpool,
        tallies: dict[str, Tally],
        report: Callable[[Watcher], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.configuration = configuration
        self._report = report
        self._monotonic = monotonic
        self._selector = selectors.DefaultSelector()
        self._ear, self._mouth = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self.outbox = Outbox(spool.next_sequence, wall)
        self.link = Link(configuration.server, self.wake, monotonic)
        self.pusher = Pusher(
            spool,
            self.link,
            configuration.position_key,
            configuration.spool_sync,
            self.list_all,
            wall=wall,
            monotonic=monotonic,
        )
        self.settling = Settling(monotonic)
        self.scanner = Scanner(self.wake)
        self.polling = Polling(self.scanner, self._meet_folders, self._meet_change, monotonic)
        self.listings = Listings(
            self.pusher,
            self.scanner,
            self.settling,
            self._meet_folders,
            self._meet_change,
            wall=wall,
            monotonic=monotonic,
        )
        self.queues = Queues(self.link, wall)
        self.inotify = Inotify()
        self.watching = Watching(self.outbox, self.inotify, self.polling, self.listings, tallies)
        self._registered: tuple[int, int] | None = None  # the socket's descriptor, and what it is listened to for
        self._listens = False
        self.overflows_total = 0
        self._busy_until = 0.0
        self._event_seconds = monotonic()
        self._tick_seconds = self._queues_seconds = 0.0
        self.reload: Configuration | None = None
        self.stopping = False

    def wake(self) -> None:
        """Have the loop turn. May be called from any thread."""
        with contextlib.suppress(BlockingIOError):  # it has reason enough to turn
            os.write(self._mouth, b"x")

    @property
    def mouth(self) -> int:
        """The descriptor that wakes the loop, for signals."""
        return self._mouth

    def run(self) -> None:
        """Watch until :attr:`stopping`; then write what is there to the spool, push what can be, and return."""
        self.watching.apply(self.configuration.directories)
        while not self.stopping:
            self._listen_to_kernel()
            self._listen_to_redis()
            for key, mask in self._selector.select(self._sleep_seconds()):
                if key.fd == self._ear:
                    os.read(self._ear, 4096)
                elif key.fd != self.inotify.descriptor:
                    self._talk(mask)
            self._turn()
        self._end()

    def list_all(self) -> None:
        """List every directory."""
        for place in self.watching.places():
            self.listings.request(place)

    def _turn(self) -> None:
        self.outbox.turn()
        had_events = not self.pusher.is_full and self._take_events()
        self.settling.settle()
        self.scanner.deliver()
        if self.outbox.count:
            self.pusher.commit(self.outbox)
        if self.link.seek():
            self.pusher.connected()
        now = self._monotonic()
        if now - self._tick_seconds >= TICK_SECONDS:
            self._tick_seconds = now
            self._tick(now)
        self.polling.tick()
        self.listings.tick()
        if self.outbox.count:
            self.pusher.commit(self.outbox)
        if had_events:
            if now < self._busy_until:
                time.sleep(NAP_SECONDS)
            self._busy_until = self._monotonic() + BUSY_SECONDS

    def _tick(self, now: float) -> None:
        self._report(self)
        self.link.check()
        self.pusher.tick()
        if self.reload is not None:
            self._apply(self.reload)
            self.reload = None
        self.watching.check(now)
        inactivity_seconds = self.configuration.monitor_inactivitytimeout
        if 0 < inactivity_seconds <= now - self._event_seconds:
            self._renew()
        if self.pusher.ready and now - self._queues_seconds >= QUEUES_SECONDS:
            self._queues_seconds = now
            self.queues.ask({place.lane.queue for place in self.watching.places()})

    def _take_events(self) -> bool:
        """Take what the kernel has; whether there was something."""
        found = False
        for _ in range(READS_MOST):
            events = self.inotify.read()
            if not events:
                break
            found = True
            self._handle(events)
        if found:
            self._event_seconds = self._monotonic()
        return found

    def _handle(self, events: list[Event]) -> None:
        by_watch, settle = self.watching.by_watch, self.settling.event
        for watch, mask, cookie, name in events:
            for place in by_watch.get(watch, ()):
                if mask & ISDIR and name:
                    self._meet_directory(place, mask, name)
                elif mask & LOST:
                    self.watching.lose(place)
                    break  # the watch has no places any more
                elif place.waits_for_completion:
                    text = decode(name)
                    if name and place.accepts(text):
                        settle(place, mask, cookie, text)
                elif mask & ARRIVED:
                    text = decode(name)
                    if place.accepts(text):
                        place.announce(text, CREATED)
            if mask & OVERFLOW:
                self.overflows_total += 1
                _log.warning("the kernel's queue of events overflowed; everything that is there is listed")
                self.list_all()

    def _meet_directory(self, place: Place, mask: int, name: bytes) -> None:
        text = decode(name)
        if mask & ARRIVED:
            if place.watched.directories and place.accepts(text):
                place.announce(text, CREATED)
            self._meet_folders(place, [name])
        elif mask & MOVED_FROM:
            self.watching.leave_below(place, text)

    def _meet_folders(self, place: Place, folders: list[bytes]) -> None:
        if place.watched.recursive:
            for name in folders:
                self.watching.enter_below(place, name)

    def _meet_change(self, place: Place, error: OSError | None) -> None:
        self.watching.doubt(place, error)

    def _renew(self) -> None:
        """Watch everything anew, without a moment in which nothing is watched, and list."""
        old, old_watches = self.inotify, self.watching.by_watch
        self.inotify = Inotify()
        self._ignore_kernel(old)
        self.watching.renew(self.inotify)
        lost: list[Place] = []
        last, self.watching.by_watch = self.watching.by_watch, old_watches
        while events := old.read():
            lost += [place for event in events if event.mask & LOST for place in old_watches.get(event.watch, ())]
            self._handle([event for event in events if not event.mask & LOST])
        self.watching.by_watch = last
        old.close()
        for place in lost:
            self.watching.doubt(place, None)
        self._event_seconds = self._monotonic()
        self.list_all()

    def _apply(self, configuration: Configuration) -> None:
        """Go on with another configuration: directories that it has unchanged are not watched anew."""
        if configuration.server != self.configuration.server:
            self.link.move(configuration.server)
        self.configuration = configuration
        self.watching.apply(configuration.directories)
        _log.info("goes on with %s as it is now", configuration.file)

    def _talk(self, mask: int) -> None:
        if mask & selectors.EVENT_READ:
            self.link.read()
        if mask & selectors.EVENT_WRITE:
            self.link.write()

    def _listen_to_kernel(self) -> None:
        wanted = not self.pusher.is_full
        if wanted and not self._listens:
            self._selector.register(self.inotify.descriptor, selectors.EVENT_READ)
            self._listens = True
        elif self._listens and not wanted:
            self._ignore_kernel(self.inotify)

    def _ignore_kernel(self, inotify: Inotify) -> None:
        if self._listens:
            self._selector.unregister(inotify.descriptor)
        self._listens = False

    def _listen_to_redis(self) -> None:
        socket = self.link.socket
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.link.wants_to_write else 0)
        wanted = (socket.fileno(), mask) if socket is not None else None
        if wanted == self._registered:
            return
        if self._registered is not None:
            with contextlib.suppress(KeyError):  # closed, and forgotten by the selector
                self._selector.unregister(self._registered[0])
        if wanted is not None:
            self._selector.register(*wanted)
        self._registered = wanted

    def _sleep_seconds(self) -> float:
        waits = [self._tick_seconds + TICK_SECONDS - self._monotonic()]
        waits += [wait for wait in (self.settling.wait_seconds(), self.polling.wait_seconds()) if wait is not None]
        if (retry_seconds := self.link.wait_seconds()) is not None:
            waits.append(retry_seconds)
        return max(0.0, min(waits))

    def _end(self) -> None:
        """Take what the kernel still has, write it, and give Redis a moment to answer."""
        self.outbox.turn()
        self._take_events()
        self.pusher.commit(self.outbox)
        deadline = self._monotonic() + 1.0
        while self.pusher.is_busy and self._monotonic() < deadline:
            self._listen_to_redis()
            for key, mask in self._selector.select(0.1):
                if key.fd not in (self._ear, self.inotify.descriptor):
                    self._talk(mask)
        self._report(self)
        self.pusher.spool.close()
        self.link.close()
        self.inotify.close()
