"""Lists of files and their hashes, in sha256sum's format: of a release, and of rendered configuration."""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from installer.errors import ReleaseError

CONFIGURATION = "conf/manifest.sha256"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)\Z")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file of a release: its path below the release, as MANIFEST.sha256 names it, and its hash."""

    path: str
    sha256: str


def parse_manifest(text: str, path: Path) -> tuple[Entry, ...]:
    """The entries of a manifest in sha256sum's format.

    Raises:
        ReleaseError: a line has another form, or names something outside.
    """
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.match(line)
        if not match or not is_inside(match.group(2)):
            raise ReleaseError(
                f"{path}, line {number} is not HASH and PATH: {line!r}",
                "Extract the tarball again, or put the file back from a backup",
            )
        entries.append(Entry(match.group(2), match.group(1)))
    return tuple(entries)


def is_inside(relative: str) -> bool:
    """Whether a path stays below the folder that it is relative to."""
    parts = PurePosixPath(relative).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts


def file_sha256(path: Path) -> str:
    """The hash of a file's content, or an empty text where it is not a plain file (links are not followed)."""
    digest = hashlib.sha256()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        try:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
        except OSError:
            return ""
    return digest.hexdigest()


def format_manifest(entries: Iterable[Entry]) -> str:
    """The text that ``parse_manifest`` reads, in the order of the paths."""
    return "".join(f"{entry.sha256}  {entry.path}\n" for entry in sorted(entries, key=lambda entry: entry.path))


def text_sha256(text: str) -> str:
    """The hash of a text as it is written."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
