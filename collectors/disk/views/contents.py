"""What a full run found inside: files by age and by size, the largest files, what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.views.choices import RunChoice
from collectors.disk.views.owners import Owners
from collectors.disk.views.rows import AgeRow, ErrorRow, SizeRow, TopFileRow
from collectors.disk.views.selection import run_of
from dkumonitor.views import Answer, Question, Sources, answer_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import msgspec
    from sqlalchemy import Connection

    from collectors.disk.views.selection import Run
    from dkumonitor.views import Viewer

_COUNTS = ("files", "apparent_bytes", "allocated_bytes")
_FILE = ("path", "uid", "apparent_bytes", "allocated_bytes", "atime_seconds", "mtime_seconds")


def ages(connection: Connection, _: Viewer, run: Run) -> list[AgeRow]:
    """Files by how long ago they were used, the newest first; those of the future stand last."""
    found = [AgeRow(from_days=low, to_days=high, **counts) for low, high, counts in _buckets(connection, run, "age")]
    return [row for row in found if row.from_days is not None] + [row for row in found if row.from_days is None]


def sizes(connection: Connection, _: Viewer, run: Run) -> list[SizeRow]:
    """Files by their size, the smallest first."""
    return [
        SizeRow(from_bytes=low or 0, to_bytes=high, **counts) for low, high, counts in _buckets(connection, run, "size")
    ]


def _buckets(connection: Connection, run: Run, kind: str) -> list[tuple[int | None, int | None, dict[str, int]]]:
    c = tables.buckets.c
    wanted = sa.select(c.lower, c.upper, *(c[name] for name in _COUNTS)).where(c.run_id == run.id, c.kind == kind)
    rows = connection.execute(wanted.order_by(c.number)).mappings()
    return [(row["lower"], row["upper"], {name: row[name] for name in _COUNTS}) for row in rows]


def top_files(connection: Connection, viewer: Viewer, run: Run) -> list[TopFileRow]:
    """The largest files."""
    c = tables.top_files.c
    wanted = (
        sa.select(*(c[name] for name in _FILE)).where(c.run_id == run.id).order_by(c.allocated_bytes.desc(), c.number)
    )
    found = connection.execute(wanted).mappings().all()
    names = Owners(connection, viewer).of(run.host, {row["uid"] for row in found})
    return [TopFileRow(**row, login=names[row["uid"]].login) for row in found]


def errors(connection: Connection, _: Viewer, run: Run) -> list[ErrorRow]:
    """What could not be read, the most frequent first."""
    c = tables.errors.c
    wanted = sa.select(c.kind, c["count"], c.example).where(c.run_id == run.id).order_by(c["count"].desc(), c.kind)
    return [ErrorRow(kind=kind, count=count, example=example) for kind, count, example in connection.execute(wanted)]


def asking(
    rows: Callable[[Connection, Viewer, Run], Sequence[msgspec.Struct]],
) -> Callable[[Sources, Question], Answer]:
    """What answers a listing of one of these."""

    def ask(sources: Sources, question: Question) -> Answer:
        with sources.store.reading() as connection:
            run = run_of(connection, sources.of(RunChoice))
            return answer_rows(rows(connection, sources.viewer, run) if run is not None else [], question)

    return ask
