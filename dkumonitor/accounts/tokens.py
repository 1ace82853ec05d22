"""API tokens: `dkm_` and 32 random bytes, shown once. The store keeps their SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from dkumonitor.accounts.errors import AccountError
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tables import accounts, tokens

if TYPE_CHECKING:
    from sqlalchemy import Connection

PREFIX = "dkm_"
MAX_DAYS = 3650
MAX_NAME = 100
_DAY_SECONDS = 86400
_BYTES = 32


class Scope(StrEnum):
    """What a token may do at most; never more than its account may at that moment.

    ``read`` reads what a viewer sees and changes nothing, ``write`` also does what an operator does, ``admin`` all.
    """

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def role(self, of_account: Role) -> Role:
        """The role that a token of this scope has for an account of that role."""
        most = {Scope.READ: Role.VIEWER, Scope.WRITE: Role.OPERATOR, Scope.ADMIN: Role.ADMIN}[self]
        return most if of_account.may(most) else of_account


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token that is valid, and the account it acts for."""

    id: int
    account_id: int
    login: str
    role: Role
    scope: Scope
    used_seconds: int | None


def create(
    connection: Connection, account_id: int, name: str, scope: Scope, *, days: int | None, now_seconds: int
) -> tuple[int, str]:
    """Make a token and return its number and the token itself, which can't be had again.

    Args:
        connection: a writing transaction.
        account_id: whose it is.
        name: what it is for, 1 to 100 characters.
        scope: what it may do at most.
        days: for how long; None for ever.
        now_seconds: the time.

    Raises:
        AccountError: the name or the days are out of bounds.
    """
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME:
        raise AccountError("the token's name is empty or too long", f"Take 1 to {MAX_NAME} characters")
    if days is not None and not 0 < days <= MAX_DAYS:
        raise AccountError(f"a token cannot last {days} days", f"Take 1 to {MAX_DAYS}, or none for ever")
    key = PREFIX + secrets.token_urlsafe(_BYTES)
    connection.execute(
        tokens.insert().values(
            key_hash=_hash(key),
            account_id=account_id,
            name=name,
            scope=scope.value,
            created_seconds=now_seconds,
            expires_seconds=None if days is None else now_seconds + days * _DAY_SECONDS,
            used_seconds=None,
        )
    )
    number = connection.execute(sa.select(tokens.c.id).where(tokens.c.key_hash == _hash(key))).scalar_one()
    return int(number), key


def find(connection: Connection, key: str, now_seconds: int) -> Token | None:
    """The token, or None where it is unknown, expired, revoked, or its account disabled."""
    if not key.startswith(PREFIX):
        return None
    row = connection.execute(
        sa.select(
            tokens.c.id, tokens.c.account_id, tokens.c.scope, tokens.c.used_seconds, accounts.c.login, accounts.c.role
        )
        .join_from(tokens, accounts)
        .where(
            tokens.c.key_hash == _hash(key),
            sa.or_(tokens.c.expires_seconds.is_(None), tokens.c.expires_seconds > now_seconds),
            accounts.c.disabled == sa.false(),
        )
    ).one_or_none()
    if row is None:
        return None
    scope = Scope(row.scope)
    return Token(
        id=row.id,
        account_id=row.account_id,
        login=row.login,
        role=scope.role(Role(row.role)),
        scope=scope,
        used_seconds=row.used_seconds,
    )


def touch(connection: Connection, token_id: int, now_seconds: int) -> None:
    """Remember that a token was used."""
    connection.execute(tokens.update().where(tokens.c.id == token_id).values(used_seconds=now_seconds))


def revoke(connection: Connection, token_id: int, account_id: int | None = None) -> str | None:
    """Remove a token; with `account_id` only one of that account. Its name, or None where there is none."""
    wanted = [tokens.c.id == token_id]
    if account_id is not None:
        wanted.append(tokens.c.account_id == account_id)
    name = connection.execute(sa.select(tokens.c.name).where(*wanted)).scalar_one_or_none()
    if name is not None:
        connection.execute(tokens.delete().where(*wanted))
    return name


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
