"""Disk use by the installed bundle, as an account without any right of its own: scanned, acted on, brought back."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import RUN_FOLDER
from tests.stack import Stack, free_port_range, run_installer, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "nobody"  # an account that every Debian has; its number is above those that are never touched
ACCOUNT = pwd.getpwnam(SERVICE)
pytestmark = pytest.mark.xdist_group("bundle-disk")  # one installation for all of them
DAY = 86400
FULL = ("--usage-warning-percent", "0.0001", "--usage-critical-percent", "0.0001", "--max-share-percent", "100")
POLICY = """
[[tree]]
task = "{task}"
path = "{tree}"
actions = ["move", "delete"]
relocation = "{archive}"
max_share_percent = 100.0
min_quarantine_days = 0
automatic = true
"""


@pytest.fixture(scope="module")
def installed(release: Path) -> Iterator[Stack]:
    """An installation that the account made for itself."""
    assert os.geteuid() == 0, "this test becomes another user, so it needs root"
    workspace = Path(tempfile.mkdtemp(prefix="disk-", dir=os.environ[RUN_FOLDER]))
    workspace.chmod(0o755)
    os.chown(workspace, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    with free_port_range() as port:
        outcome = run_installer(release, "-d", str(workspace / "dkm"), "-p", str(port), user=SERVICE)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        stack = Stack(workspace / "dkm", port)
        yield stack
        stack.stop()


def as_account(stack: Stack, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    outcome = subprocess.run(
        [str(stack.dir / "bin" / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        env=stack.environment,
        user=SERVICE,
        group=ACCOUNT.pw_gid,
        extra_groups=[],
        cwd="/",
        timeout=120,
        check=False,
    )
    assert not check or outcome.returncode == 0, f"{command}\n{outcome.stdout}\n{outcome.stderr}"
    return outcome


def rows(stack: Stack, *arguments: str) -> Any:
    return json.loads(as_account(stack, "dkm", "disk", *arguments, "--json").stdout)


def a_tree(stack: Stack, name: str) -> Path:
    """Files of the account: three old ones, one with two names, one new; and one of root, which it may not read."""
    tree = stack.dir.parent / name
    (tree / "a/b").mkdir(parents=True)
    for number, (path, days) in enumerate((("a/old 1", 200), ("a/b/old\n2", 300), ("old-\udcff3", 400), ("a/new", 1))):
        file = tree / path
        file.write_bytes(b"x" * (1000 * (number + 1)))
        os.utime(file, (time.time() - days * DAY,) * 2)
    os.link(tree / "a/old 1", tree / "a/b/second name")
    (tree / "closed").mkdir()
    for folder, _, files in os.walk(tree):
        for path in (folder, *(os.path.join(folder, file) for file in files)):  # noqa: PTH118  text with surrogates
            os.chown(path, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    os.chown(tree / "closed", 0, 0)
    (tree / "closed").chmod(0o700)
    return tree


def there(tree: Path) -> dict[str, tuple[int, int, int]]:
    """Every file of the account's below a tree: its size, mode and time."""
    found = {}
    for folder, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if name not in (".dkumonitor", "closed")]
        for name in files:
            status = os.lstat(os.path.join(folder, name))  # noqa: PTH118  text with surrogates
            found[os.path.relpath(os.path.join(folder, name), tree)] = (  # noqa: PTH118
                status.st_size,
                status.st_mode,
                status.st_mtime_ns,
            )
    return found


def allow(stack: Stack, task: str, tree: Path, archive: Path) -> None:
    policy = stack.dir / "conf/disk-acts.toml"
    policy.write_text(policy.read_text() + POLICY.format(task=task, tree=tree, archive=archive))


def test_what_is_shown_is_what_find_says(installed: Stack) -> None:
    tree = a_tree(installed, "shown")
    as_account(installed, "dkm", "disk", "task", "create", "shown", "--path", str(tree))
    [run] = rows(installed, "run", "full", "shown")
    assert run["partial"], "the closed directory was not read"
    listed = subprocess.run(
        ["find", tree, "-uid", str(ACCOUNT.pw_uid), "-type", "f", "-printf", "%i %s %b\\0"],
        capture_output=True,
        check=True,
    ).stdout
    inodes = {tuple(map(int, line.split())) for line in listed.decode().split("\0") if line}
    [mine] = [row for row in rows(installed, "view", "users", "--task", "shown") if row["uid"] == ACCOUNT.pw_uid]
    assert mine["files"] == len(inodes) == 4
    assert mine["apparent_bytes"] == sum(size for _, size, _ in inodes)
    assert mine["allocated_bytes"] == sum(blocks * 512 for _, _, blocks in inodes)
    assert (mine["old_files"], mine["old_bytes"]) == (3, 1000 + 2000 + 3000)
    earlier = as_account(installed, "dkmonitor", "view", "all", "users", "--json")
    assert [row for row in json.loads(earlier.stdout) if row["task"] == "shown" and row["uid"] == ACCOUNT.pw_uid] == [
        mine
    ]
    [system] = [row for row in rows(installed, "view", "systems") if row["task"] == "shown"]
    space = os.statvfs(tree)
    assert system["total_bytes"] == space.f_blocks * space.f_frsize


@pytest.mark.parametrize("command", ["dkm disk view users", "dkm urls", "dkmonitor view all users"])
def test_output_that_cannot_be_written_is_one_line_and_no_trace(installed: Stack, command: str) -> None:
    name, *arguments = command.split()
    with Path("/dev/full").open("w") as full:
        outcome = subprocess.run(
            [installed.dir / "bin" / name, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=installed.environment,
            timeout=120,
            check=False,
        )
    assert outcome.returncode == 1
    assert outcome.stderr == "dkm: what was to be written could not be: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_error(installed: Stack) -> None:
    as_account(installed, "dkm", "people", "sync")
    outcome = subprocess.run(
        ["sh", "-c", f"'{installed.dir}/bin/dkm' people list --csv | true"],
        capture_output=True,
        text=True,
        env=installed.environment,
        timeout=120,
        check=False,
    )
    assert outcome.stderr == ""


def test_old_files_are_moved_and_brought_back(installed: Stack) -> None:
    tree, archive = a_tree(installed, "moved"), installed.dir.parent / "archive"
    archive.mkdir()
    os.chown(archive, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    before = there(tree)
    as_account(
        installed,
        "dkm",
        "disk",
        "task",
        "create",
        "moved",
        "--path",
        str(tree),
        *FULL,
        "--relocation-path",
        str(archive),
    )
    [run] = rows(installed, "run", "full", "moved")
    plan = run["plan"]
    entries = rows(installed, "plan", "show", plan)
    assert {entry["path"] for entry in entries} == set(before) - {"a/new"}
    refused = as_account(installed, "dkm", "disk", "plan", "apply", plan, "--yes", check=False)
    assert (refused.returncode, "disk-acts.toml" in refused.stdout) == (34, True)
    assert there(tree) == before, "no policy, no act"

    allow(installed, "moved", tree, archive)
    rehearsed = rows(installed, "plan", "apply", plan)
    assert (rehearsed["dry_run"], rehearsed["files"]) == (True, 4)
    assert there(tree) == before, "a rehearsal changes nothing"
    assert not (tree / ".dkumonitor").exists()
    done = rows(installed, "plan", "apply", plan, "--yes")
    assert (done["state"], done["files"], done["skipped"]) == ("done", 4, "")
    assert there(tree) == {"a/new": before["a/new"]}
    assert there(archive) == {name: what for name, what in before.items() if name != "a/new"}
    assert (archive / "a/old 1").samefile(archive / "a/b/second name")
    [kept] = [one for one in rows(installed, "plan", "list") if one["id"] == plan]
    assert (kept["state"], kept["done_files"]) == ("done", 4)
    assert as_account(installed, "dkm", "disk", "plan", "apply", plan, check=False).returncode == 33

    assert rows(installed, "restore", plan, "--yes")["files"] == 4
    assert there(tree) == before
    assert there(archive) == {}


def test_old_files_are_deleted_by_way_of_a_quarantine(installed: Stack) -> None:
    tree = a_tree(installed, "deleted")
    before = there(tree)
    flags = ("--delete-old-files", "--quarantine-days", "0")
    as_account(installed, "dkm", "disk", "task", "create", "deleted", "--path", str(tree), *FULL, *flags)
    as_account(installed, "dkm", "disk", "exempt", "path", "a/b/*", "--task", "deleted")
    allow(installed, "deleted", tree, tree.parent / "unused")
    [run] = rows(installed, "run", "full", "deleted")
    assert rows(installed, "plan", "apply", run["plan"], "--yes")["files"] == 2
    gone = {"a/old 1", os.fsdecode(b"old-\xff3")}
    assert there(tree) == {name: what for name, what in before.items() if name not in gone}
    [waiting] = [one for one in rows(installed, "quarantine", "list") if one["task"] == "deleted"]
    assert waiting["files"] == 2
    assert rows(installed, "restore", str(tree / "a"), "--yes")["files"] == 1
    assert rows(installed, "quarantine", "purge", "--task", "deleted")["files"] == 1
    assert rows(installed, "quarantine", "purge", "--task", "deleted", "--yes")["files"] == 1
    assert there(tree) == {name: what for name, what in before.items() if name != os.fsdecode(b"old-\xff3")}


def test_the_collectors_scan_act_when_the_day_has_come_and_send_figures(installed: Stack) -> None:
    tree = a_tree(installed, "watched")
    flags = ("--delete-old-files", "--no-dry-run", "--warning-days", "0", "--no-email-data-alterations")
    as_account(installed, "dkm", "disk", "task", "create", "watched", "--path", str(tree), *FULL, *flags)
    allow(installed, "watched", tree, tree.parent / "unused")
    installed.start()

    def acted() -> bool:
        return set(there(tree)) == {"a/new"}

    wait_for("the old files to be gone", acted, 120, 0.5)
    name = f"dkm.{installed.host}.disk.watched"
    as_account(installed, "dkm", "restart", "collectors")  # the next look, without waiting five minutes for it
    assert wait_for("its figures", lambda: installed.newest(f"{name}.files"), 120) == 4
    assert installed.newest(f"{name}.users.{SERVICE}.old_bytes") == 6000
    assert installed.newest(f"{name}.level") == 2
    space = os.statvfs(tree)
    used = (space.f_blocks - space.f_bfree) * space.f_frsize
    assert installed.newest(f"{name}.used_bytes") == pytest.approx(used, rel=0.05)
