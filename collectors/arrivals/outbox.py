"""Events on their way from directories to the spool, gathered by queue until they are written at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from collectors.arrivals.protocol import Queue, heading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH_EVENTS = 1000


class Lane:
    """The events for one queue; directories that share the queue share the lane, and so keep their order."""

    __slots__ = ("_outbox", "heading", "queue", "values")

    def __init__(self, queue: Queue, outbox: Outbox) -> None:
        self.queue = queue
        self.heading = heading(queue)
        self.values: list[str] = []
        self._outbox = outbox

    def add(self, value: str) -> None:
        """Let an event wait."""
        values = self.values
        if not values:
            self._outbox.touched.append(self)
        values.append(value)
        self._outbox.count += 1


class Outbox:
    """All lanes, and the moment that events are stamped with.

    Args:
        sequence: the number of the next event.
        wall: UTC seconds.
    """

    def __init__(self, sequence: int, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._lanes: dict[Queue, Lane] = {}
        self.sequence = sequence
        self.count = 0
        self.touched: list[Lane] = []
        self.seconds = 0.0
        self.moment = ""
        self.turn()

    def turn(self) -> None:
        """It is now; what follows happened now."""
        self.seconds = self._wall()
        self.moment = repr(round(self.seconds, 6))

    def lane(self, queue: Queue) -> Lane:
        """The lane of a queue."""
        return self._lanes.setdefault(queue, Lane(queue, self))

    def number(self) -> int:
        """The sequence number of the event that is added next."""
        return self.sequence + self.count

    def take(self) -> Iterator[tuple[bytes, int, int]]:
        """What waits, as contents of batches, each with its count and the sequence number of its first event."""
        touched, self.touched, self.count = self.touched, [], 0
        lines: list[str] = []
        events = 0
        for lane in touched:
            values, lane.values = lane.values, []
            while values:
                part, values = values[: BATCH_EVENTS - events], values[BATCH_EVENTS - events :]
                lines.append(lane.heading)
                lines += part
                events += len(part)
                if events >= BATCH_EVENTS:
                    yield self._content(lines, events)
                    lines, events = [], 0
        if events:
            yield self._content(lines, events)

    def _content(self, lines: list[str], events: int) -> tuple[bytes, int, int]:
        first, self.sequence = self.sequence, self.sequence + events
        return "\n".join(lines).encode("ascii"), events, first
