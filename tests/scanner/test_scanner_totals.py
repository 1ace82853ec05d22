"""dkm-scan counts what is there: byte for byte what slower ways of counting find, whatever the tree and the threads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scanner import oracle
from tests.scanner.program import NOW
from tests.scanner.trees import OWNERS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scanner.program import Scanner


def test_every_figure_is_the_oracle_s(scanner: Scanner, tree: Path) -> None:
    found, wanted = scanner.figures(tree), oracle.document(tree, oracle.Question(NOW))
    assert {key: found[key] for key in wanted} == wanted
    assert found.keys() == wanted.keys()
    assert {each["uid"] for each in found["users"]} >= set(OWNERS)


@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        (("--depth", 0, "--top", 3), {"depth": 0, "top": 3}),
        (("--depth", 9, "--old-days", 1, "--age-by", "atime"), {"depth": 9, "old_days": 1, "age_by": "atime"}),
        (("--old-days", 0, "--age-by", "mtime", "--top", 0), {"old_days": 0, "age_by": "mtime", "top": 0}),
        (("--max-directories", 4, "--skip", "b", "--skip", "fifo"), {"max_directories": 4, "skip": (b"b", b"fifo")}),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_options_change_the_figures_as_they_say(
    scanner: Scanner, tree: Path, arguments: tuple[object, ...], question: dict[str, Any]
) -> None:
    assert scanner.figures(*arguments, tree) == oracle.document(tree, oracle.Question(NOW, **question))


def test_the_number_of_threads_changes_nothing(scanner: Scanner, tree: Path) -> None:
    texts = {json.dumps(scanner.figures("--threads", threads, tree)) for threads in (1, 2, 3, 32, 32, 32)}
    assert len(texts) == 1


def test_every_user_has_what_find_counts(scanner: Scanner, tree: Path) -> None:
    printed = subprocess.run(
        ["find", tree, "-xdev", "-printf", r"%y %U %i %s %b\0"], capture_output=True, check=True
    ).stdout
    sums: dict[int, Counter[str]] = {}
    seen = set()
    for line in printed.split(b"\0")[:-1]:
        kind, uid, inode, size, blocks = line.split()
        user = sums.setdefault(int(uid), Counter())
        if kind == b"f" and inode not in seen:
            seen.add(inode)
            user.update(files=1, apparent_bytes=int(size), allocated_bytes=int(blocks) * 512)
        elif kind != b"f":
            user.update({"directories" if kind == b"d" else "other": 1})
    found = {user["uid"]: Counter({key: user[key] for key in oracle.TALLY[:3] + oracle.TALLY[5:]}) for user in
             scanner.figures(tree)["users"]}  # fmt: skip
    assert found == sums


def test_a_file_of_several_names_counts_once_and_where_its_path_comes_first(scanner: Scanner, workspace: Path) -> None:
    tree = workspace / "tree"
    for name in ("b", "a/z", "a-b", "a/z/y"):
        (tree / name).mkdir(parents=True)
    (tree / "b/file").write_bytes(b"x" * 5000)
    for name in ("a-b/file", "a/z/y/file", "a/z/y/again"):
        os.link(tree / "b/file", tree / name)
    found = scanner.figures(tree)
    assert found["entries"] == found["directory_count"] + 4
    assert [row["path"] for row in found["directories"] if row["files"] == 1] == ["", "a", "a/z", "a/z/y"]
    assert [each["path"] for each in found["top_files"]] == ["a/z/y/again"]
    assert [each["path"] for each in found["top_directories"]] == ["a/z/y"]
    (tree / "a-b/file").rename(tree / "a/zz")  # its directory, a, comes before those below it
    found = scanner.figures(tree)
    assert [each["path"] for each in found["top_directories"]] == ["a"]
    assert [each["path"] for each in found["top_files"]] == ["a/zz"]


def test_names_that_are_no_utf8_are_written_as_python_writes_them(scanner: Scanner, tree: Path) -> None:
    text = scanner.run("--json", "--depth", 9, "--top", 1000, tree).stdout.decode("ascii")
    paths = {each["path"] for each in json.loads(text)["top_files"]}
    assert any("\udce9" in path for path in paths)
    assert [path for path in paths if json.dumps(path) not in text] == []
    assert all(os.path.lexists(os.fsencode(tree) + b"/" + os.fsencode(path)) for path in paths)


Names = st.binary(min_size=1, max_size=6).filter(lambda name: not set(name) & {0, 47} and name not in {b".", b".."})
Leaf = st.one_of(
    st.tuples(st.just("file"), st.integers(0, 9000), st.sampled_from((NOW, NOW - 40 * 86_400, NOW + 5, 0))),
    st.tuples(st.just("link"), st.integers(0, 9)),
    st.tuples(st.just("symlink"), Names),
)
Trees = st.recursive(
    st.dictionaries(Names, Leaf, max_size=4),
    lambda inner: st.dictionaries(Names, inner | Leaf, max_size=4),
    max_leaves=20,
)


def _lay(folder: bytes, tree: dict[bytes, Any], files: list[bytes]) -> None:
    for name, what in tree.items():
        path = folder + b"/" + name
        if isinstance(what, dict):
            os.mkdir(path)
            _lay(path, what, files)
        elif what[0] == "symlink":
            os.symlink(what[1], path)
        elif what[0] == "link" and files:
            os.link(files[what[1] % len(files)], path)
        elif what[0] == "file":
            _, size, time = what
            handle = os.open(path, os.O_WRONLY | os.O_CREAT)
            os.truncate(handle, size)
            os.close(handle)
            os.chown(path, size % 3, size % 2)
            os.utime(path, (time, time - size))
            files.append(path)


@settings(max_examples=60)
@given(tree=Trees, depth=st.integers(0, 4), limit=st.integers(1, 6), threads=st.sampled_from((1, 2, 32)))
def test_any_small_tree_is_counted_as_the_oracle_counts_it(
    scanner: Scanner, tree: dict[bytes, Any], depth: int, limit: int, threads: int
) -> None:
    folder = tempfile.mkdtemp(dir=os.environ["DKM_TEST_RUN"])
    try:
        _lay(os.fsencode(folder), tree, [])
        found = scanner.figures(
            "--depth", depth, "--max-directories", limit, "--top", limit, "--threads", threads, folder
        )
        question = oracle.Question(NOW, depth=depth, max_directories=limit, top=limit)
        assert found == oracle.document(folder, question)
    finally:
        shutil.rmtree(folder)
