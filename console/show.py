"""Drawing a page: what every template is given, and what every view may read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from console import access
from console.state import state_of
from dkumonitor.accounts import sessions
from dkumonitor.views import Parameters, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request


_NO_PARAMETERS = Parameters()


def sources(request: Request, parameters: Parameters = _NO_PARAMETERS) -> Sources:
    """What a view may read for this request, and of what."""
    state = state_of(request)
    return Sources(
        installation=state.installation,
        store=state.store,
        carbonapi=state.carbonapi,
        viewer=access.identity_of(request).viewer,
        now_seconds=state.clock(),
        parameters=parameters,
    )


def show(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """A page from a template that extends ``base.html``.

    It is given, beside the context: ``viewer`` (None where nobody is signed in), ``menu``, ``path``, ``csrf``,
    ``theme``, ``message``, ``banners()``, ``version``, ``names_until_seconds`` and ``may(role)``.
    """
    state = state_of(request)
    identity: access.Identity | None = getattr(request.state, "identity", None)
    session = identity.session if identity else None
    viewer = identity.viewer if identity else None
    shared: dict[str, Any] = {
        "viewer": viewer,
        "menu": [item for item in state.menu if viewer and viewer.role.may(item.role)],
        "path": request.url.path,
        "csrf": session.csrf if session else "",
        "theme": session.theme if session else "auto",
        "message": _message(request, session),
        "banners": lambda: state.banners.of(viewer.role) if viewer else [],
        "names_until_seconds": session.names_until_seconds if session and viewer and viewer.sees_names else 0,
        "host": state.installation.host,
        "may": lambda role: viewer is not None and viewer.role.may(role),
        "request": request,
    }
    text = state.templates.get_template(template).render({**shared, **context})
    return HTMLResponse(text, status_code=status, headers=dict(headers or {}))


def tell(request: Request, message: str) -> None:
    """Let the session's next page say something."""
    session = access.identity_of(request).session
    if session is not None:
        number = session.id
        state_of(request).store.write(lambda connection: sessions.tell(connection, number, message))


def _message(request: Request, session: sessions.Session | None) -> str:
    if session is None or not session.message:
        return ""
    number = session.id
    state_of(request).store.write(lambda connection: sessions.tell(connection, number, ""))
    return session.message
