"""Promise 19: what a service account or a user lays before `dkm-act` gets nothing out of it, and does not stop it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from collectors.disk.plan_file import BLOCK_ENTRIES, PlanReader
from tests.faults.acting import DAY, Acts, entry_of, old_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALICE, BOB = 3001, 3002
KILL = """
import os, signal, sys
left = {renames}
def hook(event, arguments):
    global left
    if event == "safefs.renameat2":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
"""


@pytest.fixture
def acts(release: Path, in_memory: Path) -> Acts:
    return Acts(release, in_memory)


def kill_at(acts: Acts, plan: Path, renames: int) -> None:
    """Apply a plan, and lose the program before that rename."""
    ended = acts.run("apply", plan, "--yes", before=KILL.format(renames=renames), check=False)
    assert ended.returncode == -9, ended.stderr


def lines_of(acts: Acts, *arguments: str) -> list[dict[str, Any]]:
    """The outcomes that a run tells."""
    lines = acts.run(*arguments, "--json", check=False).stdout.splitlines()
    return [told for line in lines if (told := json.loads(line))["kind"] == "outcome"]


def serving(acts: Acts) -> Path:
    """Let the program serve requests in this installation; where they are laid."""
    requests = acts.dir / "storage/disk/requests"
    requests.mkdir(parents=True, exist_ok=True)
    (acts.dir / "storage/disk/plans").mkdir(exist_ok=True)
    (acts.dir / "acts").mkdir(mode=0o750, exist_ok=True)
    return requests


def served(acts: Acts) -> dict[str, dict[str, Any]]:
    """Serve, and return all answers."""
    acts.run("serve", "--json", check=False)
    return {path.stem: json.loads(path.read_text()) for path in (acts.dir / "acts").glob("*.json")}


def age_journal(acts: Acts, name: str, seconds: float) -> None:
    """Let an act have been at work so long ago."""
    then = time.time() - seconds
    state = acts.tree / ".dkumonitor"
    for path in (state / "journal" / name, *(state / "quarantine" / name).iterdir()):
        os.utime(path, (then, then))


@pytest.mark.parametrize("age_by", ["atime", "mtime"])
def test_what_was_used_within_the_policys_days_stays_whichever_time_the_plan_goes_by(acts: Acts, age_by: str) -> None:
    path = old_file(acts.tree / "file")
    now, then = time.time(), time.time() - 400 * DAY
    os.utime(path, (then, now - 1) if age_by == "atime" else (now - 1, then))
    assert acts.apply(acts.plan([path], age_by=age_by))["skipped"] == {"used": 1}
    assert path.exists()


def test_a_plan_that_is_not_whole_is_not_copied_into_the_tree(acts: Acts) -> None:
    plan = acts.plan([old_file(acts.tree / "file")])
    os.truncate(plan, 2**30)
    outcome = acts.told("apply", plan, "--yes", around=["prlimit", "--fsize=1000000"])
    assert outcome["state"] == "refused"
    assert "digest" in outcome["detail"]
    assert not any(acts.tree.rglob(".new"))


def test_a_plan_that_cannot_be_kept_leaves_nothing_behind(acts: Acts) -> None:
    paths = [old_file(acts.tree / f"file {number}") for number in range(20)]
    plan = acts.plan(paths)
    outcome = acts.told("apply", plan, "--yes", around=["prlimit", f"--fsize={plan.stat().st_size - 1}"])
    assert outcome["state"] == "refused"
    assert "Make room" in outcome["detail"]
    assert not any(acts.tree.rglob(".new"))
    assert all(path.exists() for path in paths)


def test_a_plan_of_more_entries_than_the_policy_allows_is_refused_whatever_its_head_says(acts: Acts) -> None:
    paths = [old_file(acts.tree / f"file {number}") for number in range(3)]
    acts.allow(max_files=2)
    outcome = acts.apply(acts.plan(paths, max_files=2))
    assert outcome["state"] == "refused"
    assert "max_files" in outcome["detail"]
    assert all(path.exists() for path in paths)


def test_a_plan_of_much_text_for_few_entries_is_refused(acts: Acts) -> None:
    path = old_file(acts.tree / "file")
    long = msgspec.structs.replace(entry_of(acts.tree, path), reason="x" * 2_000_000)
    outcome = acts.apply(acts.plan([long]))
    assert outcome["state"] == "refused"
    assert path.exists()


def nested(plan: Path) -> Path:
    """A plan whose first block is a list in a list, and so on."""
    with PlanReader.open(plan) as reader:
        head = msgspec.msgpack.encode(reader.head)
    deep = b"\x91" * 1_000_000 + b"\x90"
    plan.write_bytes(b"".join(len(frame).to_bytes(4, "big") + frame for frame in (head, deep)))
    return plan


def test_whatever_is_asked_for_is_answered_and_the_next_request_is_served(acts: Acts) -> None:
    acts.allow(automatic=True)
    requests = serving(acts)
    path = old_file(acts.tree / "file")
    plans = {
        "b-nan": acts.plan([path], max_share_percent=float("nan")),
        "c-infinite": acts.plan([path], max_share_percent=float("-inf")),
        "d-nested": nested(acts.plan([path])),
        "z-sound": acts.plan([path]),
    }
    for name, plan in plans.items():
        kept = plan.rename(acts.dir / "storage/disk/plans" / plan.name)
        (requests / name).write_text(json.dumps({"act": "apply", "plan": kept.stem}))
    (requests / "a-surrogate").write_text('{"act": "restore", "path": "\\ud800"}')
    (requests / "e-nested").write_text("[" * 60_000)
    answers = served(acts)
    assert not list(requests.iterdir())
    assert {name: answer["state"] for name, answer in answers.items()} == {
        **dict.fromkeys(["a-surrogate", "b-nan", "c-infinite", "d-nested", "e-nested"], "refused"),
        "z-sound": "done",
    }


def test_a_request_that_vanishes_does_not_keep_the_next_from_being_served(acts: Acts) -> None:
    acts.allow(automatic=True)
    requests = serving(acts)
    for name in ("a", "b"):
        (requests / name).write_text('{"act": "purge"}')
    vanish = f"""
import os, sys
real = os.listdir
def listed(*arguments):
    found = real(*arguments)
    if "a" in found:
        os.unlink({str(requests / "a")!r})
    return found
os.listdir = listed
"""
    assert acts.run("serve", before=vanish, check=False).returncode == 0
    assert [path.stem for path in (acts.dir / "acts").glob("*.json")] == ["b"]


def test_names_that_are_no_requests_do_not_starve_those_that_are(acts: Acts) -> None:
    acts.allow(automatic=True)
    requests = serving(acts)
    for number in range(150):
        (requests / f"a-{number:03}").mkdir()
    (requests / "b").write_text('{"act": "purge"}')
    assert served(acts)["b"]["state"] == "done"


def test_what_was_cut_off_goes_on_with_a_later_serve(acts: Acts) -> None:
    acts.allow(automatic=True)
    serving(acts)
    paths = [old_file(acts.tree / f"file {number}") for number in range(3)]
    plan = acts.plan(paths)
    kill_at(acts, plan, 2)
    assert served(acts) == {}, "a person may look at it first, for an hour"
    age_journal(acts, plan.stem, 7200)
    assert served(acts)[plan.stem]["files"] == 3
    assert not any(path.exists() for path in paths)


def test_a_tree_that_is_away_does_not_keep_requests_from_being_served(acts: Acts) -> None:
    acts.allow(automatic=True)
    policy = acts.dir / "conf/disk-acts.toml"
    away = f"[[tree]]\ntask = 'away'\npath = '{acts.folder}/away'\nactions = ['delete']\nautomatic = true\n"
    policy.write_text(away + policy.read_text())
    plan = acts.plan([old_file(acts.tree / "file")])
    requests = serving(acts)
    kept = plan.rename(acts.dir / "storage/disk/plans" / plan.name)
    (requests / "a").write_text(json.dumps({"act": "apply", "plan": kept.stem}))
    assert served(acts)["a"]["state"] == "done"


def test_a_plan_that_is_not_allowed_any_more_does_not_keep_others_from_going_on(acts: Acts) -> None:
    first, second = (old_file(acts.tree / name) for name in ("first", "second"))
    forbidden, allowed = acts.plan([first]), acts.plan([second], "move")
    for plan in (forbidden, allowed):
        kill_at(acts, plan, 1)
    acts.allow(actions=["move"])
    told = lines_of(acts, "resume", "--yes")
    assert [(one["plan"], one["state"]) for one in told] == [(forbidden.stem, "refused"), (allowed.stem, "done")]
    assert first.exists()
    assert (acts.target / "second").exists()


def test_the_quarantine_of_a_plan_that_never_ends_is_emptied_of_what_is_through(acts: Acts) -> None:
    paths = [old_file(acts.tree / f"{number}") for number in range(BLOCK_ENTRIES + 2)]
    plan = acts.plan(paths)
    kill_at(acts, plan, BLOCK_ENTRIES + 2)
    assert acts.told("purge", "--yes")["files"] == 0, "its days are not over"
    age_journal(acts, plan.stem, 20 * DAY)
    assert acts.told("purge", "--yes")["files"] == BLOCK_ENTRIES
    assert acts.apply(plan)["files"] == BLOCK_ENTRIES + 2, "and it can still go on"


def test_applying_a_plan_again_does_not_lengthen_the_days_of_its_quarantine(acts: Acts) -> None:
    plan = acts.plan([old_file(acts.tree / "file")], quarantine_days=1)
    acts.apply(plan)
    (before,) = json.loads(acts.run("list", "--json").stdout)
    age_journal(acts, plan.stem, 5 * DAY)
    assert acts.apply(plan)["detail"] == "it was done before"
    (after,) = json.loads(acts.run("list", "--json").stdout)
    assert after["expires_seconds"] == before["expires_seconds"]
    outcome = acts.apply(acts.plan([old_file(acts.tree / "other")], quarantine_days=10**9))
    assert outcome["state"] == "refused"


def test_emptied_directories_of_others_stay_where_their_owner_is_exempt_or_small(acts: Acts) -> None:
    acts.allow(min_uid=1000, exempt_users=[BOB], exempt_paths=["kept/*"])
    paths = []
    for name, owner in (("of-root", 0), ("of-bob", BOB), ("of-alice", ALICE)):
        path = old_file(acts.tree / name / "file")
        os.chown(path, ALICE, ALICE)
        os.chown(path.parent, owner, owner)
        paths.append(path)
    outcome = acts.apply(acts.plan(paths, remove_empty_directories=True))
    assert (outcome["files"], outcome["directories"]) == (3, 1)
    assert sorted(path.name for path in acts.tree.iterdir() if path.name != ".dkumonitor") == ["of-bob", "of-root"]


def test_directories_too_deep_to_be_noted_one_by_one_stay(acts: Acts) -> None:
    levels = 2500
    here = os.open(acts.tree, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT, dir_fd=here))
    then = time.time() - 400 * DAY
    os.utime("file", (then, then), dir_fd=here)
    there = os.stat("file", dir_fd=here)
    os.close(here)
    other = old_file(acts.tree / "other")
    entry = msgspec.structs.replace(
        entry_of(acts.tree, other),
        path=b"d/" * levels + b"file",
        ino=there.st_ino,
        mode=there.st_mode,
        size_bytes=0,
        mtime_ns=there.st_mtime_ns,
    )
    plan = acts.plan([entry], remove_empty_directories=True)
    outcome = acts.apply(plan)
    subprocess.run(["rm", "-rf", acts.tree / "d"], check=True)
    assert (outcome["files"], outcome["directories"]) == (1, 0)
    assert (acts.tree / ".dkumonitor/journal" / plan.stem).stat().st_size < 100_000


def test_a_folder_of_ours_in_a_folder_of_the_tree_is_not_acted_on(acts: Acts) -> None:
    path = old_file(acts.tree / "project/.dkumonitor/quarantine/file")
    assert acts.apply(acts.plan([path]))["skipped"] == {"outside": 1}
    assert path.exists()


def test_a_relocation_path_that_is_not_mounted_is_refused_where_the_policy_says_so(acts: Acts) -> None:
    acts.allow(relocation_is_mount=True)
    path = old_file(acts.tree / "file")
    plan = acts.plan([path], "move")
    outcome = acts.apply(plan)
    assert outcome["state"] == "refused"
    assert "mount" in outcome["detail"]
    assert path.exists()
    assert not list(acts.target.iterdir())
    mounted = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
    script = f"mount -t tmpfs -o mode=755 none '{acts.target}' && \"$@\""
    assert acts.told("apply", plan, "--yes", around=[*mounted, script, "sh"])["state"] == "done"


def test_a_reader_that_ends_early_is_no_error(acts: Acts) -> None:
    for number in range(3):
        acts.apply(acts.plan([old_file(acts.tree / f"{number}")]))
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        acts.command("list"), env=acts.environment, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert ended.stderr == ""


def test_what_its_owner_still_writes_into_is_purged_all_the_same(acts: Acts) -> None:
    path = old_file(acts.tree / "file")
    handle = os.open(path, os.O_PATH)
    plan = acts.plan([path], quarantine_days=0)
    acts.apply(plan)
    with open(f"/proc/self/fd/{handle}", "w") as file:  # noqa: PTH123  the very file, which has another name now
        file.write("and on and on")
    os.close(handle)
    assert acts.told("purge", "--yes")["files"] == 1
    assert acts.run("list").stdout == ""


def test_the_copy_of_a_plan_takes_at_most_half_of_what_is_free(acts: Acts) -> None:
    paths = [old_file(acts.tree / f"file {number}") for number in range(20)]
    plan = acts.plan(paths)
    free = """
import os
real = os.fstatvfs
os.fstatvfs = lambda descriptor: os.statvfs_result((*real(descriptor)[:3], {blocks}, {blocks}, *real(descriptor)[5:]))
"""
    blocks = plan.stat().st_size * 2 // os.statvfs(acts.tree).f_frsize
    outcome = acts.apply(plan, before=free.format(blocks=blocks))
    assert (outcome["state"], "room" in outcome["detail"]) == ("refused", True)
    assert not (acts.tree / ".dkumonitor").exists()
    assert acts.apply(plan, before=free.format(blocks=blocks + 1))["files"] == 20


@pytest.mark.parametrize(
    ("variant", "test"),
    [
        ("keeps-plans-of-any-size", test_a_plan_of_much_text_for_few_entries_is_refused),
        ("is-stopped-by-a-request", test_whatever_is_asked_for_is_answered_and_the_next_request_is_served),
        ("removes-directories-of-others", test_emptied_directories_of_others_stay_where_their_owner_is_exempt_or_small),
        ("keeps-what-is-written-into", test_what_its_owner_still_writes_into_is_purged_all_the_same),
        (
            "waits-for-the-end-of-every-plan",
            test_the_quarantine_of_a_plan_that_never_ends_is_emptied_of_what_is_through,
        ),
        ("goes-into-our-folders", test_a_folder_of_ours_in_a_folder_of_the_tree_is_not_acted_on),
        (
            "moves-to-what-is-not-mounted",
            test_a_relocation_path_that_is_not_mounted_is_refused_where_the_policy_says_so,
        ),
    ],
)
def test_each_of_these_tests_notices_the_act_that_lacks_it(
    acts: Acts, variant: str, test: Callable[[Acts], None]
) -> None:
    acts.break_with(f"act-{variant}.patch")
    with pytest.raises(AssertionError):
        test(acts)


def test_that_test_notices_an_act_that_goes_by_the_plans_times_alone(acts: Acts) -> None:
    acts.break_with("act-goes-by-the-plans-times.patch")
    with pytest.raises(AssertionError):
        test_what_was_used_within_the_policys_days_stays_whichever_time_the_plan_goes_by(acts, "atime")
