"""Where the database is: the URL of ``--database``, without its password."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from dkumonitor.errors import StoreError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

Dialect = Literal["sqlite", "postgresql", "mysql"]
SCHEMES: Mapping[str, Dialect] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}
PORTS: Mapping[Dialect, int] = {"postgresql": 5432, "mysql": 3306}
TLS_MODES = ("disable", "require", "verify-ca", "verify-full")
_OPTIONS = ("sslmode", "sslrootcert", "socket")
_FORM = "Write postgresql://USER@HOST/DATABASE or mariadb://USER@HOST/DATABASE, see docs/store.md"


@dataclass(frozen=True)
class ServerAddress:
    """A database on a server.

    Attributes:
        dialect: postgresql, or mysql for MySQL and MariaDB.
        host: a name or a number; "localhost" where a socket is used.
        port: of TCP.
        user: whom to sign in as.
        database: its name there.
        socket: the path of a Unix socket in place of host and port.
        tls: one of :data:`TLS_MODES`.
        authorities: a file of certificates to trust in place of the machine's own.
    """

    dialect: Dialect
    host: str
    port: int
    user: str
    database: str
    socket: str | None = None
    tls: str = "verify-full"
    authorities: str | None = None

    def __str__(self) -> str:
        place = self.socket or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")
        return f"{self.dialect} database {self.database!r} on {place}"

    @classmethod
    def parse(cls, url: str) -> ServerAddress:
        """Read ``SCHEME://USER@HOST[:PORT]/DATABASE[?sslmode=MODE&sslrootcert=FILE&socket=PATH]``.

        A server elsewhere must show a certificate that fits its name unless ``sslmode`` says less; one on this machine
        (loopback or a Unix socket) is spoken to in clear.

        Raises:
            StoreError: it has another form, or holds a password. The text never repeats the URL, which may hold one.
        """
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname or "localhost"
        except ValueError:
            raise StoreError("the database's URL has no valid host and port", _FORM) from None
        if parts.scheme not in SCHEMES:
            raise StoreError(f"the database's URL does not begin with one of {', '.join(SCHEMES)}", _FORM)
        if parts.password is not None:
            raise StoreError(
                "the database's URL holds a password", "Leave it out there, and give --database-password-file FILE"
            )
        dialect = SCHEMES[parts.scheme]
        database = unquote(parts.path.removeprefix("/"))
        if not parts.username or not database or "/" in database:
            raise StoreError("the database's URL names no user or no database", _FORM)
        options = _options(parts)
        local = "socket" in options or is_loopback(host)
        return cls(
            dialect=dialect,
            host=host,
            port=port or PORTS[dialect],
            user=unquote(parts.username),
            database=database,
            socket=options.get("socket"),
            tls=options.get("sslmode", "disable" if local else "verify-full"),
            authorities=options.get("sslrootcert"),
        )

    def tls_context(self) -> ssl.SSLContext | None:
        """What checks the server's certificate; None where the connection is in clear.

        Raises:
            StoreError: the file of certificates cannot be used.
        """
        if self.tls == "disable" or self.socket is not None:
            return None
        import ssl  # noqa: PLC0415  four megabytes, and most databases are a file

        from dkumonitor.tls import trusting  # noqa: PLC0415  the same

        try:
            context = trusting(self.authorities)
        except OSError as error:
            raise StoreError(
                f"cannot use the certificates in {self.authorities}: {error}", "Correct sslrootcert"
            ) from None
        context.check_hostname = self.tls == "verify-full"
        if self.tls == "require":
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True)
class FileAddress:
    """A SQLite database."""

    path: Path
    dialect: Dialect = "sqlite"

    def __str__(self) -> str:
        return f"sqlite database {self.path}"


Address = ServerAddress | FileAddress


def is_loopback(host: str) -> bool:
    """Whether a host name or number is this machine's loopback; a name is not looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _options(parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise StoreError(
                f"the database's URL has an option {name!r} that is not known", f"Known are {', '.join(_OPTIONS)}"
            )
    mode = options.get("sslmode", TLS_MODES[0])
    if mode not in TLS_MODES:
        raise StoreError(f"sslmode={mode} is not known", f"Known are {', '.join(TLS_MODES)}")
    return options
