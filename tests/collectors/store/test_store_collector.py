"""The store's collector, against a real store in a file."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import collectors
from collectors import store as folder
from collectors.store.collector import COLLECTOR, METRICS, StoreState, collect_from
from dkumonitor.collector import CollectorSettings, Run
from dkumonitor.errors import StoreError
from dkumonitor.store.engine import open_store
from dkumonitor.store.migrations import upgrade
from dkumonitor.store.people import People
from tests.conftest import ROOT
from tests.installations import an_installation
from tests.readme_tables import table

if TYPE_CHECKING:
    from dkumonitor.collector import Facts
    from dkumonitor.installation import Installation

assert folder.__file__ is not None
README = (Path(folder.__file__).parent / "README.md").read_text()
NOW_SECONDS = 1_800_000_000


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = an_installation(tmp_path, user=pwd.getpwuid(os.geteuid()).pw_name)
    made.conf.mkdir()
    (made.conf / "dkumonitor.toml").touch()
    with open_store(made) as opened:
        upgrade(opened, collectors.components())
    return made


def run(installation: Installation, state: StoreState | None = None, time_seconds: int = NOW_SECONDS) -> Facts:
    of = Run("dkm.example.store", CollectorSettings(), state, time_seconds, 300)
    return collect_from(installation, of)


def test_sizes_are_sent_and_the_upkeep_is_done_once_a_day(installation: Installation) -> None:
    facts = run(installation)
    points = {point.name.removeprefix("dkm.example.store."): point.value for point in facts.points}
    assert points["tables.people.rows"] > 0
    assert points["size_bytes"] > 4096
    assert points["removed_total"] == 0
    assert facts.state == StoreState(NOW_SECONDS, 0)
    with open_store(installation) as opened, opened.reading() as connection:
        assert People(connection, "example").name_of(0, sees_names=False) == "root"
    later = run(installation, facts.state, NOW_SECONDS + 86399)
    assert later.state == facts.state
    next_day = run(installation, StoreState(NOW_SECONDS, 7), NOW_SECONDS + 86400)
    assert next_day.state == StoreState(NOW_SECONDS + 86400, 7)
    back = run(installation, StoreState(NOW_SECONDS, 7), NOW_SECONDS - 1000)
    assert back.state == StoreState(NOW_SECONDS - 1000, 7)


def test_what_is_sent_is_declared(installation: Installation) -> None:
    declared = [re.sub("<[a-z]+>", "[A-Za-z0-9_-]+", metric.name) for metric in METRICS]
    for point in run(installation).points:
        name = point.name.removeprefix("dkm.example.store.")
        assert any(re.fullmatch(pattern, name) for pattern in declared), name


def test_a_store_without_tables_is_a_failure_that_says_what_to_run(installation: Installation) -> None:
    installation.store_file.unlink()
    with pytest.raises(StoreError, match="dkm setup"):
        run(installation)


def test_the_parent_does_not_load_the_library_of_databases() -> None:
    code = (
        "import sys, collectors.__main__ as m; m.discover(); print({'sqlalchemy', 'alembic', 'ldap3'} & {*sys.modules})"
    )
    outcome = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert outcome.stdout == "set()\n"


def test_the_readme_lists_exactly_the_declared_metrics() -> None:
    assert table(README, "metric") == [[metric.name, metric.unit, metric.summary] for metric in METRICS]


def test_the_readme_lists_exactly_the_settings_with_their_defaults() -> None:
    rows = {name: default for name, default, _ in table(README, "key of `[collectors.store]`")}
    assert set(rows) == set(CollectorSettings.__struct_fields__)
    assert (rows["enabled"], rows["interval_seconds"]) == ("true", str(COLLECTOR.interval_seconds))
