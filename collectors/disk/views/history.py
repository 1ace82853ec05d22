"""Runs: every one there was, searched, sorted and cut by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.views.choices import HistoryChoice
from collectors.disk.views.rows import RunRow
from collectors.disk.views.systems import UNKNOWN
from dkumonitor.errors import NoSuchError
from dkumonitor.store.listing import answer_select

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dkumonitor.views import Answer, Question, Sources

_RUN = tables.runs.c
# A run that failed before it saw the file system knows nothing of its level.
_LEVEL = sa.case((_RUN.used_percent.is_(None), UNKNOWN), else_=_RUN.level).label("level")
_COLUMNS = [_LEVEL if name == "level" else _RUN[name] for name in RunRow.__struct_fields__]


def ask_history(sources: Sources, question: Question) -> Answer:
    """The listing of runs."""
    choice = sources.of(HistoryChoice)
    wanted = sa.select(*_COLUMNS)
    if choice.task:
        wanted = wanted.where(tables.runs.c.task == choice.task)
    if choice.kind:
        wanted = wanted.where(tables.runs.c.kind == choice.kind)
    with sources.store.reading() as connection:
        return answer_select(connection, wanted, RunRow, question, ("task", "host", "path", "kind", "state", "detail"))


def one_run(connection: Connection, number: int) -> RunRow:
    """A run of any kind by its number.

    Raises:
        NoSuchError: there is none.
    """
    row = connection.execute(sa.select(*_COLUMNS).where(tables.runs.c.id == number)).mappings().first()
    if row is None:
        raise NoSuchError(f"there is no run {number}", "See `dkm disk view history`")
    return RunRow(**row)
