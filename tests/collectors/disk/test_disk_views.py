"""What the listings of disk use say is what the scans found, on every kind of database."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import collectors
from collectors.disk import runs
from collectors.disk.drawing import bars
from collectors.disk.facts import Sums
from collectors.disk.views import choices, listings
from collectors.disk.views.selection import moment_of
from dkumonitor.accounts.roles import Role
from dkumonitor.errors import NoSuchError, QuestionError
from dkumonitor.store.engine import insert_rows
from dkumonitor.store.migrations import upgrade
from dkumonitor.store.tables import people
from dkumonitor.views import Listing, Parameters, Question, Sources, Viewer
from tests.history.disk import DAY, FIRST_UID, HISTORY_DAYS, DiskHistory, Tree, lay_disk
from tests.history.users import logins
from tests.store.conftest import DIALECTS, Database, database_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collectors.disk.facts import Scan

NOW_SECONDS = 1_900_000_000 // DAY * DAY + 20_000
LOGINS = logins()
REAL_NAME = "Ada King Lovelace"
SUMS = Sums.__struct_fields__


@pytest.fixture(scope="module", params=DIALECTS)
def laid(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laid]:
    """400 days of three trees, on each kind of server in turn."""
    fixture = {"postgresql": "postgresql_server", "mysql": "mariadb_server"}.get(request.param)
    server = None if fixture is None else request.getfixturevalue(fixture)
    database = database_on(server, tmp_path_factory.mktemp(request.param) / "dkm")
    with contextlib.closing(database):
        yield Laid(database)


class Laid:
    """A store with everything in it, and what was laid."""

    def __init__(self, database: Database) -> None:
        self.history = DiskHistory(LOGINS, database.installation.host, NOW_SECONDS, directories=1500)
        self.installation = database.installation
        self.store = database.open()
        upgrade(self.store, collectors.components())
        person = {"source": "csv", "host": "", "mail": None, "student_id": None, "addresses": None}
        with self.store.writing() as connection:
            insert_rows(connection, people, (
                {**person, "login": login, "uid": FIRST_UID + number, "real_name": REAL_NAME, "changed_seconds": 1}
                for number, login in enumerate(LOGINS)
            ))  # fmt: skip
        lay_disk(self.store, self.history)
        self.full_runs = {tree.task.name: list(self.history.full_runs(tree)) for tree in self.history.trees}
        self.newest = {tree.task.name: self.scan(tree, 0, tree.directories) for tree in self.history.trees}

    def tree(self, name: str) -> Tree:
        (found,) = [tree for tree in self.history.trees if tree.task.name == name]
        return found

    def scan(self, tree: Tree, days_ago: int, directories: int = 40) -> Scan:
        return self.history.scan(tree, days_ago, directories)

    def ask(self, listing: Listing, parameters: Parameters, *, sees_names: bool = False, **question: Any) -> Any:
        """The rows of a listing."""
        viewer = Viewer("somebody", Role.VIEWER, sees_names=sees_names)
        sources = Sources(self.installation, self.store, None, viewer, NOW_SECONDS, parameters)
        return listing.of(sources, Question(**{"limit": 100_000, **question})).rows

    def full_run(self, name: str) -> int:
        """The number of the newest full run of a task."""
        (row,) = self.ask(listings.SYSTEMS, choices.TaskChoice(task=name))
        assert isinstance(row.run_id, int)
        return row.run_id


def sums(row: Any) -> dict[str, int]:
    return {name: getattr(row, name) for name in SUMS}


def test_users_are_those_of_the_newest_full_runs_with_their_growth_in_a_week(laid: Laid) -> None:
    rows = laid.ask(listings.USERS, choices.RunChoice())

    assert [row.allocated_bytes for row in rows] == sorted((row.allocated_bytes for row in rows), reverse=True)
    assert len(rows) == sum(len(scan.users) for scan in laid.newest.values())
    for name, scan in laid.newest.items():
        tree = laid.tree(name)
        before = {user.uid: user.allocated_bytes for user in laid.scan(tree, 7).users}
        found = {row.uid: row for row in rows if row.task == name}
        for user in scan.users:
            row = found[user.uid]
            assert sums(row) == sums(user)
            assert (row.login, row.real_name) == (LOGINS[user.uid - FIRST_UID], None)
            assert row.mean_age_seconds == pytest.approx(user.mean_age_seconds)
            assert row.old_percent == pytest.approx(100 * user.old_bytes / user.apparent_bytes)
            assert row.disk_percent == pytest.approx(100 * user.allocated_bytes / tree.size_bytes)
            assert row.growth_bytes == user.allocated_bytes - before[user.uid]
            assert row.growth_from_seconds == scan.now_seconds - 7 * DAY


def test_real_names_are_told_and_searched_for_viewers_who_may_see_them_alone(laid: Laid) -> None:
    for listing, choice in (
        (listings.USERS, choices.RunChoice(task="home")),
        (listings.USER, choices.UserChoice(user=str(FIRST_UID))),
        (listings.PLAN_USERS, choices.PlanChoice(plan="scratch-30-move")),
    ):
        shown = laid.ask(listing, choice, sees_names=True)
        assert {row.real_name for row in shown} == {REAL_NAME}
        assert {row.real_name for row in laid.ask(listing, choice)} == {None}
        assert len(laid.ask(listing, choice, sees_names=True, search="lovelace")) == len(shown)
        assert laid.ask(listing, choice, search="lovelace") == []


def test_a_file_system_is_shown_as_its_newest_run_saw_it_and_when_it_is_full(laid: Laid) -> None:
    rows = {row.task: row for row in laid.ask(listings.SYSTEMS, choices.TaskChoice())}

    assert list(rows) == ["scratch", "home", "data"]  # the worst first
    assert [row.level for row in rows.values()] == ["critical", "warning", "ok"]
    for name, scan in laid.newest.items():
        row, tree = rows[name], laid.tree(name)
        assert row.path == tree.task.path
        assert (row.files, row.old_bytes, row.allocated_bytes) == (
            scan.totals.files, scan.totals.old_bytes, scan.totals.allocated_bytes
        )  # fmt: skip
        assert row.users == len(scan.users)
        assert row.partial == scan.partial
        assert row.used_bytes == tree.used_bytes(0)
        assert (row.last_full_seconds, row.last_quick_seconds) == (scan.now_seconds, NOW_SECONDS - 60)
    scratch, days = rows["scratch"], 0.065 / ((0.935 - 0.71) / 70)
    assert scratch.full_in_early_seconds <= scratch.full_in_seconds <= scratch.full_in_late_seconds
    assert scratch.full_in_seconds == pytest.approx(days * DAY, rel=0.1)
    for row in (rows["home"], rows["data"]):
        assert (row.full_in_seconds, row.full_in_early_seconds, row.full_in_late_seconds) == (None, None, None)
        assert row.trend in {"no clear growth", "not full within a year"}


def test_a_user_over_time_is_every_full_run_by_login_and_by_uid(laid: Laid) -> None:
    number = 30
    rows = laid.ask(listings.USER, choices.UserChoice(user=LOGINS[number]))

    assert rows == laid.ask(listings.USER, choices.UserChoice(user=str(FIRST_UID + number)))
    for name in ("scratch", "home", "data"):
        mine = [row for row in rows if row.task == name]
        expected = {scan.now_seconds: scan for _, scan in laid.full_runs[name]}
        assert [row.started_seconds for row in mine] == sorted(expected, reverse=True)
        for row in mine:
            (user,) = [one for one in expected[row.started_seconds].users if one.uid == FIRST_UID + number]
            assert sums(row) == sums(user)
    assert max(expected) - min(expected) > (HISTORY_DAYS - 30) * DAY
    alone = laid.ask(listings.USER, choices.UserChoice(user=LOGINS[number], task="home"))
    assert {row.task for row in alone} == {"home"}


def test_directories_are_walked_down_from_the_tree_and_keep_every_byte_of_their_names(laid: Laid) -> None:
    scan, seen = laid.newest["scratch"], {}
    run = laid.full_run("scratch")
    waiting: list[int | None] = [None]
    while waiting:
        above = waiting.pop()
        for row in laid.ask(listings.DIRECTORIES, choices.DirectoryChoice(run=run, directory=above)):
            assert row.path not in seen
            seen[row.path] = row
            if row.listed:
                waiting.append(row.number)

    expected = {one.path: one for one in scan.directories if one.path}
    assert set(seen) == set(expected)
    for path, row in seen.items():
        assert (sums(row), row.uid, row.depth) == (sums(expected[path]), expected[path].uid, expected[path].depth)
    first = laid.ask(listings.DIRECTORIES, choices.DirectoryChoice(task="scratch"), limit=5)
    assert [row.share_percent for row in first] == [
        pytest.approx(100 * row.allocated_bytes / scan.totals.allocated_bytes) for row in first
    ]


def test_what_is_old_is_told_by_user_and_by_directory(laid: Laid) -> None:
    rows = laid.ask(listings.OLD, choices.TaskChoice(task="home"))
    scan = laid.newest["home"]

    assert [row.old_bytes for row in rows] == sorted((row.old_bytes for row in rows), reverse=True)
    by_user = {row.uid: row.old_bytes for row in rows if row.kind == "user"}
    assert by_user == {user.uid: user.old_bytes for user in scan.users if user.old_bytes}
    largest = sorted((one.old_bytes for one in scan.directories if one.depth), reverse=True)[:200]
    assert [row.old_bytes for row in rows if row.kind == "directory"] == largest


def test_the_history_is_sorted_searched_and_cut_by_the_database(laid: Laid) -> None:
    rows = laid.ask(listings.RUNS, choices.HistoryChoice(task="scratch"))
    full = laid.ask(listings.RUNS, choices.HistoryChoice(task="scratch", kind="full"))

    assert [row.started_seconds for row in rows] == sorted((row.started_seconds for row in rows), reverse=True)
    assert len(full) == len(laid.full_runs["scratch"])
    assert {row.files is None for row in rows if row.kind == "quick"} == {True}
    assert rows[:3] == laid.ask(listings.RUNS, choices.HistoryChoice(task="scratch"), limit=3)
    assert laid.ask(listings.RUNS, choices.HistoryChoice(), search="BOREA", limit=5)[0].task == "data"
    assert laid.ask(listings.RUNS, choices.HistoryChoice(task="nothing")) == []
    assert {row.level for row in rows} == {"critical", "warning", "ok"}


def test_a_run_that_failed_before_it_saw_anything_has_no_level_and_stands_for_nothing(laid: Laid) -> None:
    task = laid.tree("home").task
    before = (
        laid.ask(listings.SYSTEMS, choices.TaskChoice(task="home")),
        laid.ask(listings.USERS, choices.RunChoice(task="home")),
    )
    number = runs.begin(laid.store, task, "full", NOW_SECONDS)
    runs.end(laid.store, number, runs.State.FAILED, NOW_SECONDS + 1, level=runs.Level.OK, values={"detail": "gone"})

    (row,) = laid.ask(listings.RUNS, choices.HistoryChoice(task="home"), limit=1)
    assert (row.id, row.state, row.level, row.detail) == (number, "failed", "unknown", "gone")
    after = (
        laid.ask(listings.SYSTEMS, choices.TaskChoice(task="home")),
        laid.ask(listings.USERS, choices.RunChoice(task="home")),
    )
    assert after == before
    with pytest.raises(NoSuchError):
        laid.ask(listings.USERS, choices.RunChoice(run=number))


@pytest.mark.parametrize("kind", ["user", "directory"])
def test_a_difference_has_all_that_grew_shrank_came_and_went(laid: Laid, kind: str) -> None:
    newest = laid.full_run("scratch")
    then = laid.scan(laid.tree("scratch"), 14)  # lists other directories
    old = {row.started_seconds: row.id for row in laid.ask(listings.RUNS, choices.HistoryChoice(kind="full"))
           if row.task == "scratch"}[then.now_seconds]  # fmt: skip
    rows = laid.ask(listings.DIFFERENCE, choices.DifferenceChoice(before=str(old), after=str(newest), kind=kind))

    before, after = ({_key(one): one for one in _of(scan, kind)} for scan in (then, laid.newest["scratch"]))
    found = {_key(row): row for row in rows}
    same = {key for key in before.keys() & after.keys() if _told(before[key]) == _told(after[key])}
    assert set(found) == (before.keys() | after.keys()) - same
    for key, row in found.items():
        was, now = before.get(key), after.get(key)
        assert row.before_bytes == (was.allocated_bytes if was else 0)
        assert row.after_bytes == (now.allocated_bytes if now else 0)
        assert row.growth_bytes == row.after_bytes - row.before_bytes
        assert row.growth_files == (now.files if now else 0) - (was.files if was else 0)
        if was is None or now is None:
            assert row.change == ("came" if was is None else "went")
        elif row.growth_bytes:
            assert row.change == ("grew" if row.growth_bytes > 0 else "shrank")
    assert {"grew", "shrank"} <= {row.change for row in rows}


def _of(scan: Scan, kind: str) -> Sequence[Any]:
    return scan.users if kind == "user" else scan.directories


def _key(one: Any) -> Any:
    return one.uid if getattr(one, "path", None) is None else one.path


def _told(one: Any) -> tuple[int, int, int]:
    return one.files, one.allocated_bytes, one.old_bytes


def test_runs_are_chosen_by_number_by_date_and_by_the_week(laid: Laid) -> None:
    def chosen(**values: str) -> tuple[int, int]:
        rows = laid.ask(listings.DIFFERENCE, choices.DifferenceChoice(kind="user", **values), limit=1)
        scans = {
            user.allocated_bytes: scan.now_seconds
            for _, scan in laid.full_runs["scratch"]
            for user in scan.users
            if user.uid == rows[0].uid
        }
        return tuple((NOW_SECONDS - scans[size]) // DAY for size in (rows[0].before_bytes, rows[0].after_bytes))  # type: ignore[return-value]

    assert chosen(task="scratch") == (7, 0)
    newest = laid.full_run("scratch")
    assert chosen(after=str(newest)) == (7, 0)

    def day(days_ago: int) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(NOW_SECONDS - days_ago * DAY))

    assert chosen(task="scratch", before=day(3), after=day(1)) == (3, 1)
    assert chosen(task="scratch", before=f"{day(3)} 00:00", after=day(0)) == (4, 0)
    assert moment_of("1970-01-01") == DAY
    assert moment_of("1970-01-01 00:01") == 120


@pytest.mark.parametrize(
    ("choice", "error"),
    [
        (choices.DifferenceChoice(before="yesterday", task="home"), QuestionError),
        (choices.DifferenceChoice(before="2026-11-25"), QuestionError),
        (choices.DifferenceChoice(before="1971-01-01", task="home"), NoSuchError),
        (choices.DifferenceChoice(before="999999999"), NoSuchError),
        (choices.DifferenceChoice(task="nothing"), NoSuchError),
        (choices.DifferenceChoice(task="\udcff"), NoSuchError),
    ],
)
def test_runs_that_are_not_there_are_told(laid: Laid, choice: choices.DifferenceChoice, error: type[Exception]) -> None:
    with pytest.raises(error):
        laid.ask(listings.DIFFERENCE, choice)


def test_runs_of_two_tasks_are_not_compared(laid: Laid) -> None:
    pair = {"before": str(laid.full_run("home")), "after": str(laid.full_run("scratch"))}
    with pytest.raises(QuestionError):
        laid.ask(listings.DIFFERENCE, choices.DifferenceChoice(**pair))


@pytest.mark.parametrize("user", ["nobody-knows-him", "4294967296", "99999999999999999999", "\udcff", "7", " "])
def test_a_user_who_owns_nothing_is_told(laid: Laid, user: str) -> None:
    with pytest.raises(NoSuchError):
        laid.ask(listings.USER, choices.UserChoice(user=user))


def test_what_a_run_found_inside_is_what_the_scan_says(laid: Laid) -> None:
    scan, run = laid.newest["scratch"], choices.RunChoice(task="scratch")

    ages = laid.ask(listings.AGES, run)
    assert [msgspec.structs.asdict(row) for row in ages] == [msgspec.structs.asdict(age) for age in scan.ages]
    assert bars.of_ages(ages)[-1].label == "in the future"
    sizes = laid.ask(listings.SIZES, run)
    assert [msgspec.structs.asdict(row) for row in sizes] == [msgspec.structs.asdict(one) for one in scan.sizes]
    files = laid.ask(listings.TOP_FILES, run)
    assert [(row.path, row.uid, row.apparent_bytes) for row in files] == [
        (file.path, file.uid, file.apparent_bytes) for file in scan.top_files
    ]
    errors = laid.ask(listings.ERRORS, run)
    assert [(row.kind, row.count, row.example) for row in errors] == [
        (one.kind, one.count, one.example) for one in scan.errors
    ]
    assert laid.ask(listings.ERRORS, choices.RunChoice(task="home")) == []


def test_a_users_directories_are_told_with_what_is_that_users_of_them(laid: Laid) -> None:
    scan, uid = laid.newest["scratch"], FIRST_UID + 4
    rows = laid.ask(listings.PLACES, choices.UserRunChoice(task="scratch", uid=uid))

    listed = {one.path: one for one in scan.directories}
    expected = {one.path: one for one in scan.directory_users if one.uid == uid and one.path in listed}
    assert {row.path: row.allocated_bytes for row in rows} == {
        path: one.allocated_bytes for path, one in expected.items()
    }
    for row in rows:
        assert row.share_percent == pytest.approx(100 * row.allocated_bytes / listed[row.path].allocated_bytes)


def test_plans_are_told_with_whose_files_they_hold(laid: Laid) -> None:
    waiting, done = laid.ask(listings.PLANS, choices.TaskChoice(task="scratch"))
    owned = laid.ask(listings.PLAN_USERS, choices.PlanChoice(plan=waiting.id))

    assert (waiting.state, done.state) == ("waiting", "done")
    assert sum(row.bytes for row in owned) == waiting.bytes
    assert [row.bytes for row in owned] == sorted((row.bytes for row in owned), reverse=True)
    assert laid.ask(listings.PLANS, choices.TaskChoice(task="home")) == []
    with pytest.raises(NoSuchError):
        laid.ask(listings.PLAN_USERS, choices.PlanChoice(plan="nothing"))
