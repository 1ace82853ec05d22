"""The tables of accounts, sessions, tokens, failed sign-ins and the audit log. Times are UTC seconds."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from dkumonitor.store.migrations import Component
from dkumonitor.store.retention import Retention
from dkumonitor.store.types import AnyText

# AnyText takes two places for a few rare characters: these columns are twice as wide as what is written into them.
metadata = sa.MetaData()

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("login", sa.String(64), nullable=False, unique=True),
    sa.Column("password_hash", sa.String(255), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("real_names", sa.Boolean, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("theme", sa.String(8), nullable=False),
    sa.Column("created_seconds", sa.BigInteger, nullable=False),
    sa.Column("password_changed_seconds", sa.BigInteger, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created_seconds", sa.BigInteger, nullable=False),
    sa.Column("seen_seconds", sa.BigInteger, nullable=False),
    sa.Column("names_until_seconds", sa.BigInteger, nullable=False),
    sa.Column("address", AnyText(128), nullable=False),
    sa.Column("browser", AnyText(400), nullable=False),
    sa.Column("message", AnyText(1000), nullable=False),
    sa.Index("sessions_account_id", "account_id"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", AnyText(200), nullable=False),
    sa.Column("scope", sa.String(8), nullable=False),
    sa.Column("created_seconds", sa.BigInteger, nullable=False),
    sa.Column("expires_seconds", sa.BigInteger),
    sa.Column("used_seconds", sa.BigInteger),
    sa.Index("tokens_account_id", "account_id"),
)

failures = sa.Table(
    "sign_in_failures",
    metadata,
    sa.Column("subject", sa.String(80), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_seconds", sa.BigInteger, nullable=False),
    sa.Index("sign_in_failures_last", "last_seconds"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at_seconds", sa.BigInteger, nullable=False),
    sa.Column("login", AnyText(128), nullable=False),
    sa.Column("address", AnyText(128), nullable=False),
    sa.Column("act", sa.String(40), nullable=False),
    sa.Column("about", AnyText(1000), nullable=False),
    sa.Index("audit_at", "at_seconds"),
)

COMPONENT = Component(
    "accounts", metadata, Path(__file__).parent / "migrations", (Retention(audit, "at_seconds", "audit", 730),)
)
