"""Names in directories that are open: moved without overwriting, removed, made."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import Final

from dkumonitor.safefs import kernel
from dkumonitor.safefs.copying import gives_rights

_UNKNOWN: Final = (errno.EINVAL, errno.ENOSYS)  # of the file system; of the kernel


def rename_new(source: int, source_name: bytes, target: int, target_name: bytes) -> None:
    """Rename what has that name in a folder of ours, whatever it is, and never overwrite.

    Where the file system cannot do it in one step, a file or link gets its second name before it loses its first, which
    must be the same thing still: so nobody but the caller may write in its folder. A directory may take the place of an
    empty one.

    Raises:
        FileExistsError: the new name is taken.
        OSError: it cannot be done.
    """
    try:
        kernel.renameat2(source, source_name, target, target_name, kernel.RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        there = status(source, source_name)
        if there is not None and stat.S_ISDIR(there.st_mode):
            os.rename(source_name, target_name, src_dir_fd=source, dst_dir_fd=target)
            return
        os.link(source_name, target_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        os.unlink(source_name, dir_fd=source)


def rename_into_ours(source: int, source_name: bytes, target: int, target_name: bytes) -> None:
    """Rename what has that name, whatever it is, into a folder that nobody but the caller writes in.

    Always in one step: what has the name in the next moment is another thing, and not ours to remove.

    Raises:
        FileExistsError: the new name is taken.
        OSError: it cannot be done.
    """
    try:
        kernel.renameat2(source, source_name, target, target_name, kernel.RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        if status(target, target_name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target_name) from None
        os.rename(source_name, target_name, src_dir_fd=source, dst_dir_fd=target)


def status(directory: int, name: bytes) -> os.stat_result | None:
    """What has that name, a link itself and not what it leads to; None for nothing."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def remove(directory: int, name: bytes) -> None:
    """Remove a file or link."""
    os.unlink(name, dir_fd=directory)


def take_rights(directory: int, name: bytes) -> None:
    """Take its set-id bits from a file in a folder of ours."""
    there = status(directory, name)
    if there is not None and gives_rights(there):
        os.chmod(name, stat.S_IMODE(there.st_mode) & ~(stat.S_ISUID | stat.S_ISGID), dir_fd=directory)


def discard(directory: int, name: bytes) -> None:
    """Remove a file, a link or an empty directory of ours, if it is there."""
    there = status(directory, name)
    if there is None:
        return
    if stat.S_ISDIR(there.st_mode):
        os.rmdir(name, dir_fd=directory)
    else:
        os.unlink(name, dir_fd=directory)


def remove_empty(directory: int, name: bytes) -> bool:
    """Remove a directory that is empty; whether it was."""
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
            return False
        raise
    return True


def private_directory(directory: int, name: bytes, *, make: bool = True) -> int:
    """A directory that nobody but the caller enters, made where it is missing; its descriptor.

    Args:
        directory: where.
        name: its name there.
        make: whether it may be made.

    Raises:
        PermissionError: it belongs to somebody else, or others may enter it.
        OSError: it is no directory, or cannot be made.
    """
    if make and status(directory, name) is None:
        os.mkdir(name, 0o700, dir_fd=directory)
        os.fsync(directory)
    opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    there = os.fstat(opened)
    if there.st_uid != os.geteuid() or there.st_mode & 0o077 or there.st_dev != os.fstat(directory).st_dev:
        os.close(opened)
        raise PermissionError(errno.EPERM, "belongs to somebody else, or others may enter it", name)
    return opened


def opened(handle: int) -> int:
    """Open for reading what a handle (O_PATH) leads to: a regular file, the access time of which stays.

    Raises:
        OSError: it is no regular file, or may not be read.
    """
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(errno.EINVAL, "is no regular file")
    path = f"/proc/self/fd/{handle}"  # the very file of the handle: no name is looked up
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOATIME | os.O_CLOEXEC)
    except PermissionError:  # O_NOATIME is for the owner alone
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


class Lease:
    """A lease on a file (fcntl(2), F_SETLEASE): granted only where nobody else has the file open.

    Whoever opens it meanwhile waits until :meth:`close`. The caller ignores SIGIO.

    Args:
        descriptor: of the file, which :meth:`close` closes.

    Attributes:
        in_use: whether somebody has it open.
        granted: whether there is a lease; neither is true where the file system or the caller's rights know none.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.in_use = self.granted = False
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError as error:
            self.in_use = error.errno in {errno.EAGAIN, errno.EBUSY}
        else:
            self.granted = True

    def is_whole(self) -> bool:
        """Whether nobody has opened the file since."""
        return not self.granted or fcntl.fcntl(self._descriptor, fcntl.F_GETLEASE) == fcntl.F_WRLCK

    def close(self) -> None:
        """Close the file, and let others open it again."""
        os.close(self._descriptor)
