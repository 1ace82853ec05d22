"""Where a person, a sender and a reader are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dkumonitor.urls import listening, urls
from tests.installations import NO_PORTS, PORTS_WITH_GRAFANA, an_installation

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "conf/secrets/admin_password"
    file.parent.mkdir(parents=True)
    file.write_text("secret")
    return file


def test_without_grafana_the_page_to_open_is_the_consoles(tmp_path: Path, password: Path) -> None:
    found = urls(an_installation(tmp_path))

    assert (found.web, found.console, found.grafana) == ("http://127.0.0.1:15000", "http://127.0.0.1:15000", None)
    assert (found.carbon, found.carbonapi) == ("127.0.0.1:15001", "http://127.0.0.1:15002")
    assert (found.admin_user, found.admin_password_file) == ("admin", str(password))


def test_with_grafana_the_page_to_open_is_grafanas_and_the_console_is_named(tmp_path: Path, password: Path) -> None:
    found = urls(an_installation(tmp_path, grafana=True, ports=PORTS_WITH_GRAFANA))

    assert found.web == found.grafana == "http://127.0.0.1:15000"
    assert found.console == "http://127.0.0.1:15006"
    assert found.admin_password_file == str(password)


def test_tls_is_in_the_addresses_of_the_pages_alone(tmp_path: Path) -> None:
    found = urls(an_installation(tmp_path, listen="0.0.0.0", tls=True))

    assert (found.web, found.carbonapi) == ("https://127.0.0.1:15000", "http://127.0.0.1:15002")


def test_a_password_file_that_is_gone_is_not_named(tmp_path: Path) -> None:
    assert urls(an_installation(tmp_path)).admin_password_file is None


def test_an_installation_without_pages_has_no_admin(tmp_path: Path, password: Path) -> None:
    found = urls(an_installation(tmp_path, type="agent", ports=NO_PORTS))

    assert password.exists()
    assert (found.web, found.console, found.admin_user, found.admin_password_file) == (None,) * 4


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("0.0.0.0", "127.0.0.1:15001"), ("::", "[::1]:15001"), ("10.0.0.7", "10.0.0.7:15001")],
)
def test_an_address_is_one_that_this_machine_can_reach(tmp_path: Path, listen: str, expected: str) -> None:
    assert str(listening(an_installation(tmp_path, carbon_listen=listen))["carbon"]) == expected


def test_an_agent_listens_nowhere(tmp_path: Path) -> None:
    assert listening(an_installation(tmp_path, ports=NO_PORTS)) == {}
