"""The console: tables against datasette on the same rows, memory after use, the first page, a start, a large chart."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dkumonitor.accounts.roles import Role
from tests.bench import bench_disk
from tests.bench.figures import Figure
from tests.bench.machine import cpu_seconds, wait_until_idle
from tests.bench.peers import environment
from tests.browser.chromium import Chromium
from tests.browser.site import Site, answers, running_site
from tests.faults.flood import status_bytes
from tests.history.records import AUDIT_ROWS
from tests.proc import pss_bytes
from tests.stack import free_port_range, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SEARCHED = "schmidt"
PAGE_ROWS = 50
CLIENTS = 4
FILTER = urllib.parse.urlencode(
    {"_where": " or ".join(f"{column} like '%{SEARCHED}%'" for column in ("login", "address", "act", "about"))}
)
QUESTIONS = {  # what is asked, of the console, of datasette
    "sorted by time": ("sort=at_seconds&descending=true", "_sort_desc=at_seconds"),
    "sorted by text": ("sort=about", "_sort=about"),
    "the last page": ("sort=at_seconds&offset=9950", "_sort=at_seconds&_next=9950"),
    "filtered": (f"search={SEARCHED}", FILTER),
    "filtered and sorted": (f"search={SEARCHED}&sort=login", f"{FILTER}&_sort=login"),
}
LARGE_SERIES, LARGE_POINTS = 100, 1440


@dataclass(frozen=True)
class Tables:
    """A result: median and slowest time of an answer, in milliseconds, of the console and of datasette."""

    question: str
    median_ms: float
    slowest_ms: float
    peer_median_ms: float


@dataclass(frozen=True)
class Console:
    """All results."""

    tables: list[Tables]
    figures: list[Figure]


@dataclass(frozen=True)
class Server:
    """What is asked over one kept connection; `headers` sign in."""

    port: int
    headers: dict[str, str]

    def get(self, connection: http.client.HTTPConnection, path: str) -> tuple[bytes, float]:
        """The body of an answer and the seconds that it took.

        Raises:
            ValueError: it is no success.
        """
        began = time.monotonic()
        connection.request("GET", path, headers=self.headers)
        answer = connection.getresponse()
        body = answer.read()
        taken = time.monotonic() - began
        if answer.status != http.client.OK:
            raise ValueError(f"{path} answers {answer.status}: {body[:300]!r}")
        return body, taken

    def connect(self) -> http.client.HTTPConnection:
        """A connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)


def run(release: Path, folder: Path, *, quick: bool) -> Console:
    """Measure an installation that holds the day of tests/history and 10,000 rows of the audit log."""
    folder.mkdir()
    with (
        running_site(release, folder / "dkm") as site,
        contextlib.closing(Chromium(folder / "chromium.log")) as browser,
    ):
        wait_for("the console to run", lambda: "console" in site.stack.pids())
        figures = [_start_cpu(site, 2 if quick else 5), *_first_page(site, browser, 5 if quick else 20)]
        tables = _tables(site, folder, 3 if quick else 20)
        figures += bench_disk.figures(_server(site), _pid(site), 5 if quick else 20)
        figures += _memory(site, 400 if quick else 6000)
        figures += _drawing(site, browser, 1 if quick else 3)
    return Console(tables, figures)


def _pid(site: Site) -> int:
    return site.stack.pids()["console"]


def _server(site: Site) -> Server:
    token = site.stack.dkm("token", "create", "bench", "--scope", "admin").stdout.strip()
    return Server(site.stack.installation["ports"]["console"], {"Authorization": f"Bearer {token}"})


def _start_cpu(site: Site, repeats: int) -> Figure:
    """CPU that a new process has used when it has answered for the first time."""
    used = []
    for _ in range(repeats):
        old = _pid(site)
        os.kill(old, signal.SIGTERM)
        wait_for("a new process", lambda old=old: site.stack.pids().get("console") not in {None, old}, 60)  # type: ignore[misc]
        assert answers(site.base)  # the socket is kept: the request waits until the process takes it
        used.append(cpu_seconds(_pid(site)))
    return Figure("CPU from a start of the console to its first answer", statistics.median(used), "s", 1)


def _first_page(site: Site, browser: Chromium, repeats: int) -> Iterator[Figure]:
    account = site.account(Role.ADMIN)
    for path, what in (("/", "the first page"), ("/dashboards/dkm-system", "a dashboard of 20 panels")):
        loaded = browser.act("load", **account, path=path, repeats=1)
        wait_until_idle(_pid(site))
        before = cpu_seconds(_pid(site))
        browser.act("load", **account, path=path, repeats=repeats, timeout_seconds=600)
        used = (cpu_seconds(_pid(site)) - before) / repeats
        bounds = (150, 150) if path == "/" else (None, None)
        yield Figure(f"{what} with all that it loads, over the wire", loaded["bytes"] / 1000, "kB", bounds[0])
        yield Figure(f"{what}: CPU of the console", used * 1000, "ms", bounds[1])


def _tables(site: Site, folder: Path, repeats: int) -> list[Tables]:
    """Each question to both in turn, the page of 50 rows as HTML."""
    ours = _server(site)
    with _datasette(site.stack.dir / "storage/store/dkumonitor.sqlite", folder) as theirs:
        return [
            _compare(question, [(ours, f"/tables/audit?{asked}"), (theirs, f"/peer/audit?_size=50&{peer}")], repeats)
            for question, (asked, peer) in QUESTIONS.items()
        ]


def _compare(question: str, asked: Sequence[tuple[Server, str]], repeats: int) -> Tables:
    taken: list[list[float]] = [[], []]
    connections = [server.connect() for server, _ in asked]
    for repeat in range(repeats + 1):
        for i, (server, path) in enumerate(asked):
            body, seconds = server.get(connections[i], path)
            if body.count(b"<tr") < PAGE_ROWS:
                raise ValueError(f"{path} shows fewer than {PAGE_ROWS} rows")
            if repeat:  # the first one warms up
                taken[i].append(seconds * 1000)
    for connection in connections:
        connection.close()
    return Tables(question, statistics.median(taken[0]), max(taken[0]), statistics.median(taken[1]))


@contextlib.contextmanager
def _datasette(store: Path, folder: Path) -> Iterator[Server]:
    """Datasette on a copy of the same table with the same indices."""
    copy = folder / "peer.db"
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as source:
        made = source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'audit' AND sql IS NOT NULL").fetchall()
        rows = source.execute("SELECT * FROM audit").fetchall()
    assert len(rows) >= AUDIT_ROWS
    with contextlib.closing(sqlite3.connect(copy)) as target, target:
        for (statement,) in sorted(made, key=lambda one: "INDEX" in one[0]):
            target.execute(statement)
        target.executemany(f"INSERT INTO audit VALUES ({','.join('?' * len(rows[0]))})", rows)
    with free_port_range() as port:
        command = [
            str(environment() / "datasette"),
            "serve",
            "--immutable",
            str(copy),
            "--port",
            str(port),
            "--setting",
        ]
        with subprocess.Popen(
            [*command, "max_returned_rows", "2000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                server = Server(port, {})
                wait_for("datasette to answer", lambda: _answers(server), 60)
                yield server
            finally:
                process.terminate()


def _answers(server: Server) -> bool:
    try:
        server.get(server.connect(), "/peer/audit")
    except (OSError, http.client.HTTPException):
        return False
    return True


def _memory(site: Site, requests: int) -> Iterator[Figure]:
    """Memory before and after so many requests over all pages, tables and charts by several clients at once."""
    server = _server(site)
    before = status_bytes(_pid(site), "VmRSS")
    day = urllib.parse.urlencode({"from": "now-24h", "until": "now"})
    paths = [
        *("/", "/dashboards", "/services", "/people", "/users", "/accounts", "/audit", "/sessions", "/tokens"),
        *(
            "/tables/audit?sort=about",
            "/tables/people?search=a",
            "/tables/audit?offset=5000",
            "/api/v1/people?limit=1000",
        ),
        *(f"/api/v1/dashboards/dkm-{name}" for name in ("system", "users", "stack")),
        *(
            f"/api/v1/dashboards/{board}/panels/{panel}/data?{day}&points=600"
            for board in ("dkm-system", "dkm-users")
            for panel in _panels(server, board)
        ),
    ]
    wanted = itertools.islice(itertools.cycle(paths), requests)
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda path: _once(server, path), wanted))
    pid = _pid(site)
    used = f"after {requests:,} requests over all pages and charts"
    yield Figure("resident memory of the console when it has started", before / 1e6, "MB")
    yield Figure(f"resident memory of the console {used}", status_bytes(pid, "VmRSS") / 1e6, "MB", 60)
    yield Figure(f"its own share of the memory (PSS) {used}", pss_bytes(pid) / 1e6, "MB")


def _panels(server: Server, board: str) -> list[int]:
    body, _ = server.get(server.connect(), f"/api/v1/dashboards/{board}")
    return [panel["id"] for panel in json.loads(body)["panels"] if panel["type"] != "row"]


def _once(server: Server, path: str) -> None:
    connection = server.connect()
    server.get(connection, path)
    connection.close()


def _drawing(site: Site, browser: Chromium, repeats: int) -> Iterator[Figure]:
    """A chart of 100 series of 1,440 points in the real browser."""
    query = {
        "target": f"limit(aliasByNode(dkm.atlas.host.users.*.cpu_percent,4),{LARGE_SERIES})",
        "from": str(site.history.end - 86400),
        "until": str(site.history.end),
    }
    drawn = [
        browser.act(
            "draw", **site.account(Role.OPERATOR), path=f"/query?{urllib.parse.urlencode(query)}", timeout_seconds=300
        )
        for _ in range(repeats)
    ]
    if any(one["series"] != LARGE_SERIES or one["points"] < LARGE_POINTS * 0.98 for one in drawn):
        raise ValueError(f"{[(one['series'], one['points']) for one in drawn]} were drawn")
    what = f"a chart of {LARGE_SERIES} series of {LARGE_POINTS:,} points"
    yield Figure(f"{what}: longest task in the browser", statistics.median(one["longest_ms"] for one in drawn), "ms")
    yield Figure(f"{what}: drawn after its data came", statistics.median(one["drawn_ms"] for one in drawn), "ms")
    yield Figure(f"{what}: longest task under the moving pointer", max(one["pointer_ms"] for one in drawn), "ms")
