"""Latency of a render of 24 hours at 10 s: carbonapi with go-carbon against graphite-web, on the same files."""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests import whisper
from tests.bench.peers import Peers
from tests.faults.flood import backend
from tests.stack import free_port_range, wait_for

if TYPE_CHECKING:
    from pathlib import Path

STEP_SECONDS = 10
DAY_POINTS = 86400 // STEP_SECONDS
SERIES = (1, 10, 100)
MAX_DATA_POINTS = 1000
SCHEMAS = f"[bench]\npattern = .*\nretentions = {STEP_SECONDS}s:2d\n"


@dataclass(frozen=True)
class Render:
    """A result: median and slowest latency of a server's answers, in milliseconds."""

    server: str
    series: int
    max_data_points: int | None
    median_ms: float
    slowest_ms: float


def run(release: Path, folder: Path, *, quick: bool) -> list[Render]:
    """Measure both servers in turn, request by request."""
    repeats = 3 if quick else 15
    now = int(time.time()) // 60 * 60
    with free_port_range() as port, free_port_range() as peer_port:
        ours = backend(release, folder / "ours", port, interval_seconds=STEP_SECONDS)
        (ours.dir / "conf/go-carbon/storage-schemas.conf").write_text(SCHEMAS)
        aggregation = (ours.dir / "conf/go-carbon/storage-aggregation.conf").read_text()
        with contextlib.closing(Peers(folder / "peers", peer_port, SCHEMAS, aggregation)) as peers:
            for tree in (ours.dir / "storage/whisper", peers.whisper):
                _write_day(tree, now)
            try:
                ours.start()
                peers.start()
                wait_for("go-carbon to know the files", lambda: ours.render("bench.set1.*", "-1h"))
                servers = {"carbonapi": ours.carbonapi, "graphite-web": peers.web}
                return [
                    result
                    for series in SERIES
                    for limit in (None, MAX_DATA_POINTS)
                    for result in _compare(servers, series, limit, now, repeats)
                ]
            finally:
                ours.stop()


def _write_day(tree: Path, now: int) -> None:
    for series in SERIES:
        for i in range(series):
            values = [math.sin(k / 100 + i) * 100 for k in range(DAY_POINTS)]
            path = tree / f"bench/set{series}/s{i}.wsp"
            whisper.write(path, STEP_SECONDS, 2 * DAY_POINTS, now - 86400 + STEP_SECONDS, values)


def _compare(servers: dict[str, str], series: int, limit: int | None, now: int, repeats: int) -> list[Render]:
    query = {"target": f"bench.set{series}.*", "from": str(now - 86400), "until": str(now), "format": "json"}
    if limit:
        query["maxDataPoints"] = str(limit)
    seconds: dict[str, list[float]] = {name: [] for name in servers}
    for repeat in range(repeats + 1):
        for name, address in servers.items():
            began = time.monotonic()
            with urllib.request.urlopen(f"{address}/render?{urllib.parse.urlencode(query)}", timeout=120) as answer:
                body = answer.read()
            taken = time.monotonic() - began
            if repeat == 0:
                _check(name, json.loads(body), series, limit)  # the first one warms up and is not counted
            else:
                seconds[name].append(taken)
    return [
        Render(name, series, limit, statistics.median(taken) * 1000, max(taken) * 1000)
        for name, taken in seconds.items()
    ]


def _check(name: str, answer: list[dict[str, list[list[float | None]]]], series: int, limit: int | None) -> None:
    """Whether a server has answered with all there is, so that speed is not had by leaving something out."""
    filled = [sum(value is not None for value, _ in one["datapoints"]) for one in answer]
    least = DAY_POINTS - 2 if limit is None else limit * 0.8
    if len(filled) != series or min(filled) < least:
        raise ValueError(f"{name} answered {len(filled)} of {series} series, the shortest with {min(filled)} points")
