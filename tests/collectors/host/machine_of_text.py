"""A machine made of files: what a capture of /proc holds, with the accounts that a test wants."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from collectors.host.proc import Proc, Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Captured(Proc):
    """A folder of captured text as /proc, whose processes belong to the accounts in ``accounts.json``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._accounts = {int(pid): uid for pid, uid in json.loads((folder / "accounts.json").read_text()).items()}

    def processes(self) -> Iterator[Process]:
        for process in super().processes():
            yield process._replace(uid=self._accounts[process.pid])


class Numbers(NamedTuple):
    """What a made-up process has used so far."""

    pid: int
    start_ticks: int = 100
    cpu_ticks: int = 0
    resident_pages: int = 10
    threads: int = 1
    read_bytes: int = 0
    written_bytes: int = 0
    comm: str = "x"
    command_line: bytes = b"x\0"
    flags: int = 4194560
    open_files: int = 3
    hides: tuple[str, ...] = ()


def write_machine(root: Path, uptime_seconds: float, processes: list[Numbers]) -> None:
    """Write /proc below ``root``; what a process hides has no file, which is as unreadable as a forbidden one."""
    proc = root / "proc"
    proc.mkdir(parents=True, exist_ok=True)
    for old in proc.glob("[0-9]*"):
        old.rename(root / f"gone-{old.name}-{uptime_seconds}")
    (proc / "uptime").write_text(f"{uptime_seconds:.2f} 0.00\n")
    (proc / "meminfo").write_text("MemTotal: 1000000 kB\n")
    for one in processes:
        folder = proc / str(one.pid)
        (folder / "fd").mkdir(parents=True)
        tail = f"S 1 1 1 0 -1 {one.flags} 0 0 0 0 {one.cpu_ticks} 0 0 0 20 0 {one.threads} 0 {one.start_ticks} 0"
        (folder / "stat").write_text(f"{one.pid} ({one.comm}) {tail} {one.resident_pages} 0\n")
        (folder / "cmdline").write_bytes(one.command_line)
        if "io" not in one.hides:
            (folder / "io").write_text(f"read_bytes: {one.read_bytes}\nwrite_bytes: {one.written_bytes}\n")
        for number in range(one.open_files):
            (folder / "fd" / str(number)).touch()
        if "fd" in one.hides:
            (folder / "fd").rename(folder / "hidden")
