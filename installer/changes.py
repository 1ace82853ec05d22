"""What an update does to each rendered file: three hashes in, one decision out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from installer.manifest import text_sha256
from installer.render import File

NO_PLAIN_FILE = ""
"""The hash of what is there but is no plain file, such as a link that the administrator made."""


class Act(Enum):
    """What happens to a file."""

    SAME = "unchanged"
    WRITE = "written"
    EDITED = "kept: you have edited it, and the release has nothing new in it"
    BESIDE = "kept: you have edited it; the release's lies beside it"
    DRAFT = "kept: you have edited it, and the release's beside it too"
    REMOVE = "removed: the release has it no longer"
    LEAVE = "kept: you have edited it, and the release has it no longer"


@dataclass(frozen=True)
class Change:
    """The decision on one path.

    Attributes:
        path: below DIR.
        file: what is written, and where: beside ``path`` for BESIDE; None where nothing is written.
        lies_at: where an earlier update has laid what the release still has for an edited file.
        sha256: the hash that the file must still have when it is removed.
    """

    path: str
    act: Act
    file: File | None = None
    lies_at: str = ""
    sha256: str = ""


def decide(
    rendered: Sequence[File], recorded: Mapping[str, str], on_disk: Mapping[str, str], version: str
) -> tuple[Change, ...]:
    """Decide on every file that is rendered now or was rendered before.

    Args:
        rendered: what the new release makes of the installation.
        recorded: path to hash, as the last installer rendered them.
        on_disk: path to hash of what is there now, NO_PLAIN_FILE for what is no plain file; absent files are left out.
        version: the new release's.
    """
    found = [_decide_one(file, recorded, on_disk, version) for file in rendered]
    kept = {file.path for file in rendered} | {change.file.path for change in found if change.file}
    kept |= {change.lies_at for change in found}
    for path, sha256 in sorted(recorded.items()):
        if path in kept or path not in on_disk:
            continue
        found.append(Change(path, Act.REMOVE if on_disk[path] == sha256 else Act.LEAVE, sha256=sha256))
    return tuple(found)


def beside(path: str, version: str) -> str:
    """Where the new version of an edited file is laid."""
    return f"{path}.new-{version}"


def _decide_one(file: File, recorded: Mapping[str, str], on_disk: Mapping[str, str], version: str) -> Change:
    present, before, new = on_disk.get(file.path), recorded.get(file.path), text_sha256(file.text)
    if present == new:
        return Change(file.path, Act.SAME)
    if present is None or present == before:
        return Change(file.path, Act.WRITE, file)
    if before == new:
        earlier = (path for path in recorded if path.startswith(beside(file.path, "")) and on_disk.get(path) == new)
        return Change(file.path, Act.EDITED, lies_at=next(earlier, ""))
    other = beside(file.path, version)
    if other in on_disk and on_disk[other] not in {new, recorded.get(other)}:
        return Change(file.path, Act.DRAFT)
    return Change(file.path, Act.BESIDE, File(other, file.text, file.mode))
