"""Plans: made from what a scan lists, kept as a file in DIR/storage/disk/plans and as a row in the store."""

from __future__ import annotations

import os
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.errors import PlanError
from collectors.disk.plan_file import BYTES_MAX, Head, PlanReader, PlanWriter
from dkumonitor.store.engine import insert_rows
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from collectors.disk.candidates import Candidates
    from collectors.disk.facts import Scan
    from collectors.disk.plan_file import Foot
    from collectors.disk.tasks import Task
    from dkumonitor.installation import Installation

DAY_SECONDS = 86400
DETAIL_MAX = 500


class State(StrEnum):
    """How it stands with a plan."""

    PROPOSED = "proposed"  # waits for a person
    WAITING = "waiting"  # will be done by itself, once it is due and the file system is critical
    REQUESTED = "requested"  # the program that acts was asked
    DONE = "done"
    PARTIAL = "partial"  # some entries were skipped: changed, in use, no room
    FULL = "full"  # the relocation path took no more
    FAILED = "failed"
    DISCARDED = "discarded"  # a newer plan took its place, or a person said so


OPEN = (State.PROPOSED, State.WAITING, State.REQUESTED)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as the store knows it; the names are those of the columns.

    Attributes:
        id: its name and its file's.
        task, host, run_id: what it was made for.
        action: move or delete.
        state: one of :class:`State`.
        digest: of its file.
        created_seconds: when it was made.
        warned_seconds: when the owners were told; None for not yet.
        due_seconds: when it may be done by itself; None for never.
        ended_seconds: when it was done.
        files, bytes: what it holds.
        left_files: old files that the bounds of the task leave for later.
        done_files, done_bytes: what was done of it.
        skipped_files: what was left alone when it was done.
        detail: in words.
    """

    id: str
    task: str
    host: str
    run_id: int | None
    action: str
    state: str
    digest: str
    created_seconds: Moment
    warned_seconds: Moment | None = None
    due_seconds: Moment | None = None
    ended_seconds: Moment | None = None
    files: int
    bytes: int
    left_files: int = 0
    done_files: int = 0
    done_bytes: int = 0
    skipped_files: int = 0
    detail: str = ""


class Owned(msgspec.Struct, frozen=True):
    """What of one owner a plan holds."""

    uid: int
    files: int
    bytes: int


def folder(installation: Installation) -> Path:
    """Where plans lie; made where it is missing."""
    path = installation.storage / "disk" / "plans"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def file_of(installation: Installation, plan_id: str) -> Path:
    """The file of a plan.

    Raises:
        PlanError: that is no name of a plan.
    """
    if "/" in plan_id or plan_id.startswith("."):
        raise PlanError(f"{plan_id!r} is no plan", "See `dkm disk plan list`")
    return installation.storage / "disk" / "plans" / f"{plan_id}.plan"


def make(
    installation: Installation, task: Task, action: str, found: Scan, candidates: Candidates, *, run_id: int
) -> tuple[Plan, list[Owned]] | None:
    """Write a plan's file.

    Args:
        installation: where.
        task: for which task.
        action: move or delete.
        found: the scan that listed the candidates.
        candidates: what may be in it.
        run_id: the run.

    Returns:
        The plan, and what of each owner is in it; None where nothing would be in it.
    """
    root = os.lstat(task.path)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(found.now_seconds))
    share_bytes = int(found.totals.apparent_bytes * task.max_share_percent / 100)
    head = Head(
        id=f"{task.name}-{stamp}-{action}",
        task=task.name,
        host=task.host,
        action="move" if action == "move" else "delete",
        tree=task.path,
        tree_dev=root.st_dev,
        tree_ino=root.st_ino,
        relocation=task.relocation_path if action == "move" else None,
        age_by=task.age_by,
        old_before_seconds=found.now_seconds - task.old_file_days * DAY_SECONDS,
        quarantine_days=task.quarantine_days,
        remove_empty_directories=task.remove_empty_directories,
        max_files=task.max_files,
        max_bytes=task.max_bytes,
        tree_bytes=found.totals.apparent_bytes,
        max_share_percent=task.max_share_percent,
        created_seconds=found.now_seconds,
    )
    reason = f"unused for {task.old_file_days} days or more"
    sums: dict[int, list[int]] = {}
    path = folder(installation) / f"{head.id}.plan"
    partial = path.with_suffix(".new")
    with partial.open("wb") as file:
        partial.chmod(0o600)
        writer = PlanWriter(file, head)
        for entries in candidates.chosen(task.age_by, task.max_files, min(task.max_bytes, share_bytes)):
            for entry in entries:
                mine = sums.setdefault(entry.uid, [0, 0])
                mine[0] += 1
                mine[1] = min(mine[1] + entry.size_bytes, BYTES_MAX)
            writer.add(msgspec.structs.replace(entry, reason=reason) for entry in entries)
        foot = writer.close()
    if foot.files == 0:
        partial.unlink()
        return None
    partial.replace(path)
    _sync(path.parent)
    owned = sorted((Owned(uid, *mine) for uid, mine in sums.items()), key=lambda one: one.bytes, reverse=True)
    return _row(head, foot, run_id, candidates.files - foot.files), owned


def _row(head: Head, foot: Foot, run_id: int, left_files: int) -> Plan:
    return Plan(
        id=head.id,
        task=head.task,
        host=head.host,
        run_id=run_id,
        action=head.action,
        state=State.PROPOSED.value,
        digest=foot.digest,
        created_seconds=head.created_seconds,
        files=foot.files,
        bytes=foot.bytes,
        left_files=left_files,
    )


def keep(connection: Connection, plan: Plan, owned: Iterable[Owned]) -> None:
    """Keep a plan's row; open plans of the same task are discarded, since this one is newer."""
    table = tables.plans
    older = sa.and_(table.c.task == plan.task, table.c.state.in_([State.PROPOSED.value]))
    values = {
        "state": State.DISCARDED.value,
        "detail": f"{plan.id} took its place",
        "ended_seconds": plan.created_seconds,
    }
    connection.execute(sa.update(table).where(older).values(values))
    connection.execute(sa.insert(table).values(msgspec.structs.asdict(plan)))
    rows = ({"plan": plan.id, **msgspec.structs.asdict(one)} for one in owned)
    insert_rows(connection, tables.plan_users, rows)


def change(connection: Connection, plan_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns of a plan."""
    connection.execute(sa.update(tables.plans).where(tables.plans.c.id == plan_id).values(dict(values)))


def discard(connection: Connection, plan_id: str, now_seconds: float) -> None:
    """Give a plan up.

    Raises:
        PlanError: there is no such plan, or it is done already.
    """
    if find(connection, plan_id).state not in OPEN:
        raise PlanError(f"the plan {plan_id} is not open any more", "See `dkm disk plan list --open`")
    values = {"state": State.DISCARDED.value, "ended_seconds": int(now_seconds), "detail": "discarded by a person"}
    change(connection, plan_id, values)


def find(connection: Connection, plan_id: str) -> Plan:
    """The plan of a name.

    Raises:
        PlanError: there is none.
    """
    found = every(connection, plan_id=plan_id)
    if not found:
        raise PlanError(f"there is no plan {plan_id!r}", "See `dkm disk plan list`")
    return found[0]


def every(
    connection: Connection, *, task: str | None = None, plan_id: str | None = None, states: Sequence[State] = ()
) -> list[Plan]:
    """Plans, the newest first."""
    table = tables.plans
    wanted = sa.select(*(table.c[name] for name in Plan.__struct_fields__))
    if task is not None:
        wanted = wanted.where(table.c.task == task)
    if plan_id is not None:
        wanted = wanted.where(table.c.id == plan_id)
    if states:
        wanted = wanted.where(table.c.state.in_([state.value for state in states]))
    rows = connection.execute(wanted.order_by(table.c.created_seconds.desc(), table.c.id)).mappings()
    return [Plan(**row) for row in rows]


def owners(connection: Connection, plan_id: str) -> list[Owned]:
    """What of each owner a plan holds, the largest first."""
    table = tables.plan_users
    wanted = sa.select(table.c.uid, table.c.files, table.c.bytes).where(table.c.plan == plan_id)
    return [Owned(*row) for row in connection.execute(wanted.order_by(table.c.bytes.desc(), table.c.uid))]


def opened(installation: Installation, plan: Plan) -> PlanReader:
    """A plan's file, checked whole against the digest that the store has.

    Raises:
        PlanError: it is gone, damaged, or another one.
    """
    reader = PlanReader.open(file_of(installation, plan.id))
    try:
        _compare(reader, plan)
    except BaseException:
        reader.__exit__()
        raise
    return reader


def _compare(reader: PlanReader, plan: Plan) -> None:
    if reader.check().digest != plan.digest:
        do = "Discard it: the next full run makes another"
        raise PlanError(f"the file of {plan.id} is not the one that was made", do)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
