"""The watcher's lasting connection to Redis: never waited for, pipelined, made again when it breaks."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from collectors.arrivals.connection import connect
from collectors.arrivals.errors import RedisError
from collectors.arrivals.protocol import Replies, ReplyError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from collectors.arrivals.configuration import Server

BACK_OFF_MAX_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.05
_RECEIVE_BYTES = 256 * 1024
_log = logging.getLogger(__name__)


class Link:
    """One connection at a time. A thread of its own makes it, since names, TLS and Sentinels take their time.

    Args:
        server: where Redis is.
        wake: called from the thread when there is a connection, or none.
        monotonic: the clock.
    """

    def __init__(
        self, server: Server, wake: Callable[[], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._server = server
        self._wake = wake
        self._monotonic = monotonic
        self._made: deque[socket.socket | RedisError] = deque()
        self._connecting = False
        self._socket: socket.socket | None = None
        self._out = bytearray()
        self._replies = Replies()
        self._waiting: deque[tuple[Callable[[Any], None], float]] = deque()
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._not_before_seconds = 0.0
        self._failing = False
        self.failure = ""
        self.failures_total = 0
        self.wants_to_write = False

    @property
    def socket(self) -> socket.socket | None:
        """The connection; None while there is none."""
        return self._socket

    @property
    def unsent_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return len(self._out)

    def seek(self) -> bool:
        """Take a connection that was made, or have one made; whether there is a new one now."""
        while self._made:
            made = self._made.popleft()
            self._connecting = False
            if isinstance(made, RedisError):
                self._fail(made.what)
                continue
            made.setblocking(False)  # noqa: FBT003  the socket's own
            self._socket, self._replies = made, Replies()
            self._out.clear()
            self._waiting.clear()
            return True
        if self._socket is None and not self._connecting and self._monotonic() >= self._not_before_seconds:
            self._connecting = True
            threading.Thread(target=self._connect, args=(self._server,), daemon=True).start()
        return False

    def ask(self, data: bytes, replies: int, answer: Callable[[list[Any]], None]) -> None:
        """Send commands; ``answer`` is given the replies once all are there, and never if the connection breaks."""
        found: list[Any] = []

        def take(reply: Any) -> None:
            found.append(reply)
            if len(found) == replies:
                answer(found)

        now = self._monotonic()
        self._waiting.extend([(take, now)] * replies)
        self._out += data
        self.write()

    def write(self) -> None:
        """Give the kernel what it takes."""
        try:
            while self._socket is not None and self._out:
                sent = self._socket.send(self._out[:_RECEIVE_BYTES])
                del self._out[:sent]
        except OSError as error:
            if not _would_block(error):
                self.drop(str(error))
                return
        self.wants_to_write = bool(self._out)

    def read(self) -> None:
        """Take what has come, and hand every reply to who waits for it."""
        while self._socket is not None:
            try:
                data = self._socket.recv(_RECEIVE_BYTES)
            except OSError as error:
                if not _would_block(error):
                    self.drop(str(error))
                return
            if not data:
                self.drop("it closed the connection")
                return
            try:
                self._hand_over(data)
            except ReplyError as error:
                self.drop(str(error))

    def _hand_over(self, data: bytes) -> None:
        connection = self._socket
        for reply in self._replies.feed(data):
            if not self._waiting:
                raise ReplyError("it answers more than it was asked")
            self._waiting.popleft()[0](reply)
            if self._socket is not connection:
                return  # who was answered has ended the connection

    def check(self) -> None:
        """Give up a connection that has not answered for longer than the server's timeout."""
        limit_seconds = self._server.timeout
        if self._socket is None or not self._waiting or not limit_seconds:
            return
        if self._monotonic() - self._waiting[0][1] > limit_seconds:
            self.drop(f"no answer for {limit_seconds:g} s")

    def works(self) -> None:
        """Redis took something: the next failure is the first one again."""
        if self._failing:
            _log.warning("Redis at %s takes events again", self._server)
        self._failing, self.failure, self._pause_seconds = False, "", _FIRST_PAUSE_SECONDS

    def drop(self, why: str) -> None:
        """End the connection; nobody who waits on it is answered."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self.wants_to_write = None, False
        self._out.clear()
        self._waiting.clear()
        self._fail(f"Redis at {self._server}: {why}")

    def move(self, server: Server) -> None:
        """Go on with another server."""
        self._server = server
        self.drop("the configuration names another one")
        self._not_before_seconds = 0.0

    def wait_seconds(self) -> float | None:
        """How long until the next attempt to connect; None while none is to come."""
        if self._socket is not None or self._connecting:
            return None
        return max(0.0, self._not_before_seconds - self._monotonic())

    def close(self) -> None:
        """End the connection for good."""
        self._not_before_seconds = float("inf")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _fail(self, what: str) -> None:
        self.failures_total += 1
        if not self._failing:
            _log.warning("%s; events wait in the spool", what)
        self._failing, self.failure = True, what
        self._not_before_seconds = self._monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, BACK_OFF_MAX_SECONDS)

    def _connect(self, server: Server) -> None:
        try:
            self._made.append(connect(server))
        except RedisError as error:
            self._made.append(error)
        except Exception as error:  # noqa: BLE001  whatever it is, the next attempt must come
            self._made.append(RedisError(f"Redis at {server}: {type(error).__name__}: {error}"))
        self._wake()


def _would_block(error: OSError) -> bool:
    return isinstance(error, BlockingIOError) or type(error).__name__ in {"SSLWantReadError", "SSLWantWriteError"}
