"""The index of a tree: a row for each file and link, any name, and the documented questions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.conftest import ROOT
from tests.corpus import NAMES

if TYPE_CHECKING:
    from pathlib import Path

QUESTIONS = re.findall(r"```sql\n(.*?)```", (ROOT / "extras/README.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def index(release: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tree and its index."""
    folder = tmp_path_factory.mktemp("index")
    tree = folder / "tree"
    (tree / "a/b").mkdir(parents=True)
    for number, name in enumerate({name.replace(b"/", b"_")[:255] for name in NAMES} - {b".", b".."}):
        path = os.path.join(os.fsencode(tree), b"a/b" if number % 2 else b"a", name)  # noqa: PTH118  bytes
        with open(path, "wb") as file:  # noqa: PTH123  bytes
            file.write(b"x" * number)
    (tree / "link").symlink_to("nowhere")
    out = folder / "in dex's.parquet"
    command: list[str | Path] = [
        sys.executable,
        ROOT / "extras/disk_index.py",
        "--scanner",
        release / "bin/dkm-scan",
        tree,
        out,
    ]
    subprocess.run(command, check=True, timeout=120)
    return tree, out


def test_every_file_and_link_is_a_row(index: tuple[Path, Path]) -> None:
    tree, out = index
    wanted = set()
    for folder, _, files in os.walk(os.fsencode(tree)):
        directory = os.path.relpath(folder, os.fsencode(tree)).removeprefix(b".")
        for name in files:
            status = os.lstat(os.path.join(folder, name))  # noqa: PTH118  bytes
            wanted.add((directory, name, status.st_ino, status.st_size, int(status.st_mtime)))
    question = "SELECT directory, name, ino, size_bytes, mtime_seconds FROM read_parquet(?)"
    with duckdb.connect() as connection:
        assert set(connection.execute(question, [str(out)]).fetchall()) == wanted
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".disk-index-")] == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_documented_questions_can_be_asked(index: tuple[Path, Path], question: str) -> None:
    asked = question.replace("'scratch.parquet'", "read_parquet($file)")
    with duckdb.connect() as connection:
        connection.execute(asked, {"file": str(index[1])}).fetchall()


def test_a_tree_that_is_not_there_leaves_nothing(release: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [
        sys.executable,
        ROOT / "extras/disk_index.py",
        "--scanner",
        release / "bin/dkm-scan",
        "/nowhere/at/all",
    ]
    outcome = subprocess.run([*command, tmp_path / "out"], capture_output=True, text=True, timeout=120, check=False)
    assert outcome.returncode == 1
    assert "/nowhere/at/all" in outcome.stderr
    assert list(tmp_path.iterdir()) == []
