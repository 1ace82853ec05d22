"""What is said to Redis, in its own protocol (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/).

Packed here, not by a library: see docs/adr/0003-dependencies.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LIST = "list"
STREAM = "stream"
FIELD = "event"  # of an entry of a stream


class Queue(NamedTuple):
    """Where events go.

    Attributes:
        queue: the key of the list or stream.
        counter: the key that counts what was pushed; empty for none.
        output: :data:`LIST` or :data:`STREAM`.
        maxlen: about how many entries a stream keeps; 0 for all.
    """

    queue: str
    counter: str
    output: str
    maxlen: int


Groups = list[tuple[Queue, list[bytes]]]
"""The queues of a batch, each with its events."""


class ReplyError(Exception):
    """Redis answered with an error."""


class IncompleteError(Exception):
    """More of a reply is to come."""


def encode(text: str) -> bytes:
    """A key's bytes."""
    return text.encode("utf-8", "surrogateescape")


def command(*words: bytes) -> bytes:
    """One command."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def heading(queue: Queue) -> str:
    """The line of a batch that stands above the events of a queue."""
    return "=" + json.dumps(queue)


def contents(content: bytes) -> Iterator[tuple[Queue, list[bytes]]]:
    """The queues of a batch, each with its events."""
    lines = content.split(b"\n")
    first = 0
    while first < len(lines):
        queue = Queue(*json.loads(lines[first][1:]))
        end = first + 1
        while end < len(lines) and not lines[end].startswith(b"="):
            end += 1
        yield queue, lines[first + 1 : end]
        first = end


def pushed(groups: Groups, position_key: bytes, position: bytes | None) -> tuple[bytes, int]:
    """Batches as one transaction: its events, what counts them, and the position behind it.

    Returns:
        What is to be sent, and how many commands stand between MULTI and EXEC.
    """
    parts = [b"*1\r\n$5\r\nMULTI\r\n"]
    commands = 0
    for queue, values in groups:
        key = encode(queue.queue)
        if queue.output == STREAM:
            bound = (b"MAXLEN", b"~", b"%d" % queue.maxlen) if queue.maxlen else ()
            parts += [command(b"XADD", key, *bound, b"*", FIELD.encode(), value) for value in values]
            commands += len(values)
        else:
            parts.append(b"*%d\r\n$5\r\nLPUSH\r\n$%d\r\n%b\r\n" % (len(values) + 2, len(key), key))
            parts += [b"$%d\r\n%b\r\n" % (len(value), value) for value in values]
            commands += 1
        if queue.counter:
            parts.append(command(b"INCRBY", encode(queue.counter), b"%d" % len(values)))
            commands += 1
    if position is not None:
        parts.append(command(b"SET", position_key, position))
        commands += 1
    parts.append(b"*1\r\n$4\r\nEXEC\r\n")
    return b"".join(parts), commands


class Replies:
    """Takes replies out of what has been received. An error within one is a :class:`ReplyError`, not raised."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Every reply that is whole now: text and bulk as bytes, numbers, lists, None.

        Raises:
            ReplyError: this is not Redis.
        """
        self._data += data
        position = 0
        try:
            while position < len(self._data):
                reply, position = self._parse(position)
                yield reply
        except IncompleteError:
            pass
        finally:
            del self._data[:position]

    def _parse(self, position: int) -> tuple[Any, int]:
        end = self._data.find(b"\r\n", position)
        if end < 0:
            raise IncompleteError
        kind, line = self._data[position : position + 1], bytes(self._data[position + 1 : end])
        position = end + 2
        if kind == b"+":
            return line, position
        if kind == b"-":
            return ReplyError(line.decode("utf-8", "replace")), position
        try:
            number = int(line)
        except ValueError:
            raise ReplyError(f"it does not speak Redis' protocol: {line[:80]!r}") from None
        if kind == b":":
            return number, position
        if kind == b"$":
            return self._bulk(position, number)
        if kind != b"*":
            raise ReplyError(f"it does not speak Redis' protocol: {line[:80]!r}")
        if number < 0:
            return None, position
        items = []
        for _ in range(number):
            item, position = self._parse(position)
            items.append(item)
        return items, position

    def _bulk(self, position: int, length: int) -> tuple[bytes | None, int]:
        if length < 0:
            return None, position
        if len(self._data) < position + length + 2:
            raise IncompleteError
        return bytes(self._data[position : position + length]), position + length + 2
