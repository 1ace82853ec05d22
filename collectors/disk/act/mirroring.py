"""Folders of one tree, made in another as they were."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from dkumonitor.safefs import places
from dkumonitor.safefs.copying import Attributes, attributes_of, give

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.disk.act.state import State

_FOLDER = b"folder"


def make_folder(state: State, directory: int, name: bytes, attributes: Attributes) -> None:
    """Make a folder in a tree, in which nobody finds it before it is as it should be; one that is there stays.

    Args:
        state: of the tree.
        directory: where in it.
        name: its name there.
        attributes: its owner, mode and so on.
    """
    staging = state.staging
    places.discard(staging, _FOLDER)
    os.mkdir(_FOLDER, 0o700, dir_fd=staging)
    made = os.open(_FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=staging)
    try:
        give(made, attributes)
        os.fsync(made)
        with contextlib.suppress(FileExistsError), times_kept(directory):
            places.rename_new(staging, _FOLDER, directory, name)
    finally:
        os.close(made)
        places.discard(staging, _FOLDER)
    os.fsync(directory)


class Mirror:
    """Makes the folders of one tree in another, with the owner, mode, attributes and times that they have there.

    Args:
        source: what they are like.
        target: where they are made; nobody but us can reach them before they are as they should be.
    """

    def __init__(self, source: State, target: State) -> None:
        self._source = source.tree
        self._target = target

    def folder(self, relative: bytes) -> int:
        """Open a folder of the target tree, made where it is missing; the caller closes it.

        Raises:
            OSError: the way leads through a link or another mount, or a folder cannot be made.
        """
        tree = self._target.tree
        try:
            return tree.directory(relative, os.O_RDONLY)
        except FileNotFoundError:
            pass
        source, target = self._source.directory(b""), tree.directory(b"", os.O_RDONLY)
        try:
            for name in relative.split(b"/"):
                source = _closing(source, self._source.step(source, name, os.O_RDONLY))
                try:
                    found = tree.step(target, name, os.O_RDONLY)
                except FileNotFoundError:
                    make_folder(self._target, target, name, attributes_of(source))
                    found = tree.step(target, name, os.O_RDONLY)
                target = _closing(target, found)
            return os.dup(target)
        finally:
            os.close(source)
            os.close(target)


@contextlib.contextmanager
def times_kept(folder: int) -> Iterator[None]:
    """Give a folder the times back that it had before something was put into it."""
    before = os.fstat(folder)
    yield
    with contextlib.suppress(PermissionError):  # it is somebody else's, and so are its times
        os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


def _closing(old: int, new: int) -> int:
    os.close(old)
    return new
