"""What a scan does where it cannot see all, must not take all, or has to end early: it says what share it counted."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench import programs
from tests.conftest import VERSION
from tests.scanner import oracle, trees
from tests.scanner.program import NOW, SECONDS, decoded
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scanner.program import Scanner

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
DEPTH = 5000
MEMORY_BYTES = 1 << 30  # of addresses, most of which Go only reserves


@pytest.fixture
def place(workspace: Path) -> Iterator[Path]:
    """Where a tree goes that is too deep for Python to remove."""
    yield workspace / "tree"
    subprocess.run(["rm", "-rf", workspace / "tree"], check=True)


# --- depth, width, number


def test_a_tree_of_any_depth_is_counted_with_few_descriptors(scanner: Scanner, place: Path) -> None:
    """5,000 levels, each with a file and another directory beside the next level."""
    trees.chain(place, DEPTH, beside=1)
    limited = scanner.under("prlimit", "--nofile=64", "--")
    for threads in (1, 8):
        found = limited.figures("--threads", threads, "--depth", 10_000, "--max-directories", 2, place)
        assert found["files"] == DEPTH
        assert found["directory_count"] == 3 * DEPTH + 1
        assert found["directories_left_out"] == 3 * DEPTH - 1
        assert not found["partial"]


def test_sums_of_sparse_files_stay_at_the_largest_number_and_never_become_small(scanner: Scanner) -> None:
    """Any user can make two files of seven exabytes where the file system takes them, as tmpfs and XFS do."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="dkumonitor-test-") as place:
        trees.exabytes(Path(place))
        for threads in (1, 4):
            found = scanner.document("--old-days", 30, "--depth", 3, "--threads", threads, place)
            assert (found["files"], found["old_files"]) == (4, 4)
            for each in (found, found["users"][0], found["groups"][0], found["directories"][0]):
                assert (each["apparent_bytes"], each["old_bytes"]) == (2**63 - 1, 2**63 - 1)
            for name in ("users", "directories", "ages", "sizes", "top_files"):
                assert all(each["apparent_bytes"] >= 0 for each in found[name])


def test_paths_longer_than_the_kernel_takes_are_what_the_oracle_finds(scanner: Scanner, place: Path) -> None:
    trees.chain(place, 700)
    found = scanner.figures(place)
    assert found == oracle.document(place, oracle.Question(NOW))
    assert max(len(each["path"]) for each in found["top_directories"]) < 4096 < 700 * len("directory/")


def test_memory_does_not_grow_with_the_number_of_files(scanner: Scanner, workspace: Path) -> None:
    trees.many(workspace / "many", 100_000)
    trees.many(workspace / "few", 5000)
    peaks = [_peak_bytes(scanner, workspace / name) for name in ("few", "many")]
    assert peaks[1] < peaks[0] + (1 << 20), peaks
    limited = scanner.under("prlimit", f"--as={MEMORY_BYTES}", "--")
    assert limited.figures("--threads", 2, workspace / "many")["files"] == 100_000


def _peak_bytes(scanner: Scanner, tree: Path) -> int:
    """The most memory it had, read while it waits for somebody to take the end of its document."""
    with scanner.start("--threads", 2, "--json", tree) as process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        os.read(process.stdout.fileno(), 1)
        text = Path(f"/proc/{process.pid}/status").read_text()
        process.stdout.read()
    return int(text.split("VmHWM:")[1].split()[0]) << 10


# --- what cannot be read


def test_what_an_ordinary_user_cannot_read_makes_the_result_partial(scanner: Scanner, tree: Path) -> None:
    for name in ("a/deep/er", "b"):
        (tree / name).chmod(0o700)
    for folder in (tree, tree / "a", tree / "a/deep"):
        folder.chmod(0o755)
    (tree / "a/deep").chmod(0o444)  # its names can be read, and nothing of what they are
    found = scanner.under(*NOBODY).figures(tree)
    assert (found["partial"], found["partial_reason"]) == (True, "unreadable")
    names = len(os.listdir(tree / "a/deep"))
    assert found["errors"] == [{"kind": "EACCES", "count": names + 1, "example": "b"}]
    assert found["unreadable_directories"] == 1, "b; what a/deep/er is, cannot be seen"
    assert _consistent(found)
    whole = scanner.figures(tree)
    assert not whole["partial"], "root can"
    assert whole["files"] > found["files"] > 0


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing", "missing: no such file or directory (ENOENT); correct the path"),
        ("file", "file: not a directory (ENOTDIR); name a directory"),
        ("link", "link is a symbolic link, which is not followed; name the directory it leads to"),
        ("closed", "closed: permission denied (EACCES); call this as a user who may read it, or give dkm-scan"),
        ("/proc", "/proc lies on proc, which holds no files of users; name another directory"),
        ("/sys/kernel", "/sys/kernel lies on sysfs"),
    ],
)
def test_a_path_that_cannot_be_scanned_is_named_with_the_way_out(
    scanner: Scanner, workspace: Path, path: str, words: str
) -> None:
    (workspace / "file").touch()
    (workspace / "link").symlink_to(".")
    (workspace / "closed").mkdir(mode=0o700)
    said = scanner.under(*NOBODY).run("--json", workspace / path)
    assert (said.returncode, said.stdout) == (1, b"")
    assert words in said.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "one PATH is needed"),
        (("/tmp", "/usr"), "one PATH is needed after all options, and 2 are given"),
        (("--json", "--stream", "/tmp"), "exclude each other"),
        (("--list", "/tmp"), "--list is for --stream"),
        (("--stream", "--list-uid", "1", "/tmp"), "what --list lists, which is missing"),
        (("--threads", "0", "/tmp"), "use a whole number from 1 to 1024"),
        (("--old-days", "x", "/tmp"), 'invalid value "x" for --old-days: use a whole number'),
        (("--age-by", "ctime", "/tmp"), "use newest, atime or mtime"),
        (("--skip", "a/b", "/tmp"), "without a slash"),
        (("--unknown", "/tmp"), "there is no option --unknown"),
        (("--top",), "a value is missing after --top"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(scanner: Scanner, arguments: tuple[str, ...], words: str) -> None:
    said = scanner.run(*arguments)
    assert (said.returncode, said.stdout) == (2, b"")
    assert words in said.stderr.decode()
    assert "dkm-scan --help" in said.stderr.decode()


def test_help_names_every_option_with_examples(scanner: Scanner) -> None:
    said = scanner.run("--help")
    assert (said.returncode, said.stderr) == (0, b"")
    source = (Path(__file__).parents[2] / "scanner/options.go").read_text()
    options = set(re.findall(r'flags(?:, |\.\w+\((?:&o\.\w+, )?)"([a-z-]+)"', source))
    assert len(options) > 15
    assert [name for name in options if f"--{name}" not in said.stdout.decode()] == []
    assert b"Examples:\n  dkm-scan /scratch\n" in said.stdout
    assert scanner.run("--version").stdout.decode() == f"dkm-scan {VERSION}\n"


# --- ends early


def test_a_deadline_ends_the_scan_with_what_was_seen(scanner: Scanner, workspace: Path) -> None:
    trees.many(workspace / "tree", 5000)
    found = scanner.document("--max-rate", 100, "--deadline", 1, workspace / "tree")
    assert (found["partial"], found["partial_reason"]) == (True, "deadline")
    assert 0 < found["files"] < 5000
    assert found["seconds"] < 60
    assert _consistent(found)


def test_a_server_that_never_answers_does_not_hold_up_the_end(scanner: Scanner, workspace: Path) -> None:
    """Every directory has an entry whose status never comes: soon no thread gets anywhere."""
    (workspace / "mount").mkdir()
    slowfs = programs.compiled("slowfs", workspace)
    slow = scanner.on_slow_files(slowfs, workspace / "mount", 100, 3, 20, 300, "stuck")
    found = slow.document("--threads", 4, "--deadline", 1, workspace / "mount")
    assert (found["partial"], found["partial_reason"]) == (True, "deadline")
    assert found["directory_count"] == 5
    assert _consistent(found)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_scan_with_what_was_seen(scanner: Scanner, workspace: Path, number: signal.Signals) -> None:
    trees.many(workspace / "tree", 5000)
    with scanner.start("--stream", "--max-rate", 100, workspace / "tree") as process:
        assert process.stdout is not None
        first = process.stdout.read(1)  # of a frame of progress: the scan is under way
        process.send_signal(number)
        output = process.stdout.read()
    assert process.returncode == 0
    *_, found = decoded(first + output)
    assert (found["partial"], found["partial_reason"]) == (True, "interrupted")
    assert found["files"] < 5000
    assert _consistent(found)


def _consistent(found: dict[str, Any]) -> bool:
    """Whether all listings add up to the same."""
    root = next(row for row in found["directories"] if not row["path"])
    sums = [sum(row["files"] for row in found[name]) for name in ("users", "groups", "ages", "sizes")]
    return sums == [found["files"]] * 4 and root["files"] == found["files"]


def test_a_rate_is_kept(scanner: Scanner, workspace: Path) -> None:
    trees.many(workspace / "tree", 1500)
    found = scanner.document("--max-rate", 1000, "--threads", 8, workspace / "tree")
    assert found["seconds"] >= 1.4
    assert not found["partial"]


# --- a tree that changes meanwhile


def test_what_vanishes_during_the_scan_is_said(scanner: Scanner, workspace: Path) -> None:
    tree = workspace / "tree"
    tree.mkdir()
    for number in range(40):
        trees.many(tree / f"{number}", 50)
    with scanner.start("--json", "--threads", 1, "--max-rate", 1000, tree) as process:
        wait_for("the scan to begin", lambda: len(os.listdir(f"/proc/{process.pid}/fd")) > 6)
        subprocess.run(["find", tree, "-mindepth", "1", "-delete"], check=True)
        output, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (0, b"")
    found = json.loads(output)
    assert (found["partial"], found["partial_reason"]) == (True, "changed")
    assert {each["kind"] for each in found["errors"]} == {"ENOENT"}
    assert found["unreadable_directories"] == 0
    assert _consistent(found)


def test_what_the_terminal_shows_is_safe_and_only_shown_when_asked_for(scanner: Scanner, tree: Path) -> None:
    said = scanner.run(tree)
    assert (said.returncode, said.stderr) == (0, b"")
    text = said.stdout.decode()
    assert text.splitlines()[0].startswith(str(tree))
    assert not [char for char in text if char < " " and char != "\n"]
    command = shlex.join(scanner.command("--progress", "--max-rate", 100, tree))
    typed = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, check=True, text=True)
    shown = re.findall(r"(\d+) entries, \d+ a second", typed.stdout)
    assert shown
    assert all(int(before) <= int(after) for before, after in pairwise(shown))
