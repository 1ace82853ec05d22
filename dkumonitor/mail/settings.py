"""What can be set for mail."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

SECRET = "mail_password"  # noqa: S105  the name of a file
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MIB = 1024 * 1024
Tls = Literal["starttls", "implicit", "none"]
_PORTS: dict[Tls, int] = {"starttls": 587, "implicit": 465, "none": 25}
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_ATOM = r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+"  # of RFC 5322, without ! and %, by which old servers send elsewhere
_LOCAL = re.compile(rf"(?!-){_ATOM}(\.{_ATOM})*\Z")
_LOCAL_MAX, _ADDRESS_MAX = 64, 254  # RFC 5321, 4.5.3.1


class MailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[mail]``; the password, if any, is alone in DIR/conf/secrets/mail_password.

    Attributes:
        server: the name of the mail server; empty for no mail.
        port: its port; None takes the usual one: 587 for STARTTLS, 465 for implicit TLS, 25 without TLS.
        tls: ``starttls``, ``implicit`` or ``none``; None is ``none`` for a server on loopback, else ``starttls``.
        login: who we are to the server; empty for nobody.
        from_address: whom mail comes from.
        reply_to: where answers go; empty for from_address.
        postfix: the domain appended to a login that has no address: ``example.org``; empty for none.
        timeout_seconds: how long to wait for each answer of the server.
        ca_file: certificates to trust in place of the machine's own.
        spool_max_bytes: what may wait on disk; what comes on top of it is refused, and counted as failed.
    """

    server: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]*$", max_length=255)] = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    tls: Tls | None = None
    login: str = ""
    from_address: str = ""
    reply_to: str = ""
    postfix: str = ""
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=300)] = 20
    ca_file: str | None = None
    spool_max_bytes: Annotated[int, msgspec.Meta(ge=MIB)] = 256 * MIB

    def __post_init__(self) -> None:
        for name in ("from_address", "reply_to"):
            value = getattr(self, name)
            if value and not is_address(value):
                raise ValueError(f"{name}: {value!r} is no address of the form NAME@DOMAIN")
        if self.postfix and not _DOMAIN.match(self.postfix.removeprefix("@")):
            raise ValueError(f"postfix: {self.postfix!r} is no domain")
        if self.server and not self.from_address:
            raise ValueError("from_address: say whom mail comes from")
        if self.login and self.security == "none" and self.server not in LOOPBACK:
            raise ValueError('tls: with a login it can be "none" for a server on this machine alone')

    @property
    def is_configured(self) -> bool:
        """Whether mail is sent at all."""
        return bool(self.server)

    @property
    def security(self) -> Tls:
        """How the connection is made secret."""
        return self.tls or ("none" if self.server in LOOPBACK else "starttls")

    @property
    def real_port(self) -> int:
        """The port that is connected to."""
        return self.port or _PORTS[self.security]

    def address_of(self, login: str) -> str | None:
        """The address of a login by the postfix; None where there is none, or it would be no address."""
        domain = self.postfix.removeprefix("@")
        address = f"{login}@{domain}"
        return address if domain and is_address(address) else None


def is_address(text: str) -> bool:
    """Whether mail can be sent there: a plain ASCII address, which every server takes (RFC 5321, dot-string)."""
    local, at, domain = text.rpartition("@")
    if not at or len(text) > _ADDRESS_MAX or len(local) > _LOCAL_MAX:
        return False
    return _LOCAL.match(local) is not None and _DOMAIN.match(domain) is not None
