"""Promises 2, 3 and 5 against people who share a tree or a relocation path: what one has laid there harms no other."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.faults.acting import Action, Acts, content, old_file
from tests.faults.test_act_entries import ACL, ACL_ACCESS, IN_MOUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MALLORY, ALICE, LEADER, GROUP = 3001, 3002, 3003, 3100


@pytest.fixture
def acts(release: Path, workspace: Path) -> Acts:
    return Acts(release, workspace)


def given(path: Path, uid: int, mode: int, gid: int | None = None) -> Path:
    """Give something to an account."""
    os.chown(path, uid, uid if gid is None else gid)
    path.chmod(mode)
    return path


def project(acts: Acts, mode: int = 0o644) -> tuple[Path, Path]:
    """A folder of a group with a folder of Alice's that she alone enters: a file in it, and one beside it."""
    secret, beside = old_file(acts.tree / "proj/alice/s1"), old_file(acts.tree / "proj/beside")
    for path in (secret, beside):
        given(path, ALICE, mode)
        os.utime(path, (1e9, 1e9))
    given(secret.parent, ALICE, 0o700)
    given(beside.parent, LEADER, 0o2775, GROUP)
    return secret, beside


def remade(folder: Path, uid: int, mode: int) -> None:
    """An account makes a folder (anew)."""
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()
    folder.mkdir()
    given(folder, uid, mode)


def test_a_folder_that_somebody_else_made_at_the_target_gets_nothing(acts: Acts) -> None:
    secret, beside = project(acts)
    assert acts.apply(acts.plan([beside], "move"))["files"] == 1
    remade(acts.target / "proj/alice", MALLORY, 0o777)
    outcome = acts.apply(acts.plan([secret], "move"))
    assert (outcome["state"], outcome["files"], outcome["skipped"]) == ("done", 0, {"taken": 1})
    assert secret.exists()
    assert list((acts.target / "proj/alice").iterdir()) == []


def test_that_test_notices_a_program_that_uses_any_folder(acts: Acts) -> None:
    acts.break_with("act-uses-any-folder.patch")
    secret, beside = project(acts)
    acts.apply(acts.plan([beside], "move"))
    remade(acts.target / "proj/alice", MALLORY, 0o777)
    assert acts.apply(acts.plan([secret], "move"))["files"] == 1


def with_access_list(folder: Path) -> None:
    os.setxattr(folder, ACL_ACCESS, ACL)


def closed(folder: Path) -> None:
    folder.chmod(0o700)


@pytest.mark.parametrize("meddle", [closed, with_access_list])
def test_a_folder_at_the_target_is_never_more_open_than_the_one_it_mirrors(
    acts: Acts, meddle: Callable[[Path], None]
) -> None:
    paths = [given(old_file(acts.tree / "bob" / name), ALICE, 0o644) for name in ("p1", "p2")]
    given(acts.tree / "bob", ALICE, 0o755)
    for path in paths:
        os.utime(path, (1e9, 1e9))
    assert acts.apply(acts.plan(paths[:1], "move"))["files"] == 1
    meddle(acts.tree / "bob" if meddle is closed else acts.target / "bob")
    assert acts.apply(acts.plan(paths[1:], "move"))["files"] == 1
    was, now = acts.tree / "bob", acts.target / "bob"
    assert now.stat().st_mode & 0o777 & ~was.stat().st_mode == 0
    assert ACL_ACCESS not in os.listxattr(now)


@pytest.mark.parametrize("mode", [0o644, 0o4755])
@pytest.mark.parametrize("by_us", [True, False])
@pytest.mark.parametrize("action", ["delete", "move"])
def test_a_folder_that_somebody_else_made_gets_nothing_back(acts: Acts, action: Action, by_us: bool, mode: int) -> None:
    secret, _beside = project(acts, mode)
    assert acts.apply(acts.plan([secret], action, remove_empty_directories=by_us))["files"] == 1
    assert secret.parent.exists() != by_us
    remade(secret.parent, MALLORY, 0o777)
    assert acts.told("restore", "--path", str(secret), "--yes")["skipped"] == {"taken": 1}
    assert list(secret.parent.iterdir()) == []
    secret.parent.rmdir()
    assert acts.told("restore", "--path", str(secret), "--yes")["files"] == 1
    assert (secret.parent.stat().st_uid, secret.parent.stat().st_mode & 0o777) == (ALICE, 0o700)


def test_that_test_notices_a_restore_into_any_folder(acts: Acts) -> None:
    acts.break_with("act-uses-any-folder.patch")
    secret, _beside = project(acts)
    acts.apply(acts.plan([secret]))
    remade(secret.parent, MALLORY, 0o777)
    assert acts.told("restore", "--path", str(secret), "--yes")["files"] == 1


@pytest.mark.parametrize("action", ["delete", "move"])
def test_a_folder_of_a_group_gets_its_files_back_unless_it_is_more_open_now(acts: Acts, action: Action) -> None:
    _secret, beside = project(acts)
    assert acts.apply(acts.plan([beside], action))["files"] == 1
    beside.parent.chmod(0o2777)
    assert acts.told("restore", "--path", str(beside), "--yes")["skipped"] == {"taken": 1}
    beside.parent.chmod(0o2775)
    assert acts.told("restore", "--path", str(beside), "--yes")["files"] == 1
    assert beside.stat().st_uid == ALICE
    assert beside.parent.stat().st_mode & 0o7777 == 0o2775


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_set_id_file_comes_back_as_such_only_into_a_folder_that_is_as_it_was(acts: Acts, mode: int) -> None:
    secret, _beside = project(acts, 0o4755)
    assert acts.apply(acts.plan([secret]))["files"] == 1
    remade(secret.parent, ALICE, mode)
    outcome = acts.told("restore", "--path", str(secret), "--yes")
    assert (outcome["files"], outcome["skipped"]) == ((1, {}) if mode == 0o700 else (0, {"taken": 1}))
    assert not secret.exists() or secret.stat().st_mode & 0o7777 == 0o4755


SWAPPED = """
import os, sys
looks = 0

def hook(event, arguments):
    global looks
    folder = {folder!r} + "/tree/proj/alice"
    if event == "safefs.openat2" and arguments == (b"proj/alice",) and not os.path.exists(folder + "/s1"):
        looks += 1
        if looks == 2:  # the first looks back after the file was taken; this one is for its removal
            os.rmdir(folder)
            os.mkdir(folder)
            os.chown(folder, 3001, 3001)
            os.chmod(folder, 0o777)

sys.addaudithook(hook)
"""


def test_a_folder_that_is_exchanged_before_its_removal_is_not_what_is_made_again(acts: Acts) -> None:
    acts.break_with("act-without-landlock.patch")  # what meddles does so in the program itself
    secret, _beside = project(acts)
    plan = acts.plan([secret], remove_empty_directories=True)
    outcome = acts.apply(plan, before=SWAPPED.format(folder=str(acts.folder)))
    assert (outcome["files"], outcome["directories"]) == (1, 1)
    assert acts.told("restore", "--path", str(secret), "--yes")["files"] == 1
    assert (secret.parent.stat().st_uid, secret.parent.stat().st_mode & 0o777) == (ALICE, 0o700)


UNKNOWN = """
import os, sys
from dkumonitor.safefs import kernel

def renameat2(*_):
    raise OSError(22, "Invalid argument")

kernel.renameat2 = renameat2

def hook(event, arguments):
    global wanted
    if event == wanted and b"file" in arguments:
        wanted = ""
        os.rename({folder!r} + "/newer", {folder!r} + "/tree/file")

wanted = {event!r}
sys.addaudithook(hook)
"""


@pytest.mark.parametrize("event", ["os.link", "os.rename", "os.remove"])
@pytest.mark.parametrize("action", ["delete", "move"])
def test_where_renames_overwrite_a_newer_version_stays(acts: Acts, action: Action, event: str) -> None:
    assert "newer" in left_after(acts, action, event)


def test_that_test_notices_an_act_that_unlinks_by_name(acts: Acts) -> None:
    acts.break_with("act-unlinks-by-name.patch")
    assert "newer" not in left_after(acts, "delete", "os.remove")


def left_after(acts: Acts, action: Action, event: str) -> list[str]:
    """What is there after an act, before a call of which a newer version has taken a file's place."""
    acts.break_with("act-without-landlock.patch")
    path = old_file(acts.tree / "file")
    plan = acts.plan([path], action)
    old_file(acts.folder / "newer", "newer", days=0)
    acts.apply(plan, before=UNKNOWN.format(folder=str(acts.folder), event=event))
    return [one.read_text() for one in (path, acts.folder / "newer") if one.exists()]


@pytest.mark.parametrize(
    ("call", "error", "skipped"),
    [
        ("fsetxattr", "ENOSPC", {"error": 1}),
        ("symlinkat", "ENOSPC", {"error": 1}),
        ("fchown", "EDQUOT", {"quota": 1}),
    ],
)
def test_what_one_file_has_no_room_for_is_no_full_target(
    acts: Acts, call: str, error: str, skipped: dict[str, int]
) -> None:
    path, other = old_file(acts.tree / "a"), old_file(acts.tree / "z")
    os.setxattr(path, "user.large", b"x")
    link = acts.tree / "b"
    link.symlink_to("a")
    os.utime(link, (1e9, 1e9), follow_symlinks=False)
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=1"]
    plan = acts.plan([path, link, other], "move", age_by="mtime")
    outcome, _trace = acts.trace(inject, "apply", plan, "--yes")
    assert (outcome["full"], outcome["files"], outcome["skipped"]) == (False, 2, skipped)
    assert not other.exists()


@contextlib.contextmanager
def leased(paths: list[Path]) -> Iterator[None]:
    """Hold leases on files: whoever opens one is told to come again."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with contextlib.ExitStack() as stack:
        for path in paths:
            file = stack.enter_context(path.open("rb+"))
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    signal.signal(signal.SIGIO, before)


@pytest.mark.parametrize("action", ["delete", "move"])
def test_leases_on_many_files_stop_no_run(acts: Acts, action: Action) -> None:
    paths = [old_file(acts.tree / f"{number:02}") for number in range(26)]
    with leased(paths[:25]):
        outcome = acts.apply(acts.plan(paths, action))
    assert (outcome["state"], outcome["files"], outcome["skipped"]) == ("done", 1, {"in_use": 25})


def a_file(path: Path) -> None:
    path.write_text("in the way")


def a_link(path: Path) -> None:
    path.symlink_to("/etc")


@pytest.mark.parametrize("lay", [a_file, a_link])
def test_what_lies_in_the_way_at_the_target_stops_no_run(acts: Acts, lay: Callable[[Path], None]) -> None:
    paths = [old_file(acts.tree / f"u/{number:02}") for number in range(25)]
    other = old_file(acts.tree / "v/other")
    lay(acts.target / "u")
    outcome = acts.apply(acts.plan([*paths, other], "move"))
    assert (outcome["state"], outcome["files"], outcome["skipped"]) == ("done", 1, {"taken": 25})


def anothers(path: Path) -> None:
    path.unlink()
    given(old_file(path), MALLORY, 0o644)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("meddle", [anothers, a_pipe])
def test_what_has_taken_a_moved_files_place_does_not_come_back_for_it(
    acts: Acts, meddle: Callable[[Path], None]
) -> None:
    path = old_file(acts.tree / "u/file")
    assert acts.apply(acts.plan([path], "move"))["files"] == 1
    meddle(acts.target / "u/file")
    before = content(acts.target)
    for more in ((), ("--yes",)):
        outcome = acts.told("restore", "--path", str(path), *more)
        assert (outcome["files"], outcome["skipped"]) == (0, {"replaced": 1})
    assert not path.exists()
    assert content(acts.target) == before


EXCHANGED = """
import os, sys
steps = [None, ("a", "tree/file"), None, ("b", "target/file"), ("c", "target/file")]

def hook(event, arguments):
    if event == "safefs.renameat2" and steps:
        step = steps.pop(0)
        if step is not None:
            os.rename(os.path.join({folder!r}, step[0]), os.path.join({folder!r}, step[1]))

sys.addaudithook(hook)
"""


def test_what_takes_a_copys_place_when_that_is_withdrawn_is_kept(acts: Acts) -> None:
    acts.break_with("act-without-landlock.patch")
    path = old_file(acts.tree / "file")
    plan = acts.plan([path], "move")
    for name in ("a", "b", "c"):
        old_file(acts.folder / name, name)
    acts.apply(plan, before=EXCHANGED.format(folder=str(acts.folder)))
    assert path.read_text() == "a"
    assert (acts.target / "file").read_text() == "c"
    kept = [one.read_text() for one in (acts.target / ".dkumonitor").rglob("*") if one.is_file() and one.name != "lock"]
    assert kept == ["b"]


def test_a_target_without_inodes_is_full(acts: Acts) -> None:
    paths = [old_file(acts.tree / f"u/{number:02}") for number in range(20)]
    script = 'mount -t tmpfs -o size=64m,nr_inodes=16,mode=755 none "$1" && shift && exec "$@"'
    around = [*IN_MOUNTS, "sh", "-c", script, "sh", str(acts.target)]
    outcome = acts.told("apply", acts.plan(paths, "move"), "--yes", around=around)
    assert (outcome["state"], outcome["full"], outcome["error_count"]) == ("partial", True, 0)
    assert 0 < outcome["files"] < 20
    assert sum(path.exists() for path in paths) == 20 - outcome["files"]
