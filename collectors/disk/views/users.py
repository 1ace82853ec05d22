"""Users: what each owns now, what one owned over time, and where."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from collectors.disk import tables, tasks
from collectors.disk.views.choices import RunChoice, TaskChoice, UserChoice, UserRunChoice
from collectors.disk.views.directories import percent
from collectors.disk.views.owners import Owners
from collectors.disk.views.rows import PlaceRow, UserRow, UserRunRow
from collectors.disk.views.selection import Run, ended, newest_runs, run_numbered, run_of, week_before
from dkumonitor.errors import NoSuchError
from dkumonitor.views import answer_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from dkumonitor.views import Answer, Question, Sources, Viewer

_SUMS = ("files", "directories", "other", "apparent_bytes", "allocated_bytes", "old_files", "old_bytes")
_COLUMNS = ("uid", *_SUMS, "mean_age_seconds")


def users(connection: Connection, viewer: Viewer, choice: TaskChoice) -> list[UserRow]:
    """Every user of the newest full run of each task, or of the one run that is meant; the largest first."""
    runs = [run_numbered(connection, choice.run)] if isinstance(choice, RunChoice) and choice.run else None
    owners = Owners(connection, viewer)
    rows = [row for run in runs or newest_runs(connection, choice.task) for row in _users_of(connection, owners, run)]
    return sorted(rows, key=lambda row: row.allocated_bytes, reverse=True)


def _users_of(connection: Connection, owners: Owners, run: Run) -> Iterator[UserRow]:
    earlier = week_before(connection, run)
    before = {} if earlier is None else _allocated(connection, earlier.id)
    wanted = sa.select(*(tables.users.c[name] for name in _COLUMNS)).where(tables.users.c.run_id == run.id)
    found = connection.execute(wanted).mappings().all()
    names = owners.of(run.host, (row["uid"] for row in found))
    for row in found:
        yield UserRow(
            **row,
            run_id=run.id,
            task=run.task,
            host=run.host,
            login=names[row["uid"]].login,
            real_name=names[row["uid"]].real_name,
            old_percent=percent(row["old_bytes"], row["apparent_bytes"]) or 0.0,
            disk_percent=run.disk_percent(row["allocated_bytes"]),
            growth_bytes=None if earlier is None else row["allocated_bytes"] - before.get(row["uid"], 0),
            growth_from_seconds=None if earlier is None else earlier.started_seconds,
        )


def _allocated(connection: Connection, run_id: int) -> dict[int, int]:
    wanted = sa.select(tables.users.c.uid, tables.users.c.allocated_bytes).where(tables.users.c.run_id == run_id)
    return dict(connection.execute(wanted).all())


def ask_users(sources: Sources, question: Question) -> Answer:
    """The listing of users."""
    with sources.store.reading() as connection:
        return answer_rows(users(connection, sources.viewer, sources.of(RunChoice)), question)


def user_runs(connection: Connection, viewer: Viewer, choice: UserChoice) -> list[UserRunRow]:
    """What one user owned, by every full run of each task or of one, the newest first.

    Raises:
        NoSuchError: nobody knows that login, or that user owned nothing in any run.
    """
    owners = Owners(connection, viewer)
    hosts = sorted({task.host for task in tasks.every(connection)} | _hosts(connection))
    uids = {host: uid for host in hosts if (uid := owners.uid_of(host, choice.user)) is not None}
    rows = list(_runs_of(connection, owners, uids, choice.task)) if uids else []
    if not rows:
        where = f" in the tree of {choice.task!r}" if choice.task else ""
        raise NoSuchError(f"{choice.user!r} owns nothing{where} that a full run has seen", "See `dkm disk view users`")
    return rows


def _hosts(connection: Connection) -> set[str]:
    return set(connection.scalars(sa.select(tables.runs.c.host).distinct()))


def _runs_of(connection: Connection, owners: Owners, uids: Mapping[str, int], task: str) -> Iterator[UserRunRow]:
    runs, mine = tables.runs, tables.users
    whose = sa.or_(*(sa.and_(runs.c.host == host, mine.c.uid == uid) for host, uid in uids.items()))
    wanted = (
        sa.select(
            *(mine.c[name] for name in ("run_id", *_COLUMNS)),
            *(runs.c[name] for name in ("task", "host", "path", "started_seconds", "partial", "total_bytes")),
        )
        .join(runs, runs.c.id == mine.c.run_id)
        .where(mine.c.uid.in_(set(uids.values())), whose, ended("full"))
        .order_by(runs.c.started_seconds.desc(), mine.c.run_id.desc())
    )
    if task:
        wanted = wanted.where(runs.c.task == task)
    names = {host: owners.of(host, [uid])[uid] for host, uid in uids.items()}
    for found in connection.execute(wanted).mappings():
        row: dict[str, Any] = dict(found)
        total_bytes = row.pop("total_bytes")
        name = names[row["host"]]
        yield UserRunRow(
            **row,
            login=name.login,
            real_name=name.real_name,
            old_percent=percent(row["old_bytes"], row["apparent_bytes"]) or 0.0,
            disk_percent=percent(row["allocated_bytes"], total_bytes),
        )


def ask_user_runs(sources: Sources, question: Question) -> Answer:
    """The listing of one user over time."""
    with sources.store.reading() as connection:
        return answer_rows(user_runs(connection, sources.viewer, sources.of(UserChoice)), question)


def places(connection: Connection, viewer: Viewer, choice: UserRunChoice) -> list[PlaceRow]:
    """The directories of a full run in which a user owns something, with what is that user's of each."""
    run = run_of(connection, choice)
    if run is None:
        return []
    owner = Owners(connection, viewer).of(run.host, [choice.uid])[choice.uid]
    d, mine = tables.directories.c, tables.directory_users.c
    names = ("files", "apparent_bytes", "allocated_bytes", "old_files", "old_bytes")
    wanted = (
        sa.select(d.number, d.path, d.depth, *(mine[name] for name in names), d.allocated_bytes.label("whole"))
        .join(tables.directories, sa.and_(d.run_id == mine.run_id, d.number == mine.number))
        .where(mine.run_id == run.id, mine.uid == choice.uid)
        .order_by(mine.allocated_bytes.desc(), d.number)
    )
    return [
        PlaceRow(
            run_id=run.id,
            **{name: row[name] for name in ("number", "path", "depth", *names)},
            uid=choice.uid,
            login=owner.login,
            old_percent=percent(row["old_bytes"], row["apparent_bytes"]) or 0.0,
            share_percent=percent(row["allocated_bytes"], row["whole"]),
        )
        for row in connection.execute(wanted).mappings()
    ]


def ask_places(sources: Sources, question: Question) -> Answer:
    """The listing of a user's directories."""
    with sources.store.reading() as connection:
        return answer_rows(places(connection, sources.viewer, sources.of(UserRunChoice)), question)


def trends(connection: Connection, task: str, uids: Sequence[int], since_seconds: float) -> dict[int, list[float]]:
    """What some users of a task took over time, the oldest run first: lines in the size of a word."""
    runs, mine = tables.runs, tables.users
    wanted = (
        sa.select(mine.c.run_id, mine.c.uid, mine.c.allocated_bytes)
        .join(runs, runs.c.id == mine.c.run_id)
        .where(runs.c.task == task, runs.c.started_seconds >= int(since_seconds), ended("full"), mine.c.uid.in_(uids))
        .order_by(runs.c.started_seconds, mine.c.run_id)
    )
    found = connection.execute(wanted).all()
    positions = {run: position for position, run in enumerate(dict.fromkeys(run for run, _, _ in found))}
    lines: Mapping[int, list[float]] = defaultdict(lambda: [0.0] * len(positions))
    for run, uid, allocated_bytes in found:
        lines[uid][positions[run]] = float(allocated_bytes)
    return dict(lines)


def totals(rows: Iterable[UserRow]) -> dict[str, int]:
    """How much the users of each task take together."""
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row.task] += row.allocated_bytes
    return dict(found)
