"""installation.json, the one interface between the installer, which writes it, and the programs, which read it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dkumonitor.address import Address
from dkumonitor.installation import Installation
from installer import plan
from installer.address import Endpoint, join, parse_endpoint, parse_listen, reached_at
from installer.layout import lay_out
from installer.options import TYPES, Options

HOSTS = ("127.0.0.1", "10.0.0.1", "::1", "2001:db8::1", "fe80::1", "m", "m.example.org", "db-1.example.org", "a_b")
MORE: dict[str, dict[str, Any]] = {
    "pickle": {"pickle": True},
    "system-collectd": {"system_collectd": True},
    "interval": {"interval_seconds": 300},
    "ipv6": {"carbon_listen": "::", "carbonapi_listen": "::1", "listen": "::1"},
    "tls": {"listen": "10.0.0.1"},
    "no-tls": {"listen": "10.0.0.1", "no_tls": True},
    "database": {"database": "postgresql://dkm@db.example.org/dkm"},
}


def written(*, has_grafana: bool = True, **wanted: Any) -> Any:
    options = Options(Path("/opt/dkm"), **{"port": 15000, **wanted})
    return lay_out(
        options,
        version="1.2.3",
        has_grafana=has_grafana,
        hostname="one.example.org",
        user="1000",
        system_collectd="/usr/sbin/collectd" if options.system_collectd else None,
    )


def check_reads_back(folder: Path, installation: Any) -> Installation:
    (folder / "conf").mkdir()
    (folder / "conf/installation.json").write_text(installation.to_json())
    read = Installation.load(folder)
    values = msgspec.structs.asdict(read)
    assert values.pop("dir") == folder
    assert values | {"ports": msgspec.structs.asdict(read.ports)} == dataclasses.asdict(installation)
    assert read.has_store == installation.has_store
    return read


@pytest.mark.parametrize("has_grafana", [True, False])
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_read_as_it_was_written(kind: str, has_grafana: bool, tmp_path: Path) -> None:
    server = Endpoint("m.example.org", 2003)
    options: dict[str, dict[str, Any]] = {
        "agent": {"carbon_server": server, "port": None},
        "frontend": {"carbonapi_server": server},
    }
    check_reads_back(tmp_path, written(type=kind, has_grafana=has_grafana, **options.get(kind, {})))


@pytest.mark.parametrize("options", MORE.values(), ids=MORE)
def test_every_option_is_read_as_it_was_written(options: dict[str, Any], tmp_path: Path) -> None:
    check_reads_back(tmp_path, written(**options))


def test_files_lie_where_the_installer_lays_them(tmp_path: Path) -> None:
    read = check_reads_back(tmp_path, written(listen="10.0.0.1"))
    for path, name in (
        (read.store_file, plan.STORE_FILE),
        (read.certificate, plan.CERTIFICATE),
        (read.secret("tls_key.pem"), plan.TLS_KEY),
        (read.secret("admin_password"), f"{plan.SECRETS_FOLDER}/{plan.ADMIN_PASSWORD}"),
        (read.secret("database_password"), f"{plan.SECRETS_FOLDER}/{plan.DATABASE_PASSWORD}"),
    ):
        assert path == tmp_path / name


@pytest.mark.parametrize("host", HOSTS)
def test_an_address_means_the_same_to_both(host: str, tmp_path: Path) -> None:
    endpoint = parse_endpoint(join(host, 2003), needs_port=True)
    assert endpoint == (host, 2003)
    assert Address.parse(str(endpoint)) == endpoint
    assert str(Address(host, 2003)) == str(endpoint)

    read = check_reads_back(tmp_path, written(type="agent", port=None, carbon_server=endpoint))
    assert read.carbon_address == endpoint


@pytest.mark.parametrize(
    ("listens_on", "asked_at"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1"), ("[::1]", "::1")]
)
def test_what_listens_is_found_at_the_address_that_is_written(listens_on: str, asked_at: str, tmp_path: Path) -> None:
    address = parse_listen(listens_on)
    read = check_reads_back(tmp_path, written(carbon_listen=address, carbonapi_listen=address))
    assert reached_at(address) == asked_at
    assert read.carbon_address == Address(asked_at, 15001)
    assert read.carbonapi_address == Address(asked_at, 15002)
