"""Lines that wait on disk until their server can be reached.

The folder holds segments, ``NNNNNNNNNNNN.lines``, numbered upwards. Each record is one line: eight hexadecimal digits
(CRC-32 of the rest), a space, the text, a newline. A record that a crash or a bad disk tore is left out, and the rest
is still read. ``dropped`` holds two numbers: how many lines were ever dropped, and the last segment among them.
"""

import contextlib
import errno
import fcntl
import logging
import os
import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dkumonitor.errors import SpoolError

SEGMENT_MAX_BYTES = 256 * 1024
MEMORY_MAX_BYTES = 4 * 1024 * 1024
_SEGMENTS_AT_LEAST = 8  # so that the bound drops at most an eighth at once
_SUFFIX = ".lines"
_CRC_DIGITS = 8
_log = logging.getLogger(__name__)


class Portion(NamedTuple):
    """The oldest lines of a spool, which stay in it until :meth:`Spool.remove`.

    Attributes:
        segment: the number of the segment; None for lines that wait in memory.
        lines: whole lines, each with its newline.
        damaged: how many records of it were torn or damaged.
    """

    segment: int | None
    lines: tuple[bytes, ...]
    damaged: int = 0


@dataclass
class _Waiting:
    """Lines in memory while the disk takes none."""

    lines: deque[bytes] = field(default_factory=deque)
    size_bytes: int = 0


class Spool:
    """A bounded queue of lines on disk, oldest first. What has been appended survives a kill at any moment.

    While the disk takes nothing (full, read-only, an error), up to ``memory_max_bytes`` wait in memory and go to disk
    as soon as it takes them again. What either bound drops is counted, across restarts.

    Args:
        folder: made where it does not exist; one process uses it at a time.
        max_bytes: what all segments together may take.
        memory_max_bytes: what may wait in memory.

    Raises:
        SpoolError: the folder cannot be made, or another process uses it.
    """

    def __init__(self, folder: Path, max_bytes: int, memory_max_bytes: int = MEMORY_MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._memory_max_bytes = memory_max_bytes
        self._segment_max_bytes = min(SEGMENT_MAX_BYTES, max_bytes // _SEGMENTS_AT_LEAST)
        self._memory = _Waiting()
        self._tail: int | None = None  # the segment that takes new records
        self._healthy = True
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpoolError(f"{folder} is in use by another process", "Stop the other collectors program") from None
        except OSError as error:
            raise SpoolError(f"cannot use {folder}: {error.strerror}", "Make it writable for this account") from None
        self._dropped, counted = self._read_dropped()
        self._dropped_on_disk = self._dropped
        self._sizes = {number: self._path(number).stat().st_size for number in self._numbers()}
        self._next = max([counted, *self._sizes]) + 1
        self._last_dropped = counted
        if counted in self._sizes:  # the crash came between the count and the removal
            self._unlink(counted)

    @property
    def size_bytes(self) -> int:
        """What waits, on disk and in memory."""
        return sum(self._sizes.values()) + self._memory.size_bytes

    @property
    def dropped_total(self) -> int:
        """How many lines were dropped since the folder was made."""
        return self._dropped

    def __bool__(self) -> bool:
        return bool(self._sizes) or bool(self._memory.lines)

    def append(self, lines: Iterable[bytes]) -> None:
        """Let lines wait, each with its newline. Never raises for a disk that takes nothing."""
        memory = self._memory
        for line in lines:
            memory.lines.append(line)
            memory.size_bytes += len(line)
        self.retry()
        while memory.size_bytes > self._memory_max_bytes:
            memory.size_bytes -= len(memory.lines.popleft())
            self._dropped += 1

    def retry(self) -> None:
        """Bring to disk what waits in memory, as far as the disk takes it."""
        try:
            while self._memory.lines:
                taken = self._write_records()
                for _ in range(taken):
                    self._memory.size_bytes -= len(self._memory.lines.popleft())
                self._enforce_bound()
            self._save_dropped()
        except OSError as error:
            if self._healthy:
                _log.warning("spool %s takes nothing, points wait in memory: %s", self._folder, error)
            self._healthy = False
        else:
            if not self._healthy:
                _log.warning("spool %s takes points again", self._folder)
            self._healthy = True

    def oldest(self) -> Portion | None:
        """The oldest portion, or None where nothing waits. The same one until it is removed or dropped."""
        while self._sizes:
            number = min(self._sizes)
            if number == self._tail:
                self._tail = None  # what comes from now on begins a new segment
            portion = self._read(number)
            if portion.lines:
                return portion
            self.remove(portion)
        return Portion(None, tuple(self._memory.lines)) if self._memory.lines else None

    def remove(self, portion: Portion) -> None:
        """Take out a portion that was delivered."""
        self._dropped += portion.damaged
        if portion.segment is not None:
            self._unlink(portion.segment)
            return
        for line in portion.lines:
            if not self._memory.lines or self._memory.lines[0] is not line:
                continue  # dropped or brought to disk meanwhile
            self._memory.size_bytes -= len(self._memory.lines.popleft())

    def close(self) -> None:
        """Let another process use the folder."""
        self.retry()
        os.close(self._lock)

    def _write_records(self) -> int:
        """Write as many waiting lines as the tail segment takes, all or none of them; the number written."""
        if self._tail is None:
            self._tail, self._next = self._next, self._next + 1
        number, size_bytes = self._tail, self._sizes.get(self._tail, 0)
        records: list[bytes] = []
        room_bytes = self._segment_max_bytes - size_bytes
        for line in self._memory.lines:
            records.append(b"%08x %b" % (zlib.crc32(line), line))
            room_bytes -= len(records[-1])
            if room_bytes <= 0:
                self._tail = None
                break
        data = b"".join(records)
        _append_whole(self._path(number), data, size_bytes)
        self._sizes[number] = size_bytes + len(data)
        return len(records)

    def _enforce_bound(self) -> None:
        while len(self._sizes) > 1 and sum(self._sizes.values()) > self._max_bytes:
            number = min(self._sizes)
            portion = self._read(number)
            self._dropped += len(portion.lines) + portion.damaged
            self._last_dropped = number
            with contextlib.suppress(OSError):  # a full disk takes the count only after this removal; retry() saves it
                self._save_dropped()
            self._unlink(number)

    def _read(self, number: int) -> Portion:
        try:
            records = self._path(number).read_bytes().split(b"\n")
        except OSError as error:
            _log.warning("cannot read %s: %s", self._path(number), error)
            return Portion(number, (), 1)
        torn = bool(records.pop())  # what follows the last newline
        lines = [record[_CRC_DIGITS + 1 :] + b"\n" for record in records]
        whole = tuple(
            line
            for record, line in zip(records, lines, strict=True)
            if record[: _CRC_DIGITS + 1] == b"%08x " % zlib.crc32(line)
        )
        return Portion(number, whole, len(lines) - len(whole) + torn)

    def _read_dropped(self) -> tuple[int, int]:
        try:
            total, number = (self._folder / "dropped").read_text(encoding="ascii").split()
            return int(total), int(number)
        except (OSError, ValueError):
            return 0, 0

    def _save_dropped(self) -> None:
        if self._dropped == self._dropped_on_disk:
            return
        new = self._folder / "dropped.new"
        new.write_text(f"{self._dropped} {self._last_dropped}\n", encoding="ascii")
        new.replace(self._folder / "dropped")
        self._dropped_on_disk = self._dropped

    def _unlink(self, number: int) -> None:
        try:
            self._path(number).unlink(missing_ok=True)
        except OSError as error:  # it is forgotten until the next start, and then sent once more
            _log.warning("cannot remove %s: %s", self._path(number), error)
        self._sizes.pop(number, None)
        if number == self._tail:
            self._tail = None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}{_SUFFIX}"

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdigit()]


def _append_whole(path: Path, data: bytes, size_bytes: int) -> None:
    """Append all of ``data`` to the file of ``size_bytes``, or leave the file as it was and raise OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    written = 0
    try:
        written = os.write(descriptor, data)
    finally:
        if written != len(data):
            with contextlib.suppress(OSError):  # then a torn record stays, which reading leaves out
                os.ftruncate(descriptor, size_bytes)
        os.close(descriptor)
    if written != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
