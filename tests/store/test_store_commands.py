"""The verbs, as a person calls them: `dkm setup`, `dkm store`, `dkm people`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dkumonitor.accounts import accounts
from dkumonitor.accounts.passwords import Hashing
from tests import servers
from tests.conftest import ROOT
from tests.store.conftest import Database, database_on

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return database_on(None, tmp_path / "dkm")


def dkm(database: Database, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    outcome = database.process("dkm", *arguments, check=False)
    assert outcome.returncode == code, f"{arguments}: {outcome.stdout}\n{outcome.stderr}"
    return outcome


def test_setup_makes_tables_and_the_first_admin_once(database: Database) -> None:
    secret = database.installation.secret("admin_password")
    secret.write_text("first-password\n")
    first = dkm(database, "setup").stdout
    assert "people: new -> " in first
    assert "the first account is admin" in first
    again = dkm(database, "setup").stdout
    assert again.count("is up to date") == first.count("new -> ")
    assert "first account" not in again
    assert secret.read_text() == "first-password\n"
    with database.open() as store:
        assert accounts.opens(store, Hashing(), "admin", "first-password")
    if database.server is not None:
        assert servers.PASSWORD not in first + again


def test_setup_removes_a_password_file_that_opens_nothing(sqlite: Database) -> None:
    secret = sqlite.installation.secret("admin_password")
    secret.write_text("first-password\n")
    dkm(sqlite, "setup")
    secret.write_text("another one\n")
    assert "no longer right, and is removed" in dkm(sqlite, "setup").stdout
    assert not secret.exists()
    dkm(sqlite, "setup")


def test_verbs_say_what_to_run_where_there_are_no_tables(sqlite: Database) -> None:
    assert "Run `dkm setup`" in dkm(sqlite, "people", "list", code=10).stderr


def test_people_go_in_by_a_file_and_come_out_as_they_went_in(sqlite: Database, tmp_path: Path) -> None:
    dkm(sqlite, "setup")
    file = tmp_path / "people.csv"
    file.write_text('login,real_name,uid\nann,\'=1+1,4000001\nbob,"B\u00f6b, \\xff",\n')
    assert "2 people and no wrong line" in dkm(sqlite, "people", "import", "--dry-run", str(file)).stdout
    assert json.loads(dkm(sqlite, "people", "list", "--json").stdout) == []
    [change] = json.loads(dkm(sqlite, "people", "import", str(file), "--json").stdout)
    assert change == {"source": "csv", "added": 2, "changed": 0, "removed": 0, "unchanged": 0}
    listed = json.loads(dkm(sqlite, "people", "list", "--json").stdout)
    assert [(row["login"], row["real_name"], row["uid"]) for row in listed] == [
        ("ann", "=1+1", 4000001),
        ("bob", "B\u00f6b, \udcff", None),
    ]
    file.write_text(dkm(sqlite, "people", "list", "--csv").stdout)
    [change] = json.loads(dkm(sqlite, "people", "import", str(file), "--json").stdout)
    assert change["unchanged"] == 2
    file.write_text("login,uid\nann,x\n")
    assert "line 2: uid 'x' is no number" in dkm(sqlite, "people", "import", str(file), code=11).stderr
    assert len(json.loads(dkm(sqlite, "people", "list", "--json").stdout)) == 2


def test_people_sync_asks_the_machine_and_tells_of_a_directory_that_is_not_there(sqlite: Database) -> None:
    dkm(sqlite, "setup")
    dkm(sqlite, "people", "sync")
    [root] = [row for row in json.loads(dkm(sqlite, "people", "list", "--json").stdout) if row["login"] == "root"]
    assert (root["uid"], root["source"]) == (0, "getent")
    settings = sqlite.installation.conf / "dkumonitor.toml"
    settings.write_text('[people.ldap]\nurl = "ldap://localhost:1"\nbase = "dc=example"\n')
    outcome = dkm(sqlite, "people", "sync", "--json", code=11)
    assert [row["source"] for row in json.loads(outcome.stdout)] == ["getent"]
    assert "ldap://localhost:1 cannot be asked" in outcome.stderr


def test_the_store_tells_what_is_in_it_and_is_cleaned(sqlite: Database) -> None:
    dkm(sqlite, "setup")
    tables = {row["table"]: row for row in json.loads(dkm(sqlite, "store", "status", "--json").stdout)}
    assert tables["people"]["component"] == "people"
    assert tables["people"]["rows"] == 0
    assert "KiB" in dkm(sqlite, "store", "status").stdout
    cleaned = {row["table"]: row for row in json.loads(dkm(sqlite, "store", "clean", "--dry-run", "--json").stdout)}
    assert set(cleaned) == {row["table"] for row in tables.values() if row["setting"]}
    assert all(row["removed_rows"] == 0 for row in cleaned.values())
    settings = sqlite.installation.conf / "dkumonitor.toml"
    settings.write_text("[store.retention_days]\nnothing = 3\n")
    assert "no setting 'store.retention_days.nothing'" in dkm(sqlite, "store", "clean", code=5).stderr


LOADED = """
import sys
from dkumonitor.installation import current
from dkumonitor.store.engine import open_store
from dkumonitor.store.migrations import check
import collectors
with open_store(current()) as store:
    check(store, collectors.components())
print(sorted({name.partition(".")[0] for name in sys.modules} & {"alembic", "mako", "ldap3", "pg8000", "pymysql"}))
"""


def test_looking_at_the_schema_loads_nothing_that_only_a_change_of_it_needs(sqlite: Database) -> None:
    dkm(sqlite, "setup")
    code = sqlite.installation.dir / "loaded.py"
    code.write_text(LOADED)
    environment = {"PATH": os.environ["PATH"], "DKM_DIR": str(sqlite.installation.dir), "PYTHONPATH": str(ROOT)}
    outcome = subprocess.run([sys.executable, code], env=environment, capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"
