"""The user's cache folder: verified sources and built parts, kept under keys of what they were made from.

    sources/SHA256/FILE     a source file whose hash was checked
    parts/NAME-KEY/         tree/ (files), licences/, source/ (of Go parts), part.json (what it was made from, and the
                            hash of every file)
    tools/ apt/ zig/        the C compiler, Debian's source lists, the compiler's own cache
    work/                   where parts are being built; each folder is locked by the process that works in it
    locks/                  one file a key, so that two builds side by side make a part once

Entries appear by one rename: a killed build leaves none that is half there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.errors import HashError, room_on
from bundle.files import publish, remove
from bundle.hashes import tree_hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_FOLDERS = ("tree", "licences", "source")


def default_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the user's cache folder for this product: $XDG_CACHE_HOME/dkumonitor, else ~/.cache/dkumonitor."""
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "dkumonitor"


def key_of(**ingredients: Any) -> str:
    """Return the key of a part: a hash of everything that decides what its bytes are (JSON values)."""
    text = json.dumps(ingredients, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class BuiltPart:
    """A part in the cache."""

    path: Path
    about: dict[str, Any]

    @property
    def tree(self) -> Path:
        """The files that the recipe made."""
        return self.path / "tree"

    @property
    def licences(self) -> Path:
        """One folder a component with its licence texts."""
        return self.path / "licences"

    @property
    def source(self) -> Path:
        """The source of a part that has no source file of its own; else empty."""
        return self.path / "source"

    @property
    def key(self) -> str:
        """The key it lies under."""
        return str(self.about["key"])


class Cache:
    """The cache folder at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("sources", "parts", "tools", "apt", "zig", "work", "locks"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def has(self, name: str, key: str) -> bool:
        """Whether a part lies under this key."""
        return (self._part_path(name, key) / "part.json").is_file()

    def part(self, name: str, key: str) -> BuiltPart | None:
        """Return the part under this key with all its files checked, or None where there is none.

        Raises:
            HashError: a file of the entry was changed, added or lost since it was built.
        """
        path = self._part_path(name, key)
        if not self.has(name, key):
            return None
        about = json.loads((path / "part.json").read_text(encoding="utf-8"))
        found = _entry_hashes(path)
        if found != about["files"]:
            raise _damaged(name, path, about["files"], found)
        return BuiltPart(path, about)

    def keep(self, name: str, key: str, about: dict[str, Any], fill: Callable[[Path, Path], None]) -> BuiltPart:
        """Build a part in a scratch folder and put it under its key.

        Args:
            name: the part.
            key: what it lies under.
            about: what part.json says beside key and file hashes.
            fill: called with (entry, scratch): writes entry/{tree,licences,source}, works in scratch.
        """
        with self.workplace(name) as work, room_on(self.root):
            entry, scratch = work / "entry", work / "scratch"
            for folder in (*(entry / name for name in _FOLDERS), scratch):
                folder.mkdir(parents=True)
            fill(entry, scratch)
            text = json.dumps(
                {**about, "name": name, "key": key, "files": _entry_hashes(entry)}, indent=1, sort_keys=True
            )
            (entry / "part.json").write_text(text + "\n", encoding="utf-8")
            publish(entry, self._part_path(name, key))
        built = self.part(name, key)
        if built is None:
            raise AssertionError(f"{name} was published under {key} and is not there")
        return built

    @contextmanager
    def workplace(self, name: str) -> Iterator[Path]:
        """Give a new folder on the cache's file system, gone afterwards; leftovers of killed builds go first."""
        self._sweep()
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root / "work"))
        with (path / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield path
            finally:
                remove(path)

    @contextmanager
    def lock(self, name: str, key: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock of a key; `waiting` is called once when another process holds it."""
        with (self.root / "locks" / f"{name}-{key}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _part_path(self, name: str, key: str) -> Path:
        return self.root / "parts" / f"{name}-{key}"

    def _sweep(self) -> None:
        for path in (self.root / "work").iterdir():
            try:
                with (path / ".lock").open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(path)
            except (FileNotFoundError, BlockingIOError):
                continue  # another build has just made it, works in it, or took it away


def _entry_hashes(entry: Path) -> dict[str, str]:
    return {f"{name}/{path}": digest for name in _FOLDERS for path, digest in tree_hashes(entry / name).items()}


def _damaged(name: str, path: Path, expected: dict[str, str], found: dict[str, str]) -> HashError:
    differing = sorted(file for file in found.keys() | expected.keys() if found.get(file) != expected.get(file))
    first = differing[0]
    return HashError(
        f"{name}: the built part in {path} is not as it was built: {', '.join(differing[:3])}\n"
        f"    expected {expected.get(first, 'no such file')}\n    found    {found.get(first, 'no such file')}",
        f"Remove that folder (rm -r '{path}') and run make-package again: the part is built anew.",
    )
