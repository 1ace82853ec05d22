"""Points on their way to carbon: one lasting connection, receipts, and a spool for what cannot be delivered now.

What is sent is kept until its receipt (see :mod:`dkumonitor.link`), and for ``replay_seconds`` beyond, since a carbon
that is killed loses what it had read but not stored. When the connection breaks, all that is kept goes to the spool.
The spool is emptied oldest first, a portion a connection, and a portion leaves it with its receipt. So every point is
delivered at least once; carbon overwrites a point that it gets twice.
"""

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import graphyte

from dkumonitor.address import Address
from dkumonitor.collector import Metric
from dkumonitor.link import Link, State
from dkumonitor.metrics import Point
from dkumonitor.spool import Portion, Spool

BACK_OFF_MAX_SECONDS = 60.0
KEPT_MAX_BYTES = 4 * 1024 * 1024
UNCONFIRMED_MAX_BYTES = 1024 * 1024
_log = logging.getLogger(__name__)
_encoder = graphyte.Sender(
    ""
)  # builds messages; its own sockets have no deadline when they resolve, and one for each send

METRICS = (
    Metric("carbon.sent_total", "lines", "lines given to carbon since the start, repeated ones included"),
    Metric("carbon.dropped_total", "lines", "lines that the spool's bound dropped, ever"),
    Metric("carbon.spool_bytes", "bytes", "what waits in the spool"),
    Metric("carbon.reconnects_total", "connections", "lasting connections made since the start"),
    Metric("carbon.failures_total", "failures", "connections that failed or broke since the start"),
)


def encode(points: Sequence[Point]) -> list[bytes]:
    """The lines of the carbon protocol for points, each with its newline."""
    return [_encoder.build_message(point.name, point.value, point.time_seconds) for point in points]


class _Batch(NamedTuple):
    sent_seconds: float
    data: bytes


class _Sent:
    """A connection, since when it is used, and what was sent over it."""

    def __init__(self, link: Link, opened_seconds: float) -> None:
        self.link = link
        self.opened_seconds = opened_seconds
        self.batches: list[_Batch] = []

    @property
    def size_bytes(self) -> int:
        return sum(len(batch.data) for batch in self.batches)


class CarbonSender:
    """Delivers points, or lets them wait. No method raises for a server that is down, slow or gone.

    Args:
        address: carbon's line protocol.
        spool: where undelivered lines wait.
        timeout_seconds: how long one step may take, and how long a receipt may.
        replay_seconds: how long a confirmed line is kept, and how long a connection lasts before it is asked for its
            receipt and replaced.
        monotonic: the clock.
        jitter: a random number below 1: a pause is shortened by up to half, so that a fleet does not return at once.
    """

    def __init__(
        self,
        address: Address,
        spool: Spool,
        *,
        timeout_seconds: float,
        replay_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._address = address
        self._spool = spool
        self._timeout_seconds = timeout_seconds
        self._replay_seconds = replay_seconds
        self._monotonic = monotonic
        self._jitter = jitter
        self._live: _Sent | None = None
        self._ending: tuple[_Sent, float] | None = None  # half-closed, and since when
        self._portion: tuple[Portion, Link, float] | None = None  # on its way out of the spool, and since when
        self._confirmed: deque[_Batch] = deque()
        self._failed_attempts = 0
        self._not_before_seconds = monotonic()
        self._sent_total = self._connections_total = self._failures_total = 0

    def send(self, points: Sequence[Point]) -> None:
        """Send points now, or let them wait in the spool. Takes at most a few times ``timeout_seconds``."""
        lines = encode(points)
        self.tick()
        live = self._connected()
        if live is None:
            self._spool.append(lines)
            return
        data = b"".join(lines)
        live.batches.append(_Batch(self._monotonic(), data))
        try:
            live.link.send(data)
        except OSError as error:
            self._fail(str(error))
        else:
            self._sent_total += len(lines)

    def tick(self) -> None:
        """Take receipts, notice a broken connection, send on what waits. To be called about once a second."""
        self._check_receipt()
        self._check_live()
        self._check_portion()
        self._forget()
        if self._spool:
            self._spool.retry()
            # Only beside a lasting connection that still stands: a proxy without its server may accept, read and close,
            # which looks like a receipt; the connection that breaks at the same time then brings the portion back.
            if self._live is not None:
                self._send_portion()
            else:
                self._connected()

    @property
    def is_busy(self) -> bool:
        """Whether something waits for a receipt that was asked for, or for its turn: then tick() should come soon."""
        return self._ending is not None or self._portion is not None or bool(self._spool)

    def points(self, host: str, time_seconds: int) -> tuple[Point, ...]:
        """The sender's own metrics, as METRICS declares them."""
        values = (
            self._sent_total,
            self._spool.dropped_total,
            self._spool.size_bytes,
            self._connections_total,
            self._failures_total,
        )
        return tuple(
            Point(f"dkm.{host}.{metric.name}", value, time_seconds)
            for metric, value in zip(METRICS, values, strict=True)
        )

    def close(self, timeout_seconds: float = 1.0) -> None:
        """Ask for the last receipt, and leave in the spool what has none within ``timeout_seconds``."""
        self._check_receipt()
        if self._live is not None:
            self._live.link.finish()
            if self._live.link.wait(timeout_seconds) is State.ENDED and self._ending is None:
                self._live.link.close()
                self._live = None
        self._give_up(confirmed=False)
        self._spool.close()

    def _connected(self) -> _Sent | None:
        """The lasting connection, made if it is time to; None while there is none."""
        if self._live is None and self._monotonic() >= self._not_before_seconds:
            try:
                self._live = _Sent(Link(self._address, self._timeout_seconds), self._monotonic())
                self._connections_total += 1
            except OSError as error:
                self._fail(str(error))
        return self._live

    def _check_live(self) -> None:
        live = self._live
        if live is None:
            return
        if live.link.state() is not State.OPEN:
            self._fail("the server closed the connection")
            return
        full = live.size_bytes > UNCONFIRMED_MAX_BYTES
        old = self._monotonic() - live.opened_seconds >= self._replay_seconds
        if (full or old) and self._ending is None:
            self._ending, self._live = (live, self._monotonic()), None
            self._connected()  # before the other one ends, so that there is always one that notices a restart
            live.link.finish()

    def _check_receipt(self) -> None:
        if self._ending is None:
            return
        sent, since_seconds = self._ending
        state = sent.link.state()
        if state is State.ENDED:
            sent.link.close()
            self._ending = None
            self._confirmed.extend(sent.batches)
            self._delivered()
        elif state is State.BROKEN or self._monotonic() - since_seconds > self._timeout_seconds:
            self._fail("no receipt for what was sent")

    def _check_portion(self) -> None:
        if self._portion is None:
            return
        portion, link, since_seconds = self._portion
        state = link.state()
        if state is State.ENDED:
            link.close()
            self._portion = None
            self._spool.remove(portion)
            self._confirmed.append(_Batch(self._monotonic(), b"".join(portion.lines)))
            self._delivered()
        elif state is State.BROKEN or self._monotonic() - since_seconds > self._timeout_seconds:
            self._fail("no receipt for a portion of the spool")

    def _send_portion(self) -> None:
        portion = self._spool.oldest() if self._portion is None else None
        if portion is None:
            return
        try:
            link = Link(self._address, self._timeout_seconds)
            self._portion = (portion, link, self._monotonic())
            link.send(b"".join(portion.lines))
            link.finish()
        except OSError as error:
            self._fail(str(error))
        else:
            self._sent_total += len(portion.lines)

    def _delivered(self) -> None:
        if self._failed_attempts:
            _log.warning("carbon at %s takes points again, %d bytes wait", self._address, self._spool.size_bytes)
        self._failed_attempts = 0

    def _fail(self, why: str) -> None:
        """Put all that is kept into the spool, and pause before the next attempt (the first comes at once)."""
        self._failures_total += 1
        self._failed_attempts += 1
        if self._failed_attempts == 1:
            _log.warning("carbon at %s: %s; points wait in the spool", self._address, why)
            pause_seconds = 0.0
        else:
            pause_seconds = min(2.0 ** (self._failed_attempts - 2), BACK_OFF_MAX_SECONDS)
        self._not_before_seconds = self._monotonic() + pause_seconds * (1 - self._jitter() / 2)
        self._give_up(confirmed=True)

    def _give_up(self, *, confirmed: bool) -> None:
        """Close every connection, and spool what has no receipt, with what is kept beyond its own where asked."""
        kept = list(self._confirmed) if confirmed else []
        self._confirmed.clear()
        for sent in (self._ending and self._ending[0], self._live):
            if sent is not None:
                sent.link.close()
                kept += sent.batches
        if self._portion is not None:
            self._portion[1].close()
        self._live = self._ending = self._portion = None
        if kept:
            self._spool.append([line for batch in kept for line in batch.data.splitlines(keepends=True)])

    def _forget(self) -> None:
        """Drop confirmed lines that are older than the replay, or more than may be kept."""
        oldest_seconds = self._monotonic() - self._replay_seconds
        size_bytes = sum(len(batch.data) for batch in self._confirmed)
        while self._confirmed and (self._confirmed[0].sent_seconds < oldest_seconds or size_bytes > KEPT_MAX_BYTES):
            size_bytes -= len(self._confirmed.popleft().data)
