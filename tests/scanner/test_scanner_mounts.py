"""Nothing outside of the tree is read: links are not followed, mounts not crossed, FIFOs and devices not opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.scanner import oracle
from tests.scanner.program import DIFFERENT, NOW, Scanner, broken

if TYPE_CHECKING:
    from pathlib import Path

OUTSIDE = 44_444  # the owner of what must never be counted
MOUNTS = """
set -e
mount -t tmpfs tmpfs "$1/a/deep/er"
echo outside >"$1/a/deep/er/file"
chown -R 44444 "$1/a/deep/er"
mkdir -p "$1 elsewhere/below"
echo outside >"$1 elsewhere/file"
chown -R 44444 "$1 elsewhere"
mount --bind "$1 elsewhere" "$1/b"
mount --bind "$1 elsewhere/file" "$1/a/plain62"
mount -t proc proc "$1/empty"
shift
exec "$@"
"""
OPENING = ("open", "openat", "openat2", "creat")
WRITING = (
    *(
        "unlink",
        "unlinkat",
        "rename",
        "renameat",
        "renameat2",
        "mkdir",
        "mkdirat",
        "mknod",
        "mknodat",
        "link",
        "linkat",
    ),
    *("symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "truncate"),
    *("ftruncate", "utimensat", "setxattr"),
)
MOUNTED = ((b"a", b"deep", b"er"), (b"b",), (b"a", b"plain62"), (b"empty",))


def mounted(scanner: Scanner, tree: Path) -> Scanner:
    """The scanner in a mount namespace of its own, where something is mounted on several places of the tree."""
    return scanner.under("unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTS, "sh", tree)


def figures(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in DIFFERENT}


@pytest.fixture
def place(tree: Path) -> Path:
    """The tree, with a file that something can be mounted on."""
    (tree / "a/plain62").touch()
    os.utime(tree / "a", (NOW, NOW))
    return tree


def test_a_mount_and_all_below_it_count_for_nothing(scanner: Scanner, place: Path) -> None:
    found = mounted(scanner, place).document(place)
    assert figures(found) == oracle.document(place, oracle.Question(NOW, mounts=MOUNTED))
    assert found["skipped_mounts"] == len(MOUNTED)


@pytest.mark.parametrize("missing", ["statx", "openat2", "statx,openat2"])
def test_an_old_kernel_or_a_sandbox_changes_nothing(
    scanner: Scanner, place: Path, workspace: Path, missing: str
) -> None:
    """Without statx there are no mount ids: mounts are then known by their paths."""
    traced = scanner.under("strace", "-f", "-qq", "-o", workspace / "trace", "-e", f"trace={missing}", "-e",
                           f"inject={missing}:error=ENOSYS")  # fmt: skip
    found = mounted(traced, place).document("--threads", 2, place)
    assert figures(found) == oracle.document(place, oracle.Question(NOW, mounts=MOUNTED))
    assert "ENOSYS" in (workspace / "trace").read_text()


def test_only_directories_are_opened_and_nothing_is_written(scanner: Scanner, tree: Path, workspace: Path) -> None:
    trace = workspace / "trace"
    calls = ",".join(OPENING + WRITING)
    traced = scanner.under("strace", "-f", "-qq", "-y", "-o", trace, "-e", f"trace={calls}")
    traced.document(tree)
    lines = [line for line in trace.read_text().splitlines() if str(tree) in line and "resumed>" not in line]
    assert len(lines) > 12
    assert [line for line in lines if "O_DIRECTORY" not in line or "O_NOFOLLOW" not in line] == []
    assert [line for line in lines if "O_WRONLY" in line or "O_RDWR" in line or "O_CREAT" in line] == []


MEANWHILE = """
mkfifo "$1/../go"
"$2" --json --threads 1 --max-rate 200 "$1" &
cat "$1/../go"
for each in "$1"/*; do
    mount -t tmpfs tmpfs "$each"
    chown 44444 "$each"
done
wait $!
"""
SWAP = """
import ctypes, sys
exchange = ctypes.CDLL(None).renameat2
one, other = (name.encode() for name in sys.argv[1:])
print("swapping", flush=True)
while True:
    exchange(-100, one, -100, other, 2)
"""


def seen_outside(scanner: Scanner, workspace: Path, scans: int) -> int:
    """How many of so many scans count what lies outside, while directories and links to it change places."""
    tree, outside = workspace / "tree", workspace / "outside"
    (outside / "below").mkdir(parents=True)
    (outside / "below/file").write_text("outside")
    for path in (outside / "below/file", outside / "below"):
        os.chown(path, OUTSIDE, OUTSIDE)
    for name in ("directory", *(f"{number}" for number in range(50))):
        (tree / name).mkdir(parents=True)
    (tree / "link").symlink_to("../outside")
    with subprocess.Popen(
        [sys.executable, "-c", SWAP, tree / "directory", tree / "link"], stdout=subprocess.PIPE
    ) as swapper:
        try:
            assert swapper.stdout is not None
            swapper.stdout.readline()
            found = [_users(scanner, tree) for _ in range(scans)]
        finally:
            swapper.kill()
    return sum(OUTSIDE in users for users in found)


def _users(scanner: Scanner, tree: Path) -> set[int]:
    said = scanner.run("--json", "--threads", 2, tree)
    assert said.returncode == 0
    return {user["uid"] for user in json.loads(said.stdout)["users"]}


def test_a_directory_that_becomes_a_link_during_the_scan_leads_nowhere(scanner: Scanner, workspace: Path) -> None:
    assert seen_outside(scanner, workspace, 300) == 0


def test_a_scanner_that_follows_links_is_caught(workspace: Path) -> None:
    """The variant opens directories without O_NOFOLLOW."""
    (workspace / "variant").mkdir()
    follows = broken(workspace / "variant", "follows-links.patch")
    assert seen_outside(follows, workspace, 300) > 0


def test_a_scanner_that_crosses_mounts_is_caught(workspace: Path, place: Path) -> None:
    """The variant compares devices alone, as du does: a bind mount of the same file system has the same one."""
    (workspace / "variant").mkdir()
    crosses = broken(workspace / "variant", "crosses-mounts.patch")
    found = mounted(crosses, place).document(place)
    assert OUTSIDE in {user["uid"] for user in found["users"]}


def test_a_mount_that_comes_during_the_scan_is_not_entered(scanner: Scanner, workspace: Path) -> None:
    """What is mounted between the look at a directory and its opening: the rate leaves the time for it."""
    tree = workspace / "tree"
    for number in range(200):
        (tree / f"{number}").mkdir(parents=True)
        (tree / f"{number}/file").touch()
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", MEANWHILE, "sh", tree, scanner.path]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE) as process:
        threading.Timer(0.7, lambda: (workspace / "go").write_text("")).start()
        assert process.stdout is not None
        found = json.loads(process.stdout.read())
    assert OUTSIDE not in {user["uid"] for user in found["users"]}
    assert found["skipped_mounts"] + sum(each["count"] for each in found["errors"]) > 0
    assert {each["kind"] for each in found["errors"]} <= {"EXDEV"}
