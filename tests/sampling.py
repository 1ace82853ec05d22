"""Independent readings of this machine, taken all the time, and what a metric may be according to them.

A metric that was read at an unknown moment of its slot must lie between the smallest and the largest value that the
samples give for that slot, widened by how far the quantity moves from one sample to the next: that much it can differ
from the nearest sample. So no tolerance is guessed.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

T = TypeVar("T")

# A quantity that goes up and down may peak between two samples: one of some tens of values looked up lies beyond
# the extremes of the tens of samples around it (2 / (n + 1) each), seldom two.
STRAYS = 2
JITTER_SECONDS = 1.0  # how much later than due a reader may wake up on a busy machine


@dataclass(frozen=True)
class Sample(Generic[T]):
    """What was seen at a time (UTC seconds)."""

    at: float
    seen: T


@dataclass(frozen=True)
class Bounds:
    """What a value may be."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


class Reading(Protocol):
    """Knows what the metric of a slot (its start in UTC seconds, its length) may be; None where it cannot say.

    `strays` is how many of some tens of values may lie outside all the same.
    """

    @property
    def strays(self) -> int: ...

    def bounds(self, slot: int, interval: int) -> Bounds | None: ...


def around(candidates: list[float], quantum: float) -> Bounds:
    """Smallest to largest, widened by the largest step between neighbours and by the metric's own resolution."""
    step = max((abs(later - earlier) for earlier, later in itertools.pairwise(candidates)), default=0.0)
    slack = step + quantum + 1e-9 * max(map(abs, candidates))
    return Bounds(min(candidates) - slack, max(candidates) + slack)


@dataclass(frozen=True)
class Level(Generic[T]):
    """A quantity that a reader looks up: a function of what one sample saw. `before_seconds` is how old it may be."""

    samples: list[Sample[T]]
    of: Callable[[T], float]
    quantum: float = 1e-6
    before_seconds: float = 0.0

    strays: ClassVar[int] = STRAYS

    def bounds(self, slot: int, interval: int) -> Bounds | None:
        start, end = slot - self.before_seconds - JITTER_SECONDS, slot + interval + JITTER_SECONDS
        if not self.samples or self.samples[0].at > start or self.samples[-1].at < end:
            return None
        return around([self.of(sample.seen) for sample in self.samples if start <= sample.at <= end], self.quantum)


@dataclass(frozen=True)
class Restless(Generic[T]):
    """A quantity that jumps faster than anybody samples it: what it may be, all samples together say."""

    samples: list[Sample[T]]
    of: Callable[[T], float]
    quantum: float = 1e-6

    strays: ClassVar[int] = STRAYS

    def bounds(self, slot: int, interval: int) -> Bounds | None:
        start, end = slot - JITTER_SECONDS, slot + interval + JITTER_SECONDS
        if not self.samples or self.samples[0].at > start or self.samples[-1].at < end:
            return None
        return around([self.of(sample.seen) for sample in self.samples], self.quantum)


@dataclass(frozen=True)
class AtLeast:
    """A sum of which the samples saw a part: it is no less than that part."""

    part: Reading

    @property
    def strays(self) -> int:
        return self.part.strays

    def bounds(self, slot: int, interval: int) -> Bounds | None:
        part = self.part.bounds(slot, interval)
        return None if part is None else Bounds(part.low, math.inf)


@dataclass(frozen=True)
class Passing:
    """Something that comes and goes: it may be missing."""

    reading: Reading

    @property
    def strays(self) -> int:
        return self.reading.strays

    def bounds(self, slot: int, interval: int) -> Bounds | None:
        return self.reading.bounds(slot, interval)


@dataclass(frozen=True)
class Change(Generic[T]):
    """A quantity made from two looks, an interval apart: a function of later, earlier and the seconds between."""

    samples: list[Sample[T]]
    of: Callable[[T, T, float], float]
    quantum: float = 1e-6

    strays: ClassVar[int] = STRAYS

    def bounds(self, slot: int, interval: int) -> Bounds | None:
        start, end = slot - interval - 2 * JITTER_SECONDS, slot + interval + JITTER_SECONDS
        if not self.samples or self.samples[0].at > start or self.samples[-1].at < end:
            return None
        regular: list[float] = []
        shifted: list[float] = []
        near = [one for one in self.samples if start <= one.at <= end]
        gap = max(later.at - earlier.at for earlier, later in itertools.pairwise(near))
        for later in near:
            if later.at < slot - JITTER_SECONDS:
                continue
            partners = [one for one in self.samples if abs(later.at - one.at - interval) <= JITTER_SECONDS]
            values = [self.of(later.seen, earlier.seen, later.at - earlier.at) for earlier in partners]
            if values:
                regular.append(values[len(values) // 2])
                # Both looks of the reader lie between samples: its interval holds no less than one that is shorter by a
                # gap at either end, and no more than one that is longer.
                edges = [one for one in self.samples if abs(later.at - one.at - interval) <= 2 * gap]
                shifted += [*values, *(self.of(later.seen, earlier.seen, interval) for earlier in edges)]
        middle = around(regular, self.quantum)
        return Bounds(min(middle.low, *shifted), max(middle.high, *shifted))


def is_change(reading: Reading) -> bool:
    """Whether it is made from two looks."""
    if isinstance(reading, AtLeast):
        return is_change(reading.part)
    return is_change(reading.reading) if isinstance(reading, Passing) else isinstance(reading, Change)


@dataclass(frozen=True)
class Exactly:
    """Values by slot that their sender told."""

    values: dict[int, float]

    strays: ClassVar[int] = 0

    def bounds(self, slot: int, interval: int) -> Bounds | None:  # noqa: ARG002  as the others
        value = self.values.get(slot)
        return None if value is None else Bounds(value, value)


@dataclass
class Sampler(Generic[T]):
    """Looks again and again, in a thread of its own, until it is left."""

    look: Callable[[], T]
    pause_seconds: float
    samples: list[Sample[T]] = field(default_factory=list)
    failure: BaseException | None = None
    _end: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        if self.failure:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._end.wait(self.pause_seconds):
                at = time.time()
                self.samples.append(Sample(at, self.look()))
        except BaseException as failure:  # noqa: BLE001  raised where the sampler is left
            self.failure = failure
