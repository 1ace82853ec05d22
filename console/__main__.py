"""The program ``console``: listens on the socket that supervisord keeps for it as file descriptor 0.

Started without one (by hand) it opens the installation's address itself. As supervisord holds the socket, a restart
refuses no browser: who comes in between waits.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

import uvicorn

import collectors
from console import memory
from console.app import make_app
from console.connection import Connection
from dkumonitor import logs
from dkumonitor.errors import DkmError, InstallationError
from dkumonitor.installation import current
from dkumonitor.listener import open_listener
from dkumonitor.settings import Settings, settings_file
from dkumonitor.store import upkeep
from dkumonitor.store.engine import open_store
from dkumonitor.store.migrations import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dkumonitor.installation import Installation
    from dkumonitor.settings import ConsoleSettings

_KEEP_ALIVE_SECONDS = 15
_STOP_SECONDS = 5
_MAX_HEADER_BYTES = 32 * 1024
_LOG_MAX_BYTES = 10 * 1024 * 1024
_log = logging.getLogger("console")


def main(environment: Mapping[str, str]) -> None:
    """Serve until SIGTERM."""
    memory.share_pools()
    installation = current()
    names = dict.fromkeys(collectors.names())
    path = settings_file(installation, environment)
    settings = Settings.load(path, names, installation.interval_seconds)
    store = open_store(installation)
    components = collectors.components()
    check(store, components)

    def daily() -> None:
        upkeep.daily(store, installation, settings, components, time.time())

    alone = "collectors" not in installation.programs
    app = make_app(installation, settings.console, store, daily=daily if alone else None)
    listening = _socket(installation)
    _log.info("listening on %s", listening.getsockname())
    server = uvicorn.Server(uvicorn.Config(app, **_options(installation, settings.console)))
    server.run(sockets=[listening])


def _options(installation: Installation, settings: ConsoleSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "http": Connection.within(settings.request_seconds),
        "ws": "none",
        "loop": "asyncio",
        "lifespan": "on",
        "interface": "asgi3",
        "log_config": None,
        "log_level": "warning",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "limit_concurrency": settings.max_connections,
        "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": _STOP_SECONDS,
        "h11_max_incomplete_event_size": _MAX_HEADER_BYTES,
    }
    if installation.tls:
        options |= {
            "ssl_certfile": installation.certificate,
            "ssl_keyfile": installation.secret("tls_key.pem"),
        }
    return options


def _socket(installation: Installation) -> socket.socket:
    if stat.S_ISSOCK(os.fstat(0).st_mode):
        return socket.socket(fileno=os.dup(0))
    port = installation.ports.console
    if port is None:
        raise InstallationError(
            f"{installation.dir} is of type {installation.type}, which has no console", "Install a type with a console"
        )
    return open_listener(installation.listen, port)


if __name__ == "__main__":
    logs.resident("console", os.environ.get(logs.VARIABLE))
    try:
        main(os.environ)
    except DkmError as error:
        _log.error("%s", error)
        sys.exit(error.exit_code)
