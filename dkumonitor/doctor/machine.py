"""Checks of what the machine gives: room on disk and the time."""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING

from dkumonitor.doctor.findings import Finding, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.installation import Installation

CLOCK_DRIFT_SECONDS = 5
MIN_FREE_BYTES = 200 * 1024 * 1024
LOW_FREE_BYTES = 1024 * 1024 * 1024
LOW_FREE_SHARE = 0.05
ADJTIMEX_ERROR = 5  # TIME_ERROR of adjtimex(2): the kernel's clock is not synchronised


def room(installation: Installation) -> Iterator[Finding]:
    """The file system of storage/ has bytes and inodes left."""
    usage = os.statvfs(installation.storage)
    free_bytes, size_bytes = usage.f_bavail * usage.f_frsize, usage.f_blocks * usage.f_frsize
    detail = f"{free_bytes / 1e9:.1f} GB of {size_bytes / 1e9:.1f} GB are free"
    do = f"free some room on the file system of {installation.storage}, or move DIR/storage to a larger one"
    if free_bytes < MIN_FREE_BYTES:
        yield failed("room", "storage", detail, do)
    elif free_bytes < LOW_FREE_BYTES or free_bytes < LOW_FREE_SHARE * size_bytes:
        yield warning("room", "storage", detail, do)
    else:
        yield ok("room", "storage", detail)
    if usage.f_files and usage.f_favail < LOW_FREE_SHARE * usage.f_files:
        yield warning("room", "inodes", f"{usage.f_favail} of {usage.f_files} inodes are free", do)


def clock(installation: Installation) -> Iterator[Finding]:
    """The machine's clock is kept by something, and agrees with the server's where there is one to ask."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(512))  # struct timex with modes 0: it reads, and changes nothing
    do = "switch on chrony, systemd-timesyncd or ntpd: points with a wrong time land in the wrong place"
    if state == ADJTIMEX_ERROR:
        yield warning("clock", "kernel", "the kernel says that no time service keeps this clock", do)
    else:
        yield ok("clock", "kernel", "kept by a time service")
    newest_seconds = max(path.stat().st_mtime for path in (installation.run, installation.storage, installation.conf))
    if newest_seconds > time.time() + CLOCK_DRIFT_SECONDS:
        ahead_seconds = newest_seconds - time.time()
        yield warning("clock", "files", f"files here are {ahead_seconds:.0f} s ahead of the clock: it went back", do)
