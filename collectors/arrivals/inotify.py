"""inotify(7) through the C library: large reads, unpacked in one pass."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from collectors.arrivals.errors import ArrivalsError

# What can happen, from linux/inotify.h.
OPEN = 0x20
CLOSE_WRITE = 0x8
CLOSE_NOWRITE = 0x10
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE_SELF = 0x400
MOVE_SELF = 0x800
UNMOUNT = 0x2000
OVERFLOW = 0x4000
IGNORED = 0x8000
ONLYDIR = 0x01000000
MASK_ADD = 0x20000000
ISDIR = 0x40000000

ARRIVED = CREATE | MOVED_TO
LOST = DELETE_SELF | MOVE_SELF | UNMOUNT | IGNORED
READ_BYTES = 256 * 1024

_HEAD = Struct("iIII")
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIMITS = Path("/proc/sys/fs/inotify")


class Event(NamedTuple):
    """One event: the watch, what happened, the number that joins the two halves of a move, and the name in it."""

    watch: int
    mask: int
    cookie: int
    name: bytes


class NoRoomError(OSError):
    """The kernel's limit on watches is reached."""


class Inotify:
    """One instance of inotify.

    Raises:
        ArrivalsError: the account has as many instances as it may have.
    """

    def __init__(self) -> None:
        self.descriptor: int = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            error = ctypes.get_errno()
            raise ArrivalsError(f"inotify cannot be used: {os.strerror(error)}", told_limit("max_user_instances"))

    def add(self, path: bytes, mask: int) -> int:
        """Watch a directory, or widen what its watch asks for; the watch's number.

        Raises:
            NoRoomError: the limit on watches is reached.
            OSError: it is no directory, or cannot be read.
        """
        watch: int = _LIBC.inotify_add_watch(self.descriptor, path, mask | ONLYDIR | MASK_ADD)
        if watch >= 0:
            return watch
        error = ctypes.get_errno()
        raise (NoRoomError if error == errno.ENOSPC else OSError)(error, os.strerror(error), os.fsdecode(path))

    def remove(self, watch: int) -> None:
        """Watch no more; what the kernel has already forgotten is no error."""
        _LIBC.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> list[Event]:
        """What has happened, at most a large read; empty where nothing has."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return []
        return parse(data)

    def close(self) -> None:
        """End every watch."""
        os.close(self.descriptor)


def parse(data: bytes) -> list[Event]:
    """The events of one read."""
    events: list[Event] = []
    add, unpack, make = events.append, _HEAD.unpack_from, tuple.__new__
    position, end = 0, len(data)
    while position < end:
        watch, mask, cookie, length = unpack(data, position)
        position += 16
        name = data[position : position + length].rstrip(b"\0") if length else b""
        add(make(Event, (watch, mask, cookie, name)))
        position += length
    return events


def limit(name: str) -> int | None:
    """A limit of inotify in this kernel; None where it does not say."""
    try:
        return int((_LIMITS / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def told_limit(name: str, wanted: int = 0) -> str:
    """The command that raises a limit."""
    now = limit(name) or 0
    return f"It is {now}; as root: sysctl -w fs.inotify.{name}={max(2 * now, 2 * wanted)}, and so in /etc/sysctl.d/"
