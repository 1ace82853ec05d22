"""What the figures were measured on, and what a process has used of it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, str]:
    """Date, processor, cores, memory and kernel, as docs/benchmarks.md shows them."""
    cpu = next(
        line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": f"{cpu}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, its ended and awaited children included (proc(5), stat)."""
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS_A_SECOND


def wait_until_idle(pid: int, seconds: float = 300) -> None:
    """Return when a process has used less than 5 % of a core for two seconds."""
    deadline = time.monotonic() + seconds
    quiet = 0
    while quiet < 2:
        before = cpu_seconds(pid)
        time.sleep(1)
        quiet = quiet + 1 if cpu_seconds(pid) - before < 0.05 else 0
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} was not idle within {seconds} s")
