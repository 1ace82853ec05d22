"""Bringing back: from the quarantine, and from the relocation path, to where it was, and never onto something else."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectors.disk.act.journal import FINISHED_CODE, Emptied, Folder
from collectors.disk.act.kept import entries, plan_of, states
from collectors.disk.act.mirroring import make_folder, step
from collectors.disk.act.moving import Mover
from collectors.disk.act.outcome import Outcome, Reason, Tally
from collectors.disk.act.pacing import StoppedError
from collectors.disk.act.state import State, open_tree
from collectors.disk.act.taking import Source
from collectors.disk.errors import ActError
from dkumonitor.safefs import places
from dkumonitor.safefs.copying import ACCESS_LISTS, Access, Attributes, access_of
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collectors.disk.act.applying import Allowed
    from collectors.disk.act.journal import Journal
    from collectors.disk.act.pacing import Pace
    from collectors.disk.plan_file import Entry, Head, PlanReader


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is to be brought back: all that every condition holds for.

    Attributes:
        plan: of this plan.
        uid: of this owner.
        path: this path, absolute or relative to a tree, and what was below it.
    """

    plan: str | None = None
    uid: int | None = None
    path: bytes | None = None

    def takes(self, entry: Entry, tree: bytes) -> bool:
        """Whether an entry is to be brought back."""
        if self.uid is not None and entry.uid != self.uid:
            return False
        if self.path is None:
            return True
        wanted = self.path.rstrip(b"/")
        there = tree + b"/" + entry.path if wanted.startswith(b"/") else entry.path
        return there == wanted or there.startswith(wanted + b"/")


def restore(allowed: Allowed, selection: Selection, *, yes: bool) -> Outcome:
    """Bring back what is selected, or only say what would come back.

    Raises:
        ActError: there is no such plan, or a tree cannot be used.
    """
    tally, started, detail, known = Tally(), allowed.pace.now_seconds, "", False
    allowed.pace.follow(selection.plan or "restore", 0, tally)
    try:
        for state in states(allowed, acts=yes):
            for plan in state.plans():
                if selection.plan not in {None, plan} or not state.has_journal(plan):
                    continue
                with plan_of(state, plan) as reader, state.journal(plan) as journal:
                    if allowed.policy.find(reader.head.task, reader.head.tree) is None:
                        continue  # another task of the same tree, which this caller has no say in
                    known = True
                    try:
                        _Restorer(allowed.pace, state, reader, journal, tally).run(selection, yes=yes)
                    except ActError as error:  # its relocation path cannot be used: the other plans can
                        tally.note(printable(str(error)))
                state.forget()
    except StoppedError as stopped:
        detail = str(stopped)
    if not known:
        what = f"the plan {printable(selection.plan)}" if selection.plan else "any plan"
        raise ActError(f"nothing is kept of {what}", "See `dkm-act list`")
    return Outcome(
        plan=selection.plan or "",
        act="restore",
        state="stopped" if detail else "partial" if tally.error_count or tally.full else "done",
        dry_run=not yes,
        files=tally.files,
        bytes=tally.bytes,
        owners=tally.owners,
        skipped={reason.value: count for reason, count in tally.skipped.items()},
        errors=tuple(tally.errors),
        error_count=tally.error_count,
        full=tally.full,
        detail=detail,
        started_seconds=started,
        ended_seconds=allowed.pace.now_seconds,
    )


class _Restorer:
    def __init__(self, pace: Pace, state: State, reader: PlanReader, journal: Journal, tally: Tally) -> None:
        self._pace = pace
        self._state = state
        self._reader = reader
        self._head: Head = reader.head
        self._journal = journal
        self._tally = tally
        self._folders: _Folders | None = None

    def run(self, selection: Selection, *, yes: bool) -> None:
        with contextlib.ExitStack() as resources:
            target = mover = None
            if self._head.action == "move":
                tree = resources.enter_context(open_tree(self._head.relocation or b""))
                target = resources.enter_context(State(tree, acts=yes))
                mover = Mover(target, self._state, self._head.id, self._pace, self._fit_moved) if yes else None
            codes = self._journal.codes()
            for number, entry in entries(self._reader):
                finished = next(codes, None) == FINISHED_CODE
                if not selection.takes(entry, self._head.tree):
                    continue
                self._pace()
                try:
                    self._count(entry, self._bring(entry, number, target, mover, finished=finished, yes=yes))
                except OSError as error:
                    self._tally.fail(f"{printable(os.fsdecode(entry.path))}: {error.strerror}")

    def _bring(
        self, entry: Entry, number: int, target: State | None, mover: Mover | None, *, finished: bool, yes: bool
    ) -> Reason | None:
        """Bring back one entry from where it is; GONE where it is in neither place."""
        if self._state.found(self._head.id, number) is not None:
            return self._put_back(entry, number, yes=yes)
        return self._return(entry, number, target, mover) if finished and target is not None else Reason.GONE

    def _count(self, entry: Entry, reason: Reason | None) -> None:
        if reason is None:
            self._tally.add(entry)
        elif reason is not Reason.GONE:
            self._tally.skip(reason)

    def _return(self, entry: Entry, number: int, target: State, mover: Mover | None) -> Reason | None:
        """Move one entry back from the relocation path."""
        if mover is not None and mover.settle(entry.path, number):
            return None
        try:
            source = Source(target.tree, entry.path)
        except FileNotFoundError:
            return Reason.GONE
        try:
            if not _is_the_copy(entry, source.status):
                return Reason.REPLACED
            if mover is None:
                return Reason.TAKEN if self._is_taken(entry.path) else None
            return mover.move(entry.path, number, source, redo=True)
        finally:
            source.close()

    def _put_back(self, entry: Entry, number: int, *, yes: bool) -> Reason | None:
        """Put one entry back from the quarantine."""
        above, _, leaf = entry.path.rpartition(b"/")
        try:
            parent, is_as_it_was = self._parent(above, entry, make=yes)
        except FileExistsError:
            return Reason.TAKEN
        except FileNotFoundError:
            if yes:
                raise
            return None
        try:
            if not yes:
                return Reason.TAKEN if places.status(parent, leaf) is not None else None
            folder, name = self._state.slot(self._head.id, number)
            if not is_as_it_was:
                places.take_rights(folder, name)
            try:
                places.rename_new(folder, name, parent, leaf)
            except FileExistsError:
                return Reason.TAKEN
            if self._state.tree.leads_to(above, parent):
                return None
            places.rename_into_ours(parent, leaf, folder, name)
            return Reason.OUTSIDE
        finally:
            os.close(parent)

    def _is_taken(self, path: bytes) -> bool:
        above, _, leaf = path.rpartition(b"/")
        try:
            parent = self._state.tree.directory(above)
        except FileNotFoundError:
            return False
        try:
            return places.status(parent, leaf) is not None
        finally:
            os.close(parent)

    def _parent(self, above: bytes, entry: Entry, *, make: bool) -> tuple[int, bool]:
        """Open the folder of an entry; those that are missing are made as they were, or for the owner alone.

        Returns:
            The folder, and whether it and all above it are known to be as they were.

        Raises:
            FileExistsError: something else is on the way, or a folder in which nothing of that owner may be put.
            FileNotFoundError: one is missing, and none is to be made.
        """
        tree, is_as_it_was, path = self._state.tree, True, b""
        here = tree.directory(b"", os.O_RDONLY)
        try:
            for name in above.split(b"/") if above else ():
                path = path + b"/" + name if path else name
                try:
                    found, was = step(tree, here, name), self._was(path, entry.uid)
                except FileNotFoundError:
                    if not make:
                        raise
                    attributes = self._attributes(path, entry)
                    make_folder(self._state, here, name, attributes)
                    found, was = step(tree, here, name), _access(attributes)
                os.close(here)
                here = found
                is_as_it_was = _fit(entry.uid, found, was) and is_as_it_was
            return os.dup(here), is_as_it_was
        finally:
            os.close(here)

    def _fit_moved(self, path: bytes, uid: int, source: int, found: int) -> None:
        """Look at a folder into which something comes back that was moved."""
        was = access_of(source)
        if not access_of(found).is_within(was):
            _fit(uid, found, self._was(path, uid))

    def _was(self, path: bytes, uid: int) -> Access | None:
        """What a folder was like when something was taken from it, where that is recorded."""
        was = self._recorded(path, uid)
        return None if was is None else _access(was)

    def _recorded(self, path: bytes, uid: int) -> Folder | None:
        if self._folders is None:
            self._folders = _Folders(self._journal)
        return self._folders.recorded(path, uid)

    def _attributes(self, path: bytes, entry: Entry) -> Attributes:
        was = self._recorded(path, entry.uid)
        if was is None:
            now_ns = self._pace.now_ns
            return Attributes(uid=entry.uid, gid=entry.gid, mode=0o700, atime_ns=now_ns, mtime_ns=now_ns, extended={})
        times = {"atime_ns": was.atime_ns, "mtime_ns": was.mtime_ns}
        return Attributes(uid=was.uid, gid=was.gid, mode=was.mode, extended=was.extended, **times)


class _Folders:
    """What a journal says of folders: as they were when something was taken from them, and when they were removed.

    Between the two somebody else may have put another folder in the place of one.
    """

    def __init__(self, journal: Journal) -> None:
        found = [one for one in journal.records() if isinstance(one, Folder)]
        self._emptied = {one.path: one for one in found if isinstance(one, Emptied)}
        self._taken_from = {one.path: one for one in found if not isinstance(one, Emptied)}

    def recorded(self, path: bytes, uid: int) -> Folder | None:
        """What a folder was like from which something of that owner was taken; None where that is not known."""
        first, last = self._taken_from.get(path), self._emptied.get(path)
        if last is None:
            return first
        if first is None:
            return last if last.uid in {0, uid} else None
        return last if _access(last).is_within(_access(first)) else first


def _is_the_copy(entry: Entry, there: os.stat_result) -> bool:
    """Whether that can be what was moved: its owner may have written into it since."""
    return there.st_uid == entry.uid and stat.S_IFMT(there.st_mode) == stat.S_IFMT(entry.mode)


def _fit(uid: int, found: int, was: Access | None) -> bool:
    """Whether a folder is as it was. One of which that is not known must be root's, or that of the file's owner.

    Raises:
        FileExistsError: it is another, or more open: whoever made it could read what is put there, or exchange it.
    """
    now = access_of(found)
    if was is not None and now.is_within(was):
        return True
    if was is None and now.uid in {0, uid}:
        return False
    raise FileExistsError(errno.EEXIST, "somebody else's folder is there")


def _access(was: Attributes | Folder) -> Access:
    lists = {name: value for name, value in was.extended.items() if name in ACCESS_LISTS}
    return Access(uid=was.uid, gid=was.gid, mode=was.mode, lists=lists)
