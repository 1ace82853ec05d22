"""A component of the tests' own, with a column of each kind."""

from __future__ import annotations

from pathlib import Path

import msgspec
import sqlalchemy as sa

from dkumonitor.store.migrations import Component
from dkumonitor.store.retention import Retention
from dkumonitor.store.types import AnyText, path_bytes

metadata = sa.MetaData()
records = sa.Table(
    "records",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("writer", sa.Integer, nullable=False),
    sa.Column("name", AnyText(300)),
    sa.Column("path", path_bytes(2000)),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("share_percent", sa.Double),
    sa.Column("done", sa.Boolean),
    sa.Column("at_seconds", sa.BigInteger, nullable=False),
    sa.Index("records_at", "at_seconds"),
)
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("record_id", sa.Integer, sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("mark", AnyText(100), primary_key=True),
)
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", AnyText(50), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
COMPONENT = Component(
    "records",
    metadata,
    Path(__file__).parent / "revisions",
    (Retention(records, "at_seconds", "records", 30),),
)


class Record(msgspec.Struct, frozen=True):
    """A row of the table as a listing shows it."""

    id: int
    writer: int
    name: str | None
    path: bytes | None
    size_bytes: int | None
    share_percent: float | None
    done: bool | None
    at_seconds: int
