"""One installer at a time works on a DIR."""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from installer.errors import BusyError, DirectoryError

_PAUSE_SECONDS = 0.1


def lock_path(directory: Path) -> Path:
    """The lock file beside DIR; it is there only while an installer works, or was killed."""
    return directory.with_name(f".{directory.name}.installing.lock")


@contextlib.contextmanager
def locked(directory: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock beside DIR, and remove its file in the end.

    Args:
        directory: DIR, which need not exist.
        wait_seconds: how long to wait for another installer to end.

    Raises:
        BusyError: another installer still holds it.
        DirectoryError: the lock cannot be made there.
    """
    path = lock_path(directory)
    deadline = time.monotonic() + wait_seconds
    while True:
        descriptor = _open(path)
        try:
            if _take(descriptor) and _is_still(descriptor, path):
                break
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if time.monotonic() >= deadline and path.exists():
            raise BusyError(f"another installer is at work on {directory}", "Wait until it ends, and try again")
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DirectoryError(
            f"cannot make the lock {path}: {error.strerror}",
            "See that you may write in that folder, and that it has room",
        ) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(descriptor)
        raise DirectoryError(f"{path} was not made by this installer", "Remove it, or install as its owner")
    return descriptor


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(descriptor: int, path: Path) -> bool:
    """Whether the locked file is the one that has the name now: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
