"""`dkm password`, `dkm token` and `dkm account`, on a real store."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from dkm.main import cli
from dkumonitor.accounts import accounts, tokens
from dkumonitor.accounts.errors import AccountError
from dkumonitor.accounts.passwords import Hashing
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tables import audit
from dkumonitor.errors import ServiceError
from dkumonitor.store.components import core_components
from dkumonitor.store.engine import Store, open_store
from dkumonitor.store.migrations import upgrade
from tests.console_app import PASSWORD, make_accounts, write_installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from dkumonitor.installation import Installation

NEW = "a wholly different phrase"


@dataclass
class Command:
    installation: Installation
    store: Store

    def __call__(self, *arguments: str, given: str = "") -> Result:
        return CliRunner().invoke(cli, arguments, input=given, obj=self.installation, catch_exceptions=True)

    def opens(self, login: str, password: str) -> bool:
        return accounts.opens(self.store, Hashing(), login, password)

    def acts(self) -> list[tuple[str, str, str]]:
        with self.store.reading() as connection:
            rows = connection.execute(sa.select(audit).order_by(audit.c.id)).all()
        return [(row.address, row.act, row.about) for row in rows[len(Role) :]]


@pytest.fixture
def dkm(tmp_path: Path) -> Iterator[Command]:
    installation = write_installation(tmp_path, 15000)
    store = open_store(installation)
    upgrade(store, core_components())
    make_accounts(store)
    yield Command(installation, store)
    store.close()


def done(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_a_password_is_asked_for_twice_and_the_file_with_the_old_one_goes(dkm: Command) -> None:
    secret = dkm.installation.secret("admin_password")
    secret.write_text(PASSWORD)
    result = dkm("password", given=f"{NEW}\n{NEW}\n")
    assert "The password of admin is changed." in done(result)
    assert NEW not in result.output
    assert dkm.opens("admin", NEW)
    assert not secret.exists()
    assert dkm.acts() == [("command", "password-changed", "admin")]


def test_a_file_that_still_tells_the_truth_stays(dkm: Command) -> None:
    secret = dkm.installation.secret("admin_password")
    secret.write_text(f"{NEW}\n")
    done(dkm("password", "--stdin", given=f"{NEW}\n"))
    done(dkm("password", "viewer", "--stdin", given=f"{PASSWORD}\n"))
    assert secret.exists()


@pytest.mark.parametrize("given", ["", "\n", "short\n", "admin is in this one\n"])
def test_a_password_that_may_not_be_one_changes_nothing(dkm: Command, given: str) -> None:
    result = dkm("password", "--stdin", given=given)
    assert isinstance(result.exception, AccountError)
    assert dkm.opens("admin", PASSWORD)
    assert dkm.acts() == []


def test_grafanas_admin_gets_the_same_by_standard_input(tmp_path: Path, dkm: Command) -> None:
    program = tmp_path / "lib" / "grafana" / "bin" / "grafana"
    program.parent.mkdir(parents=True)
    told = tmp_path / "told"
    program.write_text(
        f'#!/bin/sh\necho "$@" > "{told}"\ncat >> "{told}"\necho "Admin password changed successfully"\n'
    )
    program.chmod(0o755)
    dkm.installation = type(dkm.installation)(**{**_fields(dkm.installation), "grafana": True})
    assert "Grafana's admin has the same." in done(dkm("password", "--stdin", given=f"{NEW}\n"))
    arguments, password = told.read_text().splitlines()
    assert password == NEW
    assert arguments.endswith("admin reset-admin-password --password-from-stdin")
    dkm.installation.secret("admin_password").write_text(PASSWORD)
    kept = dkm("password", "--stdin", given=f"{NEW}\n")
    assert "Grafana needs it to start" in kept.stderr
    assert dkm.installation.secret("admin_password").exists()
    program.write_text("#!/bin/sh\ncat > /dev/null\necho could not read the database >&2\n")  # as it does: exit 0
    failed = dkm("password", "--stdin", given=f"{NEW}\n")
    assert isinstance(failed.exception, ServiceError)
    assert "could not read the database" in str(failed.exception)


def _fields(installation: Installation) -> dict[str, Any]:
    return {name: getattr(installation, name) for name in installation.__struct_fields__}


def test_a_token_is_printed_alone_and_can_be_revoked(dkm: Command) -> None:
    made = done(dkm("token", "create", "backup", "--scope", "admin", "--days", "3"))
    assert made.startswith("dkm_")
    assert made.endswith("\n")
    assert len(made.split()) == 1
    with dkm.store.reading() as connection:
        found = tokens.find(connection, made.strip(), int(time.time()))
    assert found is not None
    assert (found.login, found.role) == ("admin", Role.ADMIN)
    (row,) = json.loads(done(dkm("token", "list", "--json")))
    assert (row["login"], row["name"], row["scope"]) == ("admin", "backup", "admin")
    assert row["expires_seconds"] - row["created_seconds"] == 3 * 86400
    assert "The token backup is revoked." in done(dkm("token", "revoke", str(row["id"])))
    assert json.loads(done(dkm("token", "list", "--json"))) == []
    assert isinstance(dkm("token", "revoke", "1").exception, AccountError)
    assert [act for _, act, _ in dkm.acts()] == ["token-created", "token-revoked"]


def test_a_token_of_another_account_never_may_more_than_that(dkm: Command) -> None:
    made = done(dkm("token", "create", "x", "--scope", "admin", "--login", "viewer"))
    with dkm.store.reading() as connection:
        found = tokens.find(connection, made.strip(), int(time.time()))
    assert found is not None
    assert found.role is Role.VIEWER
    assert isinstance(dkm("token", "create", "x", "--login", "nobody").exception, AccountError)
    assert dkm("token", "create", "x", "--days", "0").exit_code == 2
    assert dkm("token", "create", "x", "--scope", "root").exit_code == 2


def test_accounts_are_made_changed_and_removed(dkm: Command) -> None:
    password = done(dkm("account", "add", "Ada", "--role", "operator", "--real-names")).strip()
    assert dkm.opens("ada", password)
    done(dkm("account", "add", "bob", "--stdin", given=f"{NEW}\n"))
    assert dkm.opens("bob", NEW)
    done(dkm("account", "set", "ada", "--role", "admin", "--no-real-names", "--disable"))
    rows = {row["login"]: row for row in json.loads(done(dkm("account", "list", "--json")))}
    assert (rows["ada"]["role"], rows["ada"]["real_names"], rows["ada"]["disabled"]) == ("admin", False, True)
    assert not dkm.opens("ada", password)
    done(dkm("account", "remove", "ada"))
    assert sorted(rows) == ["ada", "admin", "bob", "operator", "viewer"]
    assert done(dkm("account", "list", "--csv")).splitlines()[0].startswith("login,role,")
    for refused in (("set", "admin", "--role", "viewer"), ("remove", "admin"), ("set", "bob"), ("add", "bob")):
        assert isinstance(dkm("account", *refused).exception, AccountError), refused


def test_the_first_admin_is_made_once(dkm: Command) -> None:
    assert accounts.ensure_first_admin(dkm.store, Hashing(), NEW, 1000) is False
    with dkm.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM accounts")
    assert accounts.ensure_first_admin(dkm.store, Hashing(), NEW, 1000) is True
    assert dkm.opens("admin", NEW)
    assert accounts.ensure_first_admin(dkm.store, Hashing(), PASSWORD, 1000) is False
    assert dkm.opens("admin", NEW)
