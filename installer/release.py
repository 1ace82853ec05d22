"""The release that is installed: the folder that the tarball was extracted to, or DIR/releases/V."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from installer.errors import ReleaseError
from installer.manifest import Entry, file_sha256, is_inside, parse_manifest, text_sha256

MANIFEST = "MANIFEST.sha256"
_VERSION = re.compile(r"\d+(\.\d+)*([a-z0-9.+-]*)\Z")
_EXTRACT_AGAIN = "Extract the tarball again, and see that there is room for it"


@dataclass(frozen=True)
class Release:
    """A release's folder, read but not verified: the copy verifies every file as it reads it.

    Attributes:
        entries: its files, MANIFEST.sha256 apart.
        links: its symbolic links, path to target; all stay inside.
        manifest_sha256: the hash of MANIFEST.sha256, which stands for the whole content.
    """

    root: Path
    version: str
    entries: tuple[Entry, ...]
    links: tuple[tuple[str, str], ...]
    manifest_sha256: str
    size_bytes: int

    @property
    def has_grafana(self) -> bool:
        """Whether Grafana is bundled."""
        return any(entry.path == "grafana/bin/grafana" for entry in self.entries)

    @property
    def templates(self) -> Path:
        """The folder of templates."""
        return self.root / "templates"

    @classmethod
    def read(cls, root: Path) -> Self:
        """Read what is in ``root``.

        Raises:
            ReleaseError: it is no release, a file is missing, or its manifest is damaged.
        """
        try:
            text = (root / MANIFEST).read_text(encoding="utf-8")
            version = (root / "VERSION").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ReleaseError(f"{root} is not a complete release: {error}", _EXTRACT_AGAIN) from None
        if not _VERSION.match(version):
            raise ReleaseError(f"{root}/VERSION does not hold a version: {version!r}", _EXTRACT_AGAIN)
        entries = parse_manifest(text, root / MANIFEST)
        missing = [entry.path for entry in entries if not (root / entry.path).is_file()]
        if missing:
            raise ReleaseError(f"{root} lacks {len(missing)} of its files, such as {missing[0]}", _EXTRACT_AGAIN)
        size_bytes = sum((root / entry.path).stat().st_size for entry in entries) + len(text)
        return cls(root, version, entries, _links(root), text_sha256(text), size_bytes)

    @classmethod
    def of_what_is_left(cls, root: Path) -> Self:
        """What the manifest in ``root`` names and the links that are there, for a release that is being removed."""
        text = (root / MANIFEST).read_text(encoding="utf-8")
        return cls(root, "", parse_manifest(text, root / MANIFEST), _links(root), text_sha256(text), 0)

    def damaged(self) -> list[str]:
        """The files that differ from the manifest; every file is read."""
        return [entry.path for entry in self.entries if file_sha256(self.root / entry.path) != entry.sha256]


def version_key(version: str) -> tuple[tuple[int, ...], bool, str]:
    """A key that orders versions: 0.9.0 before 0.10.0, 1.0.0rc1 before 1.0.0."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    text = numbers.group() if numbers else "0"
    rest = version[len(text) :]
    return tuple(int(part) for part in text.split(".")), not rest, rest


def _links(root: Path) -> tuple[tuple[str, str], ...]:
    found = []
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = Path(folder, name)
            if not path.is_symlink():
                continue
            relative, target = path.relative_to(root), str(path.readlink())
            if not is_inside(os.path.normpath(relative.parent / target)):
                raise ReleaseError(f"{path} is a link that leaves the release: {target}", _EXTRACT_AGAIN)
            found.append((str(relative), target))
    return tuple(sorted(found))
