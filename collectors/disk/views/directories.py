"""Directories: what lies in one of them, the way down to it, and where what is old lies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.views.choices import DirectoryChoice
from collectors.disk.views.owners import Owners
from collectors.disk.views.rows import DirectoryRow
from collectors.disk.views.selection import run_of
from dkumonitor.errors import NoSuchError
from dkumonitor.views import answer_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, RowMapping

    from collectors.disk.views.selection import Run
    from dkumonitor.views import Answer, Question, Sources, Viewer

_STORED = (
    "number", "path", "depth", "uid", "files", "directories", "other", "apparent_bytes", "allocated_bytes",
    "old_files", "old_bytes",
)  # fmt: skip
_DEEPEST = 64  # directories from the tree down; more are a circle in what was stored


def percent(part: float, whole: float | None) -> float | None:
    """A part in percent of a whole; None where there is no whole."""
    return 100 * part / whole if whole else None


def inside(connection: Connection, viewer: Viewer, choice: DirectoryChoice) -> list[DirectoryRow]:
    """The directories in the one that is meant, the largest first.

    Raises:
        NoSuchError: there is no such run or directory.
    """
    run = run_of(connection, choice)
    if run is None:
        return []
    above = find(connection, run, choice.directory)
    return below(connection, viewer, run, above)


def below(connection: Connection, viewer: Viewer, run: Run, above: DirectoryRow | None) -> list[DirectoryRow]:
    """The directories listed in one; of a run that lists no tree itself, the topmost."""
    c = tables.directories.c
    wanted = _select(run).where(c.parent.is_(None) if above is None else c.parent == above.number)
    found = connection.execute(wanted.order_by(c.allocated_bytes.desc(), c.number)).mappings().all()
    whole = run.allocated_bytes if above is None else above.allocated_bytes
    return _rows(connection, viewer, run, found, whole)


def find(connection: Connection, run: Run, number: int | None) -> DirectoryRow | None:
    """A directory of a run by its number, or the tree itself.

    Raises:
        NoSuchError: there is none of that number.
    """
    c = tables.directories.c
    wanted = _select(run).where(c.number == number if number is not None else c.parent.is_(None) & (c.depth == 0))
    row = connection.execute(wanted.limit(1)).mappings().first()
    if row is None and number is not None:
        raise NoSuchError(f"run {run.id} lists no directory {number}", "See `dkm disk view dirs`")
    return None if row is None else _row(run, row, "", None)


def numbered(connection: Connection, run: Run, path: bytes) -> int:
    """The number of a directory of a run by its path, relative to the tree or absolute.

    Raises:
        NoSuchError: it is not listed.
    """
    wanted = path.removeprefix(run.path).strip(b"/") if path.startswith(b"/") else path.strip(b"/")
    c = tables.directories.c
    number = connection.scalar(sa.select(c.number).where(c.run_id == run.id, c.path == wanted).limit(1))
    if number is None:
        raise NoSuchError(
            f"run {run.id} lists no directory {os.fsdecode(path)!r}", "See `dkm disk view dirs`, or scan deeper"
        )
    return int(number)


def trail(connection: Connection, run: Run, row: DirectoryRow | None) -> list[DirectoryRow]:
    """The directories from the tree down to one, both included."""
    found: list[DirectoryRow] = []
    c = tables.directories.c
    while row is not None and len(found) < _DEEPEST:
        found.append(row)
        parent = connection.scalar(sa.select(c.parent).where(c.run_id == run.id, c.number == row.number))
        row = None if parent is None else find(connection, run, parent)
    return found[::-1]


def largest_old(connection: Connection, viewer: Viewer, run: Run, most: int) -> list[DirectoryRow]:
    """The directories below the tree with most old bytes."""
    c = tables.directories.c
    wanted = _select(run).where(c.depth > 0, c.old_bytes > 0).order_by(c.old_bytes.desc(), c.number).limit(most)
    return _rows(connection, viewer, run, connection.execute(wanted).mappings().all(), None)


def ask_directories(sources: Sources, question: Question) -> Answer:
    """The listing of what lies in a directory."""
    with sources.store.reading() as connection:
        return answer_rows(inside(connection, sources.viewer, sources.of(DirectoryChoice)), question)


def _select(run: Run) -> sa.Select[Any]:
    """Directories of a run, each with how many are listed in it."""
    d = tables.directories
    counted = (
        sa.select(d.c.parent.label("number"), sa.func.count().label("listed"))
        .where(d.c.run_id == run.id, d.c.parent.is_not(None))
        .group_by(d.c.parent)
        .subquery()
    )
    return (
        sa.select(*(d.c[name] for name in _STORED), sa.func.coalesce(counted.c.listed, 0).label("listed"))
        .outerjoin(counted, counted.c.number == d.c.number)
        .where(d.c.run_id == run.id)
    )


def _rows(
    connection: Connection, viewer: Viewer, run: Run, found: Sequence[RowMapping], whole_bytes: int | None
) -> list[DirectoryRow]:
    names = Owners(connection, viewer).of(run.host, {row["uid"] for row in found})
    return [_row(run, row, names[row["uid"]].login, percent(row["allocated_bytes"], whole_bytes)) for row in found]


def _row(run: Run, row: RowMapping, login: str, share_percent: float | None) -> DirectoryRow:
    return DirectoryRow(
        run_id=run.id,
        **row,
        login=login,
        old_percent=percent(row["old_bytes"], row["apparent_bytes"]) or 0.0,
        share_percent=share_percent,
    )
