"""Kills, and many writers at once: nothing is half done or lost. Each test proves itself on a broken variant."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.broken import broken_tree
from tests.conftest import ROOT
from tests.store import records
from tests.store.conftest import database_on

if TYPE_CHECKING:
    from tests.store.conftest import Database

VARIANTS = Path(__file__).parent / "variants"


def act(database: Database, name: str, tree: Path = ROOT) -> subprocess.CompletedProcess[str]:
    with database.begin("tests.store.worker", name, tree=tree) as process:
        out, err = process.communicate(timeout=200)
    return subprocess.CompletedProcess(name, process.returncode, out, err)


def broken(tmp_path: Path, variant: str) -> Path:
    tests = ("tests/__init__.py", "tests/installations.py", "tests/store")
    return broken_tree(tmp_path, VARIANTS / f"{variant}.patch", "dkumonitor", "collectors", *tests)


def test_an_upgrade_that_is_killed_anywhere_is_rolled_back_or_gone_on_with(database: Database) -> None:
    outcome = act(database, "kill-upgrades")
    assert outcome.returncode == 0, outcome.stderr


def test_upgrades_of_several_processes_at_once_do_not_disturb_each_other(database: Database) -> None:
    outcome = act(database, "upgrade-at-once")
    assert outcome.returncode == 0, outcome.stderr


def test_five_processes_that_write_at_once_lose_nothing_and_are_never_locked_out(database: Database) -> None:
    database.upgraded(records.COMPONENT).close()
    outcome = act(database, "write-at-once")
    assert outcome.returncode == 0, outcome.stderr
    assert "locked" not in outcome.stderr


BROKEN = [
    ("no-transaction", "kill-upgrades", "sqlite", "it left"),
    ("no-transaction-on-postgresql", "kill-upgrades", "postgresql", "it left"),
    ("no-inspection", "kill-upgrades", "mysql", "already exists"),
    ("no-patience", "write-at-once", "sqlite", "in use by another process"),
    ("late-lock", "write-at-once", "sqlite", "in use by another process"),
    ("not-alone", "write-at-once", "postgresql", "acts were lost"),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case[0])
def test_the_tests_above_catch(case: tuple[str, str, str, str], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    variant, name, dialect, said = case
    fixture = {"postgresql": "postgresql_server", "mysql": "mariadb_server"}.get(dialect)
    database = database_on(None if fixture is None else request.getfixturevalue(fixture), tmp_path / "dkm")
    if name == "write-at-once":
        database.upgraded(records.COMPONENT).close()
    outcome = act(database, name, broken(tmp_path, variant))
    assert outcome.returncode != 0, f"{variant} was not noticed"
    assert said in outcome.stderr
