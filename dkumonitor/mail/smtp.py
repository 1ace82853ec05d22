"""One connection to the mail server, within bounds of time and memory whatever the server says (RFC 5321)."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import msgspec

from dkumonitor.errors import MailError
from dkumonitor.text import printable
from dkumonitor.tls import trusting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from dkumonitor.mail.settings import MailSettings

REPLY_MAX_BYTES = 64 * 1024
PASSWORD_MAX_BYTES = 4096
_PERMANENT = 500
_CLOSING = 421  # "service not available, closing transmission channel"
_SAID_MAX = 200
_LATE = "no whole answer in time"
_HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")


class ServerError(Exception):
    """The server cannot be used now, whatever the message: it is down, slow, refuses us, or makes no sense."""


class BrokenError(Exception):
    """The connection broke while a message was under way: nobody knows whether the server took it."""


class Answer(msgspec.Struct, frozen=True):
    """What the server said to a message: whether it took it, and if not, whether it never will."""

    is_taken: bool
    is_final: bool
    detail: str


class _Replies:
    """What smtplib reads replies from: each must come whole within a time, and be no longer than REPLY_MAX_BYTES.

    smtplib itself waits for each byte anew, and keeps all lines of a reply that never ends.
    """

    def __init__(self, sock: socket.socket, timeout_seconds: float, monotonic: Callable[[], float]) -> None:
        self._socket = sock
        self._timeout_seconds = timeout_seconds
        self._monotonic = monotonic
        self._buffer = b""
        self._deadline = 0.0
        self._left_bytes = 0

    def begin(self) -> None:
        """A new reply is waited for."""
        self._deadline = self._monotonic() + self._timeout_seconds
        self._left_bytes = REPLY_MAX_BYTES

    def readline(self, size: int = -1) -> bytes:
        """A line; empty at the end of the connection."""
        while b"\n" not in self._buffer:
            left_seconds = self._deadline - self._monotonic()
            if left_seconds <= 0:
                raise ServerError(_LATE)
            self._socket.settimeout(left_seconds)
            try:
                got = self._socket.recv(4096)
            except TimeoutError:
                raise ServerError(_LATE) from None
            if not got:
                break
            self._buffer += got
            self._bound(len(self._buffer))
        line, newline, rest = self._buffer.partition(b"\n")
        self._buffer = rest
        self._left_bytes -= len(line)
        self._bound(0)
        self._socket.settimeout(self._timeout_seconds)
        return (line + newline)[: size if size >= 0 else None]

    def close(self) -> None:
        """The socket is closed by smtplib."""

    def _bound(self, size_bytes: int) -> None:
        if size_bytes > self._left_bytes:
            raise ServerError("its answer has no end")


class _Bounded(smtplib.SMTP):
    """smtplib's connection with bounded replies."""

    file: Any = None

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib does."""
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock, self.timeout, time.monotonic)
        if self.file is not None:
            self.file.begin()
        return super().getreply()


class _BoundedImplicit(_Bounded, smtplib.SMTP_SSL):
    """The same with TLS from the first byte on."""


class Session:
    """A connection over which messages are sent, opened where it is entered.

    Args:
        settings: ``[mail]``, with a server.
        password_file: holds the password alone; read where there is a login.

    Raises:
        ServerError: from entering: the server cannot be reached, does not prove who it is, or refuses us.
        MailError: the file of the password or of the certificates cannot be read.
    """

    def __init__(self, settings: MailSettings, password_file: Path) -> None:
        self._settings = settings
        self._password = _password(password_file) if settings.login else ""
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except (MailError, ServerError):
            self._drop()
            raise
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._drop()
            raise ServerError(_told(error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._smtp is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException, ServerError):  # all is said already
                self._smtp.docmd("QUIT")
            self._drop()

    def send(self, sender: str, recipient: str, message: bytes) -> Answer:
        """Send one message, as it is, to one recipient.

        Raises:
            ServerError: the server takes no mail of ours now; the message is not sent.
            BrokenError: the connection broke, and the message may be sent or not.
        """
        assert self._smtp is not None, "a session is entered first"  # noqa: S101
        try:
            self._smtp.sendmail(sender, [recipient], message)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = error.recipients[recipient]
            return _refused(code, said)
        except smtplib.SMTPDataError as error:
            return _refused(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPHeloError) as error:  # about us, not about the message
            raise ServerError(_told(error)) from error
        except (OSError, smtplib.SMTPException, ValueError, ServerError) as error:
            self._drop()
            raise BrokenError(_told(error)) from error
        return Answer(is_taken=True, is_final=True, detail="")

    def _open(self) -> None:
        settings = self._settings
        name = _own_name()
        security = settings.security
        context = _context(settings.ca_file) if security != "none" else None
        if security == "implicit":
            self._smtp = _BoundedImplicit(local_hostname=name, timeout=settings.timeout_seconds, context=context)
        else:
            self._smtp = _Bounded(local_hostname=name, timeout=settings.timeout_seconds)
        self._smtp._host = settings.server  # type: ignore[attr-defined]  # noqa: SLF001  the name the certificate must show
        code, said = self._smtp.connect(settings.server, settings.real_port)
        if code != 220:  # noqa: PLR2004  ready
            raise smtplib.SMTPConnectError(code, said)
        self._smtp.ehlo_or_helo_if_needed()
        if security == "starttls":
            self._smtp.starttls(context=context)
            self._smtp.ehlo()
        if settings.login:
            self._smtp.login(settings.login, self._password)

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def problem_of(settings: MailSettings, error: ServerError) -> MailError:
    """What a person is told of a server that cannot be used."""
    return MailError(
        f"the mail server {settings.server}:{settings.real_port} cannot be used: {error}",
        "Look at [mail] in dkumonitor.toml and conf/secrets/mail_password",
    )


def _refused(code: int, said: bytes | str) -> Answer:
    """The answer about one message; a server that closes the connection with it means us all."""
    if code == _CLOSING:
        raise ServerError(_said(code, said))
    return Answer(is_taken=False, is_final=code >= _PERMANENT, detail=_said(code, said))


def _told(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refuses the login ({error.smtp_code})"  # its words may hold what it was told
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error.smtp_code, error.smtp_error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"it does not prove who it is: {error.verify_message}"
    if isinstance(error, UnicodeError):
        return "login or password hold what is no ASCII, which it cannot be told"
    if isinstance(error, TimeoutError):
        return _LATE
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return printable(str(said))[:_SAID_MAX] or type(error).__name__


def _said(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "surrogateescape") if isinstance(said, bytes) else said
    return f"{code} {printable(' '.join(text.split()))[:_SAID_MAX]}".strip()


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return trusting(ca_file)
    except OSError as error:
        raise MailError(
            f"cannot use the certificates in {ca_file}: {error.strerror or error}", "Correct ca_file in [mail]"
        ) from None


def _own_name() -> str:
    """How we greet: this machine's name where it is one in the sense of RFC 5321, else its loopback address."""
    name = socket.gethostname()
    return name if _HOST_NAME.match(name) else "[127.0.0.1]"


def _password(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(PASSWORD_MAX_BYTES).decode("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise MailError(
            f"cannot read the password of the mail server in {file}: {why}",
            "Put the password alone into that file, or take login out of [mail]",
        ) from None
