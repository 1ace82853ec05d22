"""Applying a plan: every entry is looked at again, and what is not as it was decided on is left alone."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from collectors.disk.act import policy as policies
from collectors.disk.act.kept import past_of, plan_of, states
from collectors.disk.act.running import Act, Rehearsal
from collectors.disk.act.state import State, is_plan_name, open_tree
from collectors.disk.errors import ActError, PlanError
from collectors.disk.plan_file import Foot, PlanReader
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors.disk.act.outcome import Outcome
    from collectors.disk.act.pacing import Pace
    from collectors.disk.act.policy import Policy
    from collectors.disk.plan_file import Head

PLAN_MAX_BYTES = 4 * 1024**3
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What an act may rest on.

    Attributes:
        policy: what is allowed.
        file: where that stands, for errors.
        host: this machine's name in plans.
        pace: clock, end and progress.
    """

    policy: Policy
    file: Path
    host: str
    pace: Pace


def open_plan(path: Path) -> int:
    """Open a plan's file once, for all that follows.

    Raises:
        PlanError: it is no regular file, is too large, or is not there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PlanError(f"cannot read the plan {path}: {error.strerror}", "See `dkm disk plan list`") from None
    return check_plan_file(descriptor, path)


def check_plan_file(descriptor: int, path: Path) -> int:
    """The descriptor again, where it is that of a regular file that is not too large; else it is closed.

    Raises:
        PlanError: it is not.
    """
    there = os.fstat(descriptor)
    if not stat.S_ISREG(there.st_mode) or there.st_size > PLAN_MAX_BYTES:
        os.close(descriptor)
        raise PlanError(f"{path} is no regular file of at most 4 GiB", "Name the file of a plan")
    return descriptor


def apply(allowed: Allowed, descriptor: int, name: str, *, yes: bool, digest: str | None) -> Outcome:
    """Do what a plan says, or only say what would be done.

    Args:
        allowed: the policy and the rest.
        descriptor: of the plan's file; what is acted on is a copy of ours, checked.
        name: of the file, for errors.
        yes: whether to act.
        digest: what the plan's digest must be, where one is demanded.

    Raises:
        PlanError: the plan is damaged, or another one.
        ActError: the plan goes beyond the policy, or its tree cannot be used.
    """
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        reader = PlanReader(file, name)
        head = reader.head
        limits = policies.permit(allowed.policy, head, allowed.host, allowed.file)
        _check_head(head, allowed.pace)
        with open_tree(head.tree) as tree:
            if (tree.status.st_dev, tree.status.st_ino) != (head.tree_dev, head.tree_ino):
                raise ActError(f"{os.fsdecode(head.tree)} is not the directory that was scanned", "Scan it again")
            if not yes:
                foot = _checked(reader, digest)
                return Rehearsal(allowed.pace, tree, head, limits).run(reader, foot)
            with State(tree) as state:
                return _act(allowed, state, file, name, digest)


def resume_all(allowed: Allowed, *, yes: bool) -> Iterator[Outcome]:
    """Go on with every plan that was begun and is not through, from the copies of them in the trees.

    Raises:
        ActError: a plan goes beyond the policy by now, or a tree cannot be used.
    """
    for state in states(allowed, acts=yes):
        for plan in state.plans():
            past = past_of(state, plan)
            if past is not None and past.end is None:
                yield _resume(allowed, state, plan, yes=yes)


def _resume(allowed: Allowed, state: State, plan: str, *, yes: bool) -> Outcome:
    with plan_of(state, plan) as reader:
        limits = policies.permit(allowed.policy, reader.head, allowed.host, allowed.file)
        foot = _checked(reader, None)
        if yes:
            return Act(allowed.pace, state, reader.head, limits).run(reader, foot)
        return Rehearsal(allowed.pace, state.tree, reader.head, limits).run(reader, foot)


def _act(allowed: Allowed, state: State, file: IO[bytes], name: str, digest: str | None) -> Outcome:
    """Copy the plan into the tree's folder and do what the copy says."""
    copy = state.new_plan()
    with os.fdopen(copy, "r+b") as kept:
        try:
            file.seek(0)
            while chunk := file.read(_CHUNK_BYTES):
                kept.write(chunk)
            kept.flush()
        except OSError as error:
            do = "Make room there: `dkm-act purge`"
            raise ActError(f"cannot keep the plan in the tree: {error.strerror}", do) from None
        kept.seek(0)
        try:
            reader = PlanReader(kept, name)
            foot = _checked(reader, digest)
            limits = policies.permit(allowed.policy, reader.head, allowed.host, allowed.file)
            _check_head(reader.head, allowed.pace)
            if reader.head.tree != state.tree.path:
                raise PlanError(f"{name} changed while it was read", "Apply it again")
            act = Act(allowed.pace, state, reader.head, limits)
            act.begin(foot)
            state.keep_plan(reader.head.id, copy)
        finally:
            state.discard_new_plan()
        return act.run(reader, foot)


def _check_head(head: Head, pace: Pace) -> None:
    if not is_plan_name(head.id):
        raise PlanError(f"{printable(head.id)} is no name of a plan", "Make the plan anew")
    if pace.now_seconds < head.created_seconds:
        raise ActError(f"the plan {head.id} was made in the future", "Set this machine's clock")


def _checked(reader: PlanReader, digest: str | None) -> Foot:
    foot = reader.check()
    if digest is not None and foot.digest != digest:
        raise PlanError(f"the digest of {reader.head.id} is {foot.digest}, not the one demanded", "Look at it again")
    return foot
