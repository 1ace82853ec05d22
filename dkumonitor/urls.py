"""Where the installation's parts are reached: what a person opens, what senders and readers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dkumonitor.address import Address

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  looked up, not bound
ADMIN = "admin"


class Urls(msgspec.Struct, frozen=True):
    """The addresses as this machine reaches them; None where this type of installation has no such part.

    `carbon` is HOST:PORT of the line protocol, `carbonapi` and the pages are http addresses, `admin_password_file` is
    the absolute path of a file that holds the password alone; None once the password has been changed.
    """

    web: str | None
    console: str | None
    grafana: str | None
    carbon: str | None
    carbonapi: str | None
    admin_user: str | None
    admin_password_file: str | None


def listening(installation: Installation) -> dict[str, Address]:
    """Each part that listens on TCP here, at the address by which this machine reaches it."""
    ports = installation.ports
    bound = {
        "grafana": (installation.listen, ports.web if installation.grafana else None),
        "console": (installation.listen, ports.console),
        "carbon": (installation.carbon_listen, ports.carbon),
        "carbonapi": (installation.carbonapi_listen, ports.carbonapi),
        "carbonserver": ("127.0.0.1", ports.carbonserver),
        "pickle": (installation.carbon_listen, ports.pickle),
    }
    return {name: Address(LOOPBACK_OF.get(host, host), port) for name, (host, port) in bound.items() if port}


def urls(installation: Installation) -> Urls:
    """The addresses of one installation."""
    parts = listening(installation)
    scheme = "https" if installation.tls else "http"
    grafana = f"{scheme}://{parts['grafana']}" if "grafana" in parts else None
    console = f"{scheme}://{parts['console']}" if "console" in parts else None
    web = grafana or console
    password = installation.secret("admin_password")
    return Urls(
        web=web,
        console=console,
        grafana=grafana,
        carbon=str(parts["carbon"]) if "carbon" in parts else None,
        carbonapi=f"http://{parts['carbonapi']}" if "carbonapi" in parts else None,
        admin_user=ADMIN if web else None,
        admin_password_file=str(password) if web and password.exists() else None,
    )
