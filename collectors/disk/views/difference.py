"""Two full runs beside each other: what grew, shrank, came and went, by user and by directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.views.choices import DifferenceChoice
from collectors.disk.views.owners import Owners
from collectors.disk.views.rows import DifferenceRow
from collectors.disk.views.selection import pair_of
from dkumonitor.views import answer_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from collectors.disk.views.selection import Run
    from dkumonitor.views import Answer, Question, Sources, Viewer


class _Sums(NamedTuple):
    uid: int
    files: int
    allocated_bytes: int
    old_bytes: int


_NOTHING = _Sums(0, 0, 0, 0)
Key = int | bytes  # a user's number, a directory's path
_USER, _DIRECTORY = "user", "directory"


def difference(connection: Connection, viewer: Viewer, before: Run, after: Run, kind: str = "") -> list[DifferenceRow]:
    """What differs between two full runs, what grew most first.

    Args:
        connection: reads.
        viewer: who looks.
        before: the first run.
        after: the second.
        kind: user or directory alone; empty for both.
    """
    rows: list[DifferenceRow] = []
    for one, sums_of in ((_USER, _users), (_DIRECTORY, _directories)):
        if kind in ("", one):
            sides = sums_of(connection, before), sums_of(connection, after)
            rows += _rows(connection, viewer, after, one, sides)
    return sorted(rows, key=lambda row: row.growth_bytes, reverse=True)


def _users(connection: Connection, run: Run) -> dict[Key, _Sums]:
    c = tables.users.c
    wanted = sa.select(c.uid, c.files, c.allocated_bytes, c.old_bytes).where(c.run_id == run.id)
    return {row[0]: _Sums(*row) for row in connection.execute(wanted)}


def _directories(connection: Connection, run: Run) -> dict[Key, _Sums]:
    c = tables.directories.c
    wanted = sa.select(c.path, c.uid, c.files, c.allocated_bytes, c.old_bytes).where(c.run_id == run.id)
    return {row[0]: _Sums(*row[1:]) for row in connection.execute(wanted)}


def _rows(
    connection: Connection, viewer: Viewer, run: Run, kind: str, sides: tuple[Mapping[Key, _Sums], Mapping[Key, _Sums]]
) -> Iterator[DifferenceRow]:
    before, after = sides
    changed = {
        key: after.get(key, before.get(key, _NOTHING)).uid
        for key in after.keys() | before.keys()
        if before.get(key, _NOTHING)[1:] != after.get(key, _NOTHING)[1:] or (key in before) != (key in after)
    }
    names = Owners(connection, viewer).of(run.host, set(changed.values()))
    for key, uid in changed.items():
        old, new = before.get(key, _NOTHING), after.get(key, _NOTHING)
        yield DifferenceRow(
            kind=kind,
            uid=uid,
            login=names[uid].login,
            path=key if isinstance(key, bytes) else None,
            change=_change(before.get(key), after.get(key)),
            growth_bytes=new.allocated_bytes - old.allocated_bytes,
            before_bytes=old.allocated_bytes,
            after_bytes=new.allocated_bytes,
            growth_files=new.files - old.files,
            before_files=old.files,
            after_files=new.files,
            before_old_bytes=old.old_bytes,
            after_old_bytes=new.old_bytes,
        )


def _change(then: _Sums | None, now: _Sums | None) -> str:
    if then is None or now is None:
        return "came" if then is None else "went"
    if then.allocated_bytes == now.allocated_bytes:
        return "touched"
    return "grew" if now.allocated_bytes > then.allocated_bytes else "shrank"


def ask_difference(sources: Sources, question: Question) -> Answer:
    """The listing of what differs."""
    choice = sources.of(DifferenceChoice)
    with sources.store.reading() as connection:
        pair = pair_of(connection, choice)
        rows = difference(connection, sources.viewer, *pair, choice.kind) if pair is not None else []
        return answer_rows(rows, question)
