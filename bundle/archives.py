"""Unpacking of source tarballs and wheels; whatever would land outside the target folder is refused."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from bundle.errors import BuildError, room_on


def unpack_tarball(archive: Path, target: Path) -> None:
    """Unpack a tarball without its one top folder.

    Args:
        archive: tar, packed by gzip, bzip2 or xz.
        target: an existing, empty folder.

    Raises:
        BuildError: it is damaged, or it has more than one top folder, or an entry leads outside.
    """
    try:
        with room_on(target), tarfile.open(archive) as tar:
            _extract(tar, archive, target)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise BuildError(f"{archive} cannot be unpacked: {error}", "Fetch it again.") from error


def _extract(tar: tarfile.TarFile, archive: Path, target: Path) -> None:
    top = ""
    for member in tar:
        first, *rest = PurePosixPath(member.name).parts or ("",)
        if first in {".", ""} and not rest:
            continue
        top = top or first
        if first != top or ".." in rest or first in {"/", ".."}:
            raise BuildError(
                f"{archive} has the entry {member.name!r} outside of its top folder {top!r}", "Fetch it again."
            )
        if not rest:
            continue
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise BuildError(
                f"{archive} has the special file {member.name!r}", "It is not what its publisher released."
            )
        member.name = "/".join(rest)
        if member.islnk():
            member.linkname = "/".join(PurePosixPath(member.linkname).parts[1:])
        member.mode = (member.mode | 0o600) & 0o755
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        if hasattr(tarfile, "data_filter"):
            tar.extract(member, target, filter="data")
        else:  # Python 3.11.0 to 3.11.3; the file is pinned by its hash
            tar.extract(member, target)


def unpack_wheel(wheel: Path, target: Path) -> None:
    """Unpack a wheel into a site-packages folder (its .data/purelib and .data/platlib too; scripts are left out).

    Source: the binary distribution format (PEP 427).
    """
    with room_on(target), zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            parts = PurePosixPath(member.filename).parts
            if member.is_dir():
                continue
            if ".." in parts or parts[0] == "/":
                raise BuildError(f"{wheel} has the entry {member.filename!r} outside of its folder", "Do not use it.")
            if parts[0].endswith(".data"):
                if parts[1] not in {"purelib", "platlib"}:
                    continue
                parts = parts[2:]
            path = Path(target, *parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(member))
            path.chmod(0o755 if (member.external_attr >> 16) & 0o100 else 0o644)
