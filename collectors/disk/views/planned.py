"""Plans: what of which tree is to be moved or deleted, whose it is, and how far that got."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.views.choices import PlanChoice, TaskChoice
from collectors.disk.views.owners import Owners
from collectors.disk.views.rows import PlanRow, PlanUserRow
from dkumonitor.errors import NoSuchError
from dkumonitor.store.listing import answer_select
from dkumonitor.views import answer_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dkumonitor.views import Answer, Question, Sources, Viewer

_COLUMNS = [tables.plans.c[name] for name in PlanRow.__struct_fields__]


def ask_plans(sources: Sources, question: Question) -> Answer:
    """The listing of plans."""
    choice = sources.of(TaskChoice)
    wanted = sa.select(*_COLUMNS)
    if choice.task:
        wanted = wanted.where(tables.plans.c.task == choice.task)
    with sources.store.reading() as connection:
        return answer_select(connection, wanted, PlanRow, question, ("id", "task", "host", "action", "state", "detail"))


def one_plan(connection: Connection, name: str) -> PlanRow:
    """A plan by its name.

    Raises:
        NoSuchError: there is none.
    """
    row = connection.execute(sa.select(*_COLUMNS).where(tables.plans.c.id == name)).mappings().first()
    if row is None:
        raise NoSuchError(f"there is no plan {name!r}", "See `dkm disk plan list`")
    return PlanRow(**row)


def plan_users(connection: Connection, viewer: Viewer, plan: PlanRow) -> list[PlanUserRow]:
    """What of each user a plan holds, the largest first."""
    c = tables.plan_users.c
    wanted = sa.select(c.uid, c.files, c.bytes).where(c.plan == plan.id).order_by(c.bytes.desc(), c.uid)
    found = connection.execute(wanted).all()
    names = Owners(connection, viewer).of(plan.host, (uid for uid, _, _ in found))
    return [
        PlanUserRow(
            plan=plan.id,
            uid=uid,
            login=names[uid].login,
            real_name=names[uid].real_name,
            files=files,
            bytes=size_bytes,
        )
        for uid, files, size_bytes in found
    ]


def ask_plan_users(sources: Sources, question: Question) -> Answer:
    """The listing of a plan's users."""
    with sources.store.reading() as connection:
        plan = one_plan(connection, sources.of(PlanChoice).plan)
        return answer_rows(plan_users(connection, sources.viewer, plan), question)


def plans_of_users(connection: Connection, uids: dict[str, int]) -> list[tuple[PlanRow, int, int]]:
    """The plans that hold something of a user, the newest first: (plan, files, bytes of that user).

    Args:
        connection: reads.
        uids: the user's number on each host.
    """
    p, mine = tables.plans, tables.plan_users
    whose = sa.or_(*(sa.and_(p.c.host == host, mine.c.uid == uid) for host, uid in uids.items()))
    wanted = sa.select(*_COLUMNS, mine.c.files.label("own_files"), mine.c.bytes.label("own_bytes"))
    wanted = (
        wanted.join(mine, mine.c.plan == p.c.id).where(whose).order_by(p.c.created_seconds.desc(), p.c.id).limit(20)
    )
    return [
        (PlanRow(**{name: row[name] for name in PlanRow.__struct_fields__}), row["own_files"], row["own_bytes"])
        for row in connection.execute(wanted).mappings()
    ]
