"""Promises 1 and 2: nothing outside the tree is touched, and nothing but what was decided on, whatever is exchanged.

The kernel's Landlock, which would keep the program in its tree by itself, is taken out of the copies tested here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.acting import NO_MORE_CALLS, Action, Acts, Forks, content, make_old, old_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors.disk.plan_file import Entry

NAMES = ("one", "two")


@pytest.fixture
def acts(release: Path, in_memory: Path) -> Acts:
    made = Acts(release, in_memory)
    made.break_with("act-without-landlock.patch")
    return made


def lay(acts: Acts) -> tuple[list[Path], Path]:
    """A tree with a folder of files, and beside the tree a folder with the same names: the canary."""
    for folder in (acts.tree, acts.target, acts.folder / "canary", acts.folder / "outside"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    paths = [old_file(acts.tree / "a" / name, f"content of {name}\n") for name in NAMES]
    for name in NAMES:
        old_file(acts.folder / "canary" / name, f"content of {name}\n")
    return paths, acts.folder / "canary"


def calls(acts: Acts, action: Action, meddle: str) -> Iterator[tuple[int, list[Path]]]:
    """Run a plan for each call of its, and meddle just before that call; ends when there are no more calls."""
    with Forks(acts) as forks:
        for call in range(1, 2000):
            paths, _canary = lay(acts)
            plan = acts.plan(paths, action)
            if forks.run(call, meddle.format(folder=acts.folder), "apply", plan, "--yes") == NO_MORE_CALLS:
                assert call > 20, "the hook sees too few calls"
                return
            yield call, paths
    raise AssertionError("it never ended")


LINK = """\
import os
os.rename("{folder}/tree/a", "{folder}/tree/a.real")
os.symlink("{folder}/canary", "{folder}/tree/a")"""
AWAY = """\
import os
here = sorted(os.listdir("{folder}/tree/a"))
os.rename("{folder}/tree/a", "{folder}/outside/a")
os.close(os.open("{folder}/here." + "-".join(here), os.O_CREAT | os.O_WRONLY))"""
REPLACE = """\
import os
there = os.stat("{folder}/canary/one")
with open("{folder}/tree/new", "w") as file:
    file.write("CONTENT of one\\n")
os.utime("{folder}/tree/new", ns=(there.st_atime_ns, there.st_mtime_ns))
os.rename("{folder}/tree/new", "{folder}/tree/a/one")"""


def led_astray(acts: Acts, action: Action) -> Iterator[int]:
    """The calls at which a parent that became a link led the act into the canary, or a file was lost."""
    expected = {name: f"content of {name}\n".encode() for name in NAMES}
    for call, _paths in calls(acts, action, LINK):
        canary = content(acts.folder / "canary")
        there = [path.read_bytes() for path in acts.folder.rglob("*") if path.is_file() and path.stat().st_size < 100]
        lost = any(there.count(text) < 2 for text in expected.values())  # in the canary, and wherever it went
        if {name: entry[4] for name, entry in canary.items()} != expected or lost:
            yield call


@pytest.mark.parametrize("action", ["delete", "move"])
def test_a_parent_that_becomes_a_link_at_any_call_leads_nowhere(acts: Acts, action: Action) -> None:
    assert list(led_astray(acts, action)) == []


def test_that_test_notices_an_act_by_path(acts: Acts) -> None:
    acts.break_with("act-by-path.patch")
    assert next(led_astray(acts, "delete"), None) is not None


def taken_outside(acts: Acts) -> Iterator[int]:
    """The calls at which a folder that was moved out of the tree lost a file that had been in it by then."""
    for call, _paths in calls(acts, "delete", AWAY):
        (mark,) = acts.folder.glob("here.*")
        mark.unlink()
        there = {name for name in mark.name.removeprefix("here.").split("-") if name}
        if not there <= {path.name for path in (acts.folder / "outside/a").iterdir()}:
            yield call


def test_a_folder_that_is_moved_out_of_the_tree_at_any_call_keeps_its_files(acts: Acts) -> None:
    assert list(taken_outside(acts)) == []


def test_that_test_notices_an_act_that_does_not_look_back(acts: Acts) -> None:
    acts.break_with("act-does-not-look-back.patch")
    assert next(taken_outside(acts), None) is not None


def replaced(acts: Acts, action: Action) -> Iterator[int]:
    """The calls at which a file of the same name, size and time was taken for the one that was decided on."""
    for call, paths in calls(acts, action, REPLACE):
        if not paths[0].exists() or paths[0].read_bytes() != b"CONTENT of one\n":
            yield call


@pytest.mark.parametrize("action", ["delete", "move"])
def test_a_file_that_is_replaced_at_any_call_stays(acts: Acts, action: Action) -> None:
    assert list(replaced(acts, action)) == []


def test_that_test_notices_an_act_without_a_second_check(acts: Acts) -> None:
    acts.break_with("act-without-second-check.patch")
    assert next(replaced(acts, "delete"), None) is not None


SWAPPER = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
tree, end = os.open(sys.argv[1], os.O_RDONLY), time.monotonic() + float(sys.argv[2])
print("swapping", flush=True)
swaps = 0
while time.monotonic() < end:
    libc.syscall({renameat2}, tree, b"a", tree, b"other", 2)  # RENAME_EXCHANGE
    swaps += 1
print(swaps)
"""
RENAMEAT2 = {"x86_64": 316, "aarch64": 276}[os.uname().machine]


def swapped_for_seconds(acts: Acts, seconds: float) -> int:
    """Apply plans while another process exchanges a folder and a link to the canary; how many files were acted on."""
    lay(acts)
    (acts.tree / "other").symlink_to(acts.folder / "canary")
    before = content(acts.folder / "canary")
    command = [sys.executable, "-c", SWAPPER.format(renameat2=RENAMEAT2), str(acts.tree), str(seconds)]
    done = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as swapper:
        assert swapper.stdout is not None
        assert swapper.stdout.readline() == "swapping\n"
        while swapper.poll() is None:
            done += acts.apply(acts.plan(laid_through(acts)))["files"]
        assert int(swapper.stdout.read()) > 1000
    after = content(acts.folder / "canary")
    assert {name: after.get(name) for name in before} == before
    return done


def laid_through(acts: Acts) -> list[Entry]:
    """Files in the folder that is exchanged, whichever name it has at this moment."""
    made = [old_file(acts.tree / f"new{time.monotonic_ns()}{number}", b"x") for number in range(100)]
    entries = []
    for path in made:
        entries.append(acts.plan_entry(path, b"a/" + os.fsencode(path.name)))
        while path.exists():
            name = "a" if not (acts.tree / "a").is_symlink() else "other"
            path.rename(acts.tree / name / path.name)
    return entries


def test_a_folder_and_a_link_that_are_exchanged_all_the_time_lead_nowhere(acts: Acts) -> None:
    assert swapped_for_seconds(acts, 8) > 0, json.dumps(content(acts.tree), default=str)[:500]


def test_links_in_the_tree_are_moved_and_deleted_as_links(acts: Acts) -> None:
    lay(acts)
    link = acts.tree / "link"
    link.symlink_to(acts.folder / "canary/one")
    make_old(link)
    before = content(acts.folder / "canary")
    assert acts.apply(acts.plan([link], "move"))["files"] == 1
    assert (acts.target / "link").readlink() == acts.folder / "canary/one"
    assert not link.is_symlink()
    assert content(acts.folder / "canary") == before
