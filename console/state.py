"""What every request may use: built once when the console starts, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec

from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.sessions import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import jinja2
    from starlette.requests import Request

    from console.banners import Banners
    from console.routing import Declared
    from dkumonitor.accounts.passwords import Hashing
    from dkumonitor.carbonapi import Carbonapi
    from dkumonitor.installation import Installation
    from dkumonitor.settings import ConsoleSettings
    from dkumonitor.store.engine import Store
    from dkumonitor.views import Listing


class MenuItem(msgspec.Struct, frozen=True):
    """A link of the navigation, shown to whoever has its role."""

    path: str
    title: str
    role: Role
    order: int


@dataclass(frozen=True, kw_only=True)
class State:
    """What the console knows of its installation, its store and its own pages.

    Attributes:
        listings: every table by its name.
        menu: the navigation in its order.
        routes: every declared route.
        banners: what stands on top of every page.
        clock: the time, UTC seconds.
    """

    installation: Installation
    settings: ConsoleSettings
    store: Store
    carbonapi: Carbonapi | None
    hashing: Hashing
    templates: jinja2.Environment
    listings: Mapping[str, Listing]
    menu: tuple[MenuItem, ...]
    routes: tuple[Declared, ...]
    banners: Banners
    clock: Callable[[], float]

    @property
    def limits(self) -> Limits:
        """How long sessions last."""
        return Limits(self.settings.session_idle_seconds, self.settings.session_seconds)


def state_of(request: Request) -> State:
    """The console's state, from any request."""
    return cast("State", request.app.state.console)
