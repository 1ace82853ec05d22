"""CPU time a point that is received and written: go-carbon against carbon-cache, evenly and in a burst."""

from __future__ import annotations

import contextlib
import socket
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests import whisper
from tests.bench.machine import cpu_seconds, wait_until_idle
from tests.bench.peers import Peers
from tests.faults.flood import backend, set_bounds
from tests.stack import free_port_range

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POINTS_A_SECOND = 10_000
STEP_SECONDS = 10
SAMPLE = 50
LINES_A_WRITE = 500


@dataclass(frozen=True)
class Receiver:
    """One end that takes points."""

    name: str
    pid: int
    carbon: tuple[str, int]
    whisper: Path


@dataclass(frozen=True)
class Ingest:
    """A result: CPU in microseconds for the first point of a series, and for one that comes evenly or in a burst.

    ``stored_share`` is the share of all that was sent that is found on disk.
    """

    receiver: str
    series: int
    new_us: float
    even_us: float
    burst_us: float
    stored_share: float


def run(release: Path, folder: Path, *, quick: bool) -> list[Ingest]:
    """Measure each number of series on both receivers in turn."""
    plan = ((1000, 20, 1),) if quick else ((1000, 50, 3), (10_000, 5, 3), (100_000, 2, 1))
    with contextlib.ExitStack() as stack:
        receivers = list(stack.enter_context(_receivers(release, folder)))
        return [result for series, rounds, repeats in plan for result in _compare(receivers, series, rounds, repeats)]


@contextlib.contextmanager
def _receivers(release: Path, folder: Path) -> Iterator[list[Receiver]]:
    with free_port_range() as port, free_port_range() as peer_port:
        ours = backend(release, folder / "ours", port, interval_seconds=STEP_SECONDS)
        set_bounds(ours, metrics=1_000_000, creates_per_second=1_000_000)  # the peer has no bounds either
        conf = ours.dir / "conf/go-carbon"
        schemas, aggregation = ((conf / f"storage-{name}.conf").read_text() for name in ("schemas", "aggregation"))
        with contextlib.closing(Peers(folder / "peers", peer_port, schemas, aggregation)) as peers:
            try:
                ours.start()
                yield [
                    Receiver("go-carbon", ours.pids()["go-carbon"], ours.carbon, ours.dir / "storage/whisper"),
                    Receiver("carbon-cache", peers.start(), peers.carbon, peers.whisper),
                ]
            finally:
                ours.stop()


def _compare(receivers: list[Receiver], series: int, rounds: int, repeats: int) -> list[Ingest]:
    span = STEP_SECONDS * rounds
    start = (int(time.time()) - 5 * 3600) // STEP_SECONDS * STEP_SECONDS
    new = {end.name: _measure(end, series, range(start, start + 1), POINTS_A_SECOND) for end in receivers}
    even: dict[str, list[float]] = {end.name: [] for end in receivers}
    burst: dict[str, list[float]] = {end.name: [] for end in receivers}
    at = start + STEP_SECONDS
    for repeat in range(repeats):
        for taken, points_a_second in ((even, POINTS_A_SECOND), (burst, None)):
            times = range(at, at + span, STEP_SECONDS)
            at += span
            for end in receivers if repeat % 2 else reversed(receivers):
                taken[end.name].append(_measure(end, series, times, points_a_second))
    return [
        Ingest(
            receiver=end.name,
            series=series,
            new_us=new[end.name],
            even_us=statistics.median(even[end.name]),
            burst_us=statistics.median(burst[end.name]),
            stored_share=_stored_share(end, series, range(start, at, STEP_SECONDS)),
        )
        for end in receivers
    ]


def _measure(end: Receiver, series: int, times: range, points_a_second: int | None) -> float:
    """Send a point of every series at each time; CPU in microseconds a point, until all is written.

    Where ``points_a_second`` is None the points are sent as fast as they are taken.
    """
    wait_until_idle(end.pid)
    before = cpu_seconds(end.pid)
    began = time.monotonic()
    sent = 0
    with socket.create_connection(end.carbon, timeout=300) as connection:
        for at in times:
            for part in range(0, series, LINES_A_WRITE):
                lines = (f"{_name(series, i)} {i}.5 {at}\n" for i in range(part, min(series, part + LINES_A_WRITE)))
                connection.sendall("".join(lines).encode())
                sent += min(LINES_A_WRITE, series - part)
                if points_a_second:
                    time.sleep(max(0.0, began + sent / points_a_second - time.monotonic()))
    wait_until_idle(end.pid)
    return (cpu_seconds(end.pid) - before) / sent * 1e6


def _name(series: int, i: int) -> str:
    return f"collectd.n{series}.host{i % 100}.plugin{i // 100 % 10}.metric{i}"


def _stored_share(end: Receiver, series: int, times: range) -> float:
    """The share of the points of some series that is found on disk."""
    found = 0
    for i in range(0, series, series // SAMPLE):
        path = end.whisper / f"{_name(series, i).replace('.', '/')}.wsp"
        values = whisper.finest(path) if path.exists() else {}
        found += sum(values.get(at) == i + 0.5 for at in times)
    return found / (len(range(0, series, series // SAMPLE)) * len(times))
