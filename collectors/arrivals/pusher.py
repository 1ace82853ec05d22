"""From the outbox through the spool to Redis: in order, one transaction at a time, none lost and none twice.

A transaction holds all events that wait (up to a bound), what counts them, and the spool's position behind them. So
Redis itself knows what it has: after a broken connection, a kill or a restart of either side the pusher asks for the
position and goes on from there, whether the last answer arrived or not. A Redis that has lost its latest writes has an
earlier position, and gets them again from what the spool keeps.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from collectors.arrivals.protocol import LIST, ReplyError, command, contents, encode, pushed
from collectors.arrivals.spool import START, Batch, EventSpool, Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.arrivals.link import Link
    from collectors.arrivals.outbox import Outbox
    from collectors.arrivals.protocol import Groups, Queue

MEMORY_BYTES = 1024 * 1024  # of batches kept to be pushed without being read again; the others are read from disk
PUSH_BYTES = 256 * 1024
HOMELESS_BYTES = 4 * 1024 * 1024  # what may wait in memory while the disk takes nothing
_log = logging.getLogger(__name__)


class Pusher:
    """Writes batches to the spool and pushes what is in it.

    Args:
        spool: where events wait.
        link: to Redis.
        position_key: the Redis key of the position.
        sync_seconds: how long a batch may go without being forced to disk; 0 forces it before it is pushed.
        forgotten: called where Redis has no position although it was given one: it has lost its data.
    """

    def __init__(
        self,
        spool: EventSpool,
        link: Link,
        position_key: str,
        sync_seconds: float,
        forgotten: Callable[[], None],
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spool = spool
        self.link = link
        self._key = encode(position_key or f"dkm:arrivals:{spool.id}")
        self._sync_seconds = sync_seconds
        self._forgotten = forgotten
        self._wall = wall
        self._monotonic = monotonic
        self._memory: deque[Batch] = deque()
        self._memory_bytes = 0
        self._disk_from: Position | None = spool.acknowledged  # where batches are read that memory does not hold
        self._homeless: deque[Batch] = deque()
        self._homeless_bytes = 0
        self._checked: set[Queue] = set()
        self._counters_told: set[str] = set()
        self._synced_seconds = monotonic()
        self._flying: list[Batch] = []
        self._busy = False
        self.ready = False
        self.pushed_total = 0
        self.lag_seconds_total = 0.0
        self.lag_max_seconds = 0.0
        self.unspooled_total = 0

    @property
    def is_full(self) -> bool:
        """Whether neither disk nor memory takes more: then nothing more may be read from the kernel."""
        return self._homeless_bytes > HOMELESS_BYTES

    @property
    def is_busy(self) -> bool:
        """Whether a transaction is under way."""
        return self._busy

    def has_pushed(self, position: Position) -> bool:
        """Whether all before a position is in Redis."""
        return self.spool.acknowledged >= position and not self._homeless

    def commit(self, outbox: Outbox) -> None:
        """Write what waits in the outbox, and push it if Redis is there."""
        self._house()
        for content, count, sequence in outbox.take():
            try:
                if self._homeless:
                    raise OSError(0, "earlier events wait")  # noqa: TRY301  the order is kept
                batch = self.spool.append(content, count, sequence, outbox.seconds)
            except OSError as error:
                if not self._homeless:
                    _log.warning("the spool %s takes nothing: %s; events wait in memory", self.spool.folder, error)
                self._homeless.append(Batch(None, content, count, sequence, outbox.seconds))
                self._homeless_bytes += len(content)
                self.unspooled_total += count
                continue
            if self._disk_from is None and self._memory_bytes <= MEMORY_BYTES:
                self._memory.append(batch)
                self._memory_bytes += len(content)
            elif self._disk_from is None:
                self._disk_from = self._memory[-1].end
        self.push()

    def push(self) -> None:
        """Send the next transaction unless one is under way."""
        if self._busy or not self.ready:
            return
        batches = self._next()
        if not batches:
            return
        if self._sync_seconds == 0:
            self.sync()
        groups = list(contents(b"\n".join(batch.content for batch in batches)))
        queues = {queue for queue, _ in groups} - self._checked
        self._flying, self._busy = batches, True
        if queues:
            self._check_types(sorted(queues), groups)
        else:
            self._send(groups)

    def connected(self) -> None:
        """There is a new connection: ask what Redis has before anything is pushed."""
        self.ready = self._busy = False
        self._checked.clear()
        self._bring_back()
        self.link.ask(command(b"GET", self._key), 1, self._take_position)

    def tick(self) -> None:
        """What is to be done about once a second: force to disk, note positions, try a disk that took nothing."""
        if self.link.socket is None:
            self.ready = self._busy = False
        if self.spool.unsynced and self._monotonic() - self._synced_seconds >= self._sync_seconds:
            self.sync()
        self.spool.save()
        self._house()
        self.push()

    def sync(self) -> None:
        """Force to disk what the spool has; a disk that refuses is told of, and stops nothing."""
        self._synced_seconds = self._monotonic()
        try:
            self.spool.sync()
        except OSError as error:
            _log.warning("cannot force %s to disk: %s", self.spool.folder, error)

    def _next(self) -> list[Batch]:
        """The batches of the next transaction, taken out of memory or read from disk."""
        found: list[Batch] = []
        size_bytes = 0
        while size_bytes < PUSH_BYTES:
            if self._memory:
                batch = self._memory.popleft()
                self._memory_bytes -= len(batch.content)
            elif self._disk_from is not None:
                read = self.spool.after(self._disk_from)
                if read is None:
                    self._disk_from = None
                    continue
                batch, self._disk_from = read, read.end
            elif self._homeless and not found:  # alone: it has no position
                batch = self._homeless.popleft()
                self._homeless_bytes -= len(batch.content)
                return [batch]
            else:
                break
            found.append(batch)
            size_bytes += len(batch.content)
        return found

    def _bring_back(self) -> None:
        """What was under way is sent again, from memory where it is nowhere else."""
        for batch in reversed(self._flying):
            if batch.end is None:
                self._homeless.appendleft(batch)
                self._homeless_bytes += len(batch.content)
        self._flying = []

    def _house(self) -> None:
        """Give the disk another chance with what it did not take."""
        while self._homeless:
            batch = self._homeless[0]
            try:
                written = self.spool.append(batch.content, batch.events, batch.sequence, batch.time_seconds)
            except OSError:
                return
            self._homeless.popleft()
            self._homeless_bytes -= len(batch.content)
            if self._disk_from is None:
                self._memory.append(written)
                self._memory_bytes += len(written.content)
            if not self._homeless:
                _log.warning("the spool %s takes events again", self.spool.folder)

    def _take_position(self, replies: list[Any]) -> None:
        reply = replies[0]
        if isinstance(reply, ReplyError):
            self.link.drop(str(reply))
            return
        before = self.spool.acknowledged
        position = self.spool.understood(reply) if reply is not None else None
        if reply is None and before != START:
            _log.warning("Redis has forgotten what it was given; everything that is there is listed")
            self._forgotten()
        elif position is not None and position < before:
            _log.warning("Redis has lost its latest writes; what the spool keeps of them is pushed again")
        self.spool.acknowledge(position or before)
        self._memory.clear()
        self._memory_bytes = 0
        self._disk_from = self.spool.acknowledged
        self.ready = True
        self.push()

    def _check_types(self, queues: list[Queue], groups: Groups) -> None:
        """Make sure that every queue can be pushed to: within a transaction an error comes too late."""
        asked = b"".join(command(b"TYPE", encode(queue.queue)) for queue in queues)

        def take(replies: list[Any]) -> None:
            for queue, reply in zip(queues, replies, strict=True):
                wanted = b"list" if queue.output == LIST else b"stream"
                if isinstance(reply, ReplyError) or reply not in (b"none", wanted):
                    kind = reply if isinstance(reply, ReplyError) else f"it is a {reply.decode()}"
                    self.link.drop(f"{queue.queue} cannot be used as a {queue.output}: {kind}")
                    return
                self._checked.add(queue)
            self._send(groups)

        self.link.ask(asked, len(queues), take)

    def _send(self, groups: Groups) -> None:
        end = self._flying[-1].end
        data, commands = pushed(groups, self._key, None if end is None else self.spool.told(end))
        self.link.ask(data, commands + 2, self._take_outcome)

    def _take_outcome(self, replies: list[Any]) -> None:
        """The replies to MULTI, to each command, and to EXEC."""
        outcome = replies[-1]
        if isinstance(outcome, ReplyError) or outcome is None:
            errors = [str(reply) for reply in replies if isinstance(reply, ReplyError)]
            self.link.drop(errors[0] if errors else "it took back the transaction")
            return
        if problem := self._problem(outcome):
            # The position was set with the rest: take it back before anything else can happen on this connection.
            told = self.spool.told(self.spool.acknowledged)
            self.link.ask(command(b"SET", self._key, told), 1, lambda _: self.link.drop(problem))
            return
        now_seconds = self._wall()
        for batch in self._flying:
            lag_seconds = max(0.0, now_seconds - batch.time_seconds)
            self.pushed_total += batch.events
            self.lag_seconds_total += lag_seconds * batch.events
            self.lag_max_seconds = max(self.lag_max_seconds, lag_seconds)
        if (end := self._flying[-1].end) is not None:
            self.spool.acknowledge(end)
        self._flying, self._busy = [], False
        self.link.works()
        self.push()

    def _problem(self, outcome: list[Any]) -> str:
        """Why events of a transaction are not in Redis; a counter that cannot count is only told of."""
        if not any(isinstance(reply, ReplyError) for reply in outcome):
            return ""
        kinds: list[tuple[str, Queue]] = []
        for batch in self._flying:
            for queue, values in contents(batch.content):
                kinds += [("push", queue)] * (1 if queue.output == LIST else len(values))
                kinds += [("count", queue)] * bool(queue.counter)
        for reply, (kind, queue) in zip(outcome, kinds, strict=False):
            if isinstance(reply, ReplyError) and kind == "push":
                return f"{queue.queue}: {reply}"
            if isinstance(reply, ReplyError) and queue.counter not in self._counters_told:
                self._counters_told.add(queue.counter)
                _log.warning("the counter %s cannot count: %s", queue.counter, reply)
        return ""
