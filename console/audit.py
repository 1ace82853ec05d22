"""The audit log: for admins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console import tables
from console.routing import page
from console.show import show
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.views import AUDIT

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def show_audit(request: Request) -> Response:
    """Who did what."""
    table = tables.drawn(request, AUDIT.name)
    return show(request, "table_page.html", title=AUDIT.title, table=table)


LISTINGS = (AUDIT,)
ROUTES = (page("/audit", show_audit, role=Role.ADMIN, title="Audit log", order=310),)
