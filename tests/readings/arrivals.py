"""The dashboard Arrivals, from the files that the test made, what Redis says, and the size of the spool by stat(2)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tests.readings.arriving import MISSING, OPEN, PAUSE_SECONDS, SECTIONS, STEADY, STILL
from tests.readings.stack import Between, within
from tests.readings.system import INTERVAL_SECONDS
from tests.sampling import JITTER_SECONDS, STRAYS, Bounds, Sample, around

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.readings.arriving import Look
    from tests.readings.observation import Observation
    from tests.sampling import Reading

STATUS_SECONDS = 3.0  # the watcher notes each second how it is, if 2 have passed since it did
IDLE_SECONDS = 6.0  # or 5, where nothing happened
PEAK_SECONDS = 30.0  # of so many it notes the longest way
QUEUE_SECONDS = 6.0  # each second, too, it asks for the queues if 5 have passed
SMOOTHED_SECONDS = 60.0
ROUNDED_SECONDS = 0.005  # pauses of Redis and times in the spool are in whole ms


def looked_at(slot: int) -> Bounds:
    """When the watcher may have noted what was sent in a slot."""
    return Bounds(slot - STATUS_SECONDS - JITTER_SECONDS, slot + INTERVAL_SECONDS + JITTER_SECONDS)


def moments(slot: int) -> list[float]:
    """Enough of them."""
    span = looked_at(slot)
    count = math.ceil((span.high - span.low) / PAUSE_SECONDS)
    return [span.low + (span.high - span.low) * number / count for number in range(count + 1)]


@dataclass(frozen=True)
class Run:
    """A quantity made from what the watcher had noted at two runs of the collector: for two looks what it may be."""

    samples: list[Sample[Look]]
    of: Callable[[Sample[Look], Sample[Look]], Bounds | None]

    strays: ClassVar[int] = STRAYS

    def bounds(self, slot: int, interval: int) -> Bounds | None:
        span, slack = looked_at(slot), STATUS_SECONDS + JITTER_SECONDS
        if self.samples[0].at > span.low - interval - slack or self.samples[-1].at < span.high:
            return None
        found = [
            self.of(earlier, later)
            for later in self.samples
            if span.holds(later.at)
            for earlier in self.samples
            if abs(later.at - earlier.at - interval) <= slack
        ]
        known = [one for one in found if one is not None]
        return Bounds(min(one.low for one in known), max(one.high for one in known)) if known else None


def pushed(seen: Observation) -> Reading:
    """All events that came into a queue; an event may be counted a moment later than Redis has it."""

    def of(earlier: Sample[Look], later: Sample[Look]) -> Bounds:
        count = sum(later.seen.lengths.values()) - sum(earlier.seen.lengths.values())
        seconds = later.at - earlier.at
        return Bounds((count - 1) / seconds, (count + 1) / seconds)

    return Run(seen.arrivals.samples, of)


def lags(seen: Observation) -> list[tuple[Bounds, Bounds]]:
    """For each event of the steady directory that Redis has: since when it has it, how long that took."""
    arrivals, found = seen.arrivals, []
    numbered = zip(itertools.count(1), arrivals.made[STEADY], arrivals.held, arrivals.announced, strict=False)
    samples = iter(arrivals.samples)
    before, sample = -math.inf, next(samples, None)
    for number, made, held, announced in numbered:
        while sample is not None and sample.seen.lengths[STEADY] < number:
            before, sample = sample.at, next(samples, None)
        if sample is None:
            break
        least = max(0.0, held - announced - ROUNDED_SECONDS)
        found.append((Bounds(before, sample.at), Bounds(least, sample.at - made + 2 * JITTER_SECONDS)))
    return found


def mean_lag(seen: Observation) -> Reading:
    known = [bounds for _, bounds in lags(seen)]
    low = [0.0, *itertools.accumulate(one.low for one in known)]
    high = [0.0, *itertools.accumulate(one.high for one in known)]

    def of(earlier: Sample[Look], later: Sample[Look]) -> Bounds | None:
        first, last = earlier.seen.lengths[STEADY], later.seen.lengths[STEADY]
        if last == first:
            return None
        return Bounds((low[last] - low[first]) / (last - first), (high[last] - high[first]) / (last - first))

    return Run(seen.arrivals.samples, of)


def longest_lag(seen: Observation) -> Reading:
    """Of the events that Redis took in the half minute before the watcher noted how it is; of none it is 0.

    Compared from when all of that half minute was looked at: before, other directories had events, too.
    """
    known = lags(seen)

    def bounds(slot: int) -> Bounds | None:
        span = looked_at(slot)
        oldest = span.low - PEAK_SECONDS - IDLE_SECONDS - JITTER_SECONDS
        if oldest < seen.arrivals.samples[0].at:
            return None
        surely = [
            one for at, one in known if span.high - PEAK_SECONDS + JITTER_SECONDS < at.low and at.high <= span.low
        ]
        perhaps = [one for at, one in known if oldest <= at.high and at.low <= span.high + JITTER_SECONDS]
        return Bounds(max((one.low for one in surely), default=0.0), max((one.high for one in perhaps), default=0.0))

    return _while_seen(seen, bounds)


def per_second(seen: Observation, section: str) -> Reading:
    """Each file counts for what is left of it after its age, give or take the time between two notes."""
    made = seen.arrivals.made[section]
    slack = JITTER_SECONDS + (STATUS_SECONDS if section == STEADY else IDLE_SECONDS)

    def left(age_seconds: float) -> float:
        return math.exp(-max(0.0, age_seconds) / SMOOTHED_SECONDS) / SMOOTHED_SECONDS

    def bounds(slot: int) -> Bounds:
        low = (sum(left(now - at + slack) for at in made if at <= now - JITTER_SECONDS) for now in moments(slot))
        high = (sum(left(now - at - slack) for at in made if at <= now) for now in moments(slot))
        return Bounds(min(low), max(high))

    return _while_seen(seen, bounds)


def silence(seen: Observation, section: str) -> Reading:
    made = seen.arrivals.made[section]

    def since(now: float, known: float) -> float:
        return now - max(at for at in made if at <= known)

    def bounds(slot: int) -> Bounds:
        runs = [now for now in moments(slot) if now >= slot - JITTER_SECONDS]
        low = min(since(now, now) for now in runs) - JITTER_SECONDS  # it is announced a moment after it is made
        return Bounds(max(0.0, low), max(since(now, now - STATUS_SECONDS - 2 * JITTER_SECONDS) for now in runs))

    return _while_seen(seen, bounds)


def length(seen: Observation, section: str) -> Reading:
    """The watcher's question waits behind what Redis does not take."""
    hold = seen.arrivals.long_hold

    def bounds(slot: int) -> Bounds:
        span = looked_at(slot)
        begin = span.low - QUEUE_SECONDS
        if begin <= hold.high and span.high >= hold.low:
            begin = min(begin, hold.low - QUEUE_SECONDS - JITTER_SECONDS)
        return _grown(seen, Bounds(begin, span.high), lambda look: look.lengths[section])

    return _while_seen(seen, bounds)


def oldest_age(seen: Observation, section: str) -> Reading:
    at = seen.arrivals.oldest.get(section)
    if at is None:
        return _constant(seen, 0)
    lateness = 2 * JITTER_SECONDS  # it is announced a moment after it is made, and the collector may run late
    return _while_seen(seen, lambda slot: Bounds(slot - at - lateness, slot + INTERVAL_SECONDS + lateness - at))


def spool(seen: Observation) -> Reading:
    return _while_seen(seen, lambda slot: _grown(seen, looked_at(slot), lambda look: look.spool_bytes))


def waiting(seen: Observation) -> Reading:
    """Files that Redis has no event of; each takes as much of the spool as every other."""
    samples = seen.arrivals.samples
    first, last = samples[0].seen, samples[-1].seen
    each = (last.spool_bytes - first.spool_bytes) / (last.made - first.made)

    def bounds(slot: int) -> Bounds:
        span = looked_at(slot)
        near = [one.seen for one in samples if span.holds(one.at)]
        return around([each * (look.made - look.lengths[STEADY]) for look in near], each)

    return _while_seen(seen, bounds)


def _grown(seen: Observation, span: Bounds, of: Callable[[Look], float]) -> Bounds:
    """What something that only grows was, from the last look before to the first one after."""
    samples = seen.arrivals.samples
    return Bounds(
        max((of(one.seen) for one in samples if one.at <= span.low), default=of(samples[0].seen)),
        min((of(one.seen) for one in samples if one.at >= span.high), default=of(samples[-1].seen)),
    )


def _while_seen(seen: Observation, of: Callable[[int], Bounds | None]) -> Reading:
    return Between(lambda slot: of(slot) if within(seen, slot, INTERVAL_SECONDS) else None)


def _constant(seen: Observation, value: float) -> Reading:
    return _while_seen(seen, lambda _: Bounds(value, value))


def _of_host(of: Callable[[Observation], Reading]) -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {seen.host: of(seen)}


def _by_section(
    of: Callable[[Observation, str], Reading], *sections: str
) -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {f"{seen.host}.{section}": of(seen, section) for section in sections or SECTIONS}


PANELS: dict[str, Callable[[Observation], dict[str, Reading]]] = {
    "Events pushed": _of_host(pushed),
    "Waiting in the spool": _of_host(waiting),
    "Longest way to Redis": _of_host(longest_lag),
    "Directories to be listed": _of_host(lambda seen: _constant(seen, 1)),
    "Arrivals": _by_section(per_second),
    "Time since the last arrival": _by_section(silence, STEADY, STILL),
    "Queue": _by_section(length),
    "How far consumers are behind": _by_section(oldest_age),
    "Incomplete files": _by_section(lambda seen, section: _constant(seen, OPEN if section == STILL else 0)),
    "Directories that are missing": _by_section(lambda seen, section: _constant(seen, int(section == MISSING))),
    "From spool to Redis": _of_host(mean_lag),
    "Spool": _of_host(spool),
    "Overflows of the kernel's queue": _of_host(lambda seen: _constant(seen, 0)),
    "Failed connections to Redis": _of_host(lambda seen: _constant(seen, 0)),
}
