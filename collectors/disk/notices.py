"""Who was written to, when, about what: rows of disk_notices, and the bound of one mail a day."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from collectors.disk import tables
from dkumonitor.mail.spool import Envelope, Fate
from dkumonitor.store.listing import answer_select
from dkumonitor.store.people import merged
from dkumonitor.views import Answer, Listing, Moment, Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from collectors.disk.plans import Plan
    from dkumonitor.mail.spool import MailSpool
    from dkumonitor.store.engine import Store
    from dkumonitor.views import Sources

TOPIC = "disk"
FIRST_PERSON = 1000  # login.defs(5): uids below are the system's
NOBODIES = frozenset({65534, 2**32 - 2, 2**32 - 1})  # nobody, as local and network file systems write it
LIMIT_SECONDS = 23 * 3600  # a day, and an hour less, so that the run of the next night is not a minute too early
UNKNOWN_SECONDS = 600  # by then the row of a message is there, or never will be
_GOT_SOMETHING = ("spooled", "sent")


class State(StrEnum):
    """How it stands with a notice."""

    SPOOLED = "spooled"
    SENT = "sent"
    FAILED = "failed"
    LIMITED = "limited"  # there was a mail to that person within a day
    NO_ADDRESS = "no address"
    DRY_RUN = "dry run"  # only shown, never kept


class Reference(msgspec.Struct, frozen=True):
    """What tells the row of a message in the spool."""

    task: str
    host: str
    uid: int
    created_seconds: int


class NoticeRow(msgspec.Struct, frozen=True):
    """One mail to one person, or why there was none.

    Attributes:
        id: its number; 0 of a dry run.
        created_seconds: when it was decided.
        task, host: of the task.
        run_id: of the scan; None where it belongs to none.
        uid: the person.
        login: of the person; ``uid-NUMBER`` where nobody knows one.
        address: where to; empty where there is none, None for who may not see it.
        sections: the parts of the mail, with a blank between each.
        state: one of :class:`State`.
        sent_seconds: when the server took it.
    """

    id: int
    created_seconds: Moment
    task: str
    host: str
    run_id: int | None
    uid: int
    login: str
    address: str | None
    sections: str
    state: str
    sent_seconds: Moment | None = None


def keep(connection: Connection, notice: NoticeRow) -> NoticeRow:
    """Keep a notice; the same with its number."""
    values = {name: getattr(notice, name) for name in NoticeRow.__struct_fields__ if name not in ("id", "login")}
    key = connection.execute(sa.insert(tables.notices).values(values)).inserted_primary_key
    assert key is not None  # noqa: S101  every server gives it
    return msgspec.structs.replace(notice, id=int(key[0]))


def is_limited(connection: Connection, host: str, uid: int, now_seconds: float) -> bool:
    """Whether a person got a mail about any task of this host within a day."""
    table = tables.notices
    recent = sa.and_(
        table.c.uid == uid,
        table.c.host == host,
        table.c.state.in_(_GOT_SOMETHING),
        table.c.created_seconds > int(now_seconds) - LIMIT_SECONDS,
        table.c.created_seconds <= int(now_seconds),  # a clock that went back keeps nobody uninformed
    )
    return bool(connection.scalar(sa.select(sa.func.count()).select_from(table).where(recent)))


def told_already(connection: Connection, notice: NoticeRow) -> NoticeRow | None:
    """The notice of the same run that told the same person the same; None for none.

    So a run that was killed and tells again writes to nobody twice.
    """
    if notice.run_id is None:
        return None
    table = tables.notices
    same_run = sa.and_(table.c.run_id == notice.run_id, table.c.sections == notice.sections)
    return _find(connection, notice, sa.and_(same_run, table.c.state.in_(_GOT_SOMETHING)))


def left_out_already(connection: Connection, notice: NoticeRow) -> NoticeRow | None:
    """The notice that says that the same person was left out for the same reason within a day: one a day is enough."""
    table = tables.notices
    recent = table.c.created_seconds.between(notice.created_seconds - LIMIT_SECONDS, notice.created_seconds)
    return _find(connection, notice, sa.and_(recent, table.c.state == notice.state))


def _find(connection: Connection, notice: NoticeRow, where: sa.ColumnElement[bool]) -> NoticeRow | None:
    """A notice of the same task to the same person."""
    table = tables.notices
    same = sa.and_(table.c.uid == notice.uid, table.c.host == notice.host, table.c.task == notice.task, where)
    names = [name for name in NoticeRow.__struct_fields__ if name != "login"]
    row = connection.execute(sa.select(*(table.c[name] for name in names)).where(same).limit(1)).mappings().first()
    return None if row is None else NoticeRow(**row, login=notice.login)


def is_account_of_a_person(uid: int) -> bool:
    """Whether a number is one that people have, and not the system."""
    return uid >= FIRST_PERSON and uid not in NOBODIES


def untold(
    connection: Connection, plan: Plan, uids: Iterable[int], states: Sequence[State] = (State.SENT,)
) -> list[int]:
    """Which of these people have got no mail about the task since a plan was made.

    Args:
        connection: reads.
        plan: the plan.
        uids: of its owners; those of the system are no people, and never asked for.
        states: what counts as got: ``sent``, or ``spooled`` too where it need not have arrived yet.
    """
    table = tables.notices
    got = sa.select(table.c.uid).where(
        table.c.task == plan.task,
        table.c.host == plan.host,
        table.c.created_seconds >= plan.created_seconds,
        table.c.state.in_([state.value for state in states]),
    )
    told = set(connection.scalars(got))
    return sorted(uid for uid in uids if is_account_of_a_person(uid) and uid not in told)


def settle(store: Store, spool: MailSpool, now_seconds: float) -> int:
    """Bring what the spool knows into the rows: what was sent, what was given up.

    Returns:
        How many rows have changed. May be killed and called again.
    """
    changed = 0
    for envelope, fate in list(spool.ended(TOPIC)):
        reference = _reference(envelope)
        known = reference is not None and _settle_one(store, envelope, reference, fate)
        ended_seconds = envelope.created_seconds if envelope.ended_seconds is None else envelope.ended_seconds
        if known or reference is None or now_seconds - ended_seconds > UNKNOWN_SECONDS:
            spool.forget(envelope)
        changed += known
    return changed


def _settle_one(store: Store, envelope: Envelope, reference: Reference, fate: Fate) -> bool:
    table = tables.notices
    mine = sa.and_(
        table.c.task == reference.task,
        table.c.host == reference.host,
        table.c.uid == reference.uid,
        table.c.created_seconds == reference.created_seconds,
        table.c.state == State.SPOOLED.value,
    )
    is_sent = fate is Fate.SENT
    values: dict[str, Any] = {"state": (State.SENT if is_sent else State.FAILED).value}
    if is_sent:
        ended = envelope.ended_seconds
        values["sent_seconds"] = reference.created_seconds if ended is None else ended
    with store.writing() as connection:
        return connection.execute(sa.update(table).where(mine).values(values)).rowcount > 0


def _reference(envelope: Envelope) -> Reference | None:
    try:
        return msgspec.json.decode(envelope.reference, type=Reference)
    except msgspec.MsgspecError:
        return None


def ask(sources: Sources, question: Question) -> Answer:
    """All notices. An address is shown, searched and sorted by only for who may see real names."""
    table, host = tables.notices, sources.installation.host
    people = merged(host).subquery()
    logins = (
        sa.select(people.c.uid, sa.func.min(people.c.login).label("login"))
        .where(people.c.uid.is_not(None))
        .group_by(people.c.uid)
        .subquery()
    )
    nameless = sa.literal("uid-", sa.String) + sa.cast(table.c.uid, sa.String)
    shown: dict[str, sa.ColumnElement[Any]] = {**table.c, "login": sa.func.coalesce(logins.c.login, nameless)}
    if not sources.viewer.sees_names:
        shown["address"] = sa.null()
    columns = [shown[name].label(name) for name in NoticeRow.__struct_fields__]
    here = sa.and_(logins.c.uid == table.c.uid, table.c.host == host)  # a uid means another on another machine
    wanted = sa.select(*columns).select_from(table.outerjoin(logins, here))
    searched = ["task", "host", "login", "sections", "state"]
    if sources.viewer.sees_names:
        searched.append("address")
    with sources.store.reading() as connection:
        return answer_select(connection, wanted, NoticeRow, question, searched)


LISTING = Listing(
    name="disk-notices",
    title="Mail about disk use",
    summary="A row is a mail to a person about one scan, or why there was none",
    row_type=NoticeRow,
    ask=ask,
    sort="created_seconds",
    descending=True,
    empty="Nobody was written to yet: mail is set in [mail] of dkumonitor.toml, and each task says who is warned.",
)
