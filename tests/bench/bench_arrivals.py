"""The watcher against `inotifywait -m | redis-cli --pipe`, which promises nothing, and a loop with redis-py."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.figures import Figure
from tests.bench.machine import cpu_seconds
from tests.faults.observer import Observer
from tests.redis_server import RedisServer, redis_server
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

BURST = 100_000
QUIET = 50  # looks, 0.2 s apart, without anything new
PACED = 10_000  # files, at 1,000 a second
CPU_RATIO, CPU_RATIO_LOOP = 2.0, 0.25
LATENCY_MS = 5.0
MEMORY_MIB = 40.0
DIRECTORIES, FILES, FILES_IN_ONE = 1000, 1_000_000, 10_000
LOOP = """
import ctypes, json, os, struct, sys, time
import redis
folder, socket = sys.argv[1:]
client = redis.Redis(unix_socket_path=socket)
libc = ctypes.CDLL(None)
watched = libc.inotify_init1(0)
libc.inotify_add_watch(watched, os.fsencode(folder), 0x180)
while True:
    data, place = os.read(watched, 262144), 0
    while place < len(data):
        _, _, _, length = struct.unpack_from("iIII", data, place)
        name = os.fsdecode(data[place + 16 : place + 16 + length].rstrip(b"\\0"))
        event = {"directory": folder, "filename": name, "event": "created", "event_timestamp": time.time()}
        client.lpush("files", json.dumps(event))
        place += 16 + length
"""


# Makes a side with its own folder of files, and the processes whose CPU time counts.
Maker = Callable[[RedisServer, Path], contextlib.AbstractContextManager[tuple[Path, list[int]]]]


@dataclass(frozen=True)
class Compared:
    """CPU a file in microseconds, as the median of several turns: ours, and a peer's with the bound of the ratio.

    ``peer_share`` is the least share of the files that the peer announced in a turn; ours announced all.
    """

    peer: str
    ours_us: float
    peer_us: float
    bound: float
    peer_share: float


@dataclass(frozen=True)
class Arrivals:
    """All results."""

    compared: list[Compared]
    figures: list[Figure]


def run(release: Path, folder: Path, *, quick: bool) -> Arrivals:
    """Measure ours and both peers in turn, then the watcher's latency and memory."""
    folder.mkdir()
    burst, turns = (20_000, 1) if quick else (BURST, 5)
    results: dict[str, list[tuple[float, float]]] = {
        "ours": [],
        "inotifywait and redis-cli": [],
        "a loop with redis-py": [],
    }
    with redis_server() as server:
        makers = (_ours(release, "created"), _pipeline, _loop)
        for turn in range(turns):
            for (name, found), maker in zip(results.items(), makers, strict=True):
                place = folder / f"{turn}-{len(name)}"
                place.mkdir()
                found.append(_burst(server, place, maker, burst))
        complete = [
            _burst(server, _made(folder / f"complete-{turn}"), _ours(release, "complete"), burst)
            for turn in range(turns)
        ]
        latency = _latency(release, folder / "latency", server, PACED // (10 if quick else 1))
    memory = _memory(release, folder / "memory", quick=quick)
    ours, ours_share = _median(results.pop("ours"))
    assert ours_share == 1
    bounds = (CPU_RATIO, CPU_RATIO_LOOP)
    return Arrivals(
        [
            Compared(name, ours, _median(found)[0], bound, _median(found)[1])
            for (name, found), bound in zip(results.items(), bounds, strict=True)
        ],
        [
            Figure("CPU a file of `trigger=complete`", _median(complete)[0], "µs"),
            *latency,
            *memory,
        ],
    )


def _median(found: list[tuple[float, float]]) -> tuple[float, float]:
    """The median of the CPU, and the least share."""
    return statistics.median(cpu for cpu, _ in found), min(share for _, share in found)


def _made(place: Path) -> Path:
    place.mkdir()
    return place


def _burst(server: RedisServer, place: Path, maker: Maker, count: int) -> tuple[float, float]:
    """Microseconds of CPU an announced file, of files created as fast as one process can; the share announced."""
    client = server.client()
    client.flushall()
    with maker(server, place) as (files, pids):
        before = sum(map(cpu_seconds, pids))
        _create(files, count)
        announced, quiet = 0, 0
        while announced < count and quiet < QUIET:  # a peer may have lost some, and then the others never come
            time.sleep(0.2)
            last, announced = announced, int(str(client.llen("files")))
            quiet = quiet + 1 if announced == last else 0
        used = sum(map(cpu_seconds, pids)) - before
    subprocess.run(["rm", "-rf", files], check=True)
    return used / announced * 1e6, announced / count


def _create(files: Path, count: int) -> None:
    """From a process of its own, so that it does not share this one's lock."""
    script = "import os, sys\nfor n in range(int(sys.argv[2])): os.close(os.open(f'{sys.argv[1]}/file-{n:06}.csv', 65))"
    subprocess.run([sys.executable, "-c", script, files, str(count)], check=True)


def _ours(release: Path, trigger: str) -> Maker:
    @contextlib.contextmanager
    def make(server: RedisServer, place: Path) -> Iterator[tuple[Path, list[int]]]:
        own = f"poll_queue_limit=0\ntrigger={trigger}\nsettle=0.5"
        common = f"redis_unix_socket={server.socket}\nspool_sync=1"
        with contextlib.closing(Observer(release, place / "ours", server, own, common)) as observer:
            observer.start_and_wait()
            yield observer.files, [observer.pid]

    return make


@contextlib.contextmanager
def _pipeline(server: RedisServer, place: Path) -> Iterator[tuple[Path, list[int]]]:
    files = _made(place / "files")
    pusher = subprocess.Popen(
        ["redis-cli", "-s", server.socket, "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    watcher = subprocess.Popen(
        ["inotifywait", "-q", "-m", "-e", "create", "-e", "moved_to", "--format", "LPUSH files %f", files],
        stdout=pusher.stdin,
    )
    time.sleep(1)
    try:
        yield files, [watcher.pid, pusher.pid]
    finally:
        for process in (watcher, pusher):
            process.terminate()
        assert pusher.stdin is not None
        pusher.stdin.close()
        for process in (watcher, pusher):
            process.wait()


@contextlib.contextmanager
def _loop(server: RedisServer, place: Path) -> Iterator[tuple[Path, list[int]]]:
    files = _made(place / "files")
    with subprocess.Popen([sys.executable, "-c", LOOP, files, server.socket]) as process:
        time.sleep(1)
        try:
            yield files, [process.pid]
        finally:
            process.kill()


def _latency(release: Path, place: Path, server: RedisServer, count: int) -> list[Figure]:
    """From the creation of a file, at 1,000 a second, to a consumer that waits in BRPOP."""
    server.client().flushall()
    place.mkdir()
    with _ours(release, "created")(server, place) as (files, pids):
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, server.socket, str(count)], stdout=subprocess.PIPE, text=True
        )
        time.sleep(1)
        before, begun = sum(map(cpu_seconds, pids)), time.monotonic()
        writer = subprocess.run(
            [sys.executable, "-c", WRITER, files, str(count)], stdout=subprocess.PIPE, text=True, check=True
        )
        share = (sum(map(cpu_seconds, pids)) - before) / (time.monotonic() - begun)
        taken = dict(json.loads(reader.communicate(timeout=60)[0]))
    written = json.loads(writer.stdout)
    late_ms = sorted(1000 * (taken[name] - moment) for name, moment in written)
    return [
        Figure("creation to consumer at 1,000 files a second, median", statistics.median(late_ms), "ms", LATENCY_MS),
        Figure("the same, 99 of 100", late_ms[len(late_ms) * 99 // 100], "ms"),
        Figure("CPU meanwhile", 100 * share, "% of a core"),
    ]


READER = """
import json, sys, time
import redis
client, taken = redis.Redis(unix_socket_path=sys.argv[1]), []
for _ in range(int(sys.argv[2])):
    value = client.brpop("files", timeout=30)[1]
    taken.append((json.loads(value)["filename"], time.time()))
print(json.dumps(taken))
"""
WRITER = """
import json, os, sys, time
begun, made = time.monotonic(), []
for number in range(int(sys.argv[2])):
    name = f"file-{number:06}"
    made.append((name, time.time()))
    os.close(os.open(f"{sys.argv[1]}/{name}", os.O_CREAT | os.O_WRONLY))
    time.sleep(max(0, begun + (number + 1) / 1000 - time.monotonic()))
print(json.dumps(made))
"""


def _memory(release: Path, place: Path, *, quick: bool) -> list[Figure]:
    """What the watcher takes at most while it lists a million files of a thousand directories at its start."""
    place.mkdir()
    directories, files = (100, 50_000) if quick else (DIRECTORIES, FILES)
    tree = _made(place / "tree")
    in_one = (files - FILES_IN_ONE) // (directories - 1)
    subprocess.run([sys.executable, "-c", TREE, tree, str(directories), str(in_one), str(FILES_IN_ONE)], check=True)
    total = (directories - 1) * in_one + FILES_IN_ONE
    sections = "".join(
        f"\n[d{number}:common]\nactive=true\nqueue=q{number}\npoll_queue_limit=0\ndirectory={tree}/{number}\n"
        for number in range(directories)
    )
    with redis_server() as server, contextlib.closing(Observer(release, place / "ours", server)) as observer:
        observer.ini.write_text(observer.ini.read_text() + sections)
        begun = time.monotonic()
        observer.start()
        client = server.client()

        def announced() -> bool:
            with client.pipeline(transaction=False) as pipeline:
                for number in range(directories):
                    pipeline.llen(f"q{number}")
                return int(sum(pipeline.execute())) == total

        wait_for("all announcements", announced, 900, 0.5)
        seconds = time.monotonic() - begun
        status = Path(f"/proc/{observer.pid}/status").read_text()
        peak_kib = int(status.split("VmHWM:")[1].split()[0])
        observer.end(signal.SIGTERM)
    return [
        Figure(f"memory at most, {directories:,} directories and {total:,} files listed", peak_kib / 1024, "MiB",
               MEMORY_MIB),
        Figure("time until all of them were announced", seconds, "s"),
    ]  # fmt: skip


TREE = """
import os, sys
tree, directories, in_one, in_first = sys.argv[1], *map(int, sys.argv[2:])
for number in range(directories):
    os.mkdir(f"{tree}/{number}")
    for file in range(in_first if number == 0 else in_one):
        os.close(os.open(f"{tree}/{number}/some-data-file-{file:06}.csv", os.O_CREAT | os.O_WRONLY))
"""
assert os.O_CREAT | os.O_WRONLY == 65  # as _create says
