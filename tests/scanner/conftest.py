"""The scanner of the release, and a tree with all that is hard about trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scanner import trees
from tests.scanner.program import Scanner

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def scanner(release: Path) -> Scanner:
    """The program of the real release."""
    return Scanner(release / "bin/dkm-scan")


@pytest.fixture
def tree(workspace: Path) -> Path:
    """A tree of everything; see trees.py."""
    return trees.grow(workspace / "tree")
