"""Sessions: who is signed in from which browser. The store keeps a hash of the cookie, never the cookie itself."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tables import accounts, sessions

if TYPE_CHECKING:
    from sqlalchemy import Connection

NAMES_SECONDS = 900
_KEY_BYTES = 32


class Limits(msgspec.Struct, frozen=True):
    """How long a session lasts: unused at most `idle_seconds`, in all at most `absolute_seconds`."""

    idle_seconds: int
    absolute_seconds: int


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is valid, with its account's present rights.

    Attributes:
        csrf: what each of its forms carries.
        names_until_seconds: until when real names are shown; in the past where they are not.
        message: what the next page should tell, empty for nothing.
    """

    id: int
    account_id: int
    login: str
    role: Role
    real_names: bool
    theme: str
    csrf: str
    seen_seconds: int
    names_until_seconds: int
    message: str

    def sees_names(self, now_seconds: float) -> bool:
        """Whether real names are unlocked: by a right that the account still has, and not long ago."""
        return self.real_names and now_seconds < self.names_until_seconds


def start(connection: Connection, account_id: int, now_seconds: int, address: str, browser: str) -> str:
    """Begin a session and return what its cookie holds: always a new random value, whatever the browser came with."""
    key = secrets.token_urlsafe(_KEY_BYTES)
    connection.execute(
        sessions.insert().values(
            key_hash=_hash(key),
            account_id=account_id,
            csrf=secrets.token_urlsafe(_KEY_BYTES),
            created_seconds=now_seconds,
            seen_seconds=now_seconds,
            names_until_seconds=0,
            address=address[:64],
            browser=browser[:200],
            message="",
        )
    )
    return key


def find(connection: Connection, key: str, now_seconds: int, limits: Limits) -> Session | None:
    """The session of a cookie, or None where it is unknown, expired, revoked, or its account disabled."""
    row = connection.execute(
        sa.select(
            sessions.c.id,
            sessions.c.account_id,
            sessions.c.csrf,
            sessions.c.seen_seconds,
            sessions.c.names_until_seconds,
            sessions.c.message,
            accounts.c.login,
            accounts.c.role,
            accounts.c.real_names,
            accounts.c.theme,
        )
        .join_from(sessions, accounts)
        .where(
            sessions.c.key_hash == _hash(key),
            sessions.c.seen_seconds > now_seconds - limits.idle_seconds,
            sessions.c.created_seconds > now_seconds - limits.absolute_seconds,
            accounts.c.disabled == sa.false(),
        )
    ).one_or_none()
    return None if row is None else Session(**{**row._mapping, "role": Role(row.role)})  # noqa: SLF001  SQLAlchemy's name for it


def touch(connection: Connection, session_id: int, now_seconds: int) -> None:
    """Remember that a session was used."""
    connection.execute(sessions.update().where(sessions.c.id == session_id).values(seen_seconds=now_seconds))


def tell(connection: Connection, session_id: int, message: str) -> None:
    """Keep what the session's next page tells; empty for nothing."""
    connection.execute(sessions.update().where(sessions.c.id == session_id).values(message=message[:500]))


def show_names(connection: Connection, session_id: int, until_seconds: int) -> None:
    """Unlock real names until then; 0 hides them."""
    connection.execute(sessions.update().where(sessions.c.id == session_id).values(names_until_seconds=until_seconds))


def revoke_key(connection: Connection, key: str) -> None:
    """End the session of a cookie, if there is one."""
    connection.execute(sessions.delete().where(sessions.c.key_hash == _hash(key)))


def revoke(connection: Connection, session_id: int, account_id: int | None = None) -> bool:
    """End a session; with `account_id` only one of that account. Whether there was one."""
    wanted = [sessions.c.id == session_id]
    if account_id is not None:
        wanted.append(sessions.c.account_id == account_id)
    return connection.execute(sessions.delete().where(*wanted)).rowcount > 0


def revoke_all(connection: Connection, account_id: int, but: int | None = None) -> None:
    """End every session of an account, `but` one."""
    wanted = [sessions.c.account_id == account_id]
    if but is not None:
        wanted.append(sessions.c.id != but)
    connection.execute(sessions.delete().where(*wanted))


def remove_expired(connection: Connection, now_seconds: int, limits: Limits) -> int:
    """Remove sessions that nobody can use any more, and say how many."""
    return connection.execute(
        sessions.delete().where(
            sa.or_(
                sessions.c.seen_seconds <= now_seconds - limits.idle_seconds,
                sessions.c.created_seconds <= now_seconds - limits.absolute_seconds,
            )
        )
    ).rowcount


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
