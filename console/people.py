"""People: who the accounts of the machine are, and who they really are for whoever may know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console import access, tables
from console.routing import page
from console.show import show
from dkumonitor.accounts.sessions import NAMES_SECONDS
from dkumonitor.store.people_view import LISTING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def show_people(request: Request) -> Response:
    """Everybody, and where real names are shown or hidden."""
    session = access.identity_of(request).session
    return show(
        request,
        "people.html",
        title=LISTING.title,
        table=tables.drawn(request, LISTING.name),
        real_names=session is not None and session.real_names,
        minutes=NAMES_SECONDS // 60,
    )


LISTINGS = (LISTING,)
ROUTES = (page("/people", show_people, title=LISTING.title, order=210),)
