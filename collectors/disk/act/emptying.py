"""Directories that an act has emptied: removed where the plan says so, and noted so that they can be made again."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from collectors.disk.act.checks import protection
from collectors.disk.act.journal import Emptied
from dkumonitor.safefs import places
from dkumonitor.safefs.copying import attributes_of
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.disk.act.checks import Bounds
    from collectors.disk.act.journal import Journal
    from collectors.disk.act.outcome import Tally
    from dkumonitor.safefs.tree import Tree

_PATH_MAX_BYTES = 4096  # the journal gets the path of each: a file below thousands of folders must not fill it
T = TypeVar("T")


class Emptier:
    """Removes directories that have become empty.

    Args:
        tree: where; its root stays.
        journal: gets what they were.
        bounds: whose directories stay, and which.
    """

    def __init__(self, tree: Tree, journal: Journal, bounds: Bounds) -> None:
        self._tree = tree
        self._journal = journal
        self._bounds = bounds
        self._paths: set[bytes] = set()

    def note(self, path: bytes) -> None:
        """An entry of that path was taken away."""
        above = path.rpartition(b"/")[0]
        if 0 < len(above) <= _PATH_MAX_BYTES:
            self._paths.add(above)

    def empty(self, tally: Tally) -> int:
        """Remove those that are empty now, and those above that become so; how many."""
        removed = 0
        while self._paths:
            deepest = max(path.count(b"/") for path in self._paths)
            level = sorted(path for path in self._paths if path.count(b"/") == deepest)
            self._paths.difference_update(level)
            found = [one for path in level if (one := self._tried(self._look, path, tally))]
            if found:
                self._journal.write(*found)
            for one in found:
                if self._tried(self._remove, one.path, tally):
                    removed += 1
                    self.note(one.path)
        return removed

    def _tried(self, act: Callable[[bytes], T | None], path: bytes, tally: Tally) -> T | None:
        try:
            return act(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            tally.note(f"{printable(os.fsdecode(path))}: {error.strerror}")
            return None

    def _look(self, path: bytes) -> Emptied | None:
        """What an empty directory is like; None where it is not empty, or stays for its owner's or path's sake."""
        directory = self._tree.directory(path, os.O_RDONLY)
        try:
            found = attributes_of(directory)  # before it is listed, which would be a use of it
            if protection(path, found.uid, self._bounds) is not None:
                return None
            with os.scandir(directory) as names:  # one is enough
                return Emptied(path, **asdict(found)) if next(names, None) is None else None
        finally:
            os.close(directory)

    def _remove(self, path: bytes) -> bool:
        above, _, name = path.rpartition(b"/")
        parent = self._tree.directory(above)
        try:
            return places.remove_empty(parent, name)
        finally:
            os.close(parent)
