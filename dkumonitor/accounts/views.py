"""Accounts, sessions, tokens and the audit log as listings: for pages, API and command alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import sqlalchemy as sa

from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tables import accounts, audit, sessions, tokens
from dkumonitor.store.listing import answer_select
from dkumonitor.views import Answer, Listing, Moment, Question, Sources

if TYPE_CHECKING:
    from collections.abc import Sequence

R = TypeVar("R", bound=msgspec.Struct)


class AccountRow(msgspec.Struct, frozen=True):
    """An account; `seen_seconds` is its sessions' last request."""

    login: str
    role: str
    real_names: bool
    disabled: bool
    created_seconds: Moment
    password_changed_seconds: Moment
    seen_seconds: Moment | None


class SessionRow(msgspec.Struct, frozen=True):
    """A session; `seen_seconds` is its last request, to the minute."""

    id: int
    login: str
    address: str
    browser: str
    created_seconds: Moment
    seen_seconds: Moment


class TokenRow(msgspec.Struct, frozen=True):
    """A token, without what it is made of."""

    id: int
    login: str
    name: str
    scope: str
    created_seconds: Moment
    expires_seconds: Moment | None
    used_seconds: Moment | None


class AuditRow(msgspec.Struct, frozen=True):
    """A line of the audit log."""

    id: int
    at_seconds: Moment
    login: str
    address: str
    act: str
    about: str


def _answer(
    sources: Sources,
    question: Question,
    row_type: type[msgspec.Struct],
    wanted: sa.Select[Any],
    searchable: Sequence[str],
) -> Answer:
    with sources.store.reading() as connection:
        return answer_select(connection, wanted, row_type, question, searchable)


def _accounts(sources: Sources, question: Question) -> Answer:
    seen = sa.select(sa.func.max(sessions.c.seen_seconds)).where(sessions.c.account_id == accounts.c.id)
    wanted = sa.select(
        accounts.c.login,
        accounts.c.role,
        accounts.c.real_names,
        accounts.c.disabled,
        accounts.c.created_seconds,
        accounts.c.password_changed_seconds,
        seen.scalar_subquery().label("seen_seconds"),
    )
    return _answer(sources, question, AccountRow, wanted, ("login", "role"))


def _sessions(sources: Sources, question: Question) -> Answer:
    return _answer(sources, question, SessionRow, _sessions_of(sources), ("login", "address", "browser"))


def _sessions_of(sources: Sources) -> sa.Select[Any]:
    own = (sessions.c[name] for name in SessionRow.__struct_fields__ if name != "login")
    return _own(sources, sa.select(*own, accounts.c.login).join_from(sessions, accounts))


def _tokens(sources: Sources, question: Question) -> Answer:
    return _answer(sources, question, TokenRow, _tokens_of(sources), ("login", "name", "scope"))


def _tokens_of(sources: Sources) -> sa.Select[Any]:
    own = (tokens.c[name] for name in TokenRow.__struct_fields__ if name != "login")
    return _own(sources, sa.select(*own, accounts.c.login).join_from(tokens, accounts))


def session_row(sources: Sources, number: int) -> SessionRow | None:
    """One session, where the viewer may see it."""
    return _one(sources, _sessions_of(sources).where(sessions.c.id == number), SessionRow)


def token_row(sources: Sources, number: int) -> TokenRow | None:
    """One token, where the viewer may see it."""
    return _one(sources, _tokens_of(sources).where(tokens.c.id == number), TokenRow)


def _one(sources: Sources, wanted: sa.Select[Any], row_type: type[R]) -> R | None:
    with sources.store.reading() as connection:
        row = connection.execute(wanted).one_or_none()
    return None if row is None else row_type(**row._mapping)  # noqa: SLF001  SQLAlchemy's name for it


def _own(sources: Sources, wanted: sa.Select[Any]) -> sa.Select[Any]:
    """An admin sees everybody's, anybody else the own."""
    viewer = sources.viewer
    return wanted if viewer.role.may(Role.ADMIN) else wanted.where(accounts.c.login == viewer.login)


def _audit(sources: Sources, question: Question) -> Answer:
    return _answer(sources, question, AuditRow, sa.select(audit), ("login", "address", "act", "about"))


ACCOUNTS = Listing(
    name="accounts",
    title="Accounts",
    summary="Who may sign in, and what each may do.",
    row_type=AccountRow,
    ask=_accounts,
    role=Role.ADMIN,
    sort="login",
    links={"login": lambda row: f"/accounts/{row.login}"},
)
SESSIONS = Listing(
    name="sessions",
    title="Sessions",
    summary="Who is signed in, from where. You see your own; an admin sees all.",
    row_type=SessionRow,
    ask=_sessions,
    sort="seen_seconds",
    descending=True,
    links={"id": lambda row: f"/sessions/{row.id}"},
)
TOKENS = Listing(
    name="tokens",
    title="Tokens",
    summary="What programs sign in with. You see your own; an admin sees all.",
    row_type=TokenRow,
    ask=_tokens,
    sort="created_seconds",
    descending=True,
    empty="No token yet. Make one above, or by `dkm token create NAME`.",
    links={"name": lambda row: f"/tokens/{row.id}"},
)
AUDIT = Listing(
    name="audit",
    title="Audit log",
    summary="Who did what, when, from where.",
    row_type=AuditRow,
    ask=_audit,
    role=Role.ADMIN,
    sort="id",
    descending=True,
)
LISTINGS = (ACCOUNTS, SESSIONS, TOKENS, AUDIT)
