import json
from pathlib import Path
from typing import Any

import pytest

from dkumonitor import errors
from dkumonitor.address import Address
from dkumonitor.errors import AddressError, DkmError, InstallationError
from dkumonitor.installation import Installation, current
from dkumonitor.settings import settings_file

DESCRIPTION: dict[str, Any] = {
    "version": "0.1.0",
    "type": "all",
    "host": "myhost_example_org",
    "user": "alice",
    "interval_seconds": 10,
    "programs": ["go-carbon", "carbonapi", "collectd", "collectors"],
    "listen": "127.0.0.1",
    "carbon_listen": "127.0.0.1",
    "carbonapi_listen": "127.0.0.1",
    "ports": {
        "web": 15000,
        "carbon": 15001,
        "carbonapi": 15002,
        "carbonserver": 15003,
        "pickle": None,
        "console": 15000,
    },
    "carbon_server": "[::1]:15001",
    "carbonapi_server": None,
    "grafana": False,
    "system_collectd": None,
    "tls": False,
    "database": None,
}


def write(folder: Path, **changes: Any) -> Path:
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf/installation.json").write_text(json.dumps(DESCRIPTION | changes))
    return folder


def test_what_the_installer_wrote_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DKM_DIR", str(write(tmp_path)))
    read = current()
    assert (read.host, read.interval_seconds, read.ports.carbonapi) == ("myhost_example_org", 10, 15002)
    assert (read.carbon_address, read.carbonapi_address) == (Address("::1", 15001), None)
    assert (read.dir, read.conf, read.lib) == (tmp_path, tmp_path / "conf", tmp_path / "lib")
    assert (read.run, read.storage) == (tmp_path / "run", tmp_path / "storage")


def test_the_environment_moves_the_settings(tmp_path: Path) -> None:
    installation = Installation.load(write(tmp_path))
    assert settings_file(installation, {}) == tmp_path / "conf/dkumonitor.toml"
    assert settings_file(installation, {"DKM_CONF": "/etc/d.toml"}) == Path("/etc/d.toml")


@pytest.mark.parametrize(
    "changes", [{"type": "everything"}, {"more": 1}, {"host": "a.b"}, {"ports": {}}, {"interval_seconds": 0}]
)
def test_another_versions_description_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(InstallationError, match="--update"):
        Installation.load(write(tmp_path, **changes))


def test_no_installation_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InstallationError, match="not an installation"):
        Installation.load(tmp_path)
    monkeypatch.delenv("DKM_DIR", raising=False)
    with pytest.raises(InstallationError, match="DKM_DIR is not set"):
        current()


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:0", "a:65536", "a:-1", "::1:5", "a:1 ", "a:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        Address.parse(text)


def test_an_address_reads_back() -> None:
    for text in ("host.example.org:2003", "127.0.0.1:1", "[::1]:65535"):
        assert str(Address.parse(text)) == text


def test_every_error_has_an_exit_code_of_its_own_and_stands_in_the_tree() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, DkmError)]
    codes = [one.exit_code for one in classes]
    assert len(set(codes)) == len(codes)
    assert errors.__doc__ is not None
    for one in classes:
        assert any(one.__name__ in line and str(one.exit_code) in line for line in errors.__doc__.splitlines())


def test_an_error_says_what_failed_and_what_to_do() -> None:
    assert str(DkmError("it broke", "Mend it")) == "it broke. Mend it."
    assert str(DkmError("it broke")) == "it broke."
