"""Grafana: the official tarball, checked and unpacked as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.archives import unpack_tarball
from bundle.errors import BuildError, FetchError, HashError
from bundle.files import copy_file
from bundle.hashes import check_sha256, sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.components import Part
    from bundle.sources import Sources

# What the installer starts, serves and configures; a tarball without one of them is not Grafana as released for Linux.
_LAYOUT = ("bin/grafana", "conf/defaults.ini", "public", "LICENSE")
_OTHER_WAYS = "Or build the bundle without it:\n  ./make-package --without grafana"


@dataclass(frozen=True)
class GrafanaFile:
    """The Grafana tarball that goes into the bundle."""

    path: Path
    sha256: str
    version: str


def choose(part: Part, sources: Sources, given: Path | None, given_sha256: str | None) -> GrafanaFile:
    """Return the checked tarball: the given one, or the pinned one from the cache, a folder or its address.

    Raises:
        HashError: it is not the expected file.
        FetchError: it cannot be downloaded; the message names the other two ways.
    """
    pinned = part.sources[0]
    if given is None:
        try:
            return GrafanaFile(sources.get(part, pinned), pinned.sha256, pinned.version)
        except FetchError as error:
            raise FetchError(
                error.what,
                f"Fetch it elsewhere ({pinned.url}) and give the file:\n  ./make-package --grafana FILE\n{_OTHER_WAYS}",
            ) from error
    expected = (given_sha256 or pinned.sha256).lower()
    if not given.is_file():
        raise FetchError(f"grafana: there is no file {given}", f"Correct the path after --grafana. {_OTHER_WAYS}")
    check_sha256(
        given,
        expected,
        "grafana",
        "Fetch it again; or, if it is another release of Grafana whose hash you know from its publisher, say so:\n"
        f"  ./make-package --grafana FILE --grafana-sha256 HASH\n{_OTHER_WAYS}",
    )
    return GrafanaFile(given, expected, pinned.version if expected == pinned.sha256 else "")


def unpack(file: GrafanaFile, tree: Path, licences: Path) -> str:
    """Unpack Grafana into the release and return its version.

    Raises:
        BuildError: the tarball does not hold Grafana's layout; the message names what is missing.
        HashError: the file changed since it was checked.
    """
    target = tree / "grafana"
    target.mkdir()
    unpack_tarball(file.path, target)
    if sha256_of(file.path) != file.sha256:
        raise HashError(f"grafana: {file.path} changed while it was unpacked", "Run make-package again.")
    lost = [name for name in _LAYOUT if not (target / name).exists()]
    if lost:
        raise BuildError(
            f"grafana: {file.path} does not hold Grafana as it is released for Linux: "
            f"{', '.join(lost)} missing below its top folder",
            f"Give the official linux-amd64 tarball. {_OTHER_WAYS}",
        )
    copy_file(target / "LICENSE", licences / "grafana" / "LICENSE", executable=False)
    return file.version or _version_of(target)


def _version_of(target: Path) -> str:
    path = target / "VERSION"
    text = path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
    return text.lstrip("v") if re.fullmatch(r"v?\d+\.\d+\.\d+\S*", text) else "unknown"
