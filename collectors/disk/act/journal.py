"""The journal of a plan: what is about to be done is on disk before it is done, and what was done afterwards.

A file of records, each a 4-byte big-endian length, the CRC-32 of what follows, and MessagePack. A record that was cut
off by a crash is the last one, and counts for nothing.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Literal

import msgspec

from collectors.disk.errors import ActError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX_BYTES = 8
_RECORD_MAX_BYTES = 64 * 1024 * 1024
FINISHED_CODE = 0  # in Done.codes; others are 1 + the place of the reason in outcome.REASONS


class Begin(msgspec.Struct, frozen=True, array_like=True, tag="begin"):
    """The first record: which plan, by its digest, since when."""

    plan: str
    digest: str
    started_seconds: float


class Intent(msgspec.Struct, frozen=True, array_like=True, tag="intent"):
    """The entries from ``first`` on will be done now."""

    first: int
    count: int


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """What became of them: a code for each, and what the files among them were."""

    first: int
    codes: bytes
    size_bytes: int
    freed_bytes: int
    directories: int = 0


class Folder(msgspec.Struct, frozen=True, array_like=True, tag="folder"):
    """A directory from which something was taken, with its owner, mode and access lists."""

    path: bytes
    uid: int
    gid: int
    mode: int
    atime_ns: int
    mtime_ns: int
    extended: dict[str, bytes]


class Emptied(Folder, frozen=True, array_like=True, tag="emptied"):
    """A directory that will be removed, with all its attributes, so that it can be made again."""


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """The plan is through."""

    state: Literal["done", "partial"]
    ended_seconds: float
    errors: tuple[str, ...]
    error_count: int


Record = Begin | Intent | Done | Folder | Emptied | End
_DECODER = msgspec.msgpack.Decoder(Record)


class Past(msgspec.Struct, kw_only=True):
    """What a journal says, without the entries.

    Attributes:
        begin: None where the journal is new.
        entries: how many of the plan's entries are through, from the first on.
        intended: whether those after them were begun.
        end: None where the plan is not through.
        files, bytes, freed_bytes, directories: done so far.
        skipped: by code.
        size_bytes: of the records that are whole.
        changed_seconds: when the plan was through; of one that is not, when its journal was last written.
    """

    begin: Begin | None = None
    entries: int = 0
    intended: bool = False
    end: End | None = None
    files: int = 0
    bytes: int = 0
    freed_bytes: int = 0
    directories: int = 0
    skipped: dict[int, int] = msgspec.field(default_factory=dict)
    size_bytes: int = 0
    changed_seconds: float = 0.0


class Journal:
    """A journal that is open for one plan; what it holds already is :attr:`past`.

    Args:
        descriptor: of the file, opened for reading and writing; closed by :meth:`close`.
        name: what to call it.

    Raises:
        ActError: it holds something else.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._at = 0
        self.past = self._read()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def begin(self, plan: str, digest: str, now_seconds: float) -> None:
        """Start the journal of a plan, or go on with it.

        Raises:
            ActError: it is the journal of a plan with another digest.
        """
        if self.past.begin is None:
            os.ftruncate(self._descriptor, 0)
            self.past.size_bytes = 0
            self.past.begin = Begin(plan, digest, now_seconds)
            self.write(self.past.begin)
        elif self.past.begin.digest != digest:
            raise ActError(f"another plan of the name {plan} was begun here", "Make the plan anew")
        elif os.fstat(self._descriptor).st_size != self.past.size_bytes:
            os.ftruncate(self._descriptor, self.past.size_bytes)

    def write(self, *records: Record) -> None:
        """Add records, and have them on disk.

        Raises:
            OSError: they could not be written; nothing of them counts.
        """
        data = b"".join(_framed(msgspec.msgpack.encode(record)) for record in records)
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self._descriptor, data[done:], self.past.size_bytes + done)
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.past.size_bytes)
            raise
        self.past.size_bytes += len(data)

    def records(self) -> Iterator[Record]:
        """All whole records from the first on."""
        at = 0
        while True:
            prefix = os.pread(self._descriptor, _PREFIX_BYTES, at)
            length, crc = int.from_bytes(prefix[:4], "big"), int.from_bytes(prefix[4:], "big")
            payload = os.pread(self._descriptor, min(length, _RECORD_MAX_BYTES), at + _PREFIX_BYTES)
            if len(prefix) != _PREFIX_BYTES or len(payload) != length or zlib.crc32(payload) != crc:
                return
            at += _PREFIX_BYTES + length
            self._at = at
            yield self._decoded(payload)

    def codes(self) -> Iterator[int]:
        """The codes of all entries that are through, in their order."""
        for record in self.records():
            if isinstance(record, Done):
                yield from record.codes

    def _read(self) -> Past:
        past = Past(changed_seconds=os.fstat(self._descriptor).st_mtime)
        for record in self.records():
            _add(past, record)
            past.size_bytes = self._at
        return past

    def _decoded(self, payload: bytes) -> Record:
        try:
            record: Record = _DECODER.decode(payload)
        except msgspec.MsgspecError:
            raise ActError(f"{self._name} is no journal of this release", "Use the release that began it") from None
        return record


def _add(past: Past, record: Record) -> None:
    if isinstance(record, Begin):
        past.begin = record
    elif isinstance(record, Intent):
        past.intended = True
    elif isinstance(record, Done):
        past.intended = False
        past.entries = record.first + len(record.codes)
        past.bytes += record.size_bytes
        past.freed_bytes += record.freed_bytes
        past.directories += record.directories
        for code in set(record.codes):
            if code == FINISHED_CODE:
                past.files += record.codes.count(code)
            else:
                past.skipped[code] = past.skipped.get(code, 0) + record.codes.count(code)
    elif isinstance(record, End):
        past.end = record
        past.changed_seconds = record.ended_seconds


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + zlib.crc32(payload).to_bytes(4, "big") + payload
