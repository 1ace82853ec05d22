"""The collectors: what is due is done, figures come out of what the store has, and one task's failure is its own."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from collectors.disk import runs, tasks
from collectors.disk.collector import DiskSettings, look_from, scan_from
from collectors.disk.errors import ScanError
from collectors.disk.facts import User
from collectors.disk.runs import Level, State
from dkumonitor.collector import Run
from tests.collectors.disk.makers import a_task
from tests.collectors.disk.test_disk_runs import a_scan

if TYPE_CHECKING:
    from pathlib import Path

    from dkumonitor.collector import Facts
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

NOW = 1_800_000_000


def run(name: str = "disk", **settings: Any) -> Run:
    return Run(f"dkm.example.{name}", DiskSettings(**settings), None, NOW, 300)


def values(facts: Facts) -> dict[str, float]:
    return {point.name.removeprefix("dkm.example.disk."): point.value for point in facts.points}


def keep(store: Store, *made: tasks.Task) -> None:
    for task in made:
        store.write(lambda connection, task=task: tasks.add(connection, task, NOW))  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _scanner(installation: Installation, release: Path) -> None:
    (installation.lib / "bin").mkdir(parents=True)
    (installation.lib / "bin/dkm-scan").symlink_to(release / "bin/dkm-scan")


def test_without_a_task_there_is_nothing_to_say(installation: Installation, store: Store) -> None:
    assert "dkm disk task create" in look_from(installation, run()).no_data
    keep(store, a_task(enabled=False), a_task(name="other", host="elsewhere"))
    assert "dkm disk task create" in scan_from(installation, run("disk_scan")).no_data


def test_a_look_is_noted_and_sent(installation: Installation, store: Store, tmp_path: Path) -> None:
    keep(store, a_task(os.fsencode(tmp_path)))
    sent = values(look_from(installation, run()))
    seen = runs.look(os.fsencode(tmp_path))
    assert sent["scratch.used_percent"] == pytest.approx(seen.used_percent, abs=1)
    assert sent["scratch.level"] == runs.level_of(a_task(), seen.used_percent).number
    assert "scratch.files" not in sent, "no scan has found any yet"
    again = look_from(installation, run())
    assert values(again) == sent, "the next look is not due"


def test_a_scan_is_done_once_and_its_figures_are_sent_from_then_on(
    installation: Installation, store: Store, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(b"x" * 1000)
    keep(store, a_task(os.fsencode(tree)))
    assert [point.value for point in scan_from(installation, run("disk_scan")).points] == [1]
    assert [point.value for point in scan_from(installation, run("disk_scan")).points] == [0]
    sent = values(look_from(installation, run()))
    assert (sent["scratch.files"], sent["scratch.apparent_bytes"], sent["scratch.partial"]) == (1, 1000, 0)


def test_the_largest_accounts_have_series_and_the_rest_is_summed(installation: Installation, store: Store) -> None:
    keep(store, a_task(b"/nowhere"))
    number = runs.begin(store, a_task(), "full", NOW)
    users = tuple(User(uid=4_000_000 + at, files=at, allocated_bytes=10 * at, apparent_bytes=at) for at in range(1, 6))
    runs.keep(store, number, a_scan(users=users))
    runs.end(store, number, State.DONE, NOW, level=Level.OK, values=runs.of_scan(a_scan()))
    sent = values(look_from(installation, run(top_users=2)))
    files = {
        name: value for name, value in sent.items() if name.startswith("scratch.users.") and name.endswith("files")
    }
    assert files == {
        "scratch.users.uid-4000005.files": 5,
        "scratch.users.uid-4000004.files": 4,
        "scratch.users._other.files": 1 + 2 + 3,
    }


def test_a_task_that_fails_takes_no_others_figures(installation: Installation, store: Store, tmp_path: Path) -> None:
    keep(store, a_task(b"/nowhere/at/all", name="broken"), a_task(os.fsencode(tmp_path)))
    assert set(values(look_from(installation, run()))) >= {"scratch.used_percent"}
    assert [point.value for point in scan_from(installation, run("disk_scan")).points] == [1]


def test_where_nothing_else_is_left_a_failure_is_one(installation: Installation, store: Store) -> None:
    keep(store, a_task(b"/nowhere/at/all"))
    with pytest.raises(ScanError, match="/nowhere/at/all"):
        look_from(installation, run())
    with pytest.raises(ScanError, match="/nowhere/at/all"):
        scan_from(installation, run("disk_scan"))


def test_two_at_once_do_not_scan_twice(installation: Installation, store: Store, tmp_path: Path) -> None:
    keep(store, a_task(os.fsencode(tmp_path)))
    runs.begin(store, a_task(), "full", time.time())
    assert [point.value for point in scan_from(installation, run("disk_scan")).points] == [0]
