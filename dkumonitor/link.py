"""One TCP connection with a deadline on every step, and a receipt at its end.

The carbon line protocol has no answers. What a server has read is known only at the end: after a half-close
(shutdown(2), SHUT_WR) the server reads the rest, sees the end and closes, which arrives here as the end of its stream.
"""

import contextlib
import os
import select
import signal
import socket
import time
from enum import Enum
from typing import Any

import msgspec

from dkumonitor.address import Address

_Found = list[tuple[int, tuple[Any, ...]]]  # families, and what connect(2) takes for each
_MAX_ANSWER_BYTES = 65536


class State(Enum):
    """How a link stands: usable, ended by the server in good order, or broken."""

    OPEN = "open"
    ENDED = "ended"
    BROKEN = "broken"


class Link:
    """A connection to ``address``, made at once.

    Args:
        address: the server.
        timeout_seconds: how long resolving, connecting and each sending may take.

    Raises:
        OSError: it cannot be resolved or connected to in time.
    """

    def __init__(self, address: Address, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        error = OSError(f"{address.host} has no address")
        for family, target in resolve(address, timeout_seconds):
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                connection.connect(target)
            except OSError as refused:
                connection.close()
                error = refused
                continue
            connection.settimeout(timeout_seconds)
            self._socket = connection
            return
        raise error

    def send(self, data: bytes) -> None:
        """Hand all of ``data`` to the kernel.

        Raises:
            OSError: the connection broke, or the deadline passed; part of it may have gone.
        """
        self._socket.sendall(data)

    def finish(self) -> None:
        """Say that nothing more comes; :meth:`state` then tells when the server has read all of it."""
        with contextlib.suppress(OSError):  # a broken connection shows in its state
            self._socket.shutdown(socket.SHUT_WR)

    def state(self) -> State:
        """How it stands now; what the server may have said is read and forgotten."""
        try:
            while os.read(self._socket.fileno(), 4096):  # a socket with a deadline does not block below Python
                pass
        except BlockingIOError:
            return State.OPEN
        except OSError:
            return State.BROKEN
        return State.ENDED

    def wait(self, timeout_seconds: float) -> State:
        """The state as soon as it is no longer open, or after ``timeout_seconds``."""
        deadline = time.monotonic() + timeout_seconds
        while (state := self.state()) is State.OPEN and (left := deadline - time.monotonic()) > 0:
            select.select([self._socket], [], [], left)
        return state

    def close(self) -> None:
        """Give the connection up."""
        self._socket.close()


def resolve(address: Address, timeout_seconds: float) -> _Found:
    """Families and socket addresses of ``address``, in the resolver's order.

    getaddrinfo(3) knows no deadline, so a name is looked up by a child that is killed at ours; an IP address is not.

    Raises:
        OSError: it is not known, or the resolver did not answer in time.
    """
    try:
        return _lookup(address, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_and_exit(address, writer)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], timeout_seconds)
        answer = os.read(reader, _MAX_ANSWER_BYTES) if ready else b""
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not answer:
        raise TimeoutError(f"{address.host} was not resolved within {timeout_seconds} s")
    found = msgspec.msgpack.decode(answer, type=_Found | str)
    if isinstance(found, str):
        raise OSError(f"{address.host}: {found}")
    return found


def _lookup(address: Address, flags: int = 0) -> _Found:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
    return [(int(family), target) for family, _, _, _, target in found]


def _answer_and_exit(address: Address, writer: int) -> None:
    signal.set_wakeup_fd(-1)
    try:
        try:
            answer: _Found | str = _lookup(address)
        except OSError as error:
            answer = error.strerror or str(error)
        os.write(writer, msgspec.msgpack.encode(answer))
    finally:
        os._exit(0)
