"""How full the queues are, and how old the oldest event in each is: what consumers have not taken."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from collectors.arrivals.protocol import LIST, Queue, ReplyError, command, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from collectors.arrivals.link import Link


class Fill(NamedTuple):
    """How full a queue is.

    Attributes:
        length: events that no consumer has taken; of a stream those that its slowest group has not acknowledged, or
            all where it has no group.
        oldest_seconds: when the oldest of them was announced, UTC seconds; None where there is none.
    """

    length: int
    oldest_seconds: float | None


def length_command(queue: Queue) -> bytes:
    """Asks for what :func:`length_of` reads."""
    return command(b"LLEN", encode(queue.queue)) if queue.output == LIST else _groups(queue)


def length_of(queue: Queue, reply: Any) -> int:
    """The length of a queue, from the reply to :func:`length_command`."""
    if queue.output == LIST:
        return int(reply) if isinstance(reply, int) else 0
    return max((group[b"lag"] + group[b"pending"] for group in _as_groups(reply)), default=0)


def _groups(queue: Queue) -> bytes:
    return command(b"XINFO", b"GROUPS", encode(queue.queue))


def _as_groups(reply: Any) -> list[dict[bytes, Any]]:
    if not isinstance(reply, list):
        return []  # no such key
    groups = [dict(zip(fields[::2], fields[1::2], strict=False)) for fields in reply]
    return [{b"lag": 0, **{key: value or 0 for key, value in group.items()}} for group in groups]


class Queues:
    """Asks Redis for the fill of queues.

    Args:
        link: to Redis.
        wall: UTC seconds.
    """

    def __init__(self, link: Link, wall: Callable[[], float] = time.time) -> None:
        self._link = link
        self._wall = wall
        self.fills: dict[str, Fill] = {}

    def ask(self, queues: Iterable[Queue]) -> None:
        """Have the fill of every queue looked up; :attr:`fills` has it once Redis answered."""
        for queue in queues:
            if queue.output == LIST:
                key = encode(queue.queue)
                asked = command(b"LLEN", key) + command(b"LINDEX", key, b"-1")
                self._link.ask(asked, 2, partial(self._take_list, queue))
            else:
                key = encode(queue.queue)
                asked = _groups(queue) + command(b"XLEN", key) + command(b"XRANGE", key, b"-", b"+", b"COUNT", b"1")
                self._link.ask(asked, 3, partial(self._take_stream, queue))

    def _take_list(self, queue: Queue, replies: list[Any]) -> None:
        length, oldest = replies
        if isinstance(length, ReplyError):
            return
        self.fills[queue.queue] = Fill(length, _moment_of(oldest))

    def _take_stream(self, queue: Queue, replies: list[Any]) -> None:
        groups, length, first = _as_groups(replies[0]), replies[1], replies[2]
        if isinstance(length, ReplyError):
            return
        if not groups:
            oldest = _moment_of_entry(first[0][0]) if isinstance(first, list) and first else None
            self.fills[queue.queue] = Fill(length, oldest)
            return
        slowest = max(groups, key=lambda group: group[b"lag"] + group[b"pending"])
        unread = slowest[b"lag"] + slowest[b"pending"]
        if not unread:
            self.fills[queue.queue] = Fill(0, None)
            return
        name, last = slowest[b"name"], slowest[b"last-delivered-id"]
        key = encode(queue.queue)
        asked = command(b"XPENDING", key, name) + command(b"XRANGE", key, b"(" + last, b"+", b"COUNT", b"1")

        def take(answers: list[Any]) -> None:
            pending, behind = answers
            ids = [pending[1]] if isinstance(pending, list) and pending[0] else []
            ids += [behind[0][0]] if isinstance(behind, list) and behind else []
            self.fills[queue.queue] = Fill(unread, min((_moment_of_entry(one) for one in ids), default=None))

        self._link.ask(asked, 2, take)


def _moment_of(value: Any) -> float | None:
    """When an event was announced; None for what is no event of ours."""
    try:
        moment = json.loads(value)["event_timestamp"]
        return float(moment)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _moment_of_entry(entry: bytes) -> float:
    """The time in the id of a stream's entry."""
    return int(entry.partition(b"-")[0]) / 1000
