"""Accounts, sessions, tokens, failed sign-ins, and the audit log."""

import sqlalchemy as sa

from dkumonitor.store.steps import create_index, create_table
from dkumonitor.store.types import AnyText

revision = "0001"
down_revision = None


def _account_id() -> sa.Column[int]:
    return sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    create_table(
        "accounts",
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
    create_table(
        "sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
        _account_id(),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created_seconds", sa.BigInteger, nullable=False),
        sa.Column("seen_seconds", sa.BigInteger, nullable=False),
        sa.Column("names_until_seconds", sa.BigInteger, nullable=False),
        sa.Column("address", AnyText(128), nullable=False),
        sa.Column("browser", AnyText(400), nullable=False),
        sa.Column("message", AnyText(1000), nullable=False),
    )
    create_index("sessions_account_id", "sessions", ["account_id"])
    create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
        _account_id(),
        sa.Column("name", AnyText(200), nullable=False),
        sa.Column("scope", sa.String(8), nullable=False),
        sa.Column("created_seconds", sa.BigInteger, nullable=False),
        sa.Column("expires_seconds", sa.BigInteger),
        sa.Column("used_seconds", sa.BigInteger),
    )
    create_index("tokens_account_id", "tokens", ["account_id"])
    create_table(
        "sign_in_failures",
        sa.Column("subject", sa.String(80), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_seconds", sa.BigInteger, nullable=False),
    )
    create_index("sign_in_failures_last", "sign_in_failures", ["last_seconds"])
    create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at_seconds", sa.BigInteger, nullable=False),
        sa.Column("login", AnyText(128), nullable=False),
        sa.Column("address", AnyText(128), nullable=False),
        sa.Column("act", sa.String(40), nullable=False),
        sa.Column("about", AnyText(1000), nullable=False),
    )
    create_index("audit_at", "audit", ["at_seconds"])
