"""Taking an entry out of a user's folder: first into a folder of ours alone, and there looked at again.

What is looked at by its name in a user's folder may be another thing by the time it is acted on. What lies in our
folder stays what it is.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from collectors.disk.act.outcome import Reason
from dkumonitor.safefs import places
from dkumonitor.safefs.copying import same_file

if TYPE_CHECKING:
    from dkumonitor.safefs.tree import Tree


class Source:
    """An entry in a tree, with its folder and itself open; closed by :meth:`close`.

    Args:
        tree: where.
        path: its path from the tree's root.

    Attributes:
        above: the path of its folder.
        parent: its folder.
        name: its name there.
        handle: itself (O_PATH).
        status: what the handle says.

    Raises:
        OSError: the way there is none, or nothing is there.
    """

    def __init__(self, tree: Tree, path: bytes) -> None:
        self._tree = tree
        self.above, _, self.name = path.rpartition(b"/")
        self.parent = tree.directory(self.above)
        try:
            self.handle = tree.entry(self.parent, self.name)
        except OSError:
            os.close(self.parent)
            raise
        self.status = os.fstat(self.handle)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.status.st_mode)

    def close(self) -> None:
        """Close the folder and the entry."""
        os.close(self.handle)
        os.close(self.parent)

    def is_in_use(self) -> bool:
        """Whether somebody has the file open, as far as the file system and our rights let us know."""
        try:
            lease = self.leased()
        except BlockingIOError:
            return True
        if lease is None:
            return False
        lease.close()
        return lease.in_use

    def leased(self) -> places.Lease | None:
        """A lease on the file, which the caller closes; None for a link, or what we may not open.

        Raises:
            BlockingIOError: somebody else has a lease on it.
        """
        if not self.is_file:
            return None
        try:
            return places.Lease(places.opened(self.handle))
        except PermissionError:
            return None

    def is_still_there(self) -> bool:
        """Whether its path still leads to its folder."""
        return self._tree.leads_to(self.above, self.parent)

    def take(self, folder: int, name: bytes) -> Reason | None:
        """Move it into our folder, and look there whether it is the one; if not, it is put back.

        Args:
            folder: ours.
            name: a new one there.

        Returns:
            None where it was taken; why not; KEPT where it waits in our folder since its place was taken.

        Raises:
            OSError: it could not be moved; or not be looked at or put back, and then it waits in our folder.
        """
        try:
            lease = self.leased()
        except BlockingIOError:
            return Reason.IN_USE
        try:
            if lease is not None and lease.in_use:
                return Reason.IN_USE
            try:
                places.rename_into_ours(self.parent, self.name, folder, name)
            except FileNotFoundError:
                return Reason.GONE
            try:
                reason = self._look(folder, name)
            except OSError:
                self.put_back(folder, name, Reason.ERROR)
                raise
            if reason is None and lease is not None and not lease.is_whole():
                reason = Reason.IN_USE
            return reason if reason is None else self.put_back(folder, name, reason)
        finally:
            if lease is not None:
                lease.close()

    def _look(self, folder: int, name: bytes) -> Reason | None:
        there = places.status(folder, name)
        if there is None or not same_file(there, self.status):
            same = there is not None and (there.st_dev, there.st_ino) == (self.status.st_dev, self.status.st_ino)
            return Reason.CHANGED if same else Reason.REPLACED
        return None if self.is_still_there() else Reason.OUTSIDE

    def put_back(self, folder: int, name: bytes, reason: Reason) -> Reason:
        """Move what was taken back to its place; KEPT where that is taken, else the reason."""
        try:
            places.rename_new(folder, name, self.parent, self.name)
        except (FileExistsError, FileNotFoundError):
            return Reason.KEPT
        return reason
