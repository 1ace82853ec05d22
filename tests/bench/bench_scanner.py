"""dkm-scan on a million entries beside du, the least that a scan can do, and five other programs that count trees.

DKM_BENCH_TREE names a tree that `python -m tests.bench.tree` made, for runs one after another.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench import programs, tree
from tests.bench.figures import Figure
from tests.scanner.program import Scanner

MEMORY_MB, LINK_BYTES = 12, 70
SLOW = {"delay_us": 1000, "folders": 100, "files": 200, "big": 10_000}
LEAST_A_SECOND = 12_000


@dataclass(frozen=True)
class Taken:
    """What one program took, as medians."""

    program: str
    wall_seconds: float
    cpu_seconds: float
    memory_mb: float


@dataclass(frozen=True)
class Scans:
    """All programs, du first; what dkm-scan has to keep; and the load of the machine before and after."""

    taken: list[Taken]
    figures: list[Figure]
    load: tuple[float, float]


def run(release: Path, folder: Path, *, quick: bool) -> Scans:
    """Make the tree, run every program in turn, and compare."""
    folder.mkdir(exist_ok=True)
    place = Path(os.environ.get("DKM_BENCH_TREE", folder / "tree"))
    if not place.exists():
        tree.grow(place)
    scanner = Scanner(release / "bin/dkm-scan")
    before = os.getloadavg()[0]
    taken = _in_turn(_commands(scanner, folder, place), folder, 2 if quick else 9)
    entries, several_links = _check(scanner, folder, place)
    figures = _bounds({each.program: each for each in taken}, several_links)
    figures.append(_slow(scanner, folder, 1 if quick else 5))
    print(f"bench: {entries} entries, of which {several_links} files have several names", flush=True)
    return Scans(taken, figures, (before, os.getloadavg()[0]))


def _commands(scanner: Scanner, folder: Path, place: Path) -> dict[str, list[str]]:
    loop = str(programs.compiled("walk", folder))
    peers = {name: str(path) for name, path in programs.peers().items()}
    ours, where = str(scanner.path), str(place)
    return {
        "du -s": ["du", "-s", where],
        "getdents64 + statx in C, 2 threads": [loop, "2", where],
        "getdents64 + statx in C, 1 thread": [loop, "1", where],
        "dkm-scan, 2 threads": [ours, "--json", "--threads", "2", where],
        "dkm-scan, 1 thread": [ours, "--json", "--threads", "1", where],
        "pdu": [peers["pdu"], "--threads=2", where],
        "diskus": [peers["diskus"], "-j", "2", where],
        "dust": [peers["dust"], "-T", "2", where],
        "dua": [peers["dua"], "--threads", "2", "aggregate", where],
        "gdu": [peers["gdu"], "--non-interactive", "--no-progress", "--summarize", where],
    }


def _in_turn(commands: dict[str, list[str]], folder: Path, turns: int) -> list[Taken]:
    spent = programs.compiled("spent", folder)
    for turn in range(turns + 1):
        for name, command in commands.items():
            file = folder / f"{name}.warm-up" if turn == 0 else folder / name.replace("/", "_")
            subprocess.run([spent, file, *command], stdout=subprocess.DEVNULL, check=True)
    taken = []
    for name in commands:
        lines = (folder / name.replace("/", "_")).read_text().splitlines()
        wall, cpu, memory = (
            statistics.median(map(float, column)) for column in zip(*map(str.split, lines), strict=True)
        )
        taken.append(Taken(name, wall, cpu, memory * 1024 / 1e6))
        print(taken[-1], flush=True)
    return taken


def _check(scanner: Scanner, folder: Path, place: Path) -> tuple[int, int]:
    """See that dkm-scan counted what the loop in C saw, and what find says of links."""
    said = subprocess.run([folder / "walk", "2", place], capture_output=True, check=True, text=True).stdout
    found = json.loads(scanner.run("--json", place).stdout)
    assert found["entries"] == int(said.split()[0]) + 1, "the loop does not count the root"
    linked = subprocess.run(
        ["find", place, "-type", "f", "-links", "+1", "-printf", "%i\n"], capture_output=True, check=True
    )
    return found["entries"], len(set(linked.stdout.split()))


def _bounds(taken: dict[str, Taken], several_links: int) -> list[Figure]:
    ours, du = taken["dkm-scan, 2 threads"], taken["du -s"]
    loop = taken["getdents64 + statx in C, 2 threads"]
    return [
        Figure("CPU, against du", ours.cpu_seconds / du.cpu_seconds, "", 1.0),
        Figure("CPU, against the loop in C", ours.cpu_seconds / loop.cpu_seconds, "", 1.15),
        Figure("time, against du", ours.wall_seconds / du.wall_seconds, "", 0.52),
        Figure("time, against the loop in C", ours.wall_seconds / loop.wall_seconds, "", 1.12),
        Figure("memory", ours.memory_mb, "MB", round(MEMORY_MB + LINK_BYTES * several_links / 1e6, 1)),
    ]


def _slow(scanner: Scanner, folder: Path, turns: int) -> Figure:
    """Time an entry of a file system with 1 ms a call, a third of whose entries lie in one directory."""
    program = programs.compiled("slowfs", folder)
    mount = folder / "slow"
    mount.mkdir(exist_ok=True)
    slow = scanner.on_slow_files(program, mount, *SLOW.values())
    found = [slow.document(mount) for _ in range(turns)]
    assert {each["threads"] for each in found} == {32}, "it is told by the kind of file system"
    seconds = statistics.median(each["seconds"] / each["entries"] for each in found)
    return Figure("1 ms a call (FUSE), 32 threads: time an entry", seconds * 1e6, "µs", round(1e6 / LEAST_A_SECOND, 1))
