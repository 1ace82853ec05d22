"""Writes a tarball that is the same bytes wherever and whenever it is written.

    python3 archive.py FOLDER TOP EPOCH OUTPUT

Run by the bundle's own Python, so that the compressor is the same everywhere too. Entries are sorted, belong to 0:0,
carry the time EPOCH and mode 0755 or 0644. OUTPUT ends in .tar or .tar.gz; it appears when it is whole, by a rename.
"""

import gzip
import os
import sys
import tarfile
from pathlib import Path

_LEVEL = 6


def write_archive(folder: Path, top: str, epoch: int, output: Path) -> None:
    """Write all that is below `folder` as `top`/... into `output`."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as raw:
            if output.name.endswith(".gz"):
                with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed:
                    _write(folder, top, epoch, packed)
            else:
                _write(folder, top, epoch, raw)
            raw.flush()
            os.fsync(raw.fileno())
        temporary.chmod(0o644)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _write(folder: Path, top: str, epoch: int, stream: object) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        tar.addfile(_entry(folder, top, epoch))
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            entry = _entry(path, f"{top}/{path.relative_to(folder).as_posix()}", epoch)
            if entry.isreg():
                with path.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)


def _entry(path: Path, name: str, epoch: int) -> tarfile.TarInfo:
    status = path.lstat()
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = epoch, 0, 0, "root", "root"
    entry.mode = 0o644
    if path.is_symlink():
        entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, str(path.readlink())
    elif path.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    elif path.is_file():
        entry.size = status.st_size
        if status.st_mode & 0o100:
            entry.mode = 0o755
    else:
        raise SystemExit(f"{path} is no file, folder or link: it cannot go into an archive")
    return entry


if __name__ == "__main__":
    try:
        write_archive(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    except OSError as error:
        raise SystemExit(f"{sys.argv[4]}: {os.strerror(error.errno or 0)}") from error
