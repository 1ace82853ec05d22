"""Some minutes of a running installation, and what was seen of it from outside meanwhile."""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from tests.dss_client import Report
    from tests.machine import Processes, Values
    from tests.readings.arriving import Arrivals
    from tests.readings.disk import Scanned
    from tests.sampling import Sample
    from tests.stack import Stack

DEEPEST = 9  # segments of a metric's name
SLOW_SECONDS = 1.0


@dataclass
class Reader:
    """Asks carbonapi, and counts what it asks: nobody else asks this installation meanwhile."""

    base: str
    requests: int = 0
    renders: int = 0
    slow: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, path: str, **query: str | int) -> Any:
        """The JSON of an answer; an error of carbonapi's is raised."""
        with self._lock:
            self.requests += 1
            self.renders += path == "/render"
            start = time.monotonic()
            with urllib.request.urlopen(f"{self.base}{path}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
                body = answer.read()
            self.slow += time.monotonic() - start >= SLOW_SECONDS
        return json.loads(body)

    def series(self, target: str, start: int, end: int) -> dict[str, Series]:
        """Each series of a target, for the slots from `start` to before `end`."""
        answer = self.ask("/render", target=target, until=end, format="json", **{"from": start - 1})
        return {one["target"]: _series(one["datapoints"], start, end) for one in answer}

    def names(self, query: str) -> set[str]:
        """What /metrics/find finds."""
        return {entry["id"] for entry in self.ask("/metrics/find", query=query)}


@dataclass(frozen=True)
class Series:
    """The length of its slots in seconds, and the values by the slot's start in UTC seconds."""

    step: int
    values: dict[int, float]


def _series(datapoints: list[tuple[float | None, int]], start: int, end: int) -> Series:
    step = datapoints[1][1] - datapoints[0][1]
    return Series(step, {at: value for value, at in datapoints if value is not None and start <= at < end})


@dataclass(frozen=True)
class Service:
    """The stack as the file system and the kernel tell it, and what was asked of it until now."""

    files: int
    connections: int
    go_carbon_bytes: int
    carbonapi_bytes: int
    requests: int
    renders: int
    slow: int


def look_at_service(stack: Stack, reader: Reader, pids: dict[str, int]) -> Service:
    whisper = Path(stack.dir / "storage/whisper")
    established = [
        one
        for one in psutil.Process(pids["go-carbon"]).net_connections("tcp")
        if one.status == psutil.CONN_ESTABLISHED and one.laddr.port == stack.carbon[1]
    ]
    return Service(
        files=sum(1 for _ in whisper.rglob("*.wsp")),
        connections=len(established),
        go_carbon_bytes=psutil.Process(pids["go-carbon"]).memory_info().rss,
        carbonapi_bytes=psutil.Process(pids["carbonapi"]).memory_info().rss,
        requests=reader.requests,
        renders=reader.renders,
        slow=reader.slow,
    )


@dataclass(frozen=True)
class Observation:
    """What was seen.

    Attributes:
        stack, reader: the installation, and who reads from it.
        machine, processes, service: the samples.
        sent: every report of a DSS client, by its prefix.
        stored: by root, how many metrics below it have a value in each slot.
        disk: a tree that was scanned before.
        arrivals: directories in which files arrived.
        quiet_account: the account of the busy processes, which has no others where root runs the tests.
        start, end: UTC seconds between which everything was sampled.
        prefix, instance, reports: of the DSS client whose dashboard is looked at.
    """

    stack: Stack
    reader: Reader
    machine: list[Sample[Values]]
    processes: list[Sample[Processes]]
    service: list[Sample[Service]]
    sent: dict[str, list[Report]]
    stored: dict[str, dict[int, int]]
    disk: Scanned
    arrivals: Arrivals
    quiet_account: str
    start: int
    end: int
    prefix: str = ""
    reports: tuple[Report, ...] = ()

    @property
    def host(self) -> str:
        return self.stack.host

    @property
    def service_user(self) -> str:
        """The account that the stack runs as: that of the tests."""
        return pwd.getpwuid(os.geteuid()).pw_name

    @property
    def instance(self) -> str:
        return self.prefix.rpartition(".")[2]

    def of_dss(self, prefix: str) -> Observation:
        return dataclasses.replace(self, prefix=prefix, reports=tuple(self.sent[prefix]))


def points_by_slot(reader: Reader, root: str, start: int, end: int) -> dict[int, int]:
    """How many metrics below a root have a value in each slot."""
    counts: dict[int, int] = {}
    for depth in range(1, DEEPEST):
        for series in reader.series(root + ".*" * depth, start, end).values():
            for slot in series.values:
                counts[slot] = counts.get(slot, 0) + 1
    return counts
