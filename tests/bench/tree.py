"""A tree of a million entries, as a shared scratch disk may look: always the same for the same numbers.

    python -m tests.bench.tree FOLDER

16,000 directories, 40 owners (who need root; else all is the caller's), one directory of 100,000 entries, hard links
within and across directories, sparse files, symbolic links, names that are no UTF-8, and ages from none to years.
"""

from __future__ import annotations

import argparse
import os
import random
import stat
from dataclasses import dataclass
from pathlib import Path

NOW_SECONDS = 1_790_000_000
_FIRST_OWNER = 20_000
_DAY_SECONDS = 86_400
_ODD_NAMES = (b"caf\xe9", b"line\nbreak", "渡辺".encode(), b"=1+1", b"\xff\xfe", b" blank ", b"tab\t", b"\x1b[31mred")


@dataclass(frozen=True)
class Shape:
    """How large the tree becomes; the wide directory and the links are among the entries."""

    entries: int = 1_000_000
    directories: int = 16_000
    owners: int = 40
    wide: int = 100_000
    links: int = 19_000
    deepest: int = 12
    seed: int = 1


class _Grower:
    def __init__(self, folder: Path, shape: Shape) -> None:
        self._folder = folder
        self._shape = shape
        self._random = random.Random(shape.seed)
        self._chown = os.geteuid() == 0
        self._linked: list[bytes] = []  # files that get more names

    def grow(self) -> None:
        self._folder.mkdir(parents=True)
        folders = self._directories()
        wide = self._random.randrange(1, len(folders))
        left = self._shape.entries - len(folders) - self._shape.links - self._shape.wide
        shares = [self._random.paretovariate(1.3) for _ in folders]
        scale = left / sum(shares)
        carried = 0.0
        for number, (folder, owner) in enumerate(folders):
            carried += shares[number] * scale
            count = int(carried)
            carried -= count
            self._fill(folder, owner, count + (self._shape.wide if number == wide else 0))
        self._link(folders)

    def _directories(self) -> list[tuple[bytes, int]]:
        top = os.fsencode(self._folder)
        folders = [(top, 0)]
        depths = {top: 0}
        for number in range(self._shape.directories - 1):
            while True:
                parent, owner = self._random.choice(folders[-2_000:] + folders[:200])
                if depths[parent] < self._shape.deepest:
                    break
            if depths[parent] == 0 or self._random.random() < 0.1:
                owner = self._random.randrange(self._shape.owners)
            path = parent + b"/" + self._name(b"d", number)
            os.mkdir(path)
            if self._chown:
                os.chown(path, _FIRST_OWNER + owner, _FIRST_OWNER + owner % 7)
            depths[path] = depths[parent] + 1
            folders.append((path, owner))
        return folders

    def _name(self, start: bytes, number: int) -> bytes:
        odd = self._random.choice(_ODD_NAMES) if self._random.random() < 0.01 else b""
        return b"%s%06d%s" % (start, number, odd)

    def _fill(self, folder: bytes, owner: int, count: int) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for number in range(count):
                self._entry(handle, self._name(b"results_", number), owner, folder)
        finally:
            os.close(handle)

    def _entry(self, handle: int, name: bytes, owner: int, folder: bytes) -> None:
        kind = self._random.random()
        if kind < 0.01:
            os.symlink(b"../elsewhere", name, dir_fd=handle)
        else:
            os.mknod(name, stat.S_IFREG | 0o640, dir_fd=handle)
        if self._chown:
            if self._random.random() < 0.05:
                owner = self._random.randrange(self._shape.owners)
            os.chown(name, _FIRST_OWNER + owner, _FIRST_OWNER + owner % 7, dir_fd=handle, follow_symlinks=False)
        if 0.01 <= kind < 0.07:
            self._write(handle, name, sparse=kind < 0.03)
        if kind > 0.7:
            age = int(self._random.expovariate(1 / 200) * _DAY_SECONDS)
            os.utime(name, (NOW_SECONDS - age, NOW_SECONDS - age - 100), dir_fd=handle, follow_symlinks=False)
        if len(self._linked) < self._shape.links // 2 and 0.5 < kind < 0.55:
            self._linked.append(folder + b"/" + name)

    def _write(self, handle: int, name: bytes, *, sparse: bool) -> None:
        file = os.open(name, os.O_WRONLY, dir_fd=handle)
        try:
            if sparse:
                os.ftruncate(file, self._random.randrange(1 << 31))
            os.pwrite(file, b"x" * self._random.randrange(1, 3 << 12), 0)
        finally:
            os.close(file)

    def _link(self, folders: list[tuple[bytes, int]]) -> None:
        for number in range(self._shape.links):
            target = self._random.choice(self._linked)
            folder = os.path.dirname(target)
            if self._random.random() < 0.7:
                folder, _ = self._random.choice(folders)
            os.link(target, b"%s/link_%06d" % (folder, number))


def grow(folder: Path, shape: Shape | None = None) -> None:
    """Make the tree; `folder` must not be there."""
    _Grower(folder, shape or Shape()).grow()


def main() -> None:
    """Make the tree that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    grow(parser.parse_args().folder)


if __name__ == "__main__":
    main()
