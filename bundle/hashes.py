"""SHA-256 of files and trees, and the check of an input against its pin."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bundle.errors import HashError


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str, part: str, way_out: str) -> None:
    """Make sure that a file is the pinned one.

    Raises:
        HashError: it is not; the message names part, file, expected and found hash, and the way out.
    """
    found = sha256_of(path)
    if found != expected.lower():
        raise HashError(
            f"{part}: {path} is not the file that is pinned\n"
            f"    expected sha256 {expected.lower()}\n    found    sha256 {found}",
            way_out,
        )


def tree_hashes(root: Path) -> dict[str, str]:
    """Return what a folder holds, sorted: relative path -> "MODE SHA256", or "-> TARGET" for a symbolic link.

    MODE is x for an executable file and - for any other; folders are implied.
    """
    found: dict[str, str] = {}
    for folder, folders, names in os.walk(root):
        for name in [*names, *(name for name in folders if Path(folder, name).is_symlink())]:
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if path.is_symlink():
                found[relative] = f"-> {path.readlink()}"
            else:
                mode = "x" if path.stat().st_mode & 0o100 else "-"
                found[relative] = f"{mode} {sha256_of(path)}"
    return dict(sorted(found.items()))
