"""What becomes of the entries of a plan, one after the other: looked at, done, and written into the journal."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Literal

from collectors.disk.act.checks import Bounds, bounds_of, is_path, refusal
from collectors.disk.act.deleting import Deleter
from collectors.disk.act.emptying import Emptier
from collectors.disk.act.journal import FINISHED_CODE, Done, End, Intent, Journal
from collectors.disk.act.moving import Mover
from collectors.disk.act.outcome import REASONS, Outcome, Reason, Tally
from collectors.disk.act.pacing import Pace, StoppedError
from collectors.disk.act.state import State, open_tree
from collectors.disk.act.taking import Source
from collectors.disk.errors import ActError
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.disk.act.policy import TreePolicy
    from collectors.disk.plan_file import Entry, Foot, Head, PlanReader
    from dkumonitor.safefs.tree import Tree

_GONE = (errno.ENOENT, errno.ESTALE)
_OUTSIDE = (errno.ELOOP, errno.EXDEV, errno.ENOTDIR)


def open_relocation(head: Head, limits: TreePolicy) -> Tree:
    """Where a plan's files are moved to.

    Raises:
        ActError: it cannot be used, or nothing is mounted there though the policy says that something is.
    """
    target = open_tree(head.relocation or b"")
    if limits.relocation_is_mount and os.stat("..", dir_fd=target.descriptor).st_dev == target.status.st_dev:
        target.close()
        shown = os.fsdecode(target.path)
        raise ActError(f"{shown} is no mount of its own, as relocation_is_mount demands", f"mount '{shown}'")
    return target


class _Run:
    """What a rehearsal and an act have in common."""

    def __init__(self, pace: Pace, tree: Tree, head: Head, limits: TreePolicy) -> None:
        self.pace = pace
        self.tree = tree
        self.head = head
        self.limits = limits
        self.tally = Tally()
        used = os.fstatvfs(tree.descriptor)
        self.bounds: Bounds = bounds_of(head, limits, pace.now_ns, (used.f_blocks - used.f_bfree) * used.f_frsize)

    def look(self, entry: Entry, number: int) -> Reason | None:
        """Look at an entry and, where nothing is against it, do it; why not, or None."""
        if not is_path(entry.path):
            return Reason.OUTSIDE
        if self.tally.files + 1 > self.bounds.max_files or self.tally.bytes + entry.size_bytes > self.bounds.max_bytes:
            return Reason.CAPS
        try:
            source = Source(self.tree, entry.path)
        except OSError as error:
            if error.errno in _GONE:
                return self.missing(entry, number)
            if error.errno in _OUTSIDE:
                return Reason.OUTSIDE
            raise
        try:
            reason = refusal(entry, source.status, self.bounds, self.pace.now_ns)
            if reason is None and source.is_in_use():
                reason = Reason.IN_USE
            return self.do(entry, number, source) if reason is None else reason
        finally:
            source.close()

    def missing(self, _entry: Entry, _number: int) -> Reason | None:
        """What it means that nothing is there."""
        return Reason.GONE

    def do(self, _entry: Entry, _number: int, _source: Source) -> Reason | None:
        """Act on an entry that was looked at."""
        return None

    def count(self, entry: Entry, number: int) -> Reason | None:
        """Look at an entry and count what came of it.

        Raises:
            StoppedError: the act ends here.
        """
        self.pace()
        try:
            reason = self.look(entry, number)
        except OSError as error:
            self.tally.fail(f"{printable(os.fsdecode(entry.path))}: {error.strerror}")
            self._stop_at_too_many()
            return Reason.ERROR
        if reason is None:
            self.tally.add(entry)
        elif reason is Reason.FULL:
            raise _FullError
        else:
            self.tally.skip(reason)
        return reason

    def _stop_at_too_many(self) -> None:
        failed, limits = self.tally.error_count, self.limits
        if failed > limits.max_errors and failed * 100 > limits.max_errors_percent * self.tally.tried:
            raise StoppedError(f"too much failed: {failed} of {self.tally.tried}")

    def outcome(self, state: Literal["done", "partial", "stopped"], foot: Foot, started: float, detail: str) -> Outcome:
        """What is told at the end."""
        tally = self.tally
        return Outcome(
            plan=self.head.id,
            act="apply",
            state=state,
            dry_run=isinstance(self, Rehearsal),
            files=tally.files,
            bytes=tally.bytes,
            freed_bytes=tally.freed_bytes,
            directories=tally.directories,
            owners=tally.owners,
            skipped={reason.value: count for reason, count in tally.skipped.items()},
            errors=tuple(tally.errors),
            error_count=tally.error_count,
            full=tally.full,
            detail=detail,
            digest=foot.digest,
            started_seconds=started,
            ended_seconds=self.pace.now_seconds,
        )


class _FullError(Exception):
    """There is no more room where files should go."""


class Rehearsal(_Run):
    """Looks at every entry, and does nothing."""

    def run(self, reader: PlanReader, foot: Foot) -> Outcome:
        """Look at all entries."""
        started, number, detail = self.pace.now_seconds, 0, ""
        self.pace.follow(self.head.id, foot.files, self.tally)
        try:
            for block in reader.blocks():
                for entry in block:
                    self.count(entry, number)
                    number += 1
        except StoppedError as stopped:
            detail = str(stopped)
        return self.outcome(_state(self.tally, detail), foot, started, detail)


class Act(_Run):
    """Does a plan, or goes on with it."""

    def __init__(self, pace: Pace, state: State, head: Head, limits: TreePolicy) -> None:
        super().__init__(pace, state.tree, head, limits)
        self._state = state
        self._redo = False
        self._resources = contextlib.ExitStack()
        self._deleter = Deleter(state, head.id)
        self._mover: Mover | None = None

    def begin(self, foot: Foot) -> None:
        """Refuse another plan of the same name before ours takes its place."""
        if self._state.has_journal(self.head.id):
            with self._state.journal(self.head.id) as journal:
                journal.begin(self.head.id, foot.digest, self.pace.now_seconds)

    def run(self, reader: PlanReader, foot: Foot) -> Outcome:
        """Do all entries that are not done yet.

        Raises:
            ActError: the relocation path cannot be used, or the journal is another plan's.
        """
        with self._resources, self._state.journal(self.head.id) as journal:
            journal.begin(self.head.id, foot.digest, self.pace.now_seconds)
            self._recall(journal)
            started = journal.past.begin.started_seconds if journal.past.begin else self.pace.now_seconds
            end = journal.past.end
            self.pace.follow(self.head.id, foot.files, self.tally)
            if self.head.action == "move" and end is None:
                target = self._resources.enter_context(open_relocation(self.head, self.limits))
                target_state = self._resources.enter_context(State(target))
                self._mover = Mover(self._state, target_state, self.head.id, self.pace)
            detail = self._entries(reader, journal)
            if end is not None:
                self.tally.errors, self.tally.error_count = list(end.errors), end.error_count
                return self.outcome(end.state, foot, started, "it was done before")
            state = _state(self.tally, detail)
            if not detail and state != "stopped":
                now = self.pace.now_seconds
                journal.write(End(state, now, tuple(self.tally.errors), self.tally.error_count))
            return self.outcome(state, foot, started, detail)

    def _recall(self, journal: Journal) -> None:
        past, tally = journal.past, self.tally
        tally.files, tally.bytes, tally.freed_bytes = past.files, past.bytes, past.freed_bytes
        tally.directories = past.directories
        for code, count in past.skipped.items():
            tally.skip(REASONS[code - 1], count)
        tally.error_count = tally.skipped.get(Reason.ERROR, 0)

    def _entries(self, reader: PlanReader, journal: Journal) -> str:
        """Do a block after the other; why it ended before the end, or nothing."""
        first = 0
        past = journal.past
        codes = journal.codes()
        try:
            for block in reader.blocks():
                if first + len(block) <= past.entries:
                    self._remember(block, codes)
                else:
                    self._redo = past.intended and first == past.entries
                    self._block(block, first, journal)
                first += len(block)
        except StoppedError as stopped:
            return str(stopped)
        except _FullError:
            self.tally.skip(Reason.FULL, max(self.pace.of - self.tally.tried, 0))
            return f"there is no more room in {printable(os.fsdecode(self.head.relocation or b''))}"
        except OSError as error:
            return f"the journal could not be written: {error.strerror}"
        return ""

    def _block(self, block: list[Entry], first: int, journal: Journal) -> None:
        tally = self.tally
        before = (tally.bytes, tally.freed_bytes, tally.directories)
        journal.write(Intent(first, len(block)))
        emptier = Emptier(self.tree, journal, self.bounds)
        codes = bytearray()
        for number, entry in enumerate(block, first):
            reason = self.count(entry, number)
            codes.append(FINISHED_CODE if reason is None else 1 + REASONS.index(reason))
            if reason is None and self.head.remove_empty_directories:
                emptier.note(entry.path)
        if self._mover is not None:
            tally.freed_bytes += self._mover.freed_bytes
            self._mover.freed_bytes = 0
        tally.directories += emptier.empty(tally)
        self._deleter.sync()
        self._forget()
        did = (
            now - then for now, then in zip((tally.bytes, tally.freed_bytes, tally.directories), before, strict=True)
        )
        journal.write(*self._deleter.recorded(), Done(first, bytes(codes), *did))

    def _forget(self) -> None:
        """Close the folders of ours that were opened for a block: there is a limit to how many may be open."""
        self._state.forget()
        if self._mover is not None:
            self._mover.forget()

    def _remember(self, block: list[Entry], codes: Iterator[int]) -> None:
        """Recall what an earlier attempt has done of a block."""
        for entry, code in zip(block, codes, strict=False):
            if code == FINISHED_CODE:
                self.tally.own(entry)
                if self._mover is not None and entry.links > 1:
                    self._mover.remember(entry.path, entry.ino, entry.links)

    def look(self, entry: Entry, number: int) -> Reason | None:
        """As in a rehearsal; first what an earlier attempt has begun is ended."""
        if self._redo and is_path(entry.path):
            keeps = self._mover is None
            if self._mover is not None and self._mover.settle(entry.path, number):
                return None
            if self._deleter.settle(entry, number, self.tree, keeps=keeps):
                return None
        reason = super().look(entry, number)
        if reason is not None and self._redo and self._mover is not None and is_path(entry.path):
            self._mover.take_back(entry.path, number)
        return reason

    def missing(self, entry: Entry, _number: int) -> Reason | None:
        """Gone, or moved by an earlier attempt."""
        mover = self._mover
        if self._redo and mover and mover.is_moved(entry.path, entry.size_bytes, entry.mtime_ns, entry.uid):
            return None
        return Reason.GONE

    def do(self, entry: Entry, number: int, source: Source) -> Reason | None:
        """Move or delete."""
        if self._mover is not None:
            return self._mover.move(entry.path, number, source, redo=self._redo)
        return self._deleter.delete(number, source)


def _state(tally: Tally, detail: str) -> Literal["done", "partial", "stopped"]:
    if detail and not tally.full:
        return "stopped"
    return "partial" if tally.full or tally.error_count or Reason.CAPS in tally.skipped else "done"
