"""Sessions: who is signed in. Everybody ends the own, an admin any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console import access, tables
from console.refused import Refused
from console.routing import action, api, page, see_other
from console.show import show, sources, tell
from console.state import state_of
from dkumonitor.accounts import sessions
from dkumonitor.accounts.audit import note
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.views import SESSIONS, session_row

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

_PATH = "/sessions/{id:number}"


def show_sessions(request: Request) -> Response:
    """The sessions that this viewer may see."""
    return show(request, "sessions.html", title="Sessions", table=tables.drawn(request, SESSIONS.name))


def show_session(request: Request) -> Response:
    """One session."""
    row = session_row(sources(request), request.path_params["id"])
    if row is None:
        raise Refused("not-there", "There is no such session.")
    own = access.identity_of(request).session
    current = own is not None and own.id == row.id
    return show(request, "session.html", title=f"Session {row.id}", row=row, current=current)


def revoke(request: Request) -> Response:
    """End a session."""
    _revoke(request)
    tell(request, "The session is ended.")
    return see_other("/sessions")


def api_revoke(request: Request) -> None:
    """End a session."""
    _revoke(request)


def _revoke(request: Request) -> None:
    number: int = request.path_params["id"]
    identity = access.identity_of(request)
    actor = access.actor_of(request)
    whose = None if identity.viewer.role.may(Role.ADMIN) else identity.account_id

    def act(connection: Connection) -> bool:
        found = sessions.revoke(connection, number, whose)
        if found:
            note(connection, actor, "session-revoked", str(number))
        return found

    if not state_of(request).store.write(act):
        raise Refused("not-there", "There is no such session.")


LISTINGS = (SESSIONS,)
ROUTES = (
    page("/sessions", show_sessions, title="Sessions", order=320),
    page(_PATH, show_session),
    action(f"{_PATH}/revoke", revoke),
    api(_PATH, api_revoke, method="DELETE", summary="End a session."),
)
