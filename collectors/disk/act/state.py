"""What an act keeps in a tree, in its folder ``.dkumonitor``: plans, journals, the quarantine. Nobody else enters it.

::

    .dkumonitor/lock
                plans/PLAN                  the plan, as it was checked
                journal/PLAN                see journal.py
                quarantine/PLAN/000/17      entry 17 of the plan; a folder holds 1,000
                staging/17                  at the relocation path: a copy that is not whole yet
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from typing import TYPE_CHECKING

from collectors.disk.act.checks import STATE_FOLDER
from collectors.disk.act.journal import Journal
from collectors.disk.errors import ActError
from dkumonitor.safefs import places
from dkumonitor.safefs.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

_PLAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
_NEW = b".new"
_FOLDER_ENTRIES = 1000
_OPEN_MAX = 32
_OLD_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def first_in_folder(number: int) -> int:
    """The number of the first entry in the same folder of the quarantine."""
    return number - number % _FOLDER_ENTRIES


def is_plan_name(name: str) -> bool:
    """Whether a plan may be called so: its name becomes a file's."""
    return _PLAN.match(name) is not None


def open_tree(path: bytes) -> Tree:
    """A tree in which one may act: nobody else could exchange what lies in its root.

    Raises:
        ActError: it is not there, leads through a link, or others could exchange our folder in it.
    """
    shown = os.fsdecode(path)
    try:
        tree = Tree.open(path)
    except OSError as error:
        do = "Name its real path, without links, in the policy and in the task"
        raise ActError(f"cannot open {shown}: {error.strerror}", do) from None
    there = tree.status
    if there.st_uid not in {0, os.geteuid()}:
        tree.close()
        do = f"chown root '{shown}', and give its owner folders in it"
        raise ActError(f"{shown} belongs to user {there.st_uid}, who could exchange what is kept there", do)
    if there.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not there.st_mode & stat.S_ISVTX:
        tree.close()
        raise ActError(f"others may exchange what is kept in {shown}", f"chmod +t '{shown}'")
    return tree


class State:
    """The folder of one tree, locked: there is one act at a time in a tree.

    Args:
        tree: the tree.
        acts: whether something will be done; else the folder is only read, and must be there.

    Raises:
        ActError: somebody else's folder is there, another act is at work, or there is none and none is to be made.
    """

    def __init__(self, tree: Tree, *, acts: bool = True) -> None:
        self.tree = tree
        self._open: dict[bytes, int] = {}
        shown = f"{os.fsdecode(tree.path)}/{os.fsdecode(STATE_FOLDER)}"
        self._acts = acts
        if not acts and places.status(tree.descriptor, STATE_FOLDER) is None:
            raise ActError(f"there is no {shown}", "Nothing was done in this tree yet")
        try:
            self._root = places.private_directory(tree.descriptor, STATE_FOLDER, make=acts)
        except OSError as error:
            raise ActError(f"cannot use {shown}: {error.strerror}", "See whose it is, and move it away") from None
        try:
            self._lock = os.open("lock", (_NEW_FILE if acts else _OLD_FILE), 0o600, dir_fd=self._root)
        except OSError as error:
            os.close(self._root)
            raise ActError(f"cannot use {shown}: {error.strerror}", "Make room: `dkm-act purge`") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            os.close(self._root)
            raise ActError(f"another act is at work in {os.fsdecode(tree.path)}", "Wait for its end") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder, and let others act."""
        self.forget()
        os.close(self._lock)
        os.close(self._root)

    def forget(self) -> None:
        """Close the folders below."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def folder(self, *names: bytes) -> int:
        """A folder below, made where it is missing; its descriptor, which stays ours."""
        path = b"/".join(names)
        if path not in self._open:
            above = self.folder(*names[:-1]) if len(names) > 1 else self._root
            self._open[path] = places.private_directory(above, names[-1], make=self._acts)
        return self._open[path]

    @property
    def staging(self) -> int:
        """Where copies are made before they are whole."""
        return self.folder(b"staging")

    def slot(self, plan: str, number: int) -> tuple[int, bytes]:
        """The place of an entry in the quarantine: a folder, open until others are asked for, and a name."""
        if len(self._open) > _OPEN_MAX:
            self.forget()
        return self.folder(b"quarantine", plan.encode(), b"%03d" % (number // _FOLDER_ENTRIES)), b"%d" % number

    def found(self, plan: str, number: int) -> os.stat_result | None:
        """What waits in the quarantine for an entry; None for nothing. Makes no folder."""
        name = b"quarantine/%s/%03d/%d" % (plan.encode(), number // _FOLDER_ENTRIES, number)
        return places.status(self._root, name)

    def is_used(self, plan: str) -> bool:
        """Whether a quarantine was begun for a plan."""
        return places.status(self._root, b"quarantine/" + plan.encode()) is not None

    def filled_seconds(self, plan: str) -> float | None:
        """When something last came into a plan's quarantine, or left it; None where there is none."""
        if not self.is_used(plan):
            return None
        folder = self.folder(b"quarantine", plan.encode())
        with os.scandir(folder) as found:
            return max((one.stat(follow_symlinks=False).st_mtime for one in found), default=None)

    def plans(self) -> list[str]:
        """The plans there are, by name."""
        if places.status(self._root, b"plans") is None:
            return []
        names = (os.fsdecode(name) for name in os.listdir(self.folder(b"plans")))  # noqa: PTH208  of a descriptor
        return sorted(name for name in names if is_plan_name(name))

    def keep_plan(self, plan: str, descriptor: int) -> None:
        """Give a plan that was written to :meth:`new_plan` its name, once it is on disk."""
        os.fsync(descriptor)
        folder = self.folder(b"plans")
        os.replace(_NEW, plan.encode(), src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)

    def new_plan(self) -> int:
        """A file for a plan that is checked yet; opened for reading and writing."""
        folder = self.folder(b"plans")
        places.discard(folder, _NEW)
        return os.open(_NEW, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)

    def discard_new_plan(self) -> None:
        """Remove a plan that was written and did not get its name."""
        places.discard(self.folder(b"plans"), _NEW)

    def plan(self, plan: str) -> int:
        """Open the plan of a name."""
        return os.open(plan.encode(), _OLD_FILE, dir_fd=self.folder(b"plans"))

    def has_journal(self, plan: str) -> bool:
        """Whether a plan was begun."""
        return places.status(self._root, b"journal/" + plan.encode()) is not None

    @contextlib.contextmanager
    def journal(self, plan: str) -> Iterator[Journal]:
        """The journal of a plan, made where it is missing."""
        folder = self.folder(b"journal")
        is_new = not self.has_journal(plan)
        flags = _NEW_FILE if self._acts else _OLD_FILE
        journal = Journal(os.open(plan.encode(), flags, 0o600, dir_fd=folder), f"the journal of {plan}")
        try:
            if is_new:
                os.fsync(folder)
            yield journal
        finally:
            journal.close()

    def remove_plan(self, plan: str) -> None:
        """Forget a plan whose quarantine is empty; the folders of the quarantine go first, the journal last."""
        self.forget()
        if self.is_used(plan):
            above = self.folder(b"quarantine")
            folder = self.folder(b"quarantine", plan.encode())
            for name in os.listdir(folder):  # noqa: PTH208  of a descriptor
                os.rmdir(name, dir_fd=folder)
            os.rmdir(plan.encode(), dir_fd=above)
        places.discard(self.folder(b"plans"), plan.encode())
        places.discard(self.folder(b"journal"), plan.encode())
        self.forget()
