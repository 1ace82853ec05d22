"""The programs of this installation and the disks under it, as `dkm services`, the console and the API list them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.supervision import Supervision
from dkumonitor.text import printable

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

RUNNING = "RUNNING"
CHANGING = ("STARTING", "STOPPING")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RESIDENT = 1  # its place in /proc/PID/statm, proc(5)


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One program.

    Attributes:
        program: its name.
        state: in supervisord's words: RUNNING, STARTING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL.
        up_seconds: for how long; None where it does not run, as the next two.
        pid: its process.
        resident_bytes: the resident memory of that process, without what it started.
        detail: why it does not run; empty where it does.
    """

    program: str
    state: str
    up_seconds: int | None
    pid: int | None
    resident_bytes: int | None
    detail: str

    @property
    def level(self) -> str:
        """How well that is: ``ok``, ``warning`` for what is on its way, else ``failed``."""
        if self.state == RUNNING:
            return "ok"
        return "warning" if self.state in CHANGING else "failed"


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A file system that the installation writes to, counted as df(1) counts it.

    Attributes:
        folder: what of the installation lies there: ``storage``, ``run``.
        size_bytes: of the whole file system.
        used_bytes: by everybody.
        free_bytes: for an ordinary account.
        used_percent: of what an ordinary account can have.
        free_inodes: for an ordinary account; None where the file system has no fixed number.
    """

    folder: str
    size_bytes: int
    used_bytes: int
    free_bytes: int
    used_percent: float
    free_inodes: int | None


def services(installation: Installation) -> list[Service]:
    """Every program, in supervisord's order.

    Raises:
        ServiceError: supervisord does not answer.
    """
    return [
        Service(
            program=found.name,
            state=found.state,
            up_seconds=found.up_seconds if found.pid else None,
            pid=found.pid or None,
            resident_bytes=resident_bytes(found.pid) if found.pid else None,
            detail="" if found.state == RUNNING else printable(found.reason),
        )
        for found in Supervision(installation).programs()
    ]


def resident_bytes(pid: int) -> int | None:
    """The resident memory of a process; None where it is gone or hidden."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
        return int(fields[_RESIDENT]) * _PAGE_BYTES
    except (OSError, IndexError):
        return None


def disks(installation: Installation) -> list[Disk]:
    """The file systems below storage/ and run/; one row where both lie on the same."""
    found: dict[int, tuple[list[str], Path]] = {}
    for folder in (installation.storage, installation.run):
        device = folder.stat().st_dev
        found.setdefault(device, ([], folder))[0].append(folder.name)
    return [_disk(", ".join(names), folder) for names, folder in found.values()]


def _disk(names: str, folder: Path) -> Disk:
    usage = os.statvfs(folder)
    used, free = usage.f_blocks - usage.f_bfree, usage.f_bavail
    return Disk(
        folder=names,
        size_bytes=usage.f_blocks * usage.f_frsize,
        used_bytes=used * usage.f_frsize,
        free_bytes=free * usage.f_frsize,
        used_percent=100 * used / (used + free) if used + free else 100.0,
        free_inodes=usage.f_favail if usage.f_files else None,
    )
