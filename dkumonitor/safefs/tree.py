"""A directory, and what is below it on the same mount: reached step by step, by descriptors, through no link."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from dkumonitor.safefs import kernel

if TYPE_CHECKING:
    from typing import Self

_BENEATH: Final = (
    kernel.RESOLVE_BENEATH | kernel.RESOLVE_NO_SYMLINKS | kernel.RESOLVE_NO_MAGICLINKS | kernel.RESOLVE_NO_XDEV
)
_DIRECTORY: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WITHOUT_OPENAT2: Final = (errno.ENOSYS, errno.EPERM)  # an old kernel; a filter of system calls
_NO_WAY: Final = (errno.ENOENT, errno.ESTALE, errno.ELOOP, errno.ENOTDIR, errno.EXDEV)
_PORTION_BYTES: Final = 3500  # the kernel takes 4096 bytes of a path at once


class Tree:
    """A directory that is open, and the way to what is below it.

    Every step is refused (OSError) where a component is a link (ELOOP, ENOTDIR), lies on another mount (EXDEV), is no
    directory (ENOTDIR) or is gone (ENOENT).

    Args:
        descriptor: of the directory, opened with O_RDONLY or O_PATH; closed by :meth:`close`.
        path: what to call it, absolute.
    """

    def __init__(self, descriptor: int, path: bytes) -> None:
        self.descriptor = descriptor
        self.path = path
        self.status = os.fstat(descriptor)
        self._by_hand = False
        self._mount: int | None = None

    @classmethod
    def open(cls, path: bytes) -> Self:
        """Open the directory of an absolute path, no component of which may be a link.

        Raises:
            OSError: it is not there, or something on the way is a link or no directory.
        """
        descriptor = os.open(b"/", os.O_PATH | _DIRECTORY)
        for name in path.split(b"/"):
            if name:
                above = descriptor
                try:
                    descriptor = os.open(name, os.O_PATH | _DIRECTORY, dir_fd=above)
                finally:
                    os.close(above)
        try:
            opened = os.open(b".", os.O_RDONLY | _DIRECTORY, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        return cls(opened, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the directory."""
        os.close(self.descriptor)

    def directory(self, relative: bytes, access: int = os.O_PATH) -> int:
        """Open a directory below: a descriptor that the caller closes.

        Args:
            relative: its path from the tree's root; empty for the root itself.
            access: O_PATH to go on from there, O_RDONLY to list, sync or change it.
        """
        found = os.dup(self.descriptor)
        if not relative:
            return found if access == os.O_PATH else self._reopened(found, access)
        portions = list(_portions(relative))
        for number, portion in enumerate(portions):
            above = found
            last = number == len(portions) - 1
            try:
                found = self._resolve(above, portion, (access if last else os.O_PATH) | _DIRECTORY)
            finally:
                os.close(above)
        return found

    def step(self, directory: int, name: bytes, access: int = os.O_PATH) -> int:
        """Open a directory by its name in one that is open."""
        return self._resolve(directory, name, access | _DIRECTORY)

    def entry(self, directory: int, name: bytes) -> int:
        """A handle (O_PATH) on whatever has this name: nothing is opened, not even a FIFO, and no link is followed."""
        return self._resolve(directory, name, os.O_PATH | os.O_NOFOLLOW)

    def leads_to(self, relative: bytes, directory: int) -> bool:
        """Whether that path still leads to the directory that is open.

        Raises:
            OSError: it cannot be told.
        """
        try:
            again = self.directory(relative)
        except OSError as error:
            if error.errno in _NO_WAY:
                return False
            raise
        try:
            return os.path.sameopenfile(again, directory)
        finally:
            os.close(again)

    def _reopened(self, descriptor: int, access: int) -> int:
        try:
            return os.open(b".", access | _DIRECTORY, dir_fd=descriptor)
        finally:
            os.close(descriptor)

    def _resolve(self, directory: int, relative: bytes, flags: int) -> int:
        if not self._by_hand:
            try:
                return kernel.openat2(directory, relative, flags, _BENEATH)
            except OSError as error:
                if error.errno not in _WITHOUT_OPENAT2:
                    raise
                self._by_hand = True
        return self._walk(directory, relative, flags)

    def _walk(self, directory: int, relative: bytes, flags: int) -> int:
        """As openat2 does, where the kernel has none: a component at a time, the mount looked at after each."""
        if self._mount is None:
            self._mount = _mount_of(self.descriptor)
        names = relative.split(b"/")
        if b".." in names or b"" in names or b"." in names:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), relative)
        found = os.dup(directory)
        for number, name in enumerate(names):
            above = found
            wanted = flags if number == len(names) - 1 else os.O_PATH | _DIRECTORY
            try:
                found = os.open(name, wanted | os.O_CLOEXEC, dir_fd=above)
            finally:
                os.close(above)
            if _mount_of(found) != self._mount:
                os.close(found)
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), relative)
        return found


def _mount_of(descriptor: int) -> int:
    """The mount that a descriptor lies on (proc(5), fdinfo, Linux 3.15)."""
    with open(f"/proc/self/fdinfo/{descriptor}", "rb") as file:  # noqa: PTH123  a Path costs more than the read
        for line in file:
            if line.startswith(b"mnt_id:"):
                return int(line.split()[1])
    raise OSError(errno.ENOSYS, "the kernel names no mount", f"/proc/self/fdinfo/{descriptor}")


def _portions(relative: bytes) -> list[bytes]:
    if len(relative) <= _PORTION_BYTES:
        return [relative]
    portions, now = [], b""
    for name in relative.split(b"/"):
        if now and len(now) + len(name) >= _PORTION_BYTES:
            portions.append(now)
            now = name
        else:
            now = now + b"/" + name if now else name
    return [*portions, now]
