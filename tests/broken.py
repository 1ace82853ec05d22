"""Broken variants of our own code, on which a fault test proves that it notices them."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def broken_tree(folder: Path, patch: Path, *parts: str) -> Path:
    """A copy of these folders and files of the checkout, to which a patch is applied that breaks it."""
    tree = folder / "tree"
    for part in parts:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (tree / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, tree / part)
    with patch.open() as text:
        subprocess.run(["patch", "-p1", "--directory", tree], stdin=text, check=True, stdout=subprocess.DEVNULL)
    return tree
