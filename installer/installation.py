"""DIR/conf/installation.json: what was decided at installation, which the programs read and an update keeps.

This module is its only writer. The programs have a reader of their own, since the installer stands alone.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from installer.address import LOOPBACK
from installer.errors import DirectoryError

RELATIVE_PATH = "conf/installation.json"


@dataclass(frozen=True)
class Ports:
    """TCP ports; None where nothing of this installation listens. ``web`` is what a person opens first."""

    web: int | None = None
    carbon: int | None = None
    carbonapi: int | None = None
    carbonserver: int | None = None
    pickle: int | None = None
    console: int | None = None


@dataclass(frozen=True)
class Socket:
    """Something that will listen: the program that opens it, what for, and where."""

    program: str
    purpose: str
    address: str
    port: int


@dataclass(frozen=True)
class Installation:
    """The content of installation.json, every key present.

    Attributes:
        host: this machine's segment in metric names.
        programs: supervisord's program names in start order.
        carbon_server: ``HOST:PORT`` that the agent part sends to.
        carbonapi_server: ``HOST:PORT`` that a reader asks.
        system_collectd: the absolute path of the machine's own collectd where that is used.
        tls: whether the web pages are served by HTTPS.
        database: the address of the store's server, without a password; None for the file in DIR/storage/store.
    """

    version: str
    type: str
    host: str
    user: str
    interval_seconds: int
    programs: tuple[str, ...]
    listen: str
    carbon_listen: str
    carbonapi_listen: str
    ports: Ports
    carbon_server: str | None
    carbonapi_server: str | None
    grafana: bool
    system_collectd: str | None
    tls: bool = False
    database: str | None = None

    @property
    def has_store(self) -> bool:
        """Whether programs here read or write the store."""
        return not {"console", "collectors"}.isdisjoint(self.programs)

    @property
    def has_sign_in(self) -> bool:
        """Whether somebody signs in here, at first as admin."""
        return not {"console", "grafana"}.isdisjoint(self.programs)

    def sockets(self) -> tuple[Socket, ...]:
        """All TCP sockets that will listen, in the order of their ports."""
        found = (
            ("grafana" if self.grafana else "console", "web", self.listen, self.ports.web),
            ("go-carbon", "carbon", self.carbon_listen, self.ports.carbon),
            ("carbonapi", "carbonapi", self.carbonapi_listen, self.ports.carbonapi),
            ("go-carbon", "carbonserver", LOOPBACK, self.ports.carbonserver),
            ("go-carbon", "pickle", self.carbon_listen, self.ports.pickle),
            ("console", "console", self.listen, self.ports.console if self.grafana else None),
        )
        return tuple(Socket(program, purpose, address, port) for program, purpose, address, port in found if port)

    def to_json(self) -> str:
        """The text of installation.json."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, path: Path) -> Self:
        """Read the text of ``path``.

        Raises:
            DirectoryError: it is not what an installer of this or an earlier version writes.
        """
        try:
            found: dict[str, Any] = json.loads(text)
            ports = Ports(**found.pop("ports"))
            return cls(ports=ports, programs=tuple(found.pop("programs")), **found)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DirectoryError(
                f"{path} is not what an installer of this or an earlier version writes: {error}",
                "Put back the file from a backup, or use the release that wrote it",
            ) from None
