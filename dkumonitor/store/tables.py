"""The table of people: what each feed says about each of them. Who a person is, all feeds together, is in people.py."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from dkumonitor.store.migrations import Component
from dkumonitor.store.types import AnyText, UtcSeconds

LOGIN_MAX = 255
MAIL_MAX = 320
REAL_NAME_MAX = 500
STUDENT_ID_MAX = 100
ADDRESSES_MAX = 2000

metadata = sa.MetaData()

people = sa.Table(
    "people",
    metadata,
    sa.Column("source", AnyText(16), primary_key=True),
    sa.Column("host", AnyText(100), primary_key=True),
    sa.Column("login", AnyText(LOGIN_MAX), primary_key=True),
    sa.Column("uid", sa.BigInteger),
    sa.Column("mail", AnyText(MAIL_MAX)),
    sa.Column("real_name", AnyText(REAL_NAME_MAX)),
    sa.Column("student_id", AnyText(STUDENT_ID_MAX)),
    sa.Column("addresses", AnyText(ADDRESSES_MAX)),
    sa.Column("changed_seconds", UtcSeconds, nullable=False),
    sa.Index("people_login", "login"),
    sa.Index("people_uid", "uid"),
)

COMPONENT = Component("people", metadata, Path(__file__).parent / "revisions")
