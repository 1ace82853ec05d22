"""What the installer decided: the one interface between the installer and the programs at run time."""

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from dkumonitor.address import Address
from dkumonitor.errors import InstallationError

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Type = Literal["all", "server", "agent", "backend", "frontend", "backend-agent"]


class Ports(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TCP ports; None where nothing of this role listens. ``web`` is what a person opens first."""

    web: Port | None
    carbon: Port | None
    carbonapi: Port | None
    carbonserver: Port | None
    pickle: Port | None
    console: Port | None


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of DIR/conf/installation.json, every key present.

    Attributes:
        host: this machine's segment in metric names, dots already replaced.
        user: the account that the programs run as.
        interval_seconds: the interval of the metrics, which is also the first archive's resolution.
        programs: supervisord's program names in start order.
        carbon_server: ``HOST:PORT`` that the agent part sends to; None without an agent part.
        carbonapi_server: ``HOST:PORT`` that a reader asks; None where there is none.
        system_collectd: the path of the machine's own collectd where that is used.
        tls: whether the web pages are served by HTTPS.
        database: the address of the store's server, without its password; None for :attr:`Installation.store_file`.
    """

    version: str
    type: Type
    host: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
    user: str
    interval_seconds: Annotated[int, msgspec.Meta(ge=1, le=86400)]
    programs: tuple[str, ...]
    listen: str
    carbon_listen: str
    carbonapi_listen: str
    ports: Ports
    carbon_server: str | None
    carbonapi_server: str | None
    grafana: bool
    system_collectd: str | None
    tls: bool
    database: str | None


class Installation(Description, frozen=True, kw_only=True):
    """An installation: its description and the folders below its directory."""

    dir: Path

    @property
    def conf(self) -> Path:
        """The folder of rendered configuration."""
        return self.dir / "conf"

    @property
    def run(self) -> Path:
        """The folder of sockets, pid files and logs."""
        return self.dir / "run"

    @property
    def storage(self) -> Path:
        """The folder of all that must be backed up."""
        return self.dir / "storage"

    @property
    def lib(self) -> Path:
        """The link to the release in use."""
        return self.dir / "lib"

    @property
    def has_store(self) -> bool:
        """Whether programs here read or write the store."""
        return not {"console", "collectors"}.isdisjoint(self.programs)

    @property
    def store_file(self) -> Path:
        """The store where no database server is named."""
        return self.storage / "store" / "dkumonitor.sqlite"

    @property
    def certificate(self) -> Path:
        """The certificate of the web pages where they have TLS; its key is the secret ``tls_key.pem``."""
        return self.conf / "tls" / "certificate.pem"

    def secret(self, name: str) -> Path:
        """The file of a secret, which holds the secret alone and belongs to the account that the programs run as."""
        return self.conf / "secrets" / name

    @property
    def carbon_address(self) -> Address | None:
        """Where collectors send, or None without an agent part."""
        return None if self.carbon_server is None else Address.parse(self.carbon_server)

    @property
    def carbonapi_address(self) -> Address | None:
        """What a reader asks, or None where there is none."""
        return None if self.carbonapi_server is None else Address.parse(self.carbonapi_server)

    @classmethod
    def load(cls, directory: Path) -> "Installation":
        """Read the description of the installation in ``directory``.

        Raises:
            InstallationError: the file is missing, unreadable, or not what this version writes.
        """
        path = directory / "conf" / "installation.json"
        try:
            description = msgspec.json.decode(path.read_bytes(), type=Description)
        except FileNotFoundError:
            raise InstallationError(
                f"{directory} is not an installation: {path} does not exist", "Install first, or call DIR/bin/dkm"
            ) from None
        except OSError as error:
            raise InstallationError(
                f"cannot read {path}: {error.strerror}", "Call dkm as the user that it was installed for"
            ) from None
        except msgspec.MsgspecError as error:
            raise InstallationError(
                f"{path} is not what this version writes: {error}", "Run the installer again with --update"
            ) from None
        return cls(dir=directory.absolute(), **msgspec.structs.asdict(description))


def current() -> Installation:
    """The installation that $DKM_DIR names, which the scripts in DIR/bin set.

    Raises:
        InstallationError: $DKM_DIR is not set, or names no installation.
    """
    directory = os.environ.get("DKM_DIR")
    if not directory:
        raise InstallationError("DKM_DIR is not set", "Call DIR/bin/dkm, which sets it")
    return Installation.load(Path(directory))
