"""The deliberately broken variants of the fault tests still fit the code that they break."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ("install-in-place", "uninstall-interpreter-late", "update-without-journal")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_variant_applies(variant: str) -> None:
    patch = ROOT / f"tests/faults/variants/{variant}.patch"
    done = subprocess.run(
        ["patch", "-p1", "--dry-run", "--fuzz=0", "-i", patch], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
