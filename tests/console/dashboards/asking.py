"""How the tests ask for a dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dkumonitor.accounts.roles import Role

if TYPE_CHECKING:
    import httpx

    from tests.console_app import RunningConsole

EVERY = "/api/v1/dashboards/dkm-every-panel"


def ask(console: RunningConsole, path: str, role: Role = Role.VIEWER, **query: Any) -> httpx.Response:
    return console.client(role).get(path, params={key.replace("var_", "var-"): value for key, value in query.items()})
