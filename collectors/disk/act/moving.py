"""Moving: a copy that is whole, on disk and read back gets its name without overwriting; only then the source goes."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from collectors.disk.act.mirroring import NO_FOLDER, Fit, Mirror, fit_copies, times_kept
from collectors.disk.act.outcome import Reason
from collectors.disk.act.taking import Source
from dkumonitor.safefs import places
from dkumonitor.safefs.copying import attributes_of, copy_content, copy_link, digest_of, give, same_file

if TYPE_CHECKING:
    from collectors.disk.act.state import State
    from dkumonitor.safefs.copying import Pace

_LEFT_ALONE = {errno.EDQUOT: Reason.QUOTA, errno.EAGAIN: Reason.IN_USE}
_SECTOR_BYTES = 512
_ROOM_BYTES = 1024 * 1024  # with less, a file system has none: some keep the last bit to themselves
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOATIME | os.O_CLOEXEC  # reading it back is no use of it


class Mover:
    """Moves entries from one tree to the same paths in another.

    Args:
        source, target: the folders of the trees.
        plan: in whose quarantine sources wait for their removal.
        pace: called during copying.
        fit: looks at folders of the target that are there.
    """

    def __init__(self, source: State, target: State, plan: str, pace: Pace, fit: Fit = fit_copies) -> None:
        self._source = source
        self._target = target
        self._plan = plan
        self._pace = pace
        self._mirror = Mirror(source, target, fit)
        self._made: os.stat_result | None = None  # the copy of the entry at hand, once it has its name
        self._links: dict[int, tuple[bytes, int]] = {}
        self.freed_bytes = 0

    def move(self, path: bytes, number: int, source: Source, *, redo: bool) -> Reason | None:
        """Move one entry.

        Args:
            path: of the entry.
            number: of the entry, for names of ours.
            source: the entry, looked at.
            redo: whether an earlier attempt may have got as far as giving the copy its name.

        Returns:
            None where it was moved, else why not; the source then is where it was.

        Raises:
            OSError: it failed; the source is where it was, or waits in the quarantine.
        """
        self._made = None
        try:
            reason = self._copy(path, number, source, redo=redo)
            if reason is None:
                self.remember(path, source.status.st_ino, source.status.st_nlink)
                reason = self._remove(number, source)
        except OSError as error:
            is_full = self._is_full()  # while the copy still has what it took
            if self._source.found(self._plan, number) is None:
                self._withdraw(path, number)
            reason = Reason.FULL if error.errno == errno.ENOSPC and is_full else _LEFT_ALONE.get(error.errno or 0)
            if reason is None:
                raise
        finally:
            places.discard(self._target.staging, b"%d" % number)
        if reason not in {None, Reason.KEPT}:
            self._withdraw(path, number)
        return reason

    def remember(self, path: bytes, ino: int, links: int) -> None:
        """Note where a file with several links was moved to, until as many were moved."""
        first, left = self._links.get(ino, (path, links))
        if left > 1:
            self._links[ino] = (first, left - 1)
        else:
            self._links.pop(ino, None)

    def forget(self) -> None:
        """Close our folders at the target."""
        self._target.forget()

    def settle(self, path: bytes, number: int) -> bool:
        """End what a crash has cut off; whether that entry is moved with it."""
        places.discard(self._target.staging, b"%d" % number)
        waits = self._source.found(self._plan, number)
        if waits is None:
            return False
        folder, name = self._source.slot(self._plan, number)
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            moved = self._is_copied(path, handle, os.fstat(handle))
        finally:
            os.close(handle)
        if moved:
            self._unlink(folder, name, waits)
        return moved

    def take_back(self, path: bytes, number: int) -> None:
        """Remove the copy that an earlier attempt has made of an entry which stays after all."""
        try:
            source = Source(self._source.tree, path)
        except OSError:
            return
        try:
            self._made = None
            if self._is_copied(path, source.handle, source.status):
                self._withdraw(path, number)
        finally:
            source.close()

    def is_moved(self, path: bytes, size_bytes: int, mtime_ns: int, uid: int) -> bool:
        """Whether what lies at the target is what an earlier attempt has moved there."""
        there = self._there(path)
        return there is not None and (there.st_size, there.st_mtime_ns, there.st_uid) == (size_bytes, mtime_ns, uid)

    def _copy(self, path: bytes, number: int, source: Source, *, redo: bool) -> Reason | None:
        if self._there(path) is not None:
            copied = redo and self._is_copied(path, source.handle, source.status)
            return None if copied else Reason.TAKEN
        name, staging = b"%d" % number, self._target.staging
        places.discard(staging, name)
        if not source.is_file:
            copy_link(source.handle, staging, name, source.status)
        elif not self._link(staging, name, source.status):
            room = os.fstatvfs(self._target.tree.descriptor)
            if source.status.st_blocks * _SECTOR_BYTES > room.f_bavail * room.f_frsize:
                return Reason.FULL
            reason = self._copy_file(staging, name, source)
            if reason is not None:
                return reason
        return self._publish(path, staging, name)

    def _copy_file(self, staging: int, name: bytes, source: Source) -> Reason | None:
        reader = places.opened(source.handle)
        try:
            writer = os.open(name, _NEW_FILE, 0o600, dir_fd=staging)
            try:
                before = os.fstat(reader)
                digest = copy_content(reader, writer, before.st_size, self._pace)
                give(writer, attributes_of(reader))
                os.fsync(writer)
                copied = os.fstat(writer).st_size == before.st_size
                if not copied or digest_of(writer, before.st_size, self._pace) != digest:
                    raise OSError(errno.EIO, "the copy reads back differently")
                after = os.fstat(reader)
            finally:
                os.close(writer)
        finally:
            os.close(reader)
        same = same_file(after, source.status) and after.st_ctime_ns == before.st_ctime_ns
        return None if same else Reason.CHANGED

    def _publish(self, path: bytes, staging: int, name: bytes) -> Reason | None:
        above, _, leaf = path.rpartition(b"/")
        made = os.stat(name, dir_fd=staging, follow_symlinks=False)
        try:
            folder = self._mirror.folder(above, made.st_uid)
        except FileExistsError:
            return Reason.TAKEN
        try:
            try:
                with times_kept(folder):
                    places.rename_new(staging, name, folder, leaf)
            except FileExistsError:
                return Reason.TAKEN
            self._made = made
            os.fsync(folder)
            there = places.status(folder, leaf)
            if there is None or (made.st_dev, made.st_ino) != (there.st_dev, there.st_ino):
                return Reason.REPLACED
            return None if self._target.tree.leads_to(above, folder) else Reason.OUTSIDE
        finally:
            os.close(folder)

    def _link(self, staging: int, name: bytes, status: os.stat_result) -> bool:
        """Make another link of a file that was moved already; whether there was one."""
        if status.st_ino not in self._links:
            return False
        try:
            first = Source(self._target.tree, self._links[status.st_ino][0])
        except OSError:
            return False
        try:
            there = first.status
            same = (there.st_size, there.st_mtime_ns, there.st_uid) == (
                status.st_size,
                status.st_mtime_ns,
                status.st_uid,
            )
            if not same or not first.is_file:
                return False
            os.link(first.name, name, src_dir_fd=first.parent, dst_dir_fd=staging, follow_symlinks=False)
            linked = places.status(staging, name)
            if linked is not None and (linked.st_dev, linked.st_ino) == (there.st_dev, there.st_ino):
                return True
            places.discard(staging, name)
            return False
        finally:
            first.close()

    def _is_copied(self, path: bytes, handle: int, status: os.stat_result) -> bool:
        """Whether the target has a whole copy of what is behind the handle."""
        try:
            copy = Source(self._target.tree, path)
        except OSError:
            return False
        try:
            there = copy.status
            if (there.st_uid, there.st_mtime_ns) != (status.st_uid, status.st_mtime_ns):
                return False
            if stat.S_ISLNK(status.st_mode) and stat.S_ISLNK(there.st_mode):
                return os.readlink(b"", dir_fd=handle) == os.readlink(b"", dir_fd=copy.handle)
            if not copy.is_file or not stat.S_ISREG(status.st_mode) or there.st_size != status.st_size:
                return False
            if self._digest(handle, status) != self._digest(copy.handle, there):
                return False
            self._made = there
            return True
        finally:
            copy.close()

    def _digest(self, handle: int, status: os.stat_result) -> bytes:
        reader = places.opened(handle)
        try:
            os.fsync(reader)
            return digest_of(reader, status.st_size, self._pace)
        finally:
            os.close(reader)

    def _is_full(self) -> bool:
        """Whether nothing has room at the target any more, and not just one owner or one attribute."""
        room = os.fstatvfs(self._target.tree.descriptor)
        return room.f_bavail * room.f_frsize < _ROOM_BYTES or (room.f_files > 0 and room.f_favail == 0)

    def _there(self, path: bytes) -> os.stat_result | None:
        """What lies at the target, or in place of a folder on the way there."""
        above, _, leaf = path.rpartition(b"/")
        try:
            folder = self._target.tree.directory(above)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in NO_FOLDER and above:
                return self._there(above)
            raise
        try:
            return places.status(folder, leaf)
        finally:
            os.close(folder)

    def _remove(self, number: int, source: Source) -> Reason | None:
        folder, name = self._source.slot(self._plan, number)
        reason = source.take(folder, name)
        if reason is None:
            there = places.status(folder, name)
            if there is not None:
                self._unlink(folder, name, there)
        return reason

    def _withdraw(self, path: bytes, number: int) -> None:
        """Remove a copy of ours whose source stays, as far as that can be done: two files must not come of one."""
        if self._made is None:
            return
        staging, name = self._target.staging, b"%d" % number
        with contextlib.suppress(OSError):
            copy = Source(self._target.tree, path)
            try:
                if (copy.status.st_dev, copy.status.st_ino) == (self._made.st_dev, self._made.st_ino):
                    places.discard(staging, name)  # another name of the copy at most
                    if copy.take(staging, name) is None:
                        places.discard(staging, name)
            finally:
                copy.close()
                self._keep(staging, name, number)

    def _keep(self, staging: int, name: bytes, number: int) -> None:
        """Let wait at the target what was taken for a copy of ours and is another thing, where its place is taken."""
        there = places.status(staging, name)
        if there is not None:
            folder, slot = self._target.slot(self._plan, number)
            places.rename_into_ours(staging, name, folder, b"%s.%d" % (slot, there.st_ino))

    def _unlink(self, folder: int, name: bytes, there: os.stat_result) -> None:
        places.remove(folder, name)
        if there.st_nlink == 1:
            self.freed_bytes += there.st_blocks * _SECTOR_BYTES
