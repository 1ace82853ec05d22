"""Signing in and out, and health: all that a stranger may reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from console import access
from console.routing import SIGN_IN, Lane, action, form, public, see_other
from console.show import show
from console.state import state_of
from dkumonitor.accounts import accounts, sessions, slowing
from dkumonitor.accounts.audit import Actor, note

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from dkumonitor.accounts.accounts import Account

_WRONG = "The login or the password is wrong."
_MAX_LOGIN = 64


def show_sign_in(request: Request) -> Response:
    """The sign-in page; who is signed in already goes on."""
    target = local_path(request.query_params.get("next", ""))
    if request.headers.get("authorization") is None and access.identify(request) is not None:
        return see_other(target)
    return show(request, "sign_in.html", title="Sign in", next=target, login="", error="")


def sign_in(request: Request) -> Response:
    """Begin a session for the right login and password; the session that the browser had ends."""
    access.check_origin(request)
    fields = form(request)
    login, password = fields.get("login", "").strip().lower(), fields.get("password", "")
    target = local_path(fields.get("next", ""))
    state = state_of(request)
    actor = Actor(login[:_MAX_LOGIN], access.address_of(request), int(state.clock()))
    with state.store.reading() as connection:
        wait_seconds = slowing.wait_seconds(connection, login, actor.address, actor.now_seconds)
        account, hashed = accounts.password_hash(connection, login)
    if wait_seconds:
        text = f"Too many attempts. Try again in {wait_seconds} s."
        return _again(request, text, target, status=429, headers={"Retry-After": str(wait_seconds)})
    # checked where there is no such login, too: how long the answer takes tells nothing
    if not state.hashing.check(password, hashed) or account is None:
        state.store.write(lambda connection: _count(connection, actor))
        return _again(request, _WRONG, target, status=401, headers={})
    key = state.store.write(lambda connection: _begin(connection, request, account, actor))
    answer = see_other(target)
    answer.set_cookie(
        access.cookie_name(request), key, path="/", httponly=True, samesite="strict", secure=access.is_secure(request)
    )
    return answer


def sign_out(request: Request) -> Response:
    """End the session."""
    session = access.identity_of(request).session
    actor = access.actor_of(request)

    def act(connection: Connection) -> None:
        if session is not None:
            sessions.revoke(connection, session.id)
        note(connection, actor, "sign-out")

    state_of(request).store.write(act)
    answer = see_other(SIGN_IN)
    answer.delete_cookie(
        access.cookie_name(request), path="/", httponly=True, samesite="strict", secure=access.is_secure(request)
    )
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def health(request: Request) -> Response:
    """Whether the console answers and can read its store; says nothing else."""
    with state_of(request).store.reading():
        pass
    return PlainTextResponse("ok\n")


def local_path(target: str) -> str:
    """Where to go on after the sign-in: a path of this console, and ``/`` for anything else."""
    plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else "/"


def _again(request: Request, error: str, target: str, *, status: int, headers: dict[str, str]) -> Response:
    login = form(request).get("login", "")[:_MAX_LOGIN]
    return show(
        request, "sign_in.html", status=status, headers=headers, title="Sign in", next=target, login=login, error=error
    )


def _count(connection: Connection, actor: Actor) -> None:
    slowing.failed(connection, actor.login, actor.address, actor.now_seconds)
    note(connection, actor, "sign-in-failed")


def _begin(connection: Connection, request: Request, account: Account, actor: Actor) -> str:
    before = request.cookies.get(access.cookie_name(request))
    if before:
        sessions.revoke_key(connection, before)
    slowing.succeeded(connection, account.login)
    note(connection, actor, "sign-in")
    browser = request.headers.get("user-agent", "")
    return sessions.start(connection, account.id, actor.now_seconds, actor.address, browser)


ROUTES = (
    public(SIGN_IN, show_sign_in),
    public(SIGN_IN, sign_in, method="POST", lane=Lane.SIGN_INS),
    public("/health", health),
    action("/sign-out", sign_out),
)
