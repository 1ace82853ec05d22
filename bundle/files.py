"""The one place where the build removes, renames and copies files."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from bundle.errors import room_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder; it need not be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def fresh_folder(path: Path) -> Path:
    """Return `path` as an empty folder."""
    remove(path)
    path.mkdir(parents=True)
    return path


def publish(temporary: Path, final: Path) -> None:
    """Give a finished file or folder its name: there is the old one, or the whole new one.

    A folder that is there already under that name is kept, and the new one dropped: equal keys hold equal content.
    """
    if temporary.is_dir() and final.is_dir():
        remove(temporary)
        return
    temporary.replace(final)


def copy_file(source: Path, target: Path, *, executable: bool | None = None) -> None:
    """Copy one file with mode 0755 or 0644; `executable` None keeps what the source is."""
    with room_on(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if executable is None:
            executable = bool(source.stat().st_mode & 0o100)
        target.chmod(0o755 if executable else 0o644)


def copy_tree(source: Path, target: Path, keep: Callable[[str], bool] = lambda _: True) -> None:
    """Copy a folder's files and links below `target`, in sorted order, with modes 0755 and 0644.

    Args:
        source: the folder.
        target: where its content goes; folders are made as needed.
        keep: told each relative path (folders too); what it refuses is left out.
    """
    with room_on(target):
        target.mkdir(parents=True, exist_ok=True)
        for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
            _copy_entry(entry, source, target, "", keep)


def _copy_entry(entry: os.DirEntry[str], source: Path, target: Path, prefix: str, keep: Callable[[str], bool]) -> None:
    relative = f"{prefix}{entry.name}"
    if not keep(relative):
        return
    if entry.is_symlink():
        (target / relative).symlink_to(os.readlink(entry.path))  # noqa: PTH115  a DirEntry has its path as text
    elif entry.is_dir():
        (target / relative).mkdir(exist_ok=True)
        for inner in sorted(os.scandir(entry.path), key=lambda inner: inner.name):
            _copy_entry(inner, source, target, f"{relative}/", keep)
    else:
        copy_file(source / relative, target / relative)


def link_tree(source: Path, target: Path) -> None:
    """Copy a folder by hard links where that works; both names share the bytes: read only from then on."""

    def link(from_path: str, to_path: str) -> None:
        try:
            os.link(from_path, to_path, follow_symlinks=False)
        except OSError:
            shutil.copy2(from_path, to_path, follow_symlinks=False)

    with room_on(target):
        shutil.copytree(source, target, symlinks=True, copy_function=link)


def find_program(name: str, path: str | None = None) -> str | None:
    """Return where a program lies on the search path, or None."""
    return shutil.which(name, path=path)
