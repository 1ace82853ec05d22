"""What follows from a run: which plans are made, when they may be done by themselves, and how runs end."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from collectors.disk import deeds, exemptions, follow, plans, runs, tasks, work
from collectors.disk.act.outcome import Outcome, Owner
from collectors.disk.cli_view import ME
from collectors.disk.errors import PlanError, ScanError
from collectors.disk.plans import State
from collectors.disk.views import listings
from collectors.disk.views.choices import RunChoice
from dkumonitor.mail.settings import MailSettings
from dkumonitor.render import plain_row
from dkumonitor.views import Question, Sources
from tests.collectors.disk.makers import a_task
from tests.scanner import trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.disk.tasks import Task
    from collectors.disk.work import Bench
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

DAY = 86400
NOW = 1_800_000_000
NO_MAIL = MailSettings()
MAIL = MailSettings(server="localhost", from_address="dkm@example.org", timeout_seconds=1.0)
FULL = {"usage_warning_percent": 0.0001, "usage_critical_percent": 0.0002, "max_share_percent": 100.0}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two old files, a new one."""
    folder = tmp_path / "tree"
    (folder / "keep").mkdir(parents=True)
    for name, days in (("old", 200), ("keep/old", 300), ("new", 1)):
        (folder / name).write_bytes(b"x" * 100)
        os.utime(folder / name, (NOW - days * DAY,) * 2)
    return folder


@pytest.fixture
def bench(installation: Installation, store: Store, release: Path) -> Bench:
    return work.Bench(installation, store, release / "bin/dkm-scan", wall=lambda: float(NOW))


@pytest.fixture
def make(store: Store, tree: Path) -> Callable[..., Task]:
    def made(**values: Any) -> Task:
        task = a_task(os.fsencode(tree), **(FULL | values))
        store.write(lambda connection: tasks.add(connection, task, NOW))
        return task

    return made


def plans_of(store: Store) -> list[plans.Plan]:
    with store.reading() as connection:
        return plans.every(connection)


def test_a_run_without_a_wish_makes_no_plan(bench: Bench, make: Callable[..., Task]) -> None:
    outcome = follow.scan_and_follow(bench, make(), NO_MAIL)
    assert (outcome.level, outcome.plan) == (runs.Level.CRITICAL, None)
    assert outcome.scan is not None
    assert outcome.scan.old_files == 2


def test_a_run_below_the_warning_threshold_makes_no_plan(bench: Bench, make: Callable[..., Task]) -> None:
    task = make(delete_old_files=True, usage_warning_percent=100.0, usage_critical_percent=100.0)
    assert follow.scan_and_follow(bench, task, NO_MAIL).plan is None


def test_a_plan_leaves_out_what_is_exempt_and_waits_for_a_person(
    bench: Bench, make: Callable[..., Task], store: Store
) -> None:
    task = make(delete_old_files=True)
    store.write(lambda connection: exemptions.add(connection, "path", b"keep", now_seconds=NOW))
    outcome = follow.scan_and_follow(bench, task, MAIL)
    assert outcome.plan is not None
    assert (outcome.plan.state, outcome.plan.due_seconds, outcome.plan.files) == (State.PROPOSED, None, 1)
    with plans.opened(bench.installation, outcome.plan) as reader:
        assert [entry.path for block in reader.blocks() for entry in block] == [b"old"]
        assert (reader.head.action, reader.head.old_before_seconds) == ("delete", NOW - 90 * DAY)


def test_a_plan_and_its_run_say_what_the_bounds_of_the_task_leave_out(
    bench: Bench, make: Callable[..., Task], store: Store
) -> None:
    task = make(delete_old_files=True, max_files=1)
    outcome = follow.scan_and_follow(bench, task, NO_MAIL)
    assert outcome.plan is not None
    assert [(plan.files, plan.left_files) for plan in plans_of(store)] == [(1, 1)]
    assert "1 old files are left for later" in outcome.detail

    narrow = msgspec.structs.replace(task, max_bytes=1)
    outcome = follow.scan_and_follow(replace(bench, wall=lambda: float(NOW + 60)), narrow, NO_MAIL)
    assert outcome.plan is None
    assert "2 old files are left for later" in outcome.detail
    with store.reading() as connection:
        newest = runs.newest_ended(connection, task.name, "full")
    assert newest is not None
    assert newest["detail"] == outcome.detail


def test_sparse_files_of_exabytes_neither_break_a_run_nor_make_it_small(
    bench: Bench, store: Store, installation: Installation
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="dkumonitor-test-") as place:
        trees.exabytes(Path(place))
        Path(place, "real").write_bytes(b"x" * 2**20)  # an empty file system is never full
        task = a_task(os.fsencode(place), **FULL, delete_old_files=True, max_bytes=2**63 - 1)
        store.write(lambda connection: tasks.add(connection, task, NOW))
        outcome = follow.scan_and_follow(bench, task, NO_MAIL)
    assert outcome.plan is not None
    assert (outcome.plan.files, outcome.plan.left_files, outcome.plan.bytes) == (1, 4, 7 * 2**60)
    sources = Sources(installation, store, None, ME, NOW, RunChoice(task=task.name))
    [row] = listings.USERS.of(sources, Question()).rows
    told = plain_row(row)
    assert (told["files"], told["apparent_bytes"], told["old_bytes"]) == (5, 2**63 - 1, 2**63 - 1)


def test_a_newer_plan_takes_the_place_of_one_that_waits_for_a_person(
    bench: Bench, make: Callable[..., Task], store: Store
) -> None:
    task = make(delete_old_files=True)
    first = follow.scan_and_follow(bench, task, NO_MAIL).plan
    second = follow.scan_and_follow(replace(bench, wall=lambda: float(NOW + 60)), task, NO_MAIL).plan
    assert first is not None
    assert second is not None
    assert {plan.id: plan.state for plan in plans_of(store)} == {first.id: "discarded", second.id: "proposed"}


def test_a_plan_gets_its_day_only_where_the_task_acts_and_owners_can_be_warned(
    bench: Bench, make: Callable[..., Task]
) -> None:
    task = make(delete_old_files=True, dry_run=False, warning_days=7)
    unwarned = follow.scan_and_follow(bench, task, NO_MAIL).plan
    assert unwarned is not None
    assert (unwarned.state, unwarned.due_seconds, unwarned.detail) == (State.PROPOSED, None, follow.NO_MAIL)
    later = replace(bench, wall=lambda: float(NOW + 60))
    warned = follow.scan_and_follow(later, task, MAIL).plan
    assert warned is not None
    assert (warned.state, warned.warned_seconds, warned.due_seconds) == (State.WAITING, NOW + 60, NOW + 60 + 7 * DAY)
    assert not deeds.is_due(warned, NOW + 60 + 7 * DAY - 1)
    assert deeds.is_due(warned, NOW + 60 + 7 * DAY)
    again = follow.scan_and_follow(replace(bench, wall=lambda: float(NOW + DAY)), task, MAIL).plan
    assert again == warned, "what owners were told is what is done: the plan that waits stays"


def test_a_plan_stays_with_a_person_while_an_owner_cannot_be_written_to(
    bench: Bench, make: Callable[..., Task], tree: Path
) -> None:
    assert os.geteuid() == 0, "this test gives a file to another account, so it needs root"
    os.chown(tree / "old", 54321, -1)
    plan = follow.scan_and_follow(bench, make(delete_old_files=True, dry_run=False), MAIL).plan
    assert plan is not None
    assert (plan.state, plan.due_seconds) == (State.PROPOSED, None)
    assert "uid 54321" in plan.detail


def test_what_is_exempt_by_now_is_not_done_and_a_plan_that_waits_is_made_anew(
    bench: Bench, make: Callable[..., Task], store: Store
) -> None:
    task = make(delete_old_files=True, dry_run=False)
    first = follow.scan_and_follow(bench, task, MAIL).plan
    assert first is not None
    assert (first.state, first.files) == (State.WAITING, 2)
    store.write(lambda connection: exemptions.add(connection, "path", b"keep", now_seconds=NOW))
    with pytest.raises(PlanError, match=r"1 files .* exempt by now"):
        deeds.do(bench, first, MAIL)
    second = follow.scan_and_follow(replace(bench, wall=lambda: float(NOW + DAY)), task, MAIL).plan
    assert second is not None
    assert (second.id == first.id, second.state, second.files) == (False, State.WAITING, 1)
    with store.reading() as connection:
        kept = plans.find(connection, first.id)
    assert (kept.state, kept.detail) == (State.DISCARDED, "it held what is exempt by now")


def test_a_task_that_is_turned_to_a_dry_run_takes_its_plan_back(
    bench: Bench, make: Callable[..., Task], store: Store
) -> None:
    task = make(delete_old_files=True, dry_run=False)
    follow.scan_and_follow(bench, task, MAIL)
    changed = store.write(lambda connection: tasks.change(connection, task.name, {"dry_run": True}, NOW))
    plan = follow.scan_and_follow(replace(bench, wall=lambda: float(NOW + 60)), changed, MAIL).plan
    assert plan is not None
    assert (plan.state, plan.due_seconds) == (State.PROPOSED, None)


def test_a_deletion_follows_a_move_only_where_its_target_was_full_and_the_task_says_so() -> None:
    full = msgspec.structs.replace(a_plan(), state=State.FULL.value)
    done = msgspec.structs.replace(a_plan(), state=State.DONE.value)
    wants = a_task(relocation_path=b"/archive", delete_when_full=True)
    assert work.next_action(wants, [full]) == "delete"
    assert work.next_action(wants, [done, full]) == "move"
    assert work.next_action(wants, []) == "move"
    assert work.next_action(a_task(relocation_path=b"/archive"), [full]) == "move"
    assert work.next_action(a_task(delete_old_files=True), [done]) == "delete"


@pytest.mark.parametrize(
    ("due", "said", "state"),
    [
        (None, {"state": "done"}, State.DONE),
        (None, {"state": "partial"}, State.PARTIAL),
        (None, {"state": "partial", "full": True}, State.FULL),
        (None, {"state": "refused", "detail": "not allowed"}, State.PROPOSED),
        (NOW, {"state": "refused", "detail": "not allowed"}, State.WAITING),
        (NOW, {"state": "stopped", "detail": "the clock jumped"}, State.WAITING),
    ],
)
def test_what_became_of_a_plan_is_kept(
    bench: Bench, store: Store, due: int | None, said: dict[str, Any], state: State
) -> None:
    plan = msgspec.structs.replace(a_plan(), due_seconds=due)
    store.write(lambda connection: plans.keep(connection, plan, []))
    outcome = Outcome(plan=plan.id, act="apply", dry_run=False, skipped={"in_use": 2}, **said)
    deeds.keep(bench, plan, outcome, NO_MAIL)
    [kept] = plans_of(store)
    assert (kept.state, kept.skipped_files, "2 in_use" in kept.detail) == (state, 2, True)
    assert outcome.detail in kept.detail


def test_what_was_done_for_a_task_that_is_gone_is_kept_all_the_same(bench: Bench, store: Store) -> None:
    store.write(lambda connection: plans.keep(connection, a_plan(), []))
    done = Outcome(plan="p", act="apply", state="done", dry_run=False, files=1, bytes=5, owners=(Owner(1000, 1, 5),))
    deeds.keep(bench, a_plan(), done, MAIL)
    assert (plans_of(store)[0].done_files, plans_of(store)[0].state) == (1, "done")


def test_a_run_that_fails_says_why_and_stands_in_nobodys_way(
    bench: Bench, make: Callable[..., Task], store: Store
) -> None:
    task = make()
    gone = msgspec.structs.replace(task, path=b"/nowhere/at/all")
    for _ in range(2):
        with pytest.raises(ScanError, match="/nowhere/at/all"):
            follow.scan_and_follow(bench, gone, NO_MAIL)
    with store.reading() as connection:
        assert runs.newest_ended(connection, task.name) is None
        assert runs.last_seen(connection, task.name, NOW).full_seconds == NOW
    assert follow.scan_and_follow(bench, task, NO_MAIL).scan is not None


def test_a_run_that_is_interrupted_says_so(bench: Bench, make: Callable[..., Task], store: Store) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    task = make(delete_old_files=True)
    interrupted = replace(bench, scanner=bench.scanner, progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        work.full(replace(interrupted, wall=interrupt_at_once), task)
    with store.reading() as connection:
        seen = runs.last_seen(connection, task.name, NOW)
    assert not seen.is_running


def interrupt_at_once() -> float:
    raise KeyboardInterrupt


def test_a_file_that_is_not_the_plan_that_was_made_is_refused(bench: Bench, make: Callable[..., Task]) -> None:
    plan = follow.scan_and_follow(bench, make(delete_old_files=True), NO_MAIL).plan
    assert plan is not None
    file = plans.file_of(bench.installation, plan.id)
    file.write_bytes(file.read_bytes().replace(b"old", b"new"))
    with pytest.raises(PlanError):
        plans.opened(bench.installation, plan)


def a_plan() -> plans.Plan:
    return plans.Plan(
        id="scratch-20270115T080000Z-move",
        task="scratch",
        host="example",
        run_id=None,
        action="move",
        state="proposed",
        digest="0" * 64,
        created_seconds=NOW,
        files=1,
        bytes=5,
    )
