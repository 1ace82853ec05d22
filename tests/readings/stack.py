"""The dashboard Stack health, from what the store holds, the file system, the kernel, and what the test sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tests.readings.system import INTERVAL_SECONDS
from tests.sampling import JITTER_SECONDS, Bounds, Change, Exactly, Level, Passing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.readings.observation import Observation, Service
    from tests.sampling import Reading

REPORT_SECONDS = 60  # go-carbon and carbonapi tell about themselves once a minute
SCAN_SECONDS = 60  # go-carbon counts its files once a minute
RARE, RARE_SECONDS = "dkm.*.{store,disk_scan}", 300  # the collectors that run seldom


@dataclass(frozen=True)
class Between:
    """Bounds that a function knows for each slot."""

    of: Callable[[int], Bounds | None]

    strays: ClassVar[int] = 0

    def bounds(self, slot: int, interval: int) -> Bounds | None:  # noqa: ARG002  as the others
        return self.of(slot)


@dataclass(frozen=True)
class Nothing:
    """Nothing of the kind happened while the test looked on."""

    seen: Observation

    strays: ClassVar[int] = 0

    def bounds(self, slot: int, interval: int) -> Bounds | None:
        return Bounds(0, 0) if within(self.seen, slot, interval) else None


def arrived(seen: Observation, moment: float, own: int) -> Bounds:
    """How many points came in the minute before a moment, `own` of go-carbon's among them.

    A batch comes within the interval that its slot begins; one at an edge may have come before it or after it.
    """
    begin, lateness = moment - REPORT_SECONDS, INTERVAL_SECONDS + JITTER_SECONDS
    batches = Counter(seen.stored["collectd"]) + Counter(seen.stored["dkm"])
    low = sum(count for slot, count in batches.items() if slot >= begin and slot + lateness <= moment)
    high = sum(count for slot, count in batches.items() if slot + lateness >= begin and slot <= moment)
    told = 2 * max(seen.stored["carbon.api"].values(), default=0)
    return Bounds(low - rare(seen), high + rare(seen) + told + own + reported(seen, moment, refused=False).high)


def rare(seen: Observation) -> int:
    """The points of a run of each of these: rare, and at the first run up to minutes later than their slot."""
    return max(seen.stored[RARE].values(), default=0)


def reported(seen: Observation, moment: float, *, refused: bool) -> Bounds:
    """How many lines of DSS clients came in the minute before a moment: the good ones, or the refused."""

    def lines(begin: float, end: float) -> int:
        return sum(
            report.refused if refused else len(report.numbers)
            for reports in seen.sent.values()
            for report in reports
            if begin <= report.at <= end
        )

    return Bounds(
        lines(moment - REPORT_SECONDS + JITTER_SECONDS, moment - 2 * JITTER_SECONDS),
        lines(moment - REPORT_SECONDS - 2 * JITTER_SECONDS, moment + JITTER_SECONDS),
    )


def within(seen: Observation, slot: int, interval: int = REPORT_SECONDS) -> bool:
    """Whether all that a report of this slot can speak of was seen."""
    margin = interval + 2 * JITTER_SECONDS
    return slot - margin >= seen.start and slot + margin <= seen.end


def minute(seen: Observation, of: Callable[[float], Bounds], scale: float = 1.0) -> Reading:
    """A report on the minute before it, made at an unknown moment of its slot."""

    def bounds(slot: int) -> Bounds | None:
        if not within(seen, slot):
            return None
        every = [of(slot + second) for second in range(REPORT_SECONDS + 2)]
        return Bounds(scale * min(one.low for one in every), scale * max(one.high for one in every))

    return Between(bounds)


def received(seen: Observation) -> Reading:
    return minute(seen, lambda moment: arrived(seen, moment, 0), 1 / REPORT_SECONDS)


def written(seen: Observation) -> Reading:
    """What was received and what go-carbon says of itself, a minute's at most twice."""
    own = 2 * max(seen.stored["carbon.agents"].values())
    return minute(seen, lambda moment: arrived(seen, moment, own), 1 / REPORT_SECONDS)


def waiting(seen: Observation) -> Reading:
    """No more can wait than came."""
    own = max(seen.stored["carbon.agents"].values())
    return minute(seen, lambda moment: Bounds(0, arrived(seen, moment, own).high))


def count(seen: Observation, of: Callable[[Service], float], *, age_seconds: float = 0) -> Reading:
    return Level(seen.service, of, before_seconds=age_seconds)


def change(seen: Observation, of: Callable[[Service], float]) -> Reading:
    return Change(seen.service, lambda later, earlier, _: of(later) - of(earlier))


def rate(seen: Observation, of: Callable[[Service], float]) -> Reading:
    return Change(seen.service, lambda later, earlier, seconds: (of(later) - of(earlier)) / seconds)


def at_most(reading: Reading) -> Reading:
    def bounds(slot: int) -> Bounds | None:
        known = reading.bounds(slot, REPORT_SECONDS)
        return known and Bounds(0, known.high)

    return Between(bounds)


def heap(seen: Observation, of: Callable[[Service], float]) -> Reading:
    """What is in use on the heap is part of what the process has in memory; carbonapi says 0 before it first looks."""
    most = max(of(sample.seen) for sample in seen.service)
    return Between(lambda _: Bounds(0, most))


def run_end(interval_seconds: int) -> Reading:
    """In the slot of the run (ms)."""
    return Between(lambda slot: Bounds(1000 * slot, 1000 * (slot + interval_seconds + JITTER_SECONDS)))


def disk_run_end() -> Reading:
    """The same of the disks' collector; before the test shortened its interval, a run came anywhere in its slot."""

    def bounds(slot: int) -> Bounds:
        seconds = RARE_SECONDS if slot % RARE_SECONDS == 0 else INTERVAL_SECONDS
        return Bounds(1000 * slot, 1000 * (slot + seconds + JITTER_SECONDS))

    return Between(bounds)


def last_good_run(seen: Observation) -> dict[str, Reading]:
    found = by_collector(lambda _: run_end(INTERVAL_SECONDS), lambda _: run_end(RARE_SECONDS))(seen)
    return {**found, f"{seen.host}.disk": disk_run_end()}


def by_collector(
    often: Callable[[Observation], Reading], seldom: Callable[[Observation], Reading]
) -> Callable[[Observation], dict[str, Reading]]:
    """Those that run seldom may have no run while the test looks on."""
    return lambda seen: {
        **{f"{seen.host}.{name}": often(seen) for name in ("host", "disk", "arrivals")},
        **{f"{seen.host}.{name}": Passing(seldom(seen)) for name in ("store", "disk_scan")},
    }


def well(root: str) -> Callable[[Observation], Reading]:
    return lambda seen: Exactly(dict.fromkeys(seen.stored[root], 1.0))


def takes(interval_seconds: int) -> Callable[[Observation], Reading]:
    return lambda _: Between(lambda _: Bounds(0, interval_seconds))


def lines_sent(seen: Observation) -> Reading:
    """A batch for each interval, of this slot's size or a neighbour's.

    Not before the test looked on: it restarted the collectors, whose first two runs come close together, so that the
    second may count before the batch of the first was sent.
    """
    stored = seen.stored["dkm"]

    def bounds(slot: int) -> Bounds | None:
        if not within(seen, slot, INTERVAL_SECONDS):
            return None
        near = range(slot - 2 * INTERVAL_SECONDS, slot + 2 * INTERVAL_SECONDS, INTERVAL_SECONDS)
        sizes = [stored[at] / INTERVAL_SECONDS for at in near if at in stored]
        return Bounds(min(sizes), max(sizes) + rare(seen) / INTERVAL_SECONDS) if len(sizes) == len(near) else None

    return Between(bounds)


def of_host(reading: Callable[[Observation], Reading], *labels: str) -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {f"{seen.host}.{label}" if label else seen.host: reading(seen) for label in labels or ("",)}


PANELS: dict[str, Callable[[Observation], dict[str, Reading]]] = {
    "Points received": of_host(received),
    "Points written": of_host(written),
    "Points waiting": of_host(waiting),
    "Points dropped": of_host(Nothing, "overflow", "throttle"),
    "Lines refused": of_host(lambda seen: minute(seen, lambda moment: reported(seen, moment, refused=True))),
    "Connections": of_host(lambda seen: count(seen, lambda service: service.connections)),
    "Metrics": of_host(lambda seen: count(seen, lambda service: service.files, age_seconds=SCAN_SECONDS)),
    "New metrics": of_host(lambda seen: change(seen, lambda service: service.files)),
    "Memory of go-carbon": of_host(lambda seen: heap(seen, lambda service: service.go_carbon_bytes)),
    "Requests": lambda seen: {
        f"{seen.host}.requests": rate(seen, lambda service: service.requests),
        f"{seen.host}.render_requests": rate(seen, lambda service: service.renders),
    },
    "Slow requests": of_host(lambda seen: at_most(rate(seen, lambda service: service.slow))),
    "Failures": of_host(Nothing, "find_errors", "render_errors", "timeouts"),
    "Memory of carbonapi": of_host(lambda seen: heap(seen, lambda service: service.carbonapi_bytes)),
    "Duration of runs": by_collector(takes(INTERVAL_SECONDS), takes(RARE_SECONDS)),
    "Runs well": by_collector(well("dkm"), well(RARE)),
    "Last good run": last_good_run,
    "Points sent": of_host(lines_sent),
    "Points kept back": of_host(Nothing),
    "Trouble with sending": of_host(Nothing, "dropped_total", "failures_total"),
}
