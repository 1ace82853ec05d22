"""Events on their way to Redis: written here first, in order, and kept a while after Redis has them.

Why not :mod:`dkumonitor.spool`: that one drops the oldest beyond its bound, which here would be a loss; it gives lines
back a segment at a time, where this one needs a position within; and it never forces anything to disk.

The folder holds segments, ``NNNNNNNNNNNN.events``. The first line names the format and a random token, so that a
position in one segment can never be mistaken for one in another. Then come batches, each a line of eight hexadecimal
digits (CRC-32 of what follows its own blank), the length of its content, the number of its events, the sequence number
of the first, and the time; and its content. The content has a line beginning with ``=`` for each queue
(:mod:`collectors.arrivals.protocol`), and below it the events for that queue, one a line. A batch that a crash tore
ends the reading of its segment: whoever starts again begins a new one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import zlib
from typing import TYPE_CHECKING, NamedTuple

from dkumonitor.errors import SpoolError

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_MAX_BYTES = 4 * 1024 * 1024
_SUFFIX = ".events"
_FORMAT = b"dkm-arrivals-1 "
_HEAD_MAX_BYTES = 100
_CRC_DIGITS = 8
_log = logging.getLogger(__name__)


class Position(NamedTuple):
    """The end of a batch: the number of its segment, and the offset in it."""

    segment: int
    offset: int


START = Position(0, 0)


class Batch(NamedTuple):
    """Events that were written at once.

    Attributes:
        end: the position behind it; None for a batch that the disk did not take.
        content: a line with ``=`` for each queue, and the events below it.
        events: how many.
        sequence: the number of the first.
        time_seconds: when it was written, UTC seconds.
    """

    end: Position | None
    content: bytes
    events: int
    sequence: int
    time_seconds: float


class EventSpool:
    """A queue of batches on disk.

    Args:
        folder: made where it does not exist; one process uses it at a time.
        max_bytes: what may wait.
        keep_bytes: what is kept of batches that were acknowledged.

    Raises:
        SpoolError: the folder cannot be made, or another process uses it.
    """

    def __init__(self, folder: Path, max_bytes: int, keep_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._keep_bytes = keep_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpoolError(
                f"{folder} is in use", "Another watcher runs with this configuration: stop that one"
            ) from None
        except OSError as error:
            raise SpoolError(f"cannot use {folder}: {error.strerror}", "Make it writable for this account") from None
        self.id = self._read_or_make_id()
        self._segments = {number: _path(folder, number).stat().st_size for number in segment_numbers(folder)}
        self._tokens = {number: _token_of(folder, number) for number in self._segments}
        self._writing: int | None = None  # the descriptor of the newest segment, where this process made it
        self._unsynced = False
        self.next_sequence = 1
        self.end = START
        self._find_end()
        self.acknowledged = self._read_acknowledged()
        self._saved = self.acknowledged

    def append(self, content: bytes, count: int, sequence: int, time_seconds: float) -> Batch:
        """Write a batch. It then survives the death of this process; :meth:`sync` makes it survive the machine's.

        Raises:
            OSError: the disk does not take it, or too much waits; nothing of it is kept then.
        """
        if self.waiting_bytes + len(content) > self._max_bytes:
            raise OSError(0, f"{self.waiting_bytes} bytes wait, {self._max_bytes} are allowed")
        rest = b"%d %d %d %.3f\n" % (len(content), count, sequence, time_seconds) + content
        data = b"%08x " % zlib.crc32(rest) + rest
        if self._writing is None or self.end.offset + len(data) > SEGMENT_MAX_BYTES:
            self._begin_segment()
        number, offset = self.end
        descriptor = self._writing
        assert descriptor is not None  # noqa: S101  _begin_segment made it
        try:
            _write_whole(descriptor, data)
        except OSError:
            with contextlib.suppress(OSError):  # then a torn batch stays, and a new segment begins behind it
                os.ftruncate(descriptor, offset)
                os.lseek(descriptor, offset, os.SEEK_SET)
                raise
            self._close_segment()
            raise
        self.end = Position(number, offset + len(data))
        self._segments[number] = self.end.offset
        self._unsynced = True
        return Batch(self.end, content, count, sequence, time_seconds)

    def sync(self) -> None:
        """Force to disk what has been written."""
        if self._unsynced and self._writing is not None:
            os.fdatasync(self._writing)
        self._unsynced = False

    @property
    def unsynced(self) -> bool:
        """Whether something written has not been forced to disk."""
        return self._unsynced

    @property
    def size_bytes(self) -> int:
        """All that lies in the folder."""
        return sum(self._segments.values())

    @property
    def waiting_bytes(self) -> int:
        """What has not been acknowledged."""
        segment, offset = self.acknowledged
        behind = sum(size for number, size in self._segments.items() if number > segment)
        return behind + max(0, self._segments.get(segment, 0) - offset)

    def after(self, position: Position) -> Batch | None:
        """The batch that begins at a position, or in the next segment where that one ends; None at the end."""
        while True:
            batch = read_batch(self.folder, position)
            if batch is not None:
                return batch
            later = [number for number in self._segments if number > position.segment]
            if not later:
                return None
            position = Position(min(later), 0)

    def acknowledge(self, position: Position) -> None:
        """All before a position has been pushed: segments beyond what is kept are removed."""
        self.acknowledged = position
        kept = 0
        for number in sorted(self._segments, reverse=True):
            if number >= position.segment:
                continue
            kept += self._segments[number]
            if kept > self._keep_bytes:
                _path(self.folder, number).unlink(missing_ok=True)
                del self._segments[number], self._tokens[number]

    def told(self, position: Position) -> bytes:
        """A position as a text that only this spool understands."""
        return b"%d-%b:%d" % (position.segment, self._tokens.get(position.segment, b""), position.offset)

    def understood(self, text: bytes) -> Position | None:
        """The position of such a text; None where it is another spool's, or its segment is gone."""
        try:
            segment, offset = text.split(b":")
            number, token = segment.split(b"-")
            position = Position(int(number), int(offset))
        except ValueError:
            return None
        return position if self._tokens.get(position.segment) == token and token else None

    def save(self) -> None:
        """Note on disk what has been acknowledged, for a start without the position that Redis holds."""
        if self.acknowledged == self._saved:
            return
        new = self.folder / ".acknowledged.new"
        with contextlib.suppress(OSError):  # a full disk: it is noted later, and Redis knows better anyway
            new.write_bytes(self.told(self.acknowledged))
            new.replace(self.folder / "acknowledged")
            self._saved = self.acknowledged

    def close(self) -> None:
        """Let another process use the folder."""
        with contextlib.suppress(OSError):
            self.sync()
        self.save()
        self._close_segment()
        os.close(self._lock)

    def _begin_segment(self) -> None:
        if self._writing is not None:
            self.sync()
            self._close_segment()
        number = max(self._segments, default=0) + 1
        token = secrets.token_hex(8).encode()
        descriptor = os.open(_path(self.folder, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        head = _FORMAT + token + b"\n"
        try:
            _write_whole(descriptor, head)
            os.fsync(descriptor)
            _sync_folder(self.folder)
        except OSError:
            os.close(descriptor)
            _path(self.folder, number).unlink(missing_ok=True)
            raise
        self._writing = descriptor
        self._tokens[number], self._segments[number] = token, len(head)
        self.end = Position(number, len(head))

    def _close_segment(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
        self._writing = None

    def _find_end(self) -> None:
        """Where reading ends, and the number that the next event has."""
        for number in sorted(self._segments, reverse=True):
            position, last = Position(number, 0), None
            while (found := read_batch(self.folder, position)) is not None and found.end is not None:
                last, position = found, found.end
            self._segments[number] = position.offset  # what a crash tore counts for nothing
            if self.end == START:
                self.end = position
            if last is not None:
                self.next_sequence = last.sequence + last.events
                return

    def _read_or_make_id(self) -> str:
        path = self.folder / "id"
        try:
            if (known := path.read_text(encoding="ascii").strip()).isalnum():
                return known
        except (OSError, UnicodeDecodeError):
            pass
        made = secrets.token_hex(8)
        new = self.folder / ".id.new"
        new.write_text(f"{made}\n", encoding="ascii")
        new.replace(path)
        return made

    def _read_acknowledged(self) -> Position:
        try:
            known = self.understood((self.folder / "acknowledged").read_bytes())
        except OSError:
            known = None
        return known or START


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of the segments in a spool's folder, the oldest first."""
    return sorted(int(path.stem) for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdigit())


def read_batch(folder: Path, position: Position) -> Batch | None:
    """The batch that begins at a position (offset 0: the segment's first); None where none is whole."""
    try:
        with _path(folder, position.segment).open("rb", buffering=0) as file:
            offset = position.offset or len(file.readline(_HEAD_MAX_BYTES))
            head = os.pread(file.fileno(), _HEAD_MAX_BYTES, offset).partition(b"\n")[0] + b"\n"
            crc, length, count, sequence, time_seconds = head.split()
            size = int(length)
            content = os.pread(file.fileno(), size, offset + len(head))
    except (OSError, ValueError):
        return None
    if len(content) != size or b"%08x" % zlib.crc32(head[_CRC_DIGITS + 1 :] + content) != crc:
        return None
    end = Position(position.segment, offset + len(head) + size)
    return Batch(end, content, int(count), int(sequence), float(time_seconds))


def _token_of(folder: Path, number: int) -> bytes:
    try:
        with _path(folder, number).open("rb") as file:
            head = file.readline(_HEAD_MAX_BYTES)
    except OSError:
        return b""
    return head.removeprefix(_FORMAT).strip() if head.startswith(_FORMAT) else b""


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:012d}{_SUFFIX}"


def _write_whole(descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
