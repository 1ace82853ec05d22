"""Tokens: made and revoked by whom they belong to; an admin revokes any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from console import access, tables
from console.refused import Refused
from console.routing import action, api, body_of, form, page, see_other
from console.show import show, sources, tell
from console.state import state_of
from dkumonitor.accounts import tokens
from dkumonitor.accounts.audit import note
from dkumonitor.accounts.errors import AccountError
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tokens import Scope
from dkumonitor.accounts.views import TOKENS, token_row
from dkumonitor.text import printable

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

_PATH = "/tokens/{id:number}"
_DAYS = 90


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to make; without days it lasts for ever."""

    name: str
    scope: Scope = Scope.READ
    days: int | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A token, which can't be had again."""

    id: int
    token: str


def show_tokens(request: Request) -> Response:
    """The tokens that this viewer may see, and the form for a new one."""
    return show(
        request,
        "tokens.html",
        title="Tokens",
        scopes=[(scope.value, scope.value) for scope in _scopes(request)],
        days=_DAYS,
        max_days=tokens.MAX_DAYS,
        table=tables.drawn(request, TOKENS.name),
    )


def show_token(request: Request) -> Response:
    """One token."""
    row = token_row(sources(request), request.path_params["id"])
    if row is None:
        raise Refused("not-there", "There is no such token.")
    return show(request, "token.html", title=f"Token {printable(row.name)}", row=row)


def create(request: Request) -> Response:
    """Make a token, and show it, once."""
    fields = form(request)
    made = _create(
        request,
        NewToken(
            name=fields.get("name", ""), scope=_scope(fields.get("scope", "")), days=_number(fields.get("days", ""))
        ),
    )
    told = "The token. Keep it now: it is not shown again."
    return show(request, "secret.html", title="Token", secret=made.token, told=told, back="/tokens")


def revoke(request: Request) -> Response:
    """Remove a token."""
    tell(request, f"The token {printable(_revoke(request))} is revoked.")
    return see_other("/tokens")


def api_create(request: Request) -> Made:
    """Make a token."""
    return _create(request, body_of(request, NewToken))


def api_revoke(request: Request) -> None:
    """Remove a token."""
    _revoke(request)


def _create(request: Request, wanted: NewToken) -> Made:
    if wanted.scope not in _scopes(request):
        raise Refused("not-allowed", f"You cannot make a token of the scope {wanted.scope.value}.")
    identity = access.identity_of(request)
    actor = access.actor_of(request)

    def act(connection: Connection) -> Made:
        number, token = tokens.create(
            connection, identity.account_id, wanted.name, wanted.scope, days=wanted.days, now_seconds=actor.now_seconds
        )
        note(connection, actor, "token-created", f"{number} {wanted.name}, {wanted.scope.value}")
        return Made(id=number, token=token)

    return state_of(request).store.write(act)


def _revoke(request: Request) -> str:
    number: int = request.path_params["id"]
    identity = access.identity_of(request)
    actor = access.actor_of(request)
    whose = None if identity.viewer.role.may(Role.ADMIN) else identity.account_id

    def act(connection: Connection) -> str | None:
        name = tokens.revoke(connection, number, whose)
        if name is not None:
            note(connection, actor, "token-revoked", f"{number} {name}")
        return name

    name = state_of(request).store.write(act)
    if name is None:
        raise Refused("not-there", "There is no such token.")
    return name


def _scopes(request: Request) -> list[Scope]:
    """What this viewer may give away. A token makes others only with the scope admin, or it would outlive its end."""
    identity = access.identity_of(request)
    if identity.token is not None and identity.token.scope is not Scope.ADMIN:
        return []
    return list(Scope) if identity.viewer.role.may(Role.ADMIN) else [Scope.READ, Scope.WRITE]


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise AccountError("there is no such scope", f"Take one of {', '.join(Scope)}") from None


def _number(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise AccountError("the days are no number", "Write a number, or nothing for ever") from None


LISTINGS = (TOKENS,)
ROUTES = (
    page("/tokens", show_tokens, title="Tokens", order=330),
    page(_PATH, show_token),
    action("/tokens", create),
    action(f"{_PATH}/revoke", revoke),
    api("/tokens", api_create, method="POST", summary="Make a token.", body=NewToken, answer=Made),
    api(_PATH, api_revoke, method="DELETE", summary="Revoke a token."),
)
