"""The machine's own openssl, which tests compare the bundled one with."""

from __future__ import annotations

import shutil


def system_openssl() -> str:
    """Its path; a machine without it fails the test (tests/packages.txt names the package)."""
    found = shutil.which("openssl")
    assert found, "this test needs openssl"
    return found
