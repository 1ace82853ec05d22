"""What the administrator asked for."""

from dataclasses import dataclass, field
from pathlib import Path

from installer.address import LOOPBACK, Endpoint, is_loopback

TYPES = ("all", "server", "agent", "backend", "frontend", "backend-agent")
BACKEND_TYPES = frozenset({"all", "server", "backend", "backend-agent"})
FRONTEND_TYPES = frozenset({"all", "server", "frontend"})
AGENT_TYPES = frozenset({"all", "agent", "backend-agent"})
DEFAULT_INTERVAL_SECONDS = 10


@dataclass(frozen=True)
class Options:
    """The options of an installation, each checked alone; ``layout`` checks how they fit together.

    Attributes:
        directory: absolute, links resolved.
        port: the first port of the range; None where it was left out.
        listen: the web pages' address.
        carbon_listen: None means the type's default.
        carbonapi_listen: None means loopback.
        hostname: None means the machine's full host name.
        user: the account that the programs shall run as; None means the caller's.
        no_tls: whether the web pages shall be without TLS even where others reach them.
        database: the address of the store's server, without a password; None means a file in DIR.
        database_password: of that server's account.
    """

    directory: Path
    port: int | None = None
    type: str = "all"
    listen: str = LOOPBACK
    carbon_listen: str | None = None
    carbonapi_listen: str | None = None
    carbon_server: Endpoint | None = None
    carbonapi_server: Endpoint | None = None
    hostname: str | None = None
    system_collectd: bool = False
    pickle: bool = False
    interval_seconds: int = DEFAULT_INTERVAL_SECONDS
    user: str | None = None
    as_root: bool = False
    no_tls: bool = False
    database: str | None = None
    database_password: bytes | None = field(default=None, repr=False)

    @property
    def has_backend(self) -> bool:
        """Whether metrics are received and kept here."""
        return self.type in BACKEND_TYPES

    @property
    def has_frontend(self) -> bool:
        """Whether web pages are shown here."""
        return self.type in FRONTEND_TYPES

    @property
    def has_agent(self) -> bool:
        """Whether this machine is measured."""
        return self.type in AGENT_TYPES

    @property
    def has_tls(self) -> bool:
        """Whether the web pages are served by HTTPS: where other machines reach them, unless that is declined."""
        return self.has_frontend and not is_loopback(self.listen) and not self.no_tls
