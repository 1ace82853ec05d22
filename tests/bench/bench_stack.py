"""What an installation of type all takes: time to install, to start and to come back, memory and CPU when idle."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.figures import Figure
from tests.bench.machine import cpu_seconds
from tests.proc import descendants, pss_bytes
from tests.stack import free_port_range, install, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.stack import Stack

MIB = 1 << 20
PROGRAMS = ("go-carbon", "carbonapi", "collectd", "collectors")


def run(bundle: Path, release: Path, folder: Path, *, quick: bool) -> list[Figure]:
    """Install, start, look, break and end one stack."""
    repeats, idle_seconds = (1, 20) if quick else (5, 120)
    figures = [
        Figure("bundle without Grafana", bundle.stat().st_size / 1e6, "MB", 45),
        Figure("install", statistics.median(_install_seconds(release, folder, repeats)), "s", 10),
    ]
    with _installed(release, folder) as stack:
        first = []
        for _ in range(repeats):
            first.append(_seconds_to_first_point(stack))
            stack.stop()
        figures.append(Figure("`dkm start` to the first point that a query returns", statistics.median(first), "s", 5))
        stack.start()
        wait_for("every program to run", lambda: set(PROGRAMS) <= set(stack.pids()), 60)
        figures.append(Figure("a brand-new metric is seen by a query", _new_metric_seconds(stack, 4 * repeats), "s", 1))
        figures += _idle(stack, idle_seconds)
        figures += [
            Figure(f"kill -9 of {name}: a new process", _back_seconds(stack, name), "s", 5) for name in PROGRAMS
        ]
        figures.append(Figure("`dkm restart` of all programs", _timed(lambda: stack.dkm("restart")), "s"))
        figures.append(Figure("`dkm status`", _timed(lambda: stack.dkm("status")), "s"))
    return figures


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _install_seconds(release: Path, folder: Path, repeats: int) -> Iterator[float]:
    for _ in range(repeats):
        with free_port_range() as port:
            began = time.monotonic()
            install(release, folder / "once", port)
            yield time.monotonic() - began
        shutil.rmtree(folder / "once")


@contextlib.contextmanager
def _installed(release: Path, folder: Path) -> Iterator[Stack]:
    with free_port_range() as port:
        stack = install(release, folder / "dkm", port)
        try:
            yield stack
        finally:
            stack.stop()


def _seconds_to_first_point(stack: Stack) -> float:
    """From `dkm start` on an empty store until carbonapi returns a point of the host collector."""
    for held in ("whisper/dkm", "go-carbon-dump", "spool"):  # what an earlier start has left would be returned at once
        for path in (stack.dir / "storage" / held).glob("*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    began = time.monotonic()
    command = [str(stack.dir / "bin/dkm"), "start"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=stack.environment):
        target = f"dkm.{stack.host}.host.run.success"
        wait_for("a first point", lambda: stack.newest(target) is not None, 60, 0.02)
        return time.monotonic() - began


def _new_metric_seconds(stack: Stack, repeats: int) -> float:
    taken = []
    for i in range(repeats):
        name = f"bench.new{i}.metric"
        stack.send(f"{name} 1 {int(time.time())}")
        began = time.monotonic()
        wait_for(name, functools.partial(stack.newest, name), 30, 0.01)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def _idle(stack: Stack, seconds: int) -> list[Figure]:
    """Memory of all programs together, and CPU of supervisord and the collectors, over some quiet time."""
    parent = int((stack.dir / "run/supervisord.pid").read_text())
    pids = stack.pids()
    python = (parent, pids["collectors"])
    others = {name: pids[name] for name in ("go-carbon", "carbonapi", "collectd")}
    time.sleep(20)
    before = {pid: cpu_seconds(pid) for pid in (parent, *pids.values())}
    time.sleep(seconds)
    used = {pid: (cpu_seconds(pid) - before[pid]) / seconds * 100 for pid in before}
    processes = sum(1 for path in Path("/proc").iterdir() if path.name.isdigit())
    # supervisord's own children are counted in its waited-for time only once they end, so nothing is counted twice.
    ours = sum(used[pid] for pid in python)
    memory = {pid: pss_bytes(pid) / MIB for pid in before}
    total = sum(pss_bytes(pid) for pid in descendants(parent)) / MIB
    return [
        Figure("idle memory of all programs (PSS)", total, "MiB", 110),
        Figure("of that supervisord", memory[parent], "MiB"),
        *(Figure(f"of that {name}", memory[pid], "MiB") for name, pid in pids.items()),
        Figure(
            f"idle CPU of our Python per 100 processes ({processes} there)", ours * 100 / processes, "% of a core", 0.5
        ),
        *(Figure(f"idle CPU of {name}", used[pid], "% of a core") for name, pid in others.items()),
    ]


def _back_seconds(stack: Stack, name: str) -> float:
    """From kill -9 until supervisord has another process of that program."""
    pid = stack.pids()[name]
    parent = int((stack.dir / "run/supervisord.pid").read_text())
    os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        found = descendants(parent)
        return pid not in found and len(found) > len(PROGRAMS)

    taken = _timed(lambda: wait_for(f"{name} to be back", is_back, 60, 0.02))
    wait_for("every program to run", lambda: set(PROGRAMS) <= set(stack.pids()), 60)
    return taken
