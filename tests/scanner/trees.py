"""Trees that hurt."""

from __future__ import annotations

import os
import random
import socket
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from tests import corpus
from tests.scanner.program import NOW

if TYPE_CHECKING:
    from pathlib import Path

OWNERS = range(30_000, 30_060)
DAY = 86_400
# Now, both sides of bounds, in the future, at and before the beginning of time.
AGES = (0, 1, DAY, 30 * DAY, 30 * DAY - 1, 800 * DAY, -1, -9_999_999, NOW, NOW + 1, NOW + DAY)
TIMES = tuple(NOW - age for age in AGES)
SIZES = (0, 1, 511, 4096, 4097, 70_000)


def grow(root: Path) -> Path:
    """A tree with 60 owners, odd names, links of all kinds, sparse files, FIFO, device, socket and odd times.

    It needs root: other users' files are a part of it.
    """
    root.mkdir()
    choice = random.Random(7)
    folders = _folders(root)
    names = [name for name in corpus.NAMES if b"/" not in name and len(name) <= 255 and name not in {b".", b".."}]
    files = []
    for number, owner in enumerate(OWNERS):
        folder = folders[number % len(folders)]
        for name in (names[number % len(names)], b"plain%d" % number):
            path = folder + b"/" + name
            with suppress(FileExistsError):
                files.append(_file(path, choice.choice(SIZES), owner, choice))
    _sparse(folders[3] + b"/sparse", 5 << 30)
    _links(root, folders, files, choice)
    _specials(os.fsencode(root))
    for index, path in enumerate([*files, *folders]):
        times = TIMES[index % len(TIMES)], TIMES[(index // 3) % len(TIMES)]
        os.utime(path, ns=(times[0] * 10**9 + index, times[1] * 10**9 + index), follow_symlinks=False)
    return root


def _folders(root: Path) -> list[bytes]:
    top = os.fsencode(root)
    folders = [top]
    for number, part in enumerate([b"a", b"b", b"a/deep", b"a/deep/er", b"a/deep/er/still", b"a/deep/er/still/on",
                                   b"empty", b"a-b", b"a b", b"caf\xe9", b"\xe6\xb8\xa1", b"new\nline"]):  # fmt: skip
        os.mkdir(top + b"/" + part)
        os.chown(top + b"/" + part, OWNERS[number], OWNERS[number] % 7)
        if part != b"empty":
            folders.append(top + b"/" + part)
    return folders


def _file(path: bytes, size: int, owner: int, choice: random.Random) -> bytes:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    os.write(handle, choice.randbytes(size))
    os.fsync(handle)  # or its blocks are allocated while it is looked at
    os.fchown(handle, owner, 100 + owner % 5)
    os.close(handle)
    return path


def _sparse(path: bytes, size: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.truncate(handle, size)
    os.pwrite(handle, b"in the middle", size // 2)
    os.fsync(handle)
    os.close(handle)


def _links(root: Path, folders: list[bytes], files: list[bytes], choice: random.Random) -> None:
    for number, target in enumerate(files[::3]):
        for copy in range(1 + number % 4):
            folder = os.path.dirname(target) if number % 5 == 0 else choice.choice(folders)
            os.link(target, folder + b"/link%d-%d" % (number, copy))
    outside = root.with_name(root.name + " outside")
    outside.mkdir()
    os.link(files[1], os.fsencode(outside) + b"/another name of a file of the tree")
    for name, target in ((b"loop", b"loop"), (b"up", b".."), (b"gone", b"nowhere"), (b"out", os.fsencode(outside))):
        os.symlink(target, folders[1] + b"/" + name)


def _specials(top: bytes) -> None:
    os.mkfifo(top + b"/fifo")
    os.mknod(top + b"/a/device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod(top + b"/a/disk", stat.S_IFBLK | 0o600, os.makedev(7, 250))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(top + b"/b/socket")
    listener.close()
    for name in (b"/fifo", b"/a/device", b"/b/socket"):
        os.chown(top + name, OWNERS[5], 5)


def chain(root: Path, depth: int, beside: int = 0) -> None:
    """Directories in directories, each with a file and `beside` others; paths longer than the kernel takes."""
    root.mkdir()
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for level in range(depth):
        os.mknod("file", stat.S_IFREG | 0o600, dir_fd=at)
        for number in range(beside):
            os.mkdir(f"a{number}", dir_fd=at)
            os.mkdir(f"a{number}/{level}", dir_fd=at)
        os.mkdir("directory", dir_fd=at)
        below = os.open("directory", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def many(folder: Path, files: int) -> None:
    """One directory of many empty files."""
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(files):
        os.mknod(f"file {number}", stat.S_IFREG | 0o600, dir_fd=handle)
    os.close(handle)


def exabytes(root: Path) -> None:
    """Four old sparse files, one of them with a link in another directory, that are 28 EiB together."""
    (root / "below").mkdir()
    for name in ("one", "two", "below/three", "below/four"):
        with (root / name).open("wb") as file:
            file.truncate(7 * 2**60)
    (root / "below/link").hardlink_to(root / "one")
    for name in ("one", "two", "below/three", "below/four"):
        os.utime(root / name, (10**9, 10**9))
