"""The web application: routes, and what stands around them."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

import collectors
from console import discovery, problems, tick
from console.assets import Assets
from console.banners import Banners
from console.security import Guard
from console.state import State
from dkumonitor.accounts.passwords import Hashing
from dkumonitor.carbonapi import Carbonapi
from dkumonitor.views import Sources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from dkumonitor.installation import Installation
    from dkumonitor.settings import ConsoleSettings
    from dkumonitor.store.engine import Store

_THREADS = 8  # for pages; sign-ins and charts have a few of their own (console.routing.Lane)
_COMPRESS_BYTES = 1024


def make_app(
    installation: Installation,
    settings: ConsoleSettings,
    store: Store,
    *,
    daily: Callable[[], object] | None = None,
    hashing: Hashing | None = None,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """The console of an installation.

    Args:
        installation: its folders, ports and programs.
        settings: ``[console]``.
        store: an open store whose schema is this version's.
        daily: what is done once a day beside; None where the collectors do it.
        hashing: of passwords; a new one unless given.
        clock: the time, UTC seconds.
    """
    found = discovery.find()
    address = installation.carbonapi_address
    carbonapi = None if address is None else Carbonapi(address)
    state = State(
        installation=installation,
        settings=settings,
        store=store,
        carbonapi=carbonapi,
        hashing=hashing or Hashing(),
        templates=discovery.templates(installation.version),
        listings=found.listings,
        menu=discovery.menu(found.routes),
        routes=found.routes,
        banners=Banners(lambda viewer: Sources(installation, store, carbonapi, viewer, clock()), collectors.cards()),
        clock=clock,
    )
    names = HostNames(settings.allowed_hosts, installation.listen)
    app = Starlette(
        routes=[
            Mount("/static", Assets(installation.lib / "web"), name="static"),
            *(declared.route() for declared in found.routes),
        ],
        middleware=[
            Middleware(Guard, names=names),
            Middleware(GZipMiddleware, minimum_size=_COMPRESS_BYTES, compresslevel=5),
        ],
        exception_handlers=problems.handlers(),
        lifespan=lambda _: _running(state, daily),
    )
    app.state.console = state
    return app


@asynccontextmanager
async def _running(state: State, daily: Callable[[], object] | None) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick.go_round, state, daily)
        yield
        tasks.cancel_scope.cancel()


class HostNames:
    """The names that the console answers to: those given, and the machine's own.

    The machine's full name may need a name server that does not answer, so that it is asked for in the background.
    """

    def __init__(self, allowed: tuple[str, ...], listen: str) -> None:
        own = (*allowed, listen, socket.gethostname())
        self._names = frozenset(name.lower().strip("[]") for name in own if name)
        threading.Thread(target=self._ask, daemon=True).start()

    def __call__(self) -> frozenset[str]:
        """All names, in small letters."""
        return self._names

    def _ask(self) -> None:
        self._names |= {socket.getfqdn().lower()}
