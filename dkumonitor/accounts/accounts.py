"""Accounts: the one writer of who may sign in. Pages, API and command all come through here; each change is audited."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from dkumonitor.accounts import sessions
from dkumonitor.accounts.audit import Actor, note
from dkumonitor.accounts.errors import AccountError, NotThereError
from dkumonitor.accounts.passwords import Hashing, check_new
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tables import accounts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dkumonitor.store.engine import Store

FIRST_ADMIN = "admin"
THEMES = ("auto", "light", "dark")
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}\Z")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account, without its password's hash."""

    id: int
    login: str
    role: Role
    real_names: bool
    disabled: bool
    theme: str


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is changed of an account; None leaves it as it is."""

    role: Role | None = None
    real_names: bool | None = None
    disabled: bool | None = None


def login_of(text: str) -> str:
    """A login as it is kept: small letters.

    Raises:
        AccountError: it is none: 1 to 64 of a-z, 0-9, ``.``, ``_``, ``@``, ``-``, beginning with a letter or digit.
    """
    login = text.strip().lower()
    if not _LOGIN.match(login):
        raise AccountError("that is no login", "Take 1 to 64 of a-z, 0-9, '.', '_', '@', '-', a letter or digit first")
    return login


def find(connection: Connection, login: str) -> Account:
    """The account of a login.

    Raises:
        NotThereError: there is none.
    """
    row = connection.execute(_select().where(accounts.c.login == _as_kept(login))).one_or_none()
    if row is None:
        raise NotThereError("there is no account of that login", "See `dkm account list` or the page Accounts")
    return _account(row)


def password_hash(connection: Connection, login: str) -> tuple[Account | None, str | None]:
    """The account that may sign in with this login and its hash, or (None, None)."""
    row = connection.execute(
        _select(accounts.c.password_hash).where(accounts.c.login == _as_kept(login), accounts.c.disabled == sa.false())
    ).one_or_none()
    return (None, None) if row is None else (_account(row), row.password_hash)


def add(
    store: Store, hashing: Hashing, actor: Actor, login: str, password: str, *, role: Role, real_names: bool = False
) -> Account:
    """Make an account.

    Raises:
        AccountError: the login is none or is taken, or the password may not be one.
    """
    login = login_of(login)
    check_new(password, login)
    hashed = hashing.hash(password)

    def act(connection: Connection) -> Account:
        if connection.execute(sa.select(accounts.c.id).where(accounts.c.login == login)).first() is not None:
            raise AccountError(f"there is an account {login!r} already", "Take another login, or change that account")
        _insert(connection, actor, login, hashed, role, real_names=real_names)
        note(connection, actor, "account-added", f"{login}, {role}{', real names' if real_names else ''}")
        return find(connection, login)

    return store.write(act)


def change(store: Store, actor: Actor, login: str, wanted: Change) -> Account:
    """Change role, right or being disabled. A disabled account's sessions end at once.

    Raises:
        NotThereError: there is no such account.
        AccountError: it is the last admin that would be left.
    """

    def act(connection: Connection) -> Account:
        before = find(connection, login)
        values = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
        after = msgspec.structs.replace(before, **values)
        if before.role is Role.ADMIN and not before.disabled and (after.role is not Role.ADMIN or after.disabled):
            _not_the_last(connection, before)
        if after == before:
            return before
        connection.execute(
            accounts.update()
            .where(accounts.c.id == before.id)
            .values(role=after.role.value, real_names=after.real_names, disabled=after.disabled)
        )
        if after.disabled:
            sessions.revoke_all(connection, before.id)
        told = (f"{name} {getattr(before, name)} -> {value}" for name, value in values.items())
        note(connection, actor, "account-changed", f"{before.login}: {', '.join(told)}")
        return after

    return store.write(act)


def remove(store: Store, actor: Actor, login: str) -> None:
    """Remove an account with its sessions and tokens.

    Raises:
        NotThereError: there is no such account.
        AccountError: it is the last admin.
    """

    def act(connection: Connection) -> None:
        account = find(connection, login)
        if account.role is Role.ADMIN and not account.disabled:
            _not_the_last(connection, account)
        connection.execute(accounts.delete().where(accounts.c.id == account.id))
        note(connection, actor, "account-removed", account.login)

    store.write(act)


def set_password(
    store: Store, hashing: Hashing, actor: Actor, login: str, password: str, *, keep_session: int | None = None
) -> None:
    """Give an account a password; its sessions end, but the one to keep.

    Raises:
        NotThereError: there is no such account.
        AccountError: the password may not be one.
    """
    with store.reading() as connection:
        account = find(connection, login)
    check_new(password, account.login)
    hashed = hashing.hash(password)

    def act(connection: Connection) -> None:
        connection.execute(
            accounts.update()
            .where(accounts.c.id == account.id)
            .values(password_hash=hashed, password_changed_seconds=actor.now_seconds)
        )
        sessions.revoke_all(connection, account.id, keep_session)
        note(connection, actor, "password-changed", account.login)

    store.write(act)


def set_theme(store: Store, account_id: int, theme: str) -> None:
    """Remember how an account likes its pages.

    Raises:
        AccountError: there is no such theme.
    """
    if theme not in THEMES:
        raise AccountError("there is no such theme", f"Take one of {', '.join(THEMES)}")
    store.write(
        lambda connection: (
            connection.execute(accounts.update().where(accounts.c.id == account_id).values(theme=theme)) and None
        )
    )


def ensure_first_admin(store: Store, hashing: Hashing, password: str, now_seconds: int) -> bool:
    """Make the account ``admin`` where there is no account at all, and say whether it was made."""
    hashed = hashing.hash(password)

    def act(connection: Connection) -> bool:
        if connection.execute(sa.select(accounts.c.id).limit(1)).first() is not None:
            return False
        actor = Actor("setup", "command", now_seconds)
        _insert(connection, actor, FIRST_ADMIN, hashed, Role.ADMIN, real_names=True)
        note(connection, actor, "account-added", f"{FIRST_ADMIN}, {Role.ADMIN}, real names")
        return True

    return store.write(act)


def opens(store: Store, hashing: Hashing, login: str, password: str) -> bool:
    """Whether a password is that of an account that may sign in."""
    with store.reading() as connection:
        _, hashed = password_hash(connection, login)
    return hashing.check(password, hashed)


def _as_kept(login: str) -> str:
    """A login as it would be kept, or what no account has: to some servers other letters are the same as ours."""
    login = login.strip().lower()
    return login if _LOGIN.match(login) else ""


def _insert(connection: Connection, actor: Actor, login: str, hashed: str, role: Role, *, real_names: bool) -> None:
    connection.execute(
        accounts.insert().values(
            login=login,
            password_hash=hashed,
            role=role.value,
            real_names=real_names,
            disabled=False,
            theme="auto",
            created_seconds=actor.now_seconds,
            password_changed_seconds=actor.now_seconds,
        )
    )


def _not_the_last(connection: Connection, account: Account) -> None:
    others = sa.select(accounts.c.id).where(
        accounts.c.role == Role.ADMIN.value, accounts.c.disabled == sa.false(), accounts.c.id != account.id
    )
    if connection.execute(others.limit(1)).first() is None:
        raise AccountError(f"{account.login!r} is the last admin", "Make another account an admin first")


def _select(*more: sa.Column[str]) -> sa.Select[tuple[object, ...]]:
    own = (accounts.c[name] for name in Account.__struct_fields__)
    return sa.select(*own, *more)


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    values = {name: row._mapping[name] for name in Account.__struct_fields__}  # noqa: SLF001  SQLAlchemy's name for it
    return Account(**{**values, "role": Role(values["role"])})
