"""An installation as the programs see it, without one on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dkumonitor.installation import Installation, Ports

if TYPE_CHECKING:
    from pathlib import Path

NO_PORTS = Ports(web=None, carbon=None, carbonapi=None, carbonserver=None, pickle=None, console=None)
PORTS = Ports(web=15000, carbon=15001, carbonapi=15002, carbonserver=15003, pickle=None, console=15000)
PORTS_WITH_GRAFANA = Ports(web=15000, carbon=15001, carbonapi=15002, carbonserver=15003, pickle=None, console=15006)


def an_installation(directory: Path, **changes: Any) -> Installation:
    """One of type all without Grafana in `directory`, with `changes` of installation.json's keys."""
    plain: dict[str, Any] = {
        "dir": directory,
        "version": "1.2.3",
        "type": "all",
        "host": "example",
        "user": "alice",
        "interval_seconds": 10,
        "programs": ("go-carbon", "carbonapi", "console", "collectd", "collectors"),
        "listen": "127.0.0.1",
        "carbon_listen": "127.0.0.1",
        "carbonapi_listen": "127.0.0.1",
        "ports": PORTS,
        "carbon_server": "127.0.0.1:15001",
        "carbonapi_server": "127.0.0.1:15002",
        "grafana": False,
        "system_collectd": None,
        "tls": False,
        "database": None,
    }
    return Installation(**(plain | changes))
