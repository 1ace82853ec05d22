"""This machine as the kernel tells it, for tests/sampling.py. Source: proc(5), statvfs(3)."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path

import psutil

Values = dict[str, float]

KIB = 1024
SECTOR_BYTES = 512
CPU_STATES = ("user", "nice", "system", "idle", "wait", "interrupt", "softirq", "steal")
KERNEL_THREADS = 2  # the process that is the parent of the kernel's own
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
IGNORED_DISK = re.compile(r"(loop|ram|zram|sr|fd)[0-9]+$")
IGNORED_INTERFACE = re.compile(r"lo$|veth|cali|docker|br-|virbr")
IGNORED_FILE_SYSTEMS = frozenset({"overlay", "squashfs", "iso9660"})
STATES = {"D": "blocked", "Z": "zombies"}


def processors() -> Values:
    lines = Path("/proc/stat").read_text().splitlines()
    counters = {f"cpu.{state}": float(value) for state, value in zip(CPU_STATES, lines[0].split()[1:], strict=False)}
    forks = next(float(line.split()[1]) for line in lines if line.startswith("processes "))
    count = sum(bool(re.match(r"cpu\d", line)) for line in lines)
    return counters | {"forks": forks, "cpus": float(count)}


def load() -> Values:
    return dict(zip(("load.shortterm", "load.midterm", "load.longterm"), os.getloadavg(), strict=True))


def memory() -> Values:
    found = {
        name.rstrip(":"): float(value) * KIB
        for name, value, *_ in map(str.split, Path("/proc/meminfo").read_text().splitlines())
    }
    kinds = {
        "free": found["MemFree"],
        "buffered": found["Buffers"],
        "cached": found["Cached"],
        "slab_recl": found["SReclaimable"],
        "slab_unrecl": found["SUnreclaim"],
    }
    pages = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return {
        **{f"memory.{kind}": value for kind, value in kinds.items()},
        "memory.used": found["MemTotal"] - sum(kinds.values()),
        "memory.total": found["MemTotal"],
        "swap.used": found["SwapTotal"] - found["SwapFree"] - found["SwapCached"],
        "swap.in": float(pages["pswpin"]) * PAGE_BYTES,
        "swap.out": float(pages["pswpout"]) * PAGE_BYTES,
    }


def mounts() -> dict[str, str]:
    """Mount points of file systems that hold data, by the name that collectd gives them."""
    found = {}
    for partition in psutil.disk_partitions(all=False):
        if partition.fstype not in IGNORED_FILE_SYSTEMS:
            name = partition.mountpoint.strip("/").replace("/", "-") or "root"
            found[name] = partition.mountpoint
    return found


def file_systems() -> Values:
    values: Values = {}
    for name, mount in mounts().items():
        told = os.statvfs(mount)
        values |= {
            f"df.{name}.size": float(told.f_blocks * told.f_frsize),
            f"df.{name}.used": float((told.f_blocks - told.f_bfree) * told.f_frsize),
            f"df.{name}.free": float(told.f_bavail * told.f_frsize),
            f"df.{name}.inodes": float(told.f_files),
            f"df.{name}.inodes_used": float(told.f_files - told.f_ffree),
        }
    return values


def disks() -> Values:
    values: Values = {}
    for line in Path("/proc/diskstats").read_text().splitlines():
        name, *numbers = line.split()[2:]
        reads, _, read_sectors, read_ms, writes, _, written_sectors, write_ms, _, busy_ms, waiting_ms = (
            float(number) for number in numbers[:11]
        )
        if IGNORED_DISK.match(name) or not (reads or writes):
            continue
        values |= {
            f"disk.{name}.ops.read": reads,
            f"disk.{name}.ops.write": writes,
            f"disk.{name}.octets.read": read_sectors * SECTOR_BYTES,
            f"disk.{name}.octets.write": written_sectors * SECTOR_BYTES,
            f"disk.{name}.ms.read": read_ms,
            f"disk.{name}.ms.write": write_ms,
            f"disk.{name}.busy_ms": busy_ms,
            f"disk.{name}.waiting_ms": waiting_ms,
        }
    return values


def interfaces() -> Values:
    values: Values = {}
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name, _, rest = line.strip().partition(":")
        if IGNORED_INTERFACE.match(name):
            continue
        numbers = [float(number) for number in rest.split()]
        for direction, first in (("rx", 0), ("tx", 8)):
            for offset, kind in enumerate(("octets", "packets", "errors", "dropped")):
                values[f"if.{name}.{kind}.{direction}"] = numbers[first + offset]
    return values


def processes() -> Values:
    counts = dict.fromkeys((f"ps.{name}" for name in STATES.values()), 0.0)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the listing and now
        if state in STATES:
            counts[f"ps.{STATES[state]}"] += 1
    return counts


def uptime() -> Values:
    return {"uptime": float(Path("/proc/uptime").read_text().split()[0])}


def sessions() -> Values:
    return {"sessions": float(len(psutil.users()))}


def look() -> Values:
    """Everything at once."""
    sources = (processors, load, memory, file_systems, disks, interfaces, processes, uptime, sessions)
    return {name: value for source in sources for name, value in source().items()}


def names(values: Values, kind: str) -> list[str]:
    """The disks, interfaces or file systems (`disk`, `if`, `df`) that there are."""
    return sorted({name.split(".")[1] for name in values if name.startswith(f"{kind}.")})


@dataclass(frozen=True)
class Process:
    """One process, its own words; None where it hides something from this account."""

    user: str
    command_line: str
    cpu_seconds: float
    resident_bytes: float
    threads: float
    open_files: float | None
    read_bytes: float | None
    written_bytes: float | None

    @property
    def hides(self) -> bool:
        """Whether anything is hidden."""
        return self.open_files is None or self.read_bytes is None


Processes = dict[tuple[int, float], Process]  # by process id and start


def look_at_processes() -> Processes:
    """Every process, as psutil tells it."""
    found = {}
    for process in psutil.process_iter():
        try:
            found[process.pid, process.create_time()] = _process(process)
        except psutil.NoSuchProcess:
            continue  # it ended between the listing and now
    return found


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # an account without a name, as containers have and tests of other accounts use
        return f"uid-{uid}"


def _process(process: psutil.Process) -> Process:
    with process.oneshot():
        times = process.cpu_times()
        visible = process.pid == KERNEL_THREADS or process.ppid() == KERNEL_THREADS
        read = written = open_files = 0.0 if visible else None
        with contextlib.suppress(psutil.AccessDenied, psutil.ZombieProcess):
            told = process.io_counters()
            read, written = float(told.read_bytes), float(told.write_bytes)
        with contextlib.suppress(psutil.AccessDenied, psutil.ZombieProcess):
            open_files = float(process.num_fds())
        return Process(
            user=_name(process.uids().effective),
            command_line=_command_line(process),
            cpu_seconds=times.user + times.system,
            resident_bytes=_resident_bytes(process.pid),
            threads=float(process.num_threads()),
            open_files=open_files,
            read_bytes=read,
            written_bytes=written,
        )


def _resident_bytes(pid: int) -> float:
    """As /proc/PID/stat has it: the kernel keeps that figure by processor and it lags behind statm by some pages."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    return float(fields[21]) * PAGE_BYTES


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.AccessDenied, psutil.ZombieProcess):
        return ""
