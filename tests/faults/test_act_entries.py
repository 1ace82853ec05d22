"""Promises 2, 3, 5 and 7: what is left alone, and why; links, FIFOs, mounts; a full target; caps and clocks."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import stat
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.corpus import NAMES
from tests.faults.acting import DAY, Acts, content, entry_of, make_old, old_file

if TYPE_CHECKING:
    from collections.abc import Callable

ACL_ACCESS = "system.posix_acl_access"
# linux/posix_acl_xattr.h: version 2; the owner rw, user 1234 r, the group none, mask r, others none
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, permissions, who)
    for tag, permissions, who in (
        (1, 6, 2**32 - 1),
        (2, 4, 1234),
        (4, 0, 2**32 - 1),
        (16, 4, 2**32 - 1),
        (32, 0, 2**32 - 1),
    )
)
IN_MOUNTS = ("unshare", "--mount", "--propagation", "private")


@pytest.fixture
def acts(release: Path, workspace: Path) -> Acts:
    return Acts(release, workspace)


def rewritten(path: Path) -> None:
    times = path.stat()
    path.write_bytes(b"content!")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))


def owned(path: Path) -> None:
    os.chown(path, 4321, 4321)


def removed(path: Path) -> None:
    path.unlink()


def exchanged(path: Path) -> None:
    old_file(path.with_name("other"))
    path.with_name("other").rename(path)


def read_now(path: Path) -> None:
    os.utime(path, (time.time(), path.stat().st_mtime))


def in_the_future(path: Path) -> None:
    os.utime(path, (time.time() + 10 * DAY, path.stat().st_mtime))


def at_the_epoch(path: Path) -> None:
    os.utime(path, (0, path.stat().st_mtime))


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("meddle", "reason"),
    [
        (rewritten, "changed"),
        (owned, "changed"),
        (removed, "gone"),
        (exchanged, "replaced"),
        (read_now, "used"),
        (in_the_future, "future"),
        (at_the_epoch, "implausible"),
        (a_fifo, "replaced"),
        (a_directory, "replaced"),
    ],
)
def test_what_is_not_as_it_was_decided_on_is_left_alone(
    acts: Acts, meddle: Callable[[Path], None], reason: str
) -> None:
    path, other = old_file(acts.tree / "a/file"), old_file(acts.tree / "a/unchanged")
    plan = acts.plan([path, other])
    meddle(path)
    before = path.lstat() if os.path.lexists(path) else None
    outcome = acts.apply(plan)
    assert (outcome["state"], outcome["files"], outcome["skipped"]) == ("done", 1, {reason: 1})
    after = path.lstat() if os.path.lexists(path) else None
    assert (before and before.st_ino) == (after and after.st_ino)
    assert not other.exists()


def test_that_test_notices_a_program_without_checks(acts: Acts) -> None:
    acts.break_with("act-without-checks.patch")
    path = old_file(acts.tree / "file")
    plan = acts.plan([path])
    rewritten(path)
    assert acts.apply(plan)["files"] == 1


def test_fifos_sockets_and_devices_are_never_opened_or_touched(acts: Acts) -> None:
    fifo, device, served = (acts.tree / name for name in ("fifo", "device", "socket"))
    os.mkfifo(fifo)
    os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(4, 64))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(served))
        entries = []
        for path in (fifo, device, served):
            make_old(path)
            entries.append(entry_of(acts.tree, path))
        outcome, trace = acts.trace(["-e", "trace=openat,openat2,open"], "apply", acts.plan(entries), "--yes")
    assert (outcome["files"], outcome["skipped"]) == (0, {"type": 3})
    opened = [line for line in trace if any(f'"{path.name}"' in line for path in (fifo, device, served))]
    assert len(opened) == 3
    assert all("O_PATH" in line for line in opened)
    assert all(os.path.lexists(path) for path in (fifo, device, served))


def test_mounts_are_never_crossed(acts: Acts) -> None:
    inner = acts.tree / "inner"
    inner.mkdir()
    old_file(acts.folder / "elsewhere/file")
    script = (
        'mount -t tmpfs none "$1/inner" && echo kept >"$1/inner/file" && touch -d "2 years ago" "$1/inner/file" && '
        'mkdir "$1/bound" && mount --bind "$2" "$1/bound" && shift 2 && exec "$@"'
    )
    dump = (
        "import json, os, sys; print(json.dumps([[n, os.stat(n).st_dev, os.stat(n).st_ino, os.stat(n).st_size, "
        "os.stat(n).st_mtime_ns] for n in sys.argv[1:]]))"
    )
    both = ["inner/file", "bound/file"]
    around = [*IN_MOUNTS, "sh", "-c", script, "sh", str(acts.tree), str(acts.folder / "elsewhere")]
    # what a scanner that crosses mounts would find, in a namespace that ends with it; the tmpfs has other numbers later
    found = subprocess.run(
        [*around, str(acts.python), "-c", dump, *(str(acts.tree / name) for name in both)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (acts.tree / "bound").rmdir()
    template = entry_of(acts.tree, old_file(acts.tree / "template"))
    entries = [
        msgspec.structs.replace(
            template, path=name.encode(), dev=dev, ino=ino, size_bytes=size, mtime_ns=mtime, atime_ns=mtime
        )
        for name, (_path, dev, ino, size, mtime) in zip(both, json.loads(found), strict=True)
    ]
    outcome = acts.told("apply", acts.plan(entries), "--yes", around=around)
    assert (outcome["files"], outcome["skipped"]) == (0, {"outside": 2})
    assert (acts.folder / "elsewhere/file").exists()
    (acts.tree / "bound").rmdir()
    acts.break_with("act-crosses-mounts.patch")
    outcome = acts.told("apply", acts.plan(entries), "--yes", around=around)
    assert outcome["skipped"] != {"outside": 2}, "the broken variant was not noticed"


def test_without_openat2_the_way_is_as_safe(acts: Acts) -> None:
    old_file(acts.folder / "elsewhere/file")
    path = old_file(acts.tree / "a/b/file")
    bound = acts.tree / "bound"
    linked = acts.tree / "linked"
    linked.symlink_to(acts.folder / "elsewhere")
    bound.mkdir()
    entries = [entry_of(acts.tree, path)]
    entries += [acts.plan_entry(acts.folder / "elsewhere/file", name) for name in (b"bound/file", b"linked/file")]
    script = 'mount --bind "$2" "$1/bound" && shift 2 && exec "$@"'
    around = [*IN_MOUNTS, "sh", "-c", script, "sh", str(acts.tree), str(acts.folder / "elsewhere")]
    around += ["strace", "-f", "-qq", "-o", str(acts.folder / "trace"), "-e", "inject=openat2:error=ENOSYS"]
    outcome = acts.told("apply", acts.plan(entries), "--yes", around=around)
    assert (outcome["files"], outcome["skipped"]) == (1, {"outside": 2})
    assert (acts.folder / "elsewhere/file").exists()


def test_a_file_with_several_links_frees_nothing_until_the_last_is_gone(acts: Acts) -> None:
    first = old_file(acts.tree / "a/first", b"x" * 100_000)
    second, third = acts.tree / "a/second", acts.tree / "third"
    for path in (second, third):
        os.link(first, path)
    outcome = acts.apply(acts.plan([first, second], quarantine_days=0))
    assert (outcome["files"], outcome["freed_bytes"]) == (2, 0)
    outcome = acts.told("purge", "--yes")
    assert (outcome["files"], outcome["freed_bytes"]) == (2, 0), "the third link keeps the bytes"
    assert third.read_bytes() == b"x" * 100_000
    make_old(third)
    acts.apply(acts.plan([third], quarantine_days=0))
    assert acts.told("purge", "--yes")["freed_bytes"] >= 100_000


def test_hard_links_stay_hard_links_when_they_are_moved(acts: Acts) -> None:
    first = old_file(acts.tree / "a/first", b"x" * 50_000)
    (acts.tree / "b").mkdir()
    os.link(first, acts.tree / "b/second")
    outcome = acts.apply(acts.plan([first, acts.tree / "b/second"], "move"))
    assert outcome["files"] == 2
    assert outcome["freed_bytes"] >= 50_000
    assert (acts.target / "a/first").stat().st_ino == (acts.target / "b/second").stat().st_ino
    assert (acts.target / "a/first").stat().st_nlink == 2


def test_moving_keeps_owner_mode_times_attributes_lists_and_holes(acts: Acts) -> None:
    folder = acts.tree / "u"
    path = old_file(folder / "file")
    with path.open("wb") as file:
        file.write(b"start")
        file.seek(5_000_000)
        file.write(b"end")
    os.chown(path, 1234, 2345)
    path.chmod(0o6754)
    os.setxattr(path, "user.note", b"\xff\x00")
    os.setxattr(path, ACL_ACCESS, ACL)
    os.setxattr(path, "security.capability", struct.pack("<IIIII", 0x02000001, 4, 0, 0, 0))
    os.chown(folder, 1234, 2345)
    folder.chmod(0o2750)
    os.setxattr(folder, "user.folder", b"yes")
    make_old(path)
    make_old(folder)
    was, was_folder, text = path.stat(), folder.stat(), path.read_bytes()
    make_old(path)
    was = path.stat()
    assert acts.apply(acts.plan([path], "move"))["files"] == 1
    moved = acts.target / "u/file"
    now, now_folder = moved.stat(), (acts.target / "u").stat()
    assert (now.st_uid, now.st_gid, now.st_mtime_ns, now.st_atime_ns) == (1234, 2345, was.st_mtime_ns, was.st_atime_ns)
    assert stat.S_IMODE(now.st_mode) == stat.S_IMODE(was.st_mode) & 0o1777
    assert now.st_blocks * 512 < 1_000_000
    assert os.getxattr(moved, "user.note") == b"\xff\x00"
    assert os.getxattr(moved, ACL_ACCESS) == ACL
    assert "security.capability" not in os.listxattr(moved)
    assert (now_folder.st_uid, now_folder.st_mode & 0o777, now_folder.st_mtime_ns) == (
        1234,
        0o750,
        was_folder.st_mtime_ns,
    )
    assert os.getxattr(acts.target / "u", "user.folder") == b"yes"
    assert moved.read_bytes() == text
    assert acts.told("restore", "--path", str(path), "--yes")["files"] == 1
    assert path.read_bytes() == text
    assert not moved.exists()
    assert path.stat().st_mtime_ns == was.st_mtime_ns


def test_what_somebody_has_open_is_left_alone(acts: Acts) -> None:
    path = old_file(acts.tree / "file")
    plan = acts.plan([path])
    with path.open("rb"):
        assert acts.apply(plan)["skipped"] == {"in_use": 1}
    assert acts.apply(acts.plan([path], "move"))["files"] == 1


def test_the_policy_keeps_owners_paths_and_small_numbers(acts: Acts) -> None:
    acts.allow(min_uid=1000, exempt_users=[5000], exempt_paths=["keep", "*.bib"])
    paths = [old_file(acts.tree / name) for name in ("keep/file", "thesis.bib", "exempt", "system", "free")]
    for path, uid in zip(paths, (2000, 2000, 5000, 999, 2000), strict=True):
        os.chown(path, uid, uid)
    outcome = acts.apply(acts.plan(paths))
    assert (outcome["files"], outcome["skipped"]) == (1, {"exempt": 3, "owner": 1})


@pytest.mark.parametrize(
    ("values", "bound"),
    [({"max_files": 2}, 2), ({"max_bytes": 25}, 2), ({"tree_bytes": 50, "max_share_percent": 50.0}, 2)],
)
def test_no_more_is_done_than_the_caps_let_be_done(acts: Acts, values: dict[str, Any], bound: int) -> None:
    paths = [old_file(acts.tree / f"{number}", b"x" * 10) for number in range(5)]
    outcome = acts.apply(acts.plan(paths, **values))
    assert (outcome["state"], outcome["files"], outcome["skipped"]) == ("partial", bound, {"caps": 5 - bound})


def refused(acts: Acts, plan: Path, *more: str) -> str:
    before = content(acts.tree)
    ended = acts.run("apply", plan, "--yes", *more, "--json", check=False)
    outcome = json.loads(ended.stdout.splitlines()[-1])
    assert outcome["state"] == "refused"
    assert ended.returncode in {33, 34}
    assert content(acts.tree) == before
    return str(outcome["detail"])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"task": "other"}, "[[tree]]"),
        ({"host": "elsewhere"}, "host elsewhere"),
        ({"max_files": 200_000}, "max_files"),
        ({"max_bytes": 2**41}, "max_bytes"),
        ({"old_before_seconds": int(time.time()) - 10 * DAY}, "min_old_days"),
        ({"tree_ino": 1}, "not the directory that was scanned"),
        ({"created_seconds": int(time.time()) + 2 * DAY}, "future"),
        ({"id": "../../etc/x"}, "no name of a plan"),
        ({"tree": b"/etc"}, "[[tree]]"),
    ],
)
def test_a_plan_that_goes_beyond_the_policy_is_refused(acts: Acts, values: dict[str, Any], told: str) -> None:
    wanted = {"id": "scratch-1-delete", **values}
    path = acts.plan([old_file(acts.tree / "file")], **{**wanted, "id": "x"})
    if values.get("id"):
        path = acts.rewritten(path, id=values["id"])
    assert told in refused(acts, path)


def test_moving_elsewhere_and_acts_that_are_not_named_are_refused(acts: Acts) -> None:
    path = old_file(acts.tree / "file")
    assert "relocation" in refused(acts, acts.plan([path], "move", relocation=b"/etc"))
    acts.allow(actions=["delete"], relocation=None)
    assert "actions" in refused(acts, acts.plan([path], "move"))
    acts.allow(min_quarantine_days=30)
    assert "min_quarantine_days" in refused(acts, acts.plan([path], quarantine_days=29))


def test_a_damaged_or_another_plan_is_refused(acts: Acts) -> None:
    plan = acts.plan([old_file(acts.tree / "file")])
    assert "digest" in refused(acts, plan, "--digest", "0" * 64)
    data = bytearray(plan.read_bytes())
    data[len(data) // 2] ^= 1
    plan.write_bytes(data)
    assert refused(acts, plan)
    plan.unlink()
    os.mkfifo(plan)
    assert "no regular file" in refused(acts, plan)
    plan.unlink()
    plan.symlink_to("/etc/passwd")
    assert "cannot read" in refused(acts, plan)


@pytest.mark.parametrize(
    "path", [b"../outside", b"/etc/passwd", b"a/../../x", b".dkumonitor/lock", b"", b"a//b", b"a/."]
)
def test_a_path_that_is_none_below_the_tree_is_left_alone(acts: Acts, path: bytes) -> None:
    old_file(acts.folder / "outside")
    entry = acts.plan_entry(acts.folder / "outside", path)
    assert acts.apply(acts.plan([entry]))["skipped"] == {"outside": 1}
    assert (acts.folder / "outside").exists()


def test_the_clock_may_not_jump_while_it_acts(acts: Acts) -> None:
    paths = [old_file(acts.tree / f"{number}") for number in range(20)]
    jump = "import time\nreal, calls = time.time, iter(range(10**9))\n"
    jump += "time.time = lambda: real() + (900 if next(calls) > 40 else 0)"
    outcome = acts.apply(acts.plan(paths), before=jump)
    assert outcome["state"] == "stopped"
    assert "clock" in outcome["detail"]
    assert 0 < outcome["files"] < 20
    assert acts.apply(acts.folder / "scratch-001-delete.plan")["files"] == 20, "what was stopped goes on"


def test_a_full_target_stops_the_move_and_deletes_nothing(acts: Acts) -> None:
    assert moved_to_a_small_place(acts) == []


def test_that_test_notices_a_move_that_deletes_what_does_not_fit(acts: Acts) -> None:
    acts.break_with("act-deletes-when-full.patch")
    assert moved_to_a_small_place(acts) != []


def moved_to_a_small_place(acts: Acts) -> list[str]:
    """Move ten files to where two have room; the names of those that are in neither place."""
    paths = [old_file(acts.tree / f"u/{number}", os.urandom(100_000)) for number in range(10)]
    plan = acts.plan(paths, "move")
    script = (
        'mount -t tmpfs -o size=256k,mode=755 none "$1" && target=$1 out=$2 && shift 2 && '
        '{ "$@" >"$out.json" || :; } && cp -a "$target/u" "$out"'
    )
    command = acts.command("apply", plan, "--yes", "--json")
    moved = acts.folder / "moved"
    around = [*IN_MOUNTS, "sh", "-c", script, "sh", str(acts.target), str(moved)]
    subprocess.run([*around, *command], env=acts.environment, check=True, timeout=120)
    outcome = json.loads((acts.folder / "moved.json").read_text().splitlines()[-1])
    assert (outcome["state"], outcome["full"], outcome["files"]) == ("partial", True, 2)
    return [path.name for path in paths if not path.exists() and not (moved / path.name).exists()]


def test_many_failures_stop_the_run(acts: Acts) -> None:
    paths = [old_file(acts.tree / f"{number:03}") for number in range(60)]
    injection = "inject=renameat2:error=EIO:when=1+"
    outcome, _trace = acts.trace(["-e", "trace=renameat2", "-e", injection], "apply", acts.plan(paths), "--yes")
    assert outcome["state"] == "stopped"
    assert outcome["error_count"] == 21
    assert len(outcome["errors"]) == 20
    assert all(path.exists() for path in paths)


def test_names_as_nobody_wishes_them_go_and_come_back(acts: Acts) -> None:
    names = [name for name in NAMES if b"/" not in name and name not in {b".", b".."}]
    base = os.fsencode(acts.tree) + b"/u"
    (acts.tree / "u").mkdir()
    paths = []
    for name in names:
        path = Path(os.fsdecode(base + b"/" + name[:255]))
        paths.append(old_file(path, name))
    before = content(acts.tree)
    for action in ("delete", "move"):
        for path in paths:
            make_old(path)
        plan = acts.plan(paths, action, remove_empty_directories=True)
        assert acts.apply(plan)["files"] == len(paths)
        assert content(acts.tree) == {}
        listed = acts.run("list").stdout
        assert all(char.isprintable() or char == "\n" for char in listed)
        assert acts.told("restore", "--plan", plan.stem, "--yes")["files"] == len(paths)
        assert {name: entry[4] for name, entry in content(acts.tree).items()} == {
            name: entry[4] for name, entry in before.items()
        }


def test_a_path_longer_than_the_kernel_takes_at_once_is_reached(acts: Acts) -> None:
    here = os.open(acts.tree, os.O_RDONLY | os.O_DIRECTORY)
    names = [bytes([97 + depth % 26]) * 200 for depth in range(40)]
    for name in names:
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("file", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=here)
    os.close(file)
    then = time.time() - 400 * DAY
    os.utime("file", (then, then), dir_fd=here)
    there = os.stat("file", dir_fd=here)
    template = entry_of(acts.tree, old_file(acts.tree / "template"))
    entry = msgspec.structs.replace(
        template,
        path=b"/".join([*names, b"file"]),
        dev=there.st_dev,
        ino=there.st_ino,
        size_bytes=0,
        mtime_ns=there.st_mtime_ns,
        atime_ns=there.st_atime_ns,
    )
    outcome = acts.apply(acts.plan([entry], remove_empty_directories=True))
    os.close(here)
    assert (outcome["files"], outcome["directories"]) == (1, 0), "the journal notes no paths of such a length"
    assert acts.told("restore", "--user", "root", "--yes")["files"] == 1
    assert len([*os.walk(acts.tree)]) >= 2


def test_a_folder_that_becomes_empty_comes_back_as_it_was(acts: Acts) -> None:
    folder = acts.tree / "u/project"
    path = old_file(folder / "file")
    os.chown(folder, 1234, 2345)
    folder.chmod(0o751)
    make_old(folder)
    was = folder.stat()
    outcome = acts.apply(acts.plan([path], remove_empty_directories=True))
    assert (outcome["directories"], (acts.tree / "u").exists()) == (2, False)
    acts.told("restore", "--path", "u", "--yes")
    now = folder.stat()
    assert (now.st_uid, now.st_gid, now.st_mode) == (was.st_uid, was.st_gid, was.st_mode)
    assert path.exists()


def test_nothing_is_overwritten_when_it_comes_back(acts: Acts) -> None:
    for action in ("delete", "move"):
        path = old_file(acts.tree / f"{action}")
        acts.apply(acts.plan([path], action))
        path.write_text("newer")
        outcome = acts.told("restore", "--path", str(path), "--yes")
        assert (outcome["files"], outcome["skipped"]) == (0, {"taken": 1})
        assert path.read_text() == "newer"
        path.unlink()
        assert acts.told("restore", "--path", str(path), "--yes")["files"] == 1
        assert path.read_bytes() == b"content\n"


def test_nothing_is_overwritten_when_it_is_moved(acts: Acts) -> None:
    path = old_file(acts.tree / "a/file")
    old_file(acts.target / "a/file", "theirs")
    outcome = acts.apply(acts.plan([path], "move"))
    assert (outcome["files"], outcome["skipped"]) == (0, {"taken": 1})
    assert (acts.target / "a/file").read_text() == "theirs"
    assert path.read_bytes() == b"content\n"


def test_a_purge_takes_the_oldest_first_and_none_before_its_days(acts: Acts) -> None:
    plans = []
    for number in range(3):
        path = old_file(acts.tree / f"{number}", b"x" * 8192)
        plans.append(acts.plan([path], quarantine_days=14))
        acts.apply(plans[-1])
        acts.let_pass(plans[-1], 10 - number)
    acts.allow(min_quarantine_days=9)
    assert acts.told("purge", "--yes")["files"] == 0
    rehearsed = acts.told("purge", "--oldest-until-bytes", "8K")
    assert (rehearsed["dry_run"], rehearsed["files"]) == (True, 1)
    assert acts.told("purge", "--oldest-until-bytes", "8K", "--yes")["freed_bytes"] >= 8192
    assert acts.told("purge", "--oldest-until-bytes", "1G", "--yes")["files"] == 1, "the third is too young"
    left = [row["plan"] for row in json.loads(acts.run("list", "--json").stdout)]
    assert left == [plans[2].stem]


def test_what_is_caught_by_a_race_in_the_quarantine_is_not_purged(acts: Acts) -> None:
    path = old_file(acts.tree / "file")
    plan = acts.plan([path], quarantine_days=0)
    acts.apply(plan)
    slot = acts.tree / ".dkumonitor/quarantine" / plan.stem / "000/0"
    other = acts.tree / "other"
    other.write_text("nobody has decided on this")
    other.rename(slot)
    assert acts.told("purge", "--yes")["skipped"] == {"kept": 1}
    assert acts.told("restore", "--plan", plan.stem, "--yes")["files"] == 1
    assert path.read_text() == "nobody has decided on this"


def test_a_tree_in_which_others_could_exchange_our_folder_is_refused(acts: Acts) -> None:
    path = old_file(acts.tree / "a/file")
    acts.tree.chmod(0o777)
    assert "chmod +t" in refused(acts, acts.plan([path]))
    acts.tree.chmod(0o755)
    os.chown(acts.tree, 1234, 1234)
    assert "belongs to user 1234" in refused(acts, acts.plan([path]))
    os.chown(acts.tree, 0, 0)
    (acts.tree / ".dkumonitor").mkdir()
    os.chown(acts.tree / ".dkumonitor", 1234, 1234)
    assert ".dkumonitor" in refused(acts, acts.plan([path]))


def test_two_acts_do_not_work_in_a_tree_at_once(acts: Acts) -> None:
    paths = [old_file(acts.tree / f"{number}") for number in range(3)]
    acts.apply(acts.plan(paths[:1]))
    with (acts.tree / ".dkumonitor/lock").open("rb") as lock:
        ctypes.CDLL(None).flock(lock.fileno(), 2)
        assert "another act" in refused(acts, acts.plan(paths[1:]))


def test_a_file_system_that_cannot_refuse_to_overwrite_in_one_step_loses_nothing(acts: Acts) -> None:
    paths = [old_file(acts.tree / "u/deep/one", "1"), old_file(acts.tree / "u/two", "2")]
    link = acts.tree / "u/link"
    link.symlink_to("two")
    before = content(acts.tree)
    inject = ["-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL"]
    for action in ("delete", "move"):
        make_old(link)  # to look where it leads is a use of it
        plan = acts.plan([*paths, link], action, remove_empty_directories=True)
        outcome, _trace = acts.trace(inject, "apply", plan, "--yes")
        assert (outcome["state"], outcome["files"]) == ("done", 3)
        assert content(acts.tree) == {}
        outcome, _trace = acts.trace(inject, "restore", "--plan", plan.stem, "--yes")
        assert outcome["files"] == 3
        assert {name: entry[4] for name, entry in content(acts.tree).items()} == {
            name: entry[4] for name, entry in before.items()
        }


def test_memory_does_not_grow_with_the_plan(acts: Acts) -> None:
    template = entry_of(acts.tree, old_file(acts.tree / "file"))
    entries = [msgspec.structs.replace(template, path=b"gone/%d" % number) for number in range(60_000)]
    around = ["prlimit", f"--data={48 * 1024 * 1024}"]  # 15 MiB for Python, and a plan of 5 MB that is read in blocks
    outcome = acts.told("apply", acts.plan(entries), "--yes", around=around)
    assert outcome["skipped"] == {"gone": 60_000}
