"""The own account: its password, its theme, and real names for a quarter of an hour."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import msgspec

from console import access
from console.refused import Refused
from console.routing import action, api, form, page, see_other
from console.show import show, sources, tell
from console.signin import local_path
from console.state import state_of
from dkumonitor.accounts import accounts, first_password, passwords, sessions, slowing
from dkumonitor.accounts.audit import note
from dkumonitor.accounts.roles import Role

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from dkumonitor.accounts.audit import Actor

_log = logging.getLogger("console")


class Me(msgspec.Struct, frozen=True):
    """Who asks, and what they may do."""

    login: str
    role: Role
    sees_names: bool


def show_account(request: Request) -> Response:
    """The page of the own account."""
    session = access.identity_of(request).session
    return show(
        request,
        "account.html",
        title="Your account",
        real_names=session is not None and session.real_names,
        min_length=passwords.MIN_LENGTH,
        minutes=sessions.NAMES_SECONDS // 60,
    )


def change_password(request: Request) -> Response:
    """Another password for whoever knows the present one; every other session of the account ends."""
    fields = form(request)
    session = _session(request)
    state = state_of(request)
    actor = access.actor_of(request)
    _check_password(request, actor, fields.get("password", ""))
    new = fields.get("new_password", "")
    if new != fields.get("new_password_again", ""):
        raise Refused("refused-change", "The new password was not the same twice.")
    accounts.set_password(state.store, state.hashing, actor, session.login, new, keep_session=session.id)
    told = "Your password is changed, and your other sessions are ended."
    left = first_password.remove_stale(state.installation, session.login, new)
    if left is not None:
        _log.warning("%s cannot be removed, and does not hold the password any more", left)
    if state.installation.grafana and session.login == accounts.FIRST_ADMIN:
        told += " Grafana has a password of its own: `dkm password` changes both."
    tell(request, told)
    return see_other("/account")


def change_theme(request: Request) -> Response:
    """Light, dark, or as the system wishes."""
    fields = form(request)
    accounts.set_theme(state_of(request).store, access.identity_of(request).account_id, fields.get("theme", ""))
    return see_other(local_path(fields.get("next", "/account")))


def unlock_names(request: Request) -> Response:
    """Show real names in this session for a while: for the right, and the password anew."""
    session = _session(request)
    if not session.real_names:
        raise Refused("not-allowed", "Your account has no right to real names; ask an admin for it.")
    actor = access.actor_of(request)
    _check_password(request, actor, form(request).get("password", ""))

    def act(connection: Connection) -> None:
        sessions.show_names(connection, session.id, actor.now_seconds + sessions.NAMES_SECONDS)
        note(connection, actor, "names-unlocked")

    state_of(request).store.write(act)
    tell(request, f"Real names are shown for {sessions.NAMES_SECONDS // 60} minutes.")
    return see_other(local_path(form(request).get("next", "/account")))


def hide_names(request: Request) -> Response:
    """Hide real names again."""
    session = _session(request)
    state_of(request).store.write(lambda connection: sessions.show_names(connection, session.id, 0))
    return see_other(local_path(form(request).get("next", "/account")))


def me(request: Request) -> Me:
    """Who asks."""
    viewer = sources(request).viewer
    return Me(viewer.login, viewer.role, viewer.sees_names)


def _session(request: Request) -> sessions.Session:
    return cast("sessions.Session", access.identity_of(request).session)  # an action always has one


def _check_password(request: Request, actor: Actor, password: str) -> None:
    """As slow for a wrong one as the sign-in: a session that was left open is no place to guess."""
    state = state_of(request)
    with state.store.reading() as connection:
        wait_seconds = slowing.wait_seconds(connection, actor.login, actor.address, actor.now_seconds)
    if wait_seconds:
        raise Refused("too-many", f"Try again in {wait_seconds} s.", {"Retry-After": str(wait_seconds)})
    if accounts.opens(state.store, state.hashing, actor.login, password):
        return

    def act(connection: Connection) -> None:
        slowing.failed(connection, actor.login, actor.address, actor.now_seconds)
        note(connection, actor, "password-failed")

    state.store.write(act)
    raise Refused("wrong-password", "Go back and try again.")


ROUTES = (
    page("/account", show_account),
    action("/account/password", change_password),
    action("/account/theme", change_theme),
    action("/account/names", unlock_names),
    action("/account/names/hide", hide_names),
    api("/me", me, summary="Who you are, and what you may do.", answer=Me),
)
