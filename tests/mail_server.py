"""Mail servers for the tests: a real one (aiosmtpd), and one that misbehaves in a way of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from dataclasses import dataclass, field
from socket import create_server, socket
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiosmtpd.smtp import SMTP, Envelope, Session

    from tests.servers import Certificate

LOGIN, PASSWORD = "dkm", "mail secret"
HOLD_SECONDS = 60.0


@dataclass(frozen=True)
class Received:
    """A message as it came."""

    sender: str
    recipient: str
    content: bytes
    secret: bool


@dataclass
class MailServer:
    """A server on loopback. What it took is in `received`; `answer` decides on each recipient (empty takes it).

    :meth:`hold_after` makes it hold a message, before or after it is taken, until `release` is set.
    """

    port: int
    received: list[Received] = field(default_factory=list)
    answer: Callable[[str], str] = lambda _: ""
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    sessions: int = 0
    _hold: tuple[int, str] | None = None

    def hold_after(self, count: int, when: str) -> None:
        """Hold the message after so many were taken in all: `before` it is taken (it never is), or `after` that."""
        self._hold = (count, when)

    async def handle_EHLO(  # noqa: N802  aiosmtpd's
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.sessions += 1
        return responses

    async def handle_RCPT(  # noqa: N802  aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = self.answer(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        held = ""
        if self._hold is not None and len(self.received) >= self._hold[0]:
            held, self._hold = self._hold[1], None
        if held == "before":
            await self._wait()
            return "451 stopped"
        assert isinstance(envelope.original_content, bytes)
        assert server.transport is not None
        for recipient in envelope.rcpt_tos:
            is_secret = server.transport.get_extra_info("sslcontext") is not None
            self.received.append(Received(envelope.mail_from or "", recipient, envelope.original_content, is_secret))
        if held == "after":
            await self._wait()
        return "250 taken"

    async def _wait(self) -> None:
        self.held.set()
        await asyncio.to_thread(self.release.wait, HOLD_SECONDS)


def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, auth_data: Any) -> AuthResult:
    good = (auth_data.login, auth_data.password) == (LOGIN.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@contextlib.contextmanager
def mail_server(
    port: int, certificate: Certificate | None = None, *, implicit: bool = False, login: bool = False
) -> Iterator[MailServer]:
    """A real server: in clear, or with TLS where a certificate is given."""
    server = MailServer(port)
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": port, "ready_timeout": 30}
    if login:
        options |= {"auth_required": True, "authenticator": authenticate, "auth_require_tls": not implicit}
    if implicit:
        options["ssl_context"] = context
    elif context is not None:
        options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(server, **options)
    controller.start()
    try:
        yield server
    finally:
        server.release.set()
        controller.stop()


GREETING = b"220 hello\r\n"
EHLO = b"250 hello\r\n"


def _silent(_connection: socket, over: threading.Event) -> None:
    over.wait(HOLD_SECONDS)


def _drip(connection: socket, over: threading.Event) -> None:
    """A byte now and then: no single wait is long."""
    while not over.wait(0.1):
        connection.sendall(b"2")


def _endless_line(connection: socket, over: threading.Event) -> None:
    while not over.is_set():
        connection.sendall(b"2" * 65536)


def _endless_reply(connection: socket, over: threading.Event) -> None:
    while not over.is_set():
        connection.sendall(b"220-again and again and again and again and again\r\n" * 1000)


def _nonsense(connection: socket, _over: threading.Event) -> None:
    connection.sendall(b"\x00\xff\x1b[31m no number here\r\n")


def _hangs_up(_connection: socket, _over: threading.Event) -> None:
    """Says nothing, and closes."""


def _refuses_all(connection: socket, _over: threading.Event) -> None:
    connection.sendall(b"554 \x1b[31mnot you\r\nX-Injected: 1\r\n")


def _refuses_sender(connection: socket, _over: threading.Event) -> None:
    connection.sendall(GREETING)
    for line in connection.makefile("rb"):
        connection.sendall(b"550 we do not like you\r\n" if line.upper().startswith(b"MAIL") else EHLO)


def _breaks_in_data(connection: socket, _over: threading.Event) -> None:
    connection.sendall(GREETING)
    for line in connection.makefile("rb"):
        if line.upper().startswith(b"DATA"):
            connection.sendall(b"354 go on\r\n")
            connection.recv(100)
            return
        connection.sendall(EHLO)


MISBEHAVIOURS: dict[str, Callable[[socket, threading.Event], None]] = {
    "silent": _silent,
    "drip": _drip,
    "endless line": _endless_line,
    "endless reply": _endless_reply,
    "nonsense": _nonsense,
    "hangs up": _hangs_up,
    "refuses all": _refuses_all,
    "refuses sender": _refuses_sender,
    "breaks in data": _breaks_in_data,
}


@contextlib.contextmanager
def misbehaving_server(port: int, misbehaviour: str) -> Iterator[None]:
    """A server that does one thing wrong, to each who connects."""
    over = threading.Event()
    act = MISBEHAVIOURS[misbehaviour]
    threads: list[threading.Thread] = []

    def serve(connection: socket) -> None:
        with connection, contextlib.suppress(OSError):
            act(connection, over)

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listening.accept()
                connection.settimeout(HOLD_SECONDS)
                thread = threading.Thread(target=serve, args=(connection,), daemon=True)
                thread.start()
                threads.append(thread)

    with create_server(("127.0.0.1", port)) as listening:
        listening.settimeout(0.05)
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield
        finally:
            over.set()
            accepting.join()
            for thread in threads:
                thread.join()
