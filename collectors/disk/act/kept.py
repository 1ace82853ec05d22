"""What acts have left in the trees: walks over plans, their journals and what waits for each entry."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from collectors.disk.act.checks import STATE_FOLDER
from collectors.disk.act.outcome import Kept
from collectors.disk.act.policy import DAY_SECONDS
from collectors.disk.act.state import State, open_tree
from collectors.disk.plan_file import PlanReader
from dkumonitor.safefs import places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.disk.act.applying import Allowed
    from collectors.disk.act.journal import Past
    from collectors.disk.plan_file import Entry, Head


def states(allowed: Allowed, *, acts: bool) -> Iterator[State]:
    """The folders of ours in the trees of the policy, each once, and each open while it is its turn."""
    for path in dict.fromkeys(one.tree for one in allowed.policy.tree):
        with open_tree(path) as tree:
            if places.status(tree.descriptor, STATE_FOLDER) is not None:
                with State(tree, acts=acts) as state:
                    yield state


@contextlib.contextmanager
def plan_of(state: State, plan: str) -> Iterator[PlanReader]:
    """The plan of a name, from its copy in the tree."""
    with os.fdopen(state.plan(plan), "rb") as file:
        yield PlanReader(file, plan)


def entries(reader: PlanReader) -> Iterator[tuple[int, Entry]]:
    """The entries of a plan with their numbers."""
    number = 0
    for block in reader.blocks():
        for entry in block:
            yield number, entry
            number += 1


def past_of(state: State, plan: str) -> Past | None:
    """What a plan's journal says; None where there is none."""
    if not state.has_journal(plan):
        return None
    with state.journal(plan) as journal:
        return journal.past


def listing(allowed: Allowed) -> list[Kept]:
    """All plans of which something is left, the oldest first.

    Raises:
        ActError: a tree cannot be used.
    """
    rows = []
    for state in states(allowed, acts=False):
        for plan in state.plans():
            past = past_of(state, plan)
            if past is not None:
                with plan_of(state, plan) as reader:
                    rows.append(_row(state, reader, past))
    return sorted(rows, key=lambda row: row.acted_seconds)


def acted_seconds(state: State, plan: str, past: Past) -> float:
    """When a plan was last worked on, which the days of its quarantine count from.

    Of one that is not through, when something last came into its quarantine: that it is tried again is no delay.
    """
    filled = None if past.end is not None else state.filled_seconds(plan)
    return past.changed_seconds if filled is None else filled


def expires_seconds(head: Head, acted: float) -> float | None:
    """When a quarantine may be removed; None for a move."""
    return acted + head.quarantine_days * DAY_SECONDS if head.action == "delete" else None


def _row(state: State, reader: PlanReader, past: Past) -> Kept:
    head, files, size_bytes = reader.head, 0, 0
    acted = acted_seconds(state, head.id, past)
    if state.is_used(head.id):
        for number, _entry in entries(reader):
            waits = state.found(head.id, number)
            if waits is not None:
                files += 1
                size_bytes += waits.st_size
    return Kept(
        plan=head.id,
        task=head.task,
        tree=os.fsdecode(head.tree),
        action=head.action,
        state=past.end.state if past.end is not None else "unfinished",
        acted_seconds=acted,
        expires_seconds=expires_seconds(head, acted),
        files=files,
        size_bytes=size_bytes,
    )
