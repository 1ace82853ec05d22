"""Processes summed up, and what they used since the sample before."""

import os
from dataclasses import dataclass

import msgspec

from collectors.host.proc import Process

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of a process until the next sample: its counters, and the patterns it matched."""

    start_ticks: int
    cpu_ticks: int
    read_bytes: int | None
    written_bytes: int | None
    comm: bytes
    patterns: tuple[str, ...]


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """All processes at one moment.

    Attributes:
        uptime_seconds: when, in seconds since the machine started.
        processes: by process id.
    """

    uptime_seconds: float
    processes: dict[int, Seen]


@dataclass
class Used:
    """What one process used since the sample before; None where that is hidden."""

    cpu_ticks: int
    io_bytes: tuple[int, int] | None


@dataclass
class Usage:
    """Sums over some processes. ``io_processes`` and ``file_processes`` are those that hide nothing of that kind."""

    cpu_ticks: int = 0
    resident_bytes: int = 0
    processes: int = 0
    threads: int = 0
    open_files: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    hidden_processes: int = 0
    io_processes: int = 0
    file_processes: int = 0

    def add(self, process: Process, used: Used) -> None:
        """Count one process in."""
        self.processes += 1
        self.cpu_ticks += used.cpu_ticks
        self.resident_bytes += process.stat.resident_bytes
        self.threads += process.stat.threads
        self.hidden_processes += process.is_hidden
        if (
            process.stat.is_kernel_thread
        ):  # it has neither files nor storage, so it says nothing for those that hide them
            return
        if process.open_files is not None:
            self.open_files += process.open_files
            self.file_processes += 1
        if used.io_bytes is not None:
            self.read_bytes += used.io_bytes[0]
            self.written_bytes += used.io_bytes[1]
            self.io_processes += 1

    def include(self, other: "Usage") -> None:
        """Count the processes of another sum in."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def values(self, elapsed_seconds: float | None) -> dict[str, float]:
        """The metrics, by the last part of their names.

        Args:
            elapsed_seconds: the time since the sample before; None at the first, which knows no rates. What every one
                of the processes hides is left out, since 0 would be a claim.
        """
        values: dict[str, float] = {
            "resident_bytes": self.resident_bytes,
            "processes": self.processes,
            "threads": self.threads,
            "hidden_processes": self.hidden_processes,
        }
        if self.file_processes or not self.processes:
            values["open_files"] = self.open_files
        if elapsed_seconds:
            values["cpu_percent"] = 100 * self.cpu_ticks / _TICKS_PER_SECOND / elapsed_seconds
            if self.io_processes or not self.processes:
                values["read_bytes_per_second"] = self.read_bytes / elapsed_seconds
                values["written_bytes_per_second"] = self.written_bytes / elapsed_seconds
        return values


def used_since(before: Sample | None, process: Process) -> Used:
    """What a process used since the sample before.

    A process that was not there then used all its counters say, if it began since; else it was hidden, and nothing is
    known. Its number alone does not make it the same process: its start must be the same, too.
    """
    if before is None:
        return Used(0, None if process.io is None else (0, 0))
    stat, io = process.stat, process.io
    seen = before.processes.get(process.pid)
    if seen is None or seen.start_ticks != stat.start_ticks:
        is_new = stat.start_ticks >= (before.uptime_seconds - 1) * _TICKS_PER_SECOND
        if not is_new:
            return Used(0, None)
        return Used(stat.cpu_ticks, None if io is None else (io.read_bytes, io.written_bytes))
    cpu_ticks = max(stat.cpu_ticks - seen.cpu_ticks, 0)
    if io is None or seen.read_bytes is None or seen.written_bytes is None:
        return Used(cpu_ticks, None)
    return Used(cpu_ticks, (max(io.read_bytes - seen.read_bytes, 0), max(io.written_bytes - seen.written_bytes, 0)))


def remember(process: Process, patterns: tuple[str, ...]) -> Seen:
    """What the next sample needs to know of a process."""
    stat, io = process.stat, process.io
    read_bytes, written_bytes = (None, None) if io is None else io
    return Seen(stat.start_ticks, stat.cpu_ticks, read_bytes, written_bytes, stat.comm, patterns)


def is_young(process: Process, uptime_seconds: float, limit_seconds: float) -> bool:
    """Whether a process began less than ``limit_seconds`` ago."""
    return process.stat.start_ticks / _TICKS_PER_SECOND > uptime_seconds - limit_seconds
