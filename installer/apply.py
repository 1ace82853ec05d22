"""The only module that writes: small acts, each whole or not at all. The others order them."""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from installer.errors import ReleaseError
from installer.machine import Account
from installer.release import MANIFEST, Release

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""

_CHUNK_BYTES = 1 << 20
_FICLONE = 0x40049409  # linux/fs.h
_NO_REFLINK = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Owner(NamedTuple):
    """Who something shall belong to."""

    uid: int
    gid: int


def caller() -> Owner:
    """Whoever runs the installer."""
    return Owner(os.geteuid(), os.getegid())


def owner(account: Account) -> Owner:
    """The account that the programs run as."""
    return Owner(account.uid, account.gid)


@contextlib.contextmanager
def acting_as(account: Account) -> Iterator[None]:
    """Let root act as the account: in folders that belong to the account, root must not be led astray by links."""
    if os.geteuid() != 0 or account.uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups(sorted(account.groups))
    os.setegid(account.gid)
    os.seteuid(account.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def make_folder(path: Path, mode: int, belongs_to: Owner) -> None:
    """Make a folder with exactly this mode and owner, where nobody but the caller and ``belongs_to`` passes.

    Root makes folders for an account only where the account cannot pass yet (``install``), or as that account: a link
    laid in between would lead the last step elsewhere.

    Raises:
        FileExistsError: something of that name exists.
    """
    path.mkdir(mode=0o700)
    _own(path, belongs_to)
    path.chmod(mode)


def set_mode(path: Path, mode: int) -> None:
    """Give a folder another mode; nobody but the caller may be able to exchange it."""
    path.chmod(mode)


def write_file(path: Path, data: bytes, mode: int, belongs_to: Owner) -> None:
    """Write a new file with exactly this mode and owner.

    Raises:
        FileExistsError: something of that name exists.
    """
    descriptor = os.open(path, _NEW_FILE, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if belongs_to != caller():
            os.fchown(descriptor, *belongs_to)
        os.fchmod(descriptor, mode)
        file.write(data)


def append_line(path: Path, line: str) -> None:
    """Add a line to a log; nothing but a plain file is written to."""
    descriptor = os.open(
        path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644
    )
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.write(line + "\n")


def make_link(path: Path, target: str) -> None:
    """Make a new symbolic link."""
    path.symlink_to(target)


def turn_link(path: Path, target: str) -> None:
    """Point a link elsewhere in one step; at no time is it missing."""
    beside = path.with_name(f".{path.name}.{token()}")
    beside.symlink_to(target)
    move(beside, path)


def move(source: Path, target: Path) -> None:
    """Rename in one step; a file at ``target`` is replaced, a folder only where it is empty."""
    source.rename(target)


def unlink(path: Path) -> None:
    """Remove a file or link, if it is there."""
    path.unlink(missing_ok=True)


def remove_if_empty(path: Path) -> None:
    """Remove a folder that has nothing in it; leave any other as it is."""
    with contextlib.suppress(OSError):
        path.rmdir()


def remove_tree(path: Path) -> None:
    """Remove a folder that this installer made, with all that is in it; links are removed, not followed."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "is a link, and is not followed", str(path))
    shutil.rmtree(path)


def token() -> str:
    """A name that nobody can guess."""
    return secrets.token_hex(8)


def new_secret() -> bytes:
    """A secret of 256 bits, in letters, digits, - and _."""
    return secrets.token_urlsafe(32).encode("ascii")


def sync(path: Path) -> None:
    """Have all that was written to the path's file system on disk (syncfs(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(path))
    finally:
        os.close(descriptor)


def copy_release(release: Release, target: Path, progress: Progress) -> None:
    """Copy a release's files, and nothing else that lies there, into the new folder ``target``, verifying each.

    Copies share their bytes with the extracted folder where the file system can (reflink), and are real copies
    elsewhere. Never hard links: what is done to the extracted folder later must not change the installation.

    Raises:
        ReleaseError: a file differs from the manifest.
    """
    belongs_to = caller()
    make_folder(target, 0o755, belongs_to)
    folders = {Path()}
    done_bytes = 0
    copier = _Copier()
    for entry in release.entries:
        path = Path(entry.path)
        _make_parents(target, path, folders)
        size_bytes, sha256 = copier.copy(release.root / path, target / path)
        if sha256 != entry.sha256:
            raise ReleaseError(
                f"{release.root / path} is damaged: it differs from {MANIFEST}", "Extract the tarball again"
            )
        done_bytes += size_bytes
        progress(done_bytes, release.size_bytes)
    for name, points_to in release.links:
        _make_parents(target, Path(name), folders)
        make_link(target / name, points_to)
    copier.copy(release.root / MANIFEST, target / MANIFEST)


class _Copier:
    """Copies files; stops trying reflinks once the file system has refused one."""

    def __init__(self) -> None:
        self._tries_reflink = True

    def copy(self, source: Path, target: Path) -> tuple[int, str]:
        """Copy one file, executable for all or for none; returns its size and hash."""
        digest = hashlib.sha256()
        with source.open("rb", buffering=0) as reader:
            mode = 0o755 if os.fstat(reader.fileno()).st_mode & stat.S_IXUSR else 0o644
            with os.fdopen(os.open(target, _NEW_FILE, 0o600), "wb", buffering=0) as writer:
                os.fchmod(writer.fileno(), mode)
                shared = self._tries_reflink and self._share(reader.fileno(), writer.fileno())
                size_bytes = 0
                while chunk := reader.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    size_bytes += len(chunk)
                    if not shared:
                        _write_all(writer.fileno(), chunk)
        return size_bytes, digest.hexdigest()

    def _share(self, reader: int, writer: int) -> bool:
        try:
            fcntl.ioctl(writer, _FICLONE, reader)
        except OSError as error:
            if error.errno not in _NO_REFLINK:
                raise
            self._tries_reflink = False
            return False
        return True


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _make_parents(target: Path, path: Path, made: set[Path]) -> None:
    for parent in reversed(path.parents):
        if parent not in made:
            make_folder(target / parent, 0o755, caller())
            made.add(parent)


def _own(path: Path, belongs_to: Owner) -> None:
    if belongs_to != caller():
        os.chown(path, *belongs_to, follow_symlinks=False)
