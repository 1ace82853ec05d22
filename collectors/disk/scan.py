"""The tree as `dkm-scan` sees it: started here, its stream of frames read, its end waited for.

A frame is a 4-byte big-endian length and a MessagePack map; scanner/README.md describes the kinds.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Annotated

import msgspec

from collectors.disk.errors import ScanError
from collectors.disk.facts import Scan
from collectors.disk.plan_file import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dkumonitor.installation import Installation

STATE_FOLDER = ".dkumonitor"  # below a tree: what is acted on waits there, and is no one's use of the disk
_FRAME_MAX_BYTES = 256 * 1024 * 1024
_LENGTH_BYTES = 4
_END_SECONDS = 10.0
_TEXT_BYTES = 4000


class Progress(msgspec.Struct, frozen=True, tag_field="kind", tag="progress"):
    """How far a scan is."""

    entries: int
    directories: int
    files: int
    apparent_bytes: int
    seconds: float


class _Columns(msgspec.Struct, frozen=True):
    path: list[bytes]
    type: list[str]
    uid: list[int]
    gid: list[int]
    mode: list[int]
    dev: list[int]
    ino: list[int]
    nlink: list[int]
    size: list[int]
    allocated: list[int]
    atime_ns: list[int]
    mtime_ns: list[int]
    ctime_ns: list[int]


class _Entries(msgspec.Struct, frozen=True, tag_field="kind", tag="entries"):
    rows: int
    columns: _Columns


class _Document(Scan, frozen=True, kw_only=True, tag_field="kind", tag="document"):
    pass


_Frame = Annotated[Progress | _Entries | _Document, msgspec.Meta()]
_DECODER = msgspec.msgpack.Decoder(_Frame)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a scan is asked for.

    Attributes:
        tree: the tree's path.
        old_days: files unused for longer are old.
        age_by: what "used" is.
        depth: levels of directories that are told apart.
        threads, max_rate: as the scanner's; 0 leaves them to it.
        deadline_seconds: after it the scan ends as partial; 0 for none.
        list_old: whether every old file and link is told one by one.
        now_seconds: what ages are counted from; 0 for the scanner's clock.
    """

    tree: bytes
    old_days: int
    age_by: str = "newest"
    depth: int = 3
    threads: int = 0
    max_rate: int = 0
    deadline_seconds: int = 0
    list_old: bool = False
    now_seconds: int = 0

    def arguments(self) -> list[bytes]:
        """The scanner's command line, without its name."""
        given = ["--stream", f"--old-days={self.old_days}", f"--age-by={self.age_by}", f"--depth={self.depth}"]
        given.append(f"--skip={STATE_FOLDER}")
        for name, value in (
            ("threads", self.threads),
            ("max-rate", self.max_rate),
            ("deadline", self.deadline_seconds),
            ("now", self.now_seconds),
        ):
            given += [f"--{name}={value}"] if value else []
        if self.list_old:
            given += ["--list", f"--list-old-days={self.old_days}"]
        return [*(word.encode() for word in given), b"--", self.tree]


def program(installation: Installation) -> Path:
    """The scanner of an installation: the copy that `dkmadmin grant-scan` gave its capability, else the release's."""
    granted = installation.dir / "libexec" / "dkm-scan"
    return granted if os.access(granted, os.X_OK) else installation.lib / "bin" / "dkm-scan"


def scan(
    scanner: Path,
    wanted: Wanted,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_entries: Callable[[Sequence[Entry]], None] = lambda _: None,
) -> Scan:
    """Scan a tree.

    Args:
        scanner: the program.
        wanted: what to scan, and how.
        on_progress: is told about twice a second how far it is.
        on_entries: is given what `list_old` asks for, some thousands at a time.

    Raises:
        ScanError: the tree cannot be scanned, or the scanner did not answer as it should.
    """
    try:
        process = subprocess.Popen(
            [os.fsencode(scanner), *wanted.arguments()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            cwd="/",
        )
    except OSError as error:
        do = "Is the release whole? `dkm doctor` says"
        raise ScanError(f"cannot start {scanner}: {error.strerror}", do) from None
    with process:
        try:
            found = _read(process, on_progress, on_entries)
        except BaseException:
            _end(process)
            raise
        assert process.stderr is not None  # noqa: S101  PIPE above
        said = os.fsdecode(process.stderr.read(_TEXT_BYTES)).strip()
    if found is None or process.returncode != 0:
        why = said or f"it ended with code {process.returncode} and no document"
        raise ScanError(f"{os.fsdecode(wanted.tree)} cannot be scanned: {why.removesuffix('.')}", "")
    return found


def _read(
    process: subprocess.Popen[bytes],
    on_progress: Callable[[Progress], None],
    on_entries: Callable[[Sequence[Entry]], None],
) -> Scan | None:
    assert process.stdout is not None  # noqa: S101  PIPE in scan()
    found: Scan | None = None
    while (frame := _frame(process.stdout)) is not None:
        try:
            told = _DECODER.decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ScanError(f"the scanner said what cannot be read: {error}", "Is it of this release?") from None
        if isinstance(told, Progress):
            on_progress(told)
        elif isinstance(told, _Entries):
            on_entries(_rows(told))
        else:
            found = told
    return found


def _rows(told: _Entries) -> list[Entry]:
    columns = told.columns
    return [
        Entry(*row)
        for row in zip(
            columns.path,
            columns.type,
            columns.dev,
            columns.ino,
            columns.uid,
            columns.gid,
            columns.mode,
            columns.nlink,
            columns.size,
            columns.allocated,
            columns.atime_ns,
            columns.mtime_ns,
            columns.ctime_ns,
            strict=True,
        )
    ]


def _frame(stream: IO[bytes]) -> bytes | None:
    """The next frame; None at the stream's end, also where it was cut off: the exit code says why."""
    prefix = stream.read(_LENGTH_BYTES)
    if len(prefix) != _LENGTH_BYTES:
        return None
    length = int.from_bytes(prefix, "big")
    if length > _FRAME_MAX_BYTES:
        raise ScanError(f"the scanner announced {length} bytes at once", "Is it of this release?")
    frame = stream.read(length)
    return frame if len(frame) == length else None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
