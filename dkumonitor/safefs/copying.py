"""A file's content and attributes, from one open file to another: holes stay holes, and both can be compared."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dkumonitor.text import printable

_BLOCK_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 1024 * 1024
_ZEROS: Final = bytes(_BLOCK_BYTES)
_MODE: Final = 0o1777  # set-id bits give rights, and are never copied
_STICKY: Final = 0o1000
ACCESS_LISTS: Final = ("system.posix_acl_access", "system.posix_acl_default")
_EXTENDED: Final = ("user.", "system.posix_acl_")  # the others give rights, or are the file system's own
_NO_ATTRIBUTES: Final = (errno.EOPNOTSUPP, errno.ENOSYS)
Pace = Callable[[], None]
"""Called now and then during long work; raises to end it."""


def copy_content(source: int, target: int, size_bytes: int, pace: Pace) -> bytes:
    """Copy a file's content into a new, empty file, and have it on disk; the digest of what was read.

    Blocks of zeros become holes. The digest covers what is not zero, with its place, so that it does not depend on
    where a file system keeps holes.

    Raises:
        OSError: reading or writing failed, ENOSPC among others.
    """
    os.ftruncate(target, size_bytes)
    digest = hashlib.blake2b(size_bytes.to_bytes(8, "big"))
    for offset, data in _Blocks(source, size_bytes):
        _take(digest, offset, data)
        _write(target, offset, data)
        pace()
    os.fsync(target)
    return digest.digest()


def digest_of(descriptor: int, size_bytes: int, pace: Pace) -> bytes:
    """The digest of a file's content, read from the disk as far as the kernel lets it."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    digest = hashlib.blake2b(size_bytes.to_bytes(8, "big"))
    for offset, data in _Blocks(descriptor, size_bytes):
        _take(digest, offset, data)
        pace()
    return digest.digest()


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """What a file or directory is beside its content, without what gives rights: set-id bits, security.*, trusted.*.

    Attributes:
        extended: extended attributes and access lists.
    """

    uid: int
    gid: int
    mode: int
    atime_ns: int
    mtime_ns: int
    extended: dict[str, bytes]


def attributes_of(descriptor: int) -> Attributes:
    """The attributes of what is open."""
    there = os.fstat(descriptor)
    return Attributes(
        uid=there.st_uid,
        gid=there.st_gid,
        mode=there.st_mode & _MODE,
        atime_ns=there.st_atime_ns,
        mtime_ns=there.st_mtime_ns,
        extended={name: os.getxattr(descriptor, name) for name in _extended(descriptor)},
    )


def give(descriptor: int, attributes: Attributes) -> None:
    """Give a new file or directory these attributes.

    Raises:
        OSError: one of them cannot be given; a copy that lacks an access list would be open to others.
    """
    os.fchown(descriptor, attributes.uid, attributes.gid)
    os.fchmod(descriptor, attributes.mode & _MODE)
    for name, value in attributes.extended.items():
        if name.startswith(_EXTENDED):
            _set(descriptor, name, value)
    os.utime(descriptor, ns=(attributes.atime_ns, attributes.mtime_ns))


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may enter a folder.

    Attributes:
        lists: its access lists, by their attributes' names.
    """

    uid: int
    gid: int
    mode: int
    lists: dict[str, bytes]

    def is_within(self, other: Access) -> bool:
        """Whether the owner and the group are the same, and nobody may enter that could not enter the other."""
        same = (self.uid, self.gid, self.lists) == (other.uid, other.gid, other.lists)
        return same and self.mode == _narrow(self.mode, other.mode)


def gives_rights(status: os.stat_result) -> bool:
    """Whether it is a file with set-id bits."""
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & (stat.S_ISUID | stat.S_ISGID))


def access_of(handle: int) -> Access:
    """Who may enter the folder of a handle (O_PATH will do)."""
    there = os.fstat(handle)
    path = f"/proc/self/fd/{handle}"  # attributes cannot be read by such a handle itself
    return Access(uid=there.st_uid, gid=there.st_gid, mode=there.st_mode & _MODE, lists=_access_lists(path))


def tighten(folder: int, limit: Access) -> None:
    """Let a folder of the same owner and group be no more open than another is."""
    now = access_of(folder)
    for name in sorted({*now.lists, *limit.lists}):
        if name not in limit.lists:
            os.removexattr(folder, name)
        elif now.lists.get(name) != limit.lists[name]:
            os.setxattr(folder, name, limit.lists[name])
    if now.lists != limit.lists or now.mode != _narrow(now.mode, limit.mode):
        os.fchmod(folder, _narrow(now.mode, limit.mode))


def _narrow(mode: int, limit: int) -> int:
    """What two modes have in common: permissions that both give, the sticky bit of either."""
    return mode & limit & ~_STICKY | (mode | limit) & _STICKY


def copy_link(source: int, directory: int, name: bytes, status: os.stat_result) -> None:
    """Make a symbolic link that says what the one behind a handle says, with its owner and times.

    To read a link is a use of it for the kernel, and not for us: its access time is put back.
    """
    said = os.readlink(b"", dir_fd=source)
    with contextlib.suppress(PermissionError):
        os.utime(f"/proc/self/fd/{source}", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.symlink(said, name, dir_fd=directory)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=directory, follow_symlinks=False)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=directory, follow_symlinks=False)


def _set(descriptor: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(descriptor, name, value)
    except OSError as error:
        if error.errno == errno.ENOSPC:  # many file systems say so of a value that is too large, and are not full
            raise OSError(errno.E2BIG, f"no room there for its attribute {printable(name)}") from None
        raise


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether both are the same file, with the same content as far as its owner, size and time tell."""
    return _identity(one) == _identity(other)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    kind = stat.S_IFMT(status.st_mode)
    return kind, status.st_dev, status.st_ino, status.st_uid, status.st_size, status.st_mtime_ns


def _access_lists(path: str) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(path, name) for name in os.listxattr(path) if name in ACCESS_LISTS}
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return {}
        raise


def _extended(descriptor: int) -> list[str]:
    try:
        return [name for name in os.listxattr(descriptor) if name.startswith(_EXTENDED)]
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return []
        raise


class _Blocks:
    """The parts of a file that hold data, as (offset, data); offsets are multiples of the block."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._descriptor = descriptor
        self._size = size_bytes
        self._offset = self._end = 0

    def __iter__(self) -> _Blocks:
        return self

    def __next__(self) -> tuple[int, bytes]:
        if self._offset >= self._end:
            self._find()
        if self._offset >= self._size:
            raise StopIteration
        data = _read(self._descriptor, self._offset, min(_CHUNK_BYTES, self._end - self._offset))
        offset, self._offset = self._offset, self._offset + len(data)
        return offset, data

    def _find(self) -> None:
        """Go to the next data."""
        if self._offset >= self._size:
            return
        try:
            start = os.lseek(self._descriptor, self._offset, os.SEEK_DATA)
            end = os.lseek(self._descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                self._offset = self._size
                return
            if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
                raise
            start, end = self._offset, self._size  # the file system knows no holes
        self._offset = max(self._offset, start - start % _BLOCK_BYTES)
        self._end = min(self._size, end + -end % _BLOCK_BYTES)


def _read(descriptor: int, offset: int, size_bytes: int) -> bytes:
    data = os.pread(descriptor, size_bytes, offset)
    while len(data) < size_bytes:
        more = os.pread(descriptor, size_bytes - len(data), offset + len(data))
        if not more:
            raise OSError(errno.EIO, "became shorter while it was read")
        data += more
    return data


def _take(digest: hashlib.blake2b, offset: int, data: bytes) -> None:
    for start in range(0, len(data), _BLOCK_BYTES):
        block = data[start : start + _BLOCK_BYTES]
        if block != _ZEROS[: len(block)]:
            digest.update((offset + start).to_bytes(8, "big") + block)


def _write(descriptor: int, offset: int, data: bytes) -> None:
    for start in range(0, len(data), _BLOCK_BYTES):
        block = data[start : start + _BLOCK_BYTES]
        done = 0
        while done < len(block) and block != _ZEROS[: len(block)]:
            done += os.pwrite(descriptor, block[done:], offset + start + done)
