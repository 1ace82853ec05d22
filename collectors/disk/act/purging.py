"""Emptying the quarantine: the only act that removes for good, and the only one that frees what was deleted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectors.disk.act.deleting import is_decided
from collectors.disk.act.journal import FINISHED_CODE
from collectors.disk.act.kept import acted_seconds, entries, expires_seconds, past_of, plan_of, states
from collectors.disk.act.outcome import Outcome, Reason, Tally
from collectors.disk.act.pacing import StoppedError
from collectors.disk.act.policy import DAY_SECONDS
from dkumonitor.safefs import places
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collectors.disk.act.applying import Allowed
    from collectors.disk.act.journal import Journal, Past
    from collectors.disk.act.state import State
    from collectors.disk.plan_file import Entry, Head, PlanReader

_SECTOR_BYTES = 512


@dataclass(frozen=True, kw_only=True)
class Which:
    """Which quarantines are emptied: those whose days are over, unless something else is said.

    Attributes:
        task: only those of this task.
        before_seconds: those that were acted on before, whether their days are over or not.
        until_bytes: the oldest first, until so much is free, whether their days are over or not.
    """

    task: str | None = None
    before_seconds: float | None = None
    until_bytes: int | None = None


def purge(allowed: Allowed, which: Which, *, yes: bool) -> Outcome:
    """Empty quarantines, the oldest first; none before the days that the policy grants are over.

    Raises:
        ActError: a tree cannot be used.
    """
    tally, started, detail = Tally(), allowed.pace.now_seconds, ""
    allowed.pace.follow("purge", 0, tally)
    try:
        for state in states(allowed, acts=yes):
            found = []
            for plan in state.plans():
                past = past_of(state, plan)
                if past is None:
                    continue
                acted = acted_seconds(state, plan, past)
                with plan_of(state, plan) as reader:
                    if _is_due(allowed, which, reader.head, past, acted):
                        found.append((acted, plan))
            for _acted, plan in sorted(found):
                if which.until_bytes is not None and tally.freed_bytes >= which.until_bytes:
                    break
                with plan_of(state, plan) as reader, state.journal(plan) as journal:
                    is_empty = _empty(allowed, state, reader, journal, tally, which=which, yes=yes)
                if is_empty and yes:
                    state.remove_plan(plan)
    except StoppedError as stopped:
        detail = str(stopped)
    return Outcome(
        plan="",
        act="purge",
        state="stopped" if detail else "partial" if tally.error_count else "done",
        dry_run=not yes,
        files=tally.files,
        bytes=tally.bytes,
        owners=tally.owners,
        freed_bytes=tally.freed_bytes,
        skipped={reason.value: count for reason, count in tally.skipped.items()},
        errors=tuple(tally.errors),
        error_count=tally.error_count,
        detail=detail,
        started_seconds=started,
        ended_seconds=allowed.pace.now_seconds,
    )


def _is_due(allowed: Allowed, which: Which, head: Head, past: Past, acted: float) -> bool:
    """Whether a quarantine may be emptied now; that of a move which is not through never is: it holds the originals."""
    now = allowed.pace.now_seconds
    limits = allowed.policy.find(head.task, head.tree)
    if limits is None or which.task not in {None, head.task} or (past.end is None and head.action != "delete"):
        return False
    if now < acted + limits.min_quarantine_days * DAY_SECONDS:
        return False
    if which.before_seconds is not None:
        return acted < which.before_seconds
    if which.until_bytes is not None:
        return True
    return now >= (expires_seconds(head, acted) or acted + head.quarantine_days * DAY_SECONDS)


def _empty(
    allowed: Allowed, state: State, reader: PlanReader, journal: Journal, tally: Tally, *, which: Which, yes: bool
) -> bool:
    """Remove what waits for a plan; whether nothing is left of it."""
    plan, is_through = reader.head.id, journal.past.end is not None
    is_empty, codes = is_through, journal.codes()
    for number, entry in entries(reader):
        is_finished = next(codes, None) == FINISHED_CODE
        if not (is_through or is_finished):
            continue  # nothing, or the plan goes on from there
        waits = state.found(plan, number)
        if waits is None:
            continue
        if which.until_bytes is not None and tally.freed_bytes >= which.until_bytes:
            return False
        allowed.pace()
        if not (is_decided(entry, waits) or (is_finished and _is_same(entry, waits))):
            tally.skip(Reason.KEPT)  # it came here by a race, nobody has decided on it: it can be restored
            is_empty = False
            continue
        try:
            if yes:
                places.remove(*state.slot(plan, number))
        except OSError as error:
            tally.fail(f"{printable(os.fsdecode(entry.path))}: {error.strerror}")
            is_empty = False
            continue
        tally.add(entry)
        if waits.st_nlink == 1:
            tally.freed_bytes += waits.st_blocks * _SECTOR_BYTES
    state.forget()
    return is_empty


def _is_same(entry: Entry, there: os.stat_result) -> bool:
    """Whether it is the file that was taken, though its owner has written into it since, by what he kept open."""
    return (there.st_dev, there.st_ino, there.st_uid) == (entry.dev, entry.ino, entry.uid)
