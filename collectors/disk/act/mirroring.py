"""Folders of one tree, made in another as they were."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from dkumonitor.safefs import places
from dkumonitor.safefs.copying import Attributes, access_of, attributes_of, give, tighten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.disk.act.state import State
    from dkumonitor.safefs.tree import Tree

NO_FOLDER = (errno.ENOTDIR, errno.ELOOP, errno.EXDEV)
Fit = Callable[[bytes, int, int, int], object]
"""Called with a folder's path, the owner of what will be put into it, a descriptor of the folder it mirrors and one of
itself; raises FileExistsError where nothing may be put into it."""

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


def step(tree: Tree, directory: int, name: bytes) -> int:
    """Open a folder by its name in one that is open.

    Raises:
        FileExistsError: something else has its name.
        FileNotFoundError: nothing has it.
    """
    try:
        return tree.step(directory, name, os.O_RDONLY)
    except OSError as error:
        if error.errno in NO_FOLDER:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from None
        raise


def fit_copies(_path: bytes, _uid: int, source: int, found: int) -> None:
    """Let a folder for copies be no more open than the one whose files they are of.

    Raises:
        FileExistsError: it belongs to another owner or group: whoever made it could read them, or exchange them.
    """
    was, now = os.fstat(source), os.fstat(found)
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
        raise FileExistsError(errno.EEXIST, "somebody else's folder is there")
    tighten(found, access_of(source))


class Mirror:
    """Makes the folders of one tree in another, with the owner, mode, attributes and times that they have there.

    Args:
        source: what they are like.
        target: where they are made; nobody but us can reach them before they are as they should be.
        fit: looks at each that is there.
    """

    def __init__(self, source: State, target: State, fit: Fit) -> None:
        self._source = source.tree
        self._target = target
        self._fit = fit

    def folder(self, relative: bytes, uid: int) -> int:
        """Open a folder of the target tree, made where it is missing; the caller closes it.

        Args:
            relative: its path.
            uid: the owner of what will be put into it.

        Raises:
            FileExistsError: something else is on the way, or a folder in which nothing of that owner may be put.
            OSError: a folder cannot be made.
        """
        tree = self._target.tree
        if not relative:
            return tree.directory(relative, os.O_RDONLY)
        source, target, path = self._source.directory(b""), tree.directory(b"", os.O_RDONLY), b""
        try:
            for name in relative.split(b"/"):
                path = path + b"/" + name if path else name
                source = _closing(source, self._source.step(source, name, os.O_RDONLY))
                try:
                    found = step(tree, target, name)
                except FileNotFoundError:
                    make_folder(self._target, target, name, attributes_of(source))
                    found = step(tree, target, name)
                target = _closing(target, found)
                self._fit(path, uid, source, target)
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
