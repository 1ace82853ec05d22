"""Who asks, and whether they may: a session's cookie or a token, the role, and proof that a change is meant."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import msgspec

from console.refused import Refused
from console.state import state_of
from dkumonitor.accounts import sessions, tokens
from dkumonitor.accounts.audit import Actor
from dkumonitor.views import Viewer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from dkumonitor.accounts.roles import Role

COOKIE = "dkm_session"
SAFE_METHODS = frozenset({"GET", "HEAD"})
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
_TOUCH_SECONDS = 60
_NOBODY_MAY = "Ask an admin for the role {role}, or sign in as somebody who has it."


class Identity(msgspec.Struct, frozen=True):
    """Who asks: by exactly one of a session and a token."""

    account_id: int
    viewer: Viewer
    session: sessions.Session | None
    token: tokens.Token | None


def cookie_name(request: Request) -> str:
    """The cookie's name; under TLS with the prefix that binds it to this host and to TLS."""
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def is_secure(request: Request) -> bool:
    """Whether the browser speaks TLS to this installation."""
    return state_of(request).installation.tls


def address_of(request: Request) -> str:
    """Where a request came from."""
    return request.client.host if request.client else "?"


def identify(request: Request) -> Identity | None:
    """Who asks, or None. A token that is sent must be right, whatever cookie comes with it.

    Raises:
        Refused: the ``Authorization`` header holds no valid token.
    """
    header = request.headers.get("authorization")
    if header is not None:
        return _by_token(request, header)
    key = request.cookies.get(cookie_name(request))
    return _by_session(request, key) if key else None


def _by_session(request: Request, key: str) -> Identity | None:
    state = state_of(request)
    now_seconds = int(state.clock())
    with state.store.reading() as connection:
        session = sessions.find(connection, key, now_seconds, state.limits)
    if session is None:
        return None
    if now_seconds - session.seen_seconds >= _TOUCH_SECONDS:
        state.store.write(lambda connection: sessions.touch(connection, session.id, now_seconds))
    viewer = Viewer(session.login, session.role, session.sees_names(now_seconds))
    return Identity(session.account_id, viewer, session, None)


def _by_token(request: Request, header: str) -> Identity:
    state = state_of(request)
    now_seconds = int(state.clock())
    kind, _, key = header.partition(" ")
    token = None
    if kind.lower() == "bearer":
        with state.store.reading() as connection:
            token = tokens.find(connection, key.strip(), now_seconds)
    if token is None:
        raise Refused("sign-in-needed", "The token is unknown, expired or revoked.", {"WWW-Authenticate": "Bearer"})
    if token.used_seconds is None or now_seconds - token.used_seconds >= _TOUCH_SECONDS:
        number = token.id
        state.store.write(lambda connection: tokens.touch(connection, number, now_seconds))
    return Identity(token.account_id, Viewer(token.login, token.role), None, token)


def check_role(identity: Identity, role: Role) -> None:
    """Let pass who has the role.

    Raises:
        Refused: not allowed.
    """
    if not identity.viewer.role.may(role):
        raise Refused("not-allowed", _NOBODY_MAY.format(role=role.value))


def check_change(request: Request, identity: Identity, form: Mapping[str, str]) -> None:
    """Let a change pass that its sender meant: by a token that may write, or by the session's own secret and origin.

    Raises:
        Refused: no such proof.
    """
    if identity.token is not None:
        if identity.token.scope is tokens.Scope.READ:
            raise Refused("not-allowed", "The token's scope is read; make one with the scope write or admin.")
        return
    check_origin(request)
    sent = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD, "")
    session = cast("sessions.Session", identity.session)
    if not hmac.compare_digest(sent.encode(), session.csrf.encode()):
        raise Refused("no-proof-of-origin", "Load the page again and repeat what you did.")


def check_origin(request: Request) -> None:
    """Let a request pass that does not come from another site, as far as the browser tells.

    Raises:
        Refused: it comes from another site.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        raise Refused("no-proof-of-origin", "The request came from another site.")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit_netloc(origin) != request.headers.get("host", "").lower():
        raise Refused("no-proof-of-origin", "The request came from another site.")


def urlsplit_netloc(origin: str) -> str | None:
    """Host and port of an origin, or None where it is none (``null``)."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in {"http", "https"} else None


def identity_of(request: Request) -> Identity:
    """Who asks, in an endpoint that nobody reaches unknown."""
    return cast("Identity", request.state.identity)


def actor_of(request: Request) -> Actor:
    """Who asks, for the audit log."""
    return Actor(identity_of(request).viewer.login, address_of(request), int(state_of(request).clock()))
