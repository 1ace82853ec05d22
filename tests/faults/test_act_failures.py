"""Promises 4, 6 and 8: calls that fail, kills at every call, what is on disk first, rehearsals that write nothing."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.acting import NO_MORE_CALLS, Action, Acts, Forks, content, old_file, quietly, with_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
CALLS = {
    "open": ("openat,openat2", "EIO"),
    "write": ("pwrite64,write,ftruncate", "ENOSPC"),
    "sync": ("fsync,fdatasync", "EIO"),
    "name": ("renameat2,renameat,rename,linkat,symlinkat,mkdirat,mkdir", "EIO"),
    "remove": ("unlinkat,rmdir,unlink", "EIO"),
    "attribute": ("fchown,fchmod,fchownat,utimensat,fsetxattr", "EPERM"),
}


@pytest.fixture
def acts(release: Path, in_memory: Path) -> Acts:
    return Acts(release, in_memory)


def lay(acts: Acts) -> list[Path]:
    """A small tree with all there is: files, a link, a file with two names, nested folders."""
    for folder in (acts.tree, acts.target):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    paths = [old_file(acts.tree / "u/one", "first\n"), old_file(acts.tree / "u/deep/two", "second\n")]
    os.link(paths[1], acts.tree / "u/two again")
    paths.append(acts.tree / "u/two again")
    link = acts.tree / "u/deep/link"
    link.symlink_to("one")
    os.utime(link, (1e9, 1e9), follow_symlinks=False)
    return [*paths, link]


def texts(*folders: Path) -> dict[str, int]:
    """How often each text is there, in files that are whole and in links."""
    found: dict[str, int] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if "staging" in path.parts or "plans" in path.parts or "journal" in path.parts:
                continue
            if path.is_symlink():
                found["link"] = found.get("link", 0) + 1
            elif path.is_file() and path.name != "lock":
                text = quietly(path).decode()
                found[text] = found.get(text, 0) + 1
    return found


def wrong_after(acts: Acts, forks: Forks, plan: Path, action: Action) -> str:  # noqa: PLR0911  one for each wrong
    """What is wrong after a run that was disturbed, and after the one that completes it; nothing where all is well."""
    there = texts(acts.tree, acts.target)
    lost = {"first\n": 1, "second\n": 2, "link": 1}
    if any(there.get(text, 0) < count for text, count in lost.items()):
        return f"lost: {there}"
    outcome = forks.told("apply", plan, "--yes")
    there = texts(acts.tree, acts.target)
    left = texts(acts.tree) if action == "move" else {}
    if there != lost and not (outcome["error_count"] and all(there.get(text, 0) >= n for text, n in lost.items())):
        return f"not once: {there} {outcome}"
    used = outcome["skipped"].get("used", 0)  # the kernel takes the reading of a link for a use of it
    if outcome["state"] == "done" and (left != ({"link": 1} if used and left else {}) or outcome["files"] + used != 4):
        return f"left behind: {left} {outcome}"
    if outcome["files"] + sum(outcome["skipped"].values()) != 4:
        return f"not counted: {outcome}"
    before = with_state(acts.tree) | with_state(acts.target)
    again = forks.told("apply", plan, "--yes")
    if {**again, "detail": "", "ended_seconds": 0} != {**outcome, "detail": "", "ended_seconds": 0}:
        return f"another outcome: {again} {outcome}"
    if with_state(acts.tree) | with_state(acts.target) != before:
        return "doing it twice changed something"
    return ""


def faults(acts: Acts, action: Action, kind: str) -> Iterator[str]:
    """Let the Nth call of a kind fail, for every N; what was wrong."""
    calls, error = CALLS[kind]
    with Forks(acts) as forks:
        for number in range(1, 500):
            plan = acts.plan(lay(acts), action, remove_empty_directories=True)
            inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={number}"]
            _outcome, trace = acts.trace(inject, "apply", plan, "--yes")
            if not any("(INJECTED)" in line for line in trace):
                assert number > 1
                return
            wrong = wrong_after(acts, forks, plan, action)
            if wrong:
                yield f"{kind} {number}: {wrong} {next(line for line in trace if '(INJECTED)' in line)}"


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("action", ["delete", "move"])
def test_no_failing_call_loses_a_file(acts: Acts, action: Action, kind: str) -> None:
    if (action, kind) == ("delete", "attribute"):
        return  # a deletion changes no attribute
    assert list(faults(acts, action, kind)) == []


def test_that_test_notices_an_act_that_removes_what_was_not_written(acts: Acts) -> None:
    acts.break_with("act-ignores-failed-copies.patch")
    assert next(faults(acts, "move", "write"), "") != ""


def killed(acts: Acts, action: Action) -> Iterator[str]:
    """Kill the program before its Nth call, for every N; what was wrong."""
    with Forks(acts) as forks:
        for call in range(1, 2000):
            plan = acts.plan(lay(acts), action, remove_empty_directories=True)
            code = forks.run(call, KILL, "apply", plan, "--yes")
            if code == NO_MORE_CALLS:
                assert call > 60
                return
            assert code == -signal.SIGKILL
            wrong = wrong_after(acts, forks, plan, action)
            if wrong:
                yield f"{call}: {wrong}"
    raise AssertionError("it never ended")


@pytest.mark.parametrize("action", ["delete", "move"])
def test_a_kill_at_any_call_loses_nothing_and_the_next_run_completes(acts: Acts, action: Action) -> None:
    assert list(killed(acts, action)) == []


def test_that_test_notices_a_run_that_does_not_complete_what_was_begun(acts: Acts) -> None:
    acts.break_with("act-forgets-what-it-began.patch")
    assert next(killed(acts, "move"), "") != ""


def test_kills_at_any_time_lose_nothing(acts: Acts) -> None:
    chance = random.Random(7)
    plan = acts.plan(lay(acts), "move", remove_empty_directories=True)
    command = acts.command("apply", plan, "--yes")
    began = time.monotonic()
    subprocess.run(command, env=acts.environment, check=True, stdout=subprocess.DEVNULL)
    longest = time.monotonic() - began
    with Forks(acts) as forks:
        for _ in range(40):
            plan = acts.plan(lay(acts), "move", remove_empty_directories=True)
            for _ in range(2):
                killed_at(acts.command("apply", plan, "--yes"), acts.environment, longest * chance.uniform(0.5, 1.1))
            assert wrong_after(acts, forks, plan, "move") == ""


def killed_at(command: list[str], environment: dict[str, str], seconds: float) -> None:
    """Run a command for so long."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def order(acts: Acts, action: Action) -> list[str]:
    """What one act writes, syncs and renames, one after the other, by what it concerns."""
    paths = [old_file(acts.tree / "u/file", "text\n")]
    traced = "trace=pwrite64,fsync,fdatasync,renameat2,unlinkat"
    _outcome, trace = acts.trace(["-e", traced], "apply", acts.plan(paths, action), "--yes")
    found = []
    for line in trace:
        call = re.sub(r"^\d+ +", "", line)
        name = call.split("(")[0]
        for what in ("journal", "staging/0", "quarantine"):
            if f"/{what}" in call.split(")")[0] or f'"{what}"' in call:
                found.append(f"{name} {what}")
                break
        else:
            if "/target/u" in call or "/tree/u" in call or "/staging" in call:
                place = "target" if "/target/u" in call else "source" if "/tree/u" in call else "staging"
                found.append(f"{name} {place}")
    return found


def unsynced(steps: list[str], action: Action) -> str:
    """What was done before what had to be on disk first."""
    renamed = steps.index("renameat2 quarantine")
    if "fdatasync journal" not in steps[:renamed] or steps[:renamed].count("pwrite64 journal") < 2:
        return "the intent was not on disk before the act"
    last_write = max(at for at, step in enumerate(steps[:renamed]) if step == "pwrite64 journal")
    if "fdatasync journal" not in steps[last_write:renamed]:
        return "the intent was not on disk before the act"
    if action == "delete":
        return ""
    published = next(
        at for at, step in enumerate(steps) if step == "renameat2 target" and at > steps.index("pwrite64 staging/0")
    )
    if "fsync staging/0" not in steps[steps.index("pwrite64 staging/0") : published]:
        return "the copy got its name before it was on disk"
    if "fsync target" not in steps[published:renamed]:
        return "the source was taken before the copy's name was on disk"
    return ""


@pytest.mark.parametrize("action", ["delete", "move"])
def test_what_must_be_on_disk_first_is(acts: Acts, action: Action) -> None:
    assert unsynced(order(acts, action), action) == ""


@pytest.mark.parametrize(
    ("variant", "action"),
    [("act-intent-not-synced", "delete"), ("act-copy-not-synced", "move"), ("act-name-not-synced", "move")],
)
def test_that_test_notices_a_sync_that_is_missing(acts: Acts, variant: str, action: Action) -> None:
    acts.break_with(f"{variant}.patch")
    assert unsynced(order(acts, action), action) != ""


MUTATING = re.compile(
    r"^(\d+ +)?(rename|unlink|rmdir|mkdir|link|symlink|mknod|chmod|fchmod|chown|fchown|lchown|utime|futimes|truncate|"
    r"ftruncate|setxattr|lsetxattr|fsetxattr|removexattr|write|pwrite|fallocate|copy_file_range|sendfile|creat)\w*\("
)
OPENS_FOR_WRITING = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|TMPFILE)")


def mutating_calls(acts: Acts, *arguments: str | Path) -> list[str]:
    """The calls of a run that change something in the tree or at the relocation path, or would."""
    outcome, trace = acts.trace(["-e", "trace=all"], *arguments)
    assert outcome["dry_run"]
    wrong = []
    for line in trace:
        concerns = str(acts.tree) in line or str(acts.target) in line
        if concerns and (MUTATING.match(line) or OPENS_FOR_WRITING.search(line)):
            wrong.append(line)
    return wrong


def test_a_rehearsal_is_the_default_and_changes_nothing(acts: Acts) -> None:
    paths = lay(acts)
    before = content(acts.tree)
    for action in ("delete", "move"):
        assert mutating_calls(acts, "apply", acts.plan(paths, action)) == []
        assert content(acts.tree) == before
        assert content(acts.target) == {}
    assert not (acts.tree / ".dkumonitor").exists()
    acts.apply(acts.plan(paths, quarantine_days=0))
    for arguments in (("restore", "--user", "root"), ("purge",), ("resume",)):
        if arguments != ("resume",):
            assert mutating_calls(acts, *arguments) == []


def test_that_test_notices_a_rehearsal_that_makes_folders(acts: Acts) -> None:
    acts.break_with("act-rehearses-in-place.patch")
    assert mutating_calls(acts, "apply", acts.plan(lay(acts))) != []
