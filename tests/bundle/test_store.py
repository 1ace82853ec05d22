"""The store of the installed bundle: made at install, brought up to date at update, or what is said instead."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests import releases, servers
from tests.conftest import RUN_FOLDER
from tests.releases import snapshot
from tests.stack import Stack, free_port_range, install, run_installer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import DatabaseServer

SERVICE = "daemon"


def _who() -> tuple[str, ...]:
    return ("--as-root",) if os.geteuid() == 0 else ()


def _tables(stack: Stack) -> set[str]:
    with sqlite3.connect(stack.dir / "storage/store/dkumonitor.sqlite") as store:
        found = {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    store.close()
    return found


@pytest.fixture
def installed(release: Path, workspace: Path) -> Iterator[Stack]:
    with free_port_range() as port:
        yield install(release, workspace / "dkm", port)


@pytest.fixture(scope="module")
def newer(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return releases.newer(release, tmp_path_factory.mktemp("newer"), "99.0.0")


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    start = {"postgresql": servers.postgresql, "mariadb": servers.mariadb}[request.param]
    with start(os.environ[RUN_FOLDER]) as started:
        yield started


def test_the_store_is_there_with_its_first_account_before_anything_runs(installed: Stack) -> None:
    assert {"accounts", "people"} <= _tables(installed)
    accounts = json.loads(installed.dkm("account", "list", "--json").stdout)
    assert [account["login"] for account in accounts] == ["admin"]


def test_with_user_the_store_belongs_to_the_account(release: Path, workspace: Path) -> None:
    assert os.geteuid() == 0, "this test becomes another user, so it needs root"
    with free_port_range() as port:
        stack = install(release, workspace / "dkm", port, "--user", SERVICE)
    below = {name: value.split()[:2] for name, value in snapshot(stack.dir / "storage/store").items()}
    assert below == {"dkumonitor.sqlite": ["100600", "1:1"]}
    assert not [name for name in snapshot(stack.dir) if name.endswith(".pyc") and not name.startswith("releases/")]


def test_an_installation_uses_the_server_that_is_named_and_keeps_its_password_to_itself(
    release: Path, workspace: Path, server: DatabaseServer
) -> None:
    password = workspace / "password"
    password.write_text(f"{servers.PASSWORD}\n")
    arguments = ("--database", server.create(), "--database-password-file", str(password))
    with free_port_range() as port:
        stack = install(release, workspace / "dkm", port, *arguments)
        assert list((stack.dir / "storage/store").iterdir()) == []
        assert stack.installation["database"] == arguments[1]
        kept = stack.dir / "conf/secrets/database_password"
        assert (kept.read_text(), kept.stat().st_mode & 0o777) == (servers.PASSWORD, 0o600)
        accounts = json.loads(stack.dkm("account", "list", "--json").stdout)
        assert [account["login"] for account in accounts] == ["admin"]

    with free_port_range() as port:  # a second host of the same server: its own password opens nothing
        who = ("-d", str(workspace / "second"), "-p", str(port), *_who())
        outcome = run_installer(release, *who, *arguments)
    assert outcome.returncode == 0, outcome.stderr
    assert not (workspace / "second/conf/secrets/admin_password").exists()
    assert "has already" in outcome.stdout
    assert servers.PASSWORD not in outcome.stdout + outcome.stderr


def test_a_database_that_does_not_answer_undoes_the_installation(release: Path, workspace: Path) -> None:
    password = workspace / "password"
    password.write_text("geheim")
    with free_port_range() as port:
        arguments = ("-d", str(workspace / "dkm"), "-p", str(port), *_who())
        database = ("--database", f"postgresql://dkm@127.0.0.1:{port + 9}/dkm")
        outcome = run_installer(release, *arguments, *database, "--database-password-file", str(password))

    assert outcome.returncode == 8, outcome.stderr
    assert f"127.0.0.1:{port + 9}" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "geheim" not in outcome.stderr
    assert [path.name for path in workspace.iterdir()] == ["password"]


def test_an_update_whose_store_fails_is_done_and_says_what_to_run(installed: Stack, newer: Path) -> None:
    store = installed.dir / "storage/store/dkumonitor.sqlite"
    good = store.read_bytes()
    store.write_bytes(b"no database at all" * 1000)

    outcome = run_installer(newer, "-d", str(installed.dir), "--update")

    assert outcome.returncode == 0
    assert f"'{installed.dir}/bin/dkm' setup" in outcome.stderr
    assert installed.installation["version"] == "99.0.0"
    assert not (installed.dir / "releases/pending").exists()
    store.write_bytes(good)
    installed.dkm("setup")
    assert "accounts" in _tables(installed)


def test_an_update_brings_the_console_to_an_installation_that_had_none(installed: Stack, newer: Path) -> None:
    """What the first release wrote, before there was a console."""
    path = installed.dir / "conf/installation.json"
    before = json.loads(path.read_text())
    before["programs"].remove("console")
    del before["tls"], before["database"], before["ports"]["console"]
    before["ports"]["web"] = None
    path.write_text(json.dumps(before))
    for name in ("conf/secrets/admin_password", "storage/store/dkumonitor.sqlite"):
        (installed.dir / name).unlink()
    for name in ("conf/secrets", "storage/store"):
        (installed.dir / name).rmdir()
    (installed.dir / "static").unlink()

    outcome = run_installer(newer, "-d", str(installed.dir), "--update")

    assert (outcome.returncode, outcome.stderr) == (0, "")
    after = installed.installation
    assert "console" in after["programs"]
    assert (after["ports"]["web"], after["ports"]["console"]) == (installed.port, installed.port)
    assert (installed.dir / "conf/secrets/admin_password").is_file()
    assert (installed.dir / "static").resolve() == (installed.dir / "lib/web").resolve()
    assert "accounts" in _tables(installed)


def test_an_update_makes_no_first_password_where_the_administrator_has_chosen_another(
    installed: Stack, newer: Path
) -> None:
    (installed.dir / "conf/secrets/admin_password").unlink()
    assert run_installer(newer, "-d", str(installed.dir), "--update").returncode == 0
    assert list((installed.dir / "conf/secrets").iterdir()) == []
