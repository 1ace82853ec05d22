"""What holds for every request before any route sees it, and for every answer."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request

from console.problems import answer_unforeseen, problem_json
from console.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_TARGET_BYTES = 8192
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE"})
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; "
    "font-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)
# same-origin and not no-referrer: with the latter browsers send `Origin: null` with our own forms, and Origin is what
# tells them from another site's. To other sites neither sends anything.
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_NEVER_KEPT = "no-store"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Refuses requests of a wrong form, and puts the security headers on every answer.

    Args:
        app: what is guarded.
        names: tells the host names that this console answers to.
    """

    # No Strict-Transport-Security: it holds for every port of a host name, and would break what else the machine serves
    # by plain http (RFC 6797, 8.2); the console's own port has no plain http.
    def __init__(self, app: ASGIApp, names: Callable[[], AbstractSet[str]]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", _NEVER_KEPT)
            await send(message)

        refused = self._check(scope)
        if refused is not None:
            await problem_json(refused)(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            return
        except Exception as error:
            if begun:
                raise
            answer = await run_in_threadpool(answer_unforeseen, Request(scope), error)
            await answer(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> Refused | None:
        if scope["method"] not in METHODS:
            return Refused("wrong-method", "", {"Allow": ", ".join(sorted(METHODS))})
        if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
            return Refused("too-long", "", {"Connection": "close"})
        if "\x00" in scope["path"]:
            return Refused("bad-request", "An address holds no NUL.")
        return self._check_host(scope)

    def _check_host(self, scope: Scope) -> Refused | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        name = host_of(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if name is None:
            return Refused("bad-request", "Send one Host header, with a host.")
        server = scope.get("server")
        if name in _LOOPBACK or name in self._names() or (server and name == server[0]):
            return None
        return Refused(
            "wrong-host",
            "An admin can add the name to allowed_hosts of [console] in conf/dkumonitor.toml and restart the console.",
        )


def host_of(header: str) -> str | None:
    """The host of a Host header in small letters, an address without brackets; None where it is none."""
    name, closing, port = header.strip().lower().rpartition("]")
    if closing:
        name, port = name.removeprefix("["), port.removeprefix(":")
        try:
            name = str(ipaddress.IPv6Address(name))
        except ValueError:
            return None
    else:
        name, _, port = header.strip().lower().partition(":")
        if not name or not all(char.isascii() and (char.isalnum() or char in "-._") for char in name):
            return None
    if port and not (port.isascii() and port.isdigit()):
        return None
    return name.removesuffix(".")
