"""Processes as /proc shows them (proc(5)). Parsing is apart from reading; any process may vanish between two reads."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD of linux/sched.h, in the flags of stat
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_FILE_MAX_BYTES = 4096
_COMMAND_MAX_BYTES = 128 * 1024  # a Java class path is long, and the class comes after it


class Stat(NamedTuple):
    """/proc/PID/stat, as far as it is of use; times in clock ticks."""

    comm: bytes
    is_kernel_thread: bool
    cpu_ticks: int
    threads: int
    start_ticks: int
    resident_bytes: int


class Io(NamedTuple):
    """/proc/PID/io: bytes that went to and came from storage."""

    read_bytes: int
    written_bytes: int


class Process(NamedTuple):
    """One process at one moment; what another account's process hides is None."""

    pid: int
    uid: int
    stat: Stat
    io: Io | None
    open_files: int | None

    @property
    def is_hidden(self) -> bool:
        """Whether something of it could not be read."""
        return self.io is None or self.open_files is None


def parse_stat(text: bytes) -> Stat:
    """Read /proc/PID/stat. The name between the parentheses may hold anything, parentheses and newlines too.

    Raises:
        ValueError: it is cut short or no stat at all.
    """
    end = text.rindex(b")")
    try:
        fields = text[end + 2 :].split()
        return Stat(
            comm=text[text.index(b"(") + 1 : end],
            is_kernel_thread=bool(int(fields[6]) & _KERNEL_THREAD),
            cpu_ticks=int(fields[11]) + int(fields[12]),
            threads=int(fields[17]),
            start_ticks=int(fields[19]),
            resident_bytes=int(fields[21]) * _PAGE_BYTES,
        )
    except IndexError:
        raise ValueError("stat is cut short") from None


def parse_io(text: bytes) -> Io:
    """Read /proc/PID/io.

    Raises:
        ValueError: it lacks a line or a number.
    """
    values = dict(line.split(b": ", 1) for line in text.splitlines())
    try:
        return Io(int(values[b"read_bytes"]), int(values[b"write_bytes"]))
    except KeyError as error:
        raise ValueError(f"io has no {error}") from None


def parse_uptime(text: bytes) -> float:
    """Seconds since the machine started, from /proc/uptime."""
    return float(text.split()[0])


def parse_memory_total(text: bytes) -> int:
    """The machine's memory in bytes, from /proc/meminfo; 0 where it does not say."""
    for line in text.splitlines():
        if line.startswith(b"MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def parse_command_line(text: bytes) -> str:
    """The arguments of /proc/PID/cmdline with a blank between each."""
    return os.fsdecode(text.rstrip(b"\0").replace(b"\0", b" "))


class Proc:
    """A mounted /proc.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._size_is_count = self._has_counts()

    def uptime_seconds(self) -> float:
        """Seconds since the machine started."""
        return parse_uptime(_read(f"{self._folder}/uptime"))

    def memory_total_bytes(self) -> int:
        """The machine's memory."""
        return parse_memory_total(_read(f"{self._folder}/meminfo"))

    def command_line(self, pid: int) -> str:
        """A process's arguments; empty where it hides them or is gone."""
        try:
            return parse_command_line(_read(f"{self._folder}/{pid}/cmdline", _COMMAND_MAX_BYTES))
        except OSError:
            return ""

    def processes(self) -> Iterator[Process]:
        """Every process that this account may see at all."""
        for name in os.listdir(self._folder):  # noqa: PTH208  names are all that is wanted
            if name.isdigit():
                process = self._process(name)
                if process is not None:
                    yield process

    def exists(self, pid: int) -> bool:
        """Whether there is such a process."""
        return Path(f"{self._folder}/{pid}").exists()

    def _process(self, name: str) -> Process | None:
        folder = f"{self._folder}/{name}"
        try:
            uid = os.stat(folder).st_uid  # noqa: PTH116  a third of the cost of Path, for each process
        except OSError:
            return None
        try:
            stat = parse_stat(_read(f"{folder}/stat"))
        except PermissionError:  # a mount with hidepid=1 shows that there is one, and no more
            return Process(int(name), uid, Stat(b"", is_kernel_thread=False, **_NOTHING), None, None)
        except (OSError, ValueError):
            return None
        if stat.is_kernel_thread:
            return Process(int(name), uid, stat, Io(0, 0), 0)
        return Process(int(name), uid, stat, _io(folder), self._open_files(folder))

    def _open_files(self, folder: str) -> int | None:
        try:
            if self._size_is_count:
                return os.stat(f"{folder}/fd").st_size  # noqa: PTH116  as above
            return len(os.listdir(f"{folder}/fd"))  # noqa: PTH208  names are all that is wanted
        except OSError:
            return None

    def _has_counts(self) -> bool:
        """Whether the size of a folder fd is the number of descriptors (Linux 6.2; it is 0 before)."""
        try:
            return os.stat(f"{self._folder}/self/fd").st_size > 0  # noqa: PTH116  as above
        except OSError:
            return False


_NOTHING = {"cpu_ticks": 0, "threads": 0, "start_ticks": 0, "resident_bytes": 0}


def _io(folder: str) -> Io | None:
    try:
        return parse_io(_read(f"{folder}/io"))
    except (OSError, ValueError):
        return None


def _read(path: str, most_bytes: int = _FILE_MAX_BYTES) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, most_bytes)
    finally:
        os.close(descriptor)
