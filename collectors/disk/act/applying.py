"""Applying a plan: every entry is looked at again, and what is not as it was decided on is left alone."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from collectors.disk.act import policy as policies
from collectors.disk.act.kept import past_of, plan_of, states
from collectors.disk.act.outcome import Outcome
from collectors.disk.act.policy import Policy
from collectors.disk.act.running import Act, Rehearsal, open_relocation
from collectors.disk.act.state import State, is_plan_name, open_tree
from collectors.disk.errors import ActError, PlanError
from collectors.disk.plan_file import Foot, PlanReader
from dkumonitor.errors import DkmError
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from collectors.disk.act.journal import Past
    from collectors.disk.act.pacing import Pace
    from collectors.disk.act.policy import TreePolicy
    from collectors.disk.plan_file import Head

PLAN_MAX_BYTES = 4 * 1024**3
_CHUNK_BYTES = 1024 * 1024
_PLAN_BYTES = 1024 * 1024  # the head, the foot and the frames
_ENTRY_BYTES = 66 * 1024  # the longest path that is acted on, and the rest
_MAKE_ROOM = "Make room there: `dkm-act purge`"


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
            _check_relocation(head, limits)
            foot = _checked(reader, digest)
            size_bytes = file.tell()
            _check_size(head, foot, limits, size_bytes, allowed.file)
            if not yes:
                return Rehearsal(allowed.pace, tree, head, limits).run(reader, foot)
            _check_room(tree.descriptor, size_bytes)
            with State(tree) as state:
                return _act(allowed, state, file, size_bytes, name=name, digest=digest)


def resume_all(
    allowed: Allowed, *, yes: bool, wanted: Callable[[Head, Past], bool] = lambda _head, _past: True
) -> Iterator[Outcome]:
    """Go on with every plan that was begun and is not through, from the copies of them in the trees.

    A plan that goes beyond the policy by now, or a tree that cannot be used, is told, and the others go on.

    Args:
        allowed: the policy and the rest.
        yes: whether to act.
        wanted: which of them.
    """
    for path in dict.fromkeys(one.tree for one in allowed.policy.tree):
        here = Policy(tuple(one for one in allowed.policy.tree if one.tree == path))
        try:
            for state in states(replace(allowed, policy=here), acts=yes):
                for plan in state.plans():
                    outcome = _resume(allowed, state, plan, wanted, yes=yes)
                    if outcome is not None:
                        yield outcome
        except (DkmError, OSError) as error:
            yield refused(allowed, "apply", "", error, yes=yes)


def refused(allowed: Allowed, act: str, plan: str, error: Exception, *, yes: bool = True) -> Outcome:
    """What is told where nothing was done, and why."""
    text = error.strerror if isinstance(error, OSError) else str(error)
    now = allowed.pace.now_seconds
    return Outcome(
        plan=printable(plan),
        act=act,
        state="refused",
        dry_run=not yes,
        detail=printable(text or type(error).__name__),
        started_seconds=now,
        ended_seconds=now,
    )


def _resume(
    allowed: Allowed, state: State, plan: str, wanted: Callable[[Head, Past], bool], *, yes: bool
) -> Outcome | None:
    try:
        past = past_of(state, plan)
        if past is None or past.end is not None:
            return None
        with plan_of(state, plan) as reader:
            head = reader.head
            if not wanted(head, past):
                return None
            limits = policies.permit(allowed.policy, head, allowed.host, allowed.file)
            _check_relocation(head, limits)
            foot = _checked(reader, None)
            if yes:
                return Act(allowed.pace, state, head, limits).run(reader, foot)
            return Rehearsal(allowed.pace, state.tree, head, limits).run(reader, foot)
    except (DkmError, OSError) as error:
        return refused(allowed, "apply", plan, error, yes=yes)


def _act(allowed: Allowed, state: State, file: IO[bytes], size_bytes: int, *, name: str, digest: str | None) -> Outcome:
    """Copy the plan into the tree's folder and do what the copy says."""
    with os.fdopen(state.new_plan(), "r+b") as kept:
        try:
            _copy(file, kept.fileno(), size_bytes)
            kept.seek(0)
            reader = PlanReader(kept, name)
            foot = _checked(reader, digest)
            limits = policies.permit(allowed.policy, reader.head, allowed.host, allowed.file)
            _check_head(reader.head, allowed.pace)
            if reader.head.tree != state.tree.path:
                raise PlanError(f"{name} changed while it was read", "Apply it again")
            act = Act(allowed.pace, state, reader.head, limits)
            act.begin(foot)
            state.keep_plan(reader.head.id, kept.fileno())
        finally:
            state.discard_new_plan()
        return act.run(reader, foot)


def _copy(file: IO[bytes], descriptor: int, size_bytes: int) -> None:
    """Copy as much as was checked, and no more: the file may be another's, and grow."""
    file.seek(0)
    left = size_bytes
    try:
        while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
            left -= len(chunk)
            while chunk:
                chunk = chunk[os.write(descriptor, chunk) :]
    except OSError as error:
        raise ActError(f"cannot keep the plan in the tree: {error.strerror}", _MAKE_ROOM) from None


def _check_size(head: Head, foot: Foot, limits: TreePolicy, size_bytes: int, file: Path) -> None:
    """Refuse what is larger than a plan of so many entries can be: a copy of it is kept in the tree."""
    if foot.files > limits.max_files:
        what = f"the plan {head.id} has {foot.files} entries, more than max_files {limits.max_files}"
        raise ActError(what, f"Raise max_files in {file}, or make another plan")
    if size_bytes > _PLAN_BYTES + foot.files * _ENTRY_BYTES:
        raise ActError(f"the plan {head.id} is larger than {foot.files} entries can be", "Make the plan anew")


def _check_room(descriptor: int, size_bytes: int) -> None:
    """Refuse to fill with the copy of a plan more than half of what is free in the tree."""
    there = os.fstatvfs(descriptor)
    free = there.f_bfree if os.geteuid() == 0 else there.f_bavail
    if there.f_blocks and size_bytes * 2 > free * there.f_frsize:
        raise ActError("there is not enough room in the tree to keep the plan there", _MAKE_ROOM)


def _check_relocation(head: Head, limits: TreePolicy) -> None:
    """Refuse a move to what is not mounted before anything of it is written down."""
    if head.action == "move" and limits.relocation_is_mount:
        open_relocation(head, limits).close()


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
