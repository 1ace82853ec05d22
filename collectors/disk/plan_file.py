"""A plan's file: what is to be moved or deleted, entry by entry, so that it can be read before it is done.

The file is a head, blocks of entries, and a foot, each a 4-byte big-endian length and as many bytes of MessagePack. The
foot holds counts and the SHA-256 of all that stands before it: the plan's digest. One writer, one reader; both keep a
block in memory and no more.
"""

from __future__ import annotations

import hashlib
import os
from typing import IO, TYPE_CHECKING, Literal, TypeVar

import msgspec

from collectors.disk.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Self

VERSION = 1
BLOCK_ENTRIES = 1000
BYTES_MAX = 2**63 - 1  # sparse files may have sizes whose sum no database takes: it stays there
_LENGTH_BYTES = 4
_FRAME_MAX_BYTES = 16 * 1024 * 1024
T = TypeVar("T")


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file or symbolic link, as it was when the plan was made.

    Attributes:
        path: relative to the tree.
        type: ``f`` or ``l``.
        dev: of its file system, as os.stat() says.
        ino: its inode.
        uid: its owner.
        gid: its group.
        mode: permission and set-id bits with the type, as os.stat() says.
        links: how many names it has.
        size_bytes: its apparent size.
        allocated_bytes: what it takes on disk.
        atime_ns: last read.
        mtime_ns: last written.
        ctime_ns: last changed in any way.
        reason: why it is in the plan, for a person.
    """

    path: bytes
    type: str
    dev: int
    ino: int
    uid: int
    gid: int
    mode: int
    links: int
    size_bytes: int
    allocated_bytes: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    reason: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan is, and within which bounds it may be done.

    Attributes:
        id: the plan's name: ``TASK-YYYYMMDDThhmmssZ-ACTION``.
        task: the task's name.
        host: the machine that the tree is on.
        action: what is done.
        tree: the tree's absolute path.
        tree_dev: of the tree's root when the plan was made.
        tree_ino: the same.
        relocation: where files are moved to; None for a deletion.
        age_by: which times make a file old.
        old_before_seconds: a file that was used later than this is not old any more, and is left alone.
        quarantine_days: how long a deleted file can be brought back.
        remove_empty_directories: whether directories that become empty go, too.
        max_files, max_bytes: no more than this is done, whatever the file holds.
        tree_bytes: apparent bytes of the whole tree, which max_share_percent refers to.
        max_share_percent: no larger share of the tree is done.
        created_seconds: when the plan was made, UTC.
        version: of this format.
    """

    id: str
    task: str
    host: str
    action: Literal["move", "delete"]
    tree: bytes
    tree_dev: int
    tree_ino: int
    relocation: bytes | None
    age_by: Literal["newest", "atime", "mtime"]
    old_before_seconds: int
    quarantine_days: int
    remove_empty_directories: bool
    max_files: int
    max_bytes: int
    tree_bytes: int
    max_share_percent: float
    created_seconds: int
    version: int = VERSION


class Foot(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a whole file: its entries, their apparent bytes, and the digest of all before it (hexadecimal)."""

    files: int
    bytes: int
    digest: str


class PlanWriter:
    """Writes one plan. The file is whole, and on disk, only when :meth:`close` has returned.

    Args:
        file: where to; opened for binary writing by the caller, who also names and syncs its folder.
        head: the plan's head.
    """

    def __init__(self, file: IO[bytes], head: Head) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._block: list[Entry] = []
        self._files = self._bytes = 0
        self._write(msgspec.msgpack.encode(head))

    def add(self, entries: Iterable[Entry]) -> None:
        """Add entries, in the order in which they are to be done."""
        for entry in entries:
            self._block.append(entry)
            self._files += 1
            self._bytes = min(self._bytes + entry.size_bytes, BYTES_MAX)
            if len(self._block) == BLOCK_ENTRIES:
                self._flush()

    def close(self) -> Foot:
        """Write the foot and have all of it on disk."""
        self._flush()
        foot = Foot(files=self._files, bytes=self._bytes, digest=self._hash.hexdigest())
        self._write(msgspec.msgpack.encode(foot))
        self._file.flush()
        os.fsync(self._file.fileno())
        return foot

    def _flush(self) -> None:
        if self._block:
            self._write(msgspec.msgpack.encode(self._block))
            self._block = []

    def _write(self, encoded: bytes) -> None:
        framed = len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded
        self._hash.update(framed)
        self._file.write(framed)


class PlanReader:
    """Reads one plan from a file that is open already, so that what was checked is what is done.

    Args:
        file: opened for binary reading, at its beginning; must be able to seek.
        name: what to call it in errors.

    Raises:
        PlanError: it is no plan of this version.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self.head = self._decode(self._frame(), Head)
        if self.head.version != VERSION:
            raise PlanError(
                f"{name} has version {self.head.version}, this release reads {VERSION}", "Make the plan anew"
            )
        self._first = file.tell()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the plan of a path.

        Raises:
            PlanError: it is not there, or is no plan.
        """
        try:
            file = path.open("rb")
        except OSError as error:
            raise PlanError(f"cannot read the plan {path}: {error.strerror}", "See `dkm disk plan list`") from None
        try:
            return cls(file, str(path))
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def check(self) -> Foot:
        """Read the whole file once, and make sure that it is whole and as its digest says.

        Raises:
            PlanError: it was cut off or changed.
        """
        self._file.seek(0)
        digest, files, size_bytes = hashlib.sha256(), 0, 0
        self._take(digest)
        while True:
            before = digest.hexdigest()
            frame = self._take(digest)
            foot = self._foot(frame)
            if foot is None:
                block = self._decode(frame, list[Entry])
                files += len(block)
                size_bytes = min(size_bytes + sum(entry.size_bytes for entry in block), BYTES_MAX)
                continue
            if (foot.files, foot.bytes, foot.digest) != (files, size_bytes, before) or self._file.read(1):
                raise PlanError(f"the plan {self._name} is not what its digest says", "Make the plan anew")
            return foot

    def blocks(self) -> Iterator[list[Entry]]:
        """The entries, a block at a time, in the order in which they are to be done.

        Raises:
            PlanError: the file is damaged there.
        """
        self._file.seek(self._first)
        while True:
            frame = self._frame()
            if self._foot(frame) is not None:
                return
            at = self._file.tell()
            yield self._decode(frame, list[Entry])
            self._file.seek(at)

    def _take(self, digest: hashlib._Hash) -> bytes:
        frame = self._frame()
        digest.update(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)
        return frame

    def _foot(self, frame: bytes) -> Foot | None:
        """The foot where the frame is it: the only map after the head (MessagePack: fixmap, map 16, map 32)."""
        is_map = frame[:1] and (frame[0] & 0xF0 == 0x80 or frame[0] in (0xDE, 0xDF))  # noqa: PLR2004  the format's
        return self._decode(frame, Foot) if is_map else None

    def _frame(self) -> bytes:
        prefix = self._file.read(_LENGTH_BYTES)
        length = int.from_bytes(prefix, "big")
        if len(prefix) != _LENGTH_BYTES or not 0 < length <= _FRAME_MAX_BYTES:
            raise self._damaged()
        frame = self._file.read(length)
        if len(frame) != length:
            raise self._damaged()
        return frame

    def _decode(self, frame: bytes, wanted: type[T]) -> T:
        try:
            return msgspec.msgpack.decode(frame, type=wanted)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self._damaged() from None

    def _damaged(self) -> PlanError:
        return PlanError(f"{self._name} is no plan, or was cut off or damaged", "Make the plan anew")
