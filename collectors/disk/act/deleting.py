"""Deleting: into the quarantine, from which it can be brought back. What frees space is a purge."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from collectors.disk.act.journal import Folder
from collectors.disk.act.state import first_in_folder
from dkumonitor.safefs import places
from dkumonitor.safefs.copying import access_of, gives_rights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.disk.act.outcome import Reason
    from collectors.disk.act.state import State
    from collectors.disk.act.taking import Source
    from collectors.disk.plan_file import Entry
    from dkumonitor.safefs.tree import Tree


_RECORDED_MAX_BYTES = 4096  # of a path, each folder of which is recorded


class Deleter:
    """Puts entries into the quarantine of a plan.

    Whoever owns a folder above an entry, beside root and the entry's owner, is recorded with its mode: only into such a
    folder will the entry come back. What gives rights comes back only where all of its folders are as they were.

    Args:
        state: the tree's folder.
        plan: the plan's name.
    """

    def __init__(self, state: State, plan: str) -> None:
        self._state = state
        self._plan = plan
        self._changed: set[int] = set()  # the first number of a folder
        self._place: tuple[bytes, int, int] | None = None  # of the newest entry: the path and identity of its folder
        self._folders: list[Folder] = []  # on the way to it
        self._recorded: dict[bytes, Folder] = {}

    def delete(self, number: int, source: Source) -> Reason | None:
        """Put one entry into the quarantine; why not, or None.

        Raises:
            OSError: it failed; the entry is where it was, or waits in the quarantine.
        """
        folder, name = self._state.slot(self._plan, number)
        self._changed.add(first_in_folder(number))
        self._record(source)
        return source.take(folder, name)

    def recorded(self) -> list[Folder]:
        """The folders that were recorded since this was asked last."""
        found = list(self._recorded.values())
        self._recorded.clear()
        return found

    def _record(self, source: Source) -> None:
        parent = os.fstat(source.parent)
        place = source.above, parent.st_dev, parent.st_ino
        if place != self._place:
            self._place, self._folders = place, []
            with contextlib.suppress(OSError):  # it is no way any more: the entry will be left alone
                self._folders = list(_folders(self._state.tree, source))
        rights = gives_rights(source.status)
        for folder in self._folders:
            if rights or folder.uid not in {0, source.status.st_uid}:
                self._recorded[folder.path] = folder

    def sync(self) -> None:
        """Have on disk what came into the quarantine."""
        for number in self._changed:
            os.fsync(self._state.slot(self._plan, number)[0])
        self._changed.clear()

    def settle(self, entry: Entry, number: int, tree: Tree, *, keeps: bool) -> bool:
        """End what a crash has cut off: what waits in the quarantine stays there, or is put back.

        Args:
            entry: as it was decided on.
            number: its number.
            tree: where it was.
            keeps: whether the quarantine is where it should be.

        Returns:
            Whether the entry is deleted with that.
        """
        waits = self._state.found(self._plan, number)
        if waits is None:
            return False
        folder, name = self._state.slot(self._plan, number)
        above, _, leaf = entry.path.rpartition(b"/")
        try:
            parent = tree.directory(above)
        except FileNotFoundError:
            return keeps and is_decided(entry, waits)
        try:
            there = places.status(parent, leaf)
            if there is not None and (there.st_dev, there.st_ino) == (waits.st_dev, waits.st_ino):
                places.remove(folder, name)  # it has both names, the old one included
                return False
            if keeps and is_decided(entry, waits):
                self._changed.add(first_in_folder(number))
                return True
            with contextlib.suppress(FileExistsError):  # then it waits on, and can be restored
                places.rename_new(folder, name, parent, leaf)
            return False
        finally:
            os.close(parent)


def _folders(tree: Tree, source: Source) -> Iterator[Folder]:
    """What the folders on the way to an entry are; none where the way is too long to keep."""
    path = source.above
    if not path or len(path) > _RECORDED_MAX_BYTES:
        return
    here, at = tree.directory(b""), b""
    try:
        for name in path.split(b"/"):
            at = at + b"/" + name if at else name
            above = here
            here = tree.step(above, name)
            os.close(above)
            was, there = access_of(here), os.fstat(here)
            times = {"atime_ns": there.st_atime_ns, "mtime_ns": there.st_mtime_ns}
            yield Folder(at, uid=was.uid, gid=was.gid, mode=was.mode, extended=was.lists, **times)
        if not os.path.sameopenfile(here, source.parent):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
    finally:
        os.close(here)


def is_decided(entry: Entry, there: os.stat_result) -> bool:
    """Whether what waits in the quarantine is what the plan decided on."""
    found = (there.st_dev, there.st_ino, there.st_uid, there.st_size, there.st_mtime_ns)
    decided = (entry.dev, entry.ino, entry.uid, entry.size_bytes, entry.mtime_ns)
    return found == decided and stat.S_IFMT(there.st_mode) == stat.S_IFMT(entry.mode)
