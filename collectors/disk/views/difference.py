"""Two full runs beside each other: what grew, shrank, came and went, by user and by directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.views.choices import DifferenceChoice
from collectors.disk.views.owners import Owners
from collectors.disk.views.rows import DifferenceRow
from collectors.disk.views.selection import pair_of
from dkumonitor.views import answer_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Select

    from collectors.disk.views.selection import Run
    from dkumonitor.views import Answer, Question, Sources, Viewer


Key = int | bytes  # a user's number, a directory's path
_Sums = tuple[int, int, int, int]  # uid, files, allocated and old bytes: thousands of them, so that they have no names
_NOTHING: _Sums = (0, 0, 0, 0)
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
    wanted = sa.select(c.uid, c.uid, c.files, c.allocated_bytes, c.old_bytes).where(c.run_id == run.id)
    return _by_key(connection, wanted)


def _directories(connection: Connection, run: Run) -> dict[Key, _Sums]:
    c = tables.directories.c
    wanted = sa.select(c.path, c.uid, c.files, c.allocated_bytes, c.old_bytes).where(c.run_id == run.id)
    return _by_key(connection, wanted)


def _by_key(connection: Connection, wanted: Select[Any]) -> dict[Key, _Sums]:
    return {key: (uid, files, allocated, old) for key, uid, files, allocated, old in connection.execute(wanted).all()}


def _changed(before: dict[Key, _Sums], after: dict[Key, _Sums]) -> list[tuple[Key, _Sums | None, _Sums | None]]:
    """What is not the same on both sides; another owner alone is no difference."""
    found: list[tuple[Key, _Sums | None, _Sums | None]] = []
    for key, now in after.items():
        then = before.get(key)
        if then is None or then[1:] != now[1:]:
            found.append((key, then, now))
    found += [(key, then, None) for key, then in before.items() if key not in after]
    return found


def _rows(
    connection: Connection, viewer: Viewer, run: Run, kind: str, sides: tuple[dict[Key, _Sums], dict[Key, _Sums]]
) -> Iterator[DifferenceRow]:
    changed = _changed(*sides)
    names = Owners(connection, viewer).of(run.host, {(now or then or _NOTHING)[0] for _, then, now in changed})
    logins = {uid: owner.login for uid, owner in names.items()}
    for key, then, now in changed:
        uid = (now or then or _NOTHING)[0]
        _, before_files, before_bytes, before_old = then or _NOTHING
        _, after_files, after_bytes, after_old = now or _NOTHING
        yield DifferenceRow(
            kind=kind,
            login=logins[uid],
            path=key if isinstance(key, bytes) else None,
            change=_change(then, now),
            growth_bytes=after_bytes - before_bytes,
            before_bytes=before_bytes,
            after_bytes=after_bytes,
            growth_files=after_files - before_files,
            before_files=before_files,
            after_files=after_files,
            before_old_bytes=before_old,
            after_old_bytes=after_old,
            uid=uid,
        )


def _change(then: _Sums | None, now: _Sums | None) -> str:
    if then is None or now is None:
        return "came" if then is None else "went"
    if then[2] == now[2]:
        return "touched"
    return "grew" if now[2] > then[2] else "shrank"


def ask_difference(sources: Sources, question: Question) -> Answer:
    """The listing of what differs."""
    choice = sources.of(DifferenceChoice)
    with sources.store.reading() as connection:
        pair = pair_of(connection, choice)
        rows = difference(connection, sources.viewer, *pair, choice.kind) if pair is not None else []
        return answer_rows(rows, question)
