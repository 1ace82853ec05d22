"""dkm-scan as its users run it, and what it says, decoded; and copies of it that are deliberately broken."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VARIANTS = Path(__file__).parent / "variants"
DIFFERENT = ("version", "path", "host", "seconds", "threads", "filesystem")  # between two runs
NOW = 1_790_000_000
SECONDS = 120  # a deadline for what takes parts of one


@dataclass(frozen=True)
class Scanner:
    """The program at `path`, run by the words in `before` (setpriv, prlimit, unshare ...)."""

    path: Path
    before: tuple[str, ...] = ()

    def under(self, *words: str | Path) -> Scanner:
        """The same program, run by another one."""
        return Scanner(self.path, (*map(str, words), *self.before))

    def on_slow_files(self, slowfs: Path, mount: Path, *words: object) -> Scanner:
        """The same program beside a slow file system (tests/bench/slowfs.c), in a mount namespace of their own."""
        start, where = shlex.join(map(str, (slowfs, mount, *words))), shlex.quote(str(mount))
        # It ends when it is unmounted; until then it must not hold the pipes that the scanner writes to.
        script = (
            f"{start} >/dev/null 2>&1 & until mountpoint -q {where}; do sleep 0.05; done; "
            f'"$@"; status=$?; umount -l {where}; exit $status'
        )
        return self.under("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")

    def command(self, *arguments: object) -> list[str]:
        """The words of a call."""
        return [*self.before, str(self.path), *map(str, arguments)]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end."""
        return subprocess.run(self.command(*arguments), capture_output=True, timeout=SECONDS, check=False)

    def document(self, *arguments: object) -> dict[str, Any]:
        """The whole document of a run that must succeed."""
        said = self.run("--json", "--now", NOW, *arguments)
        assert (said.returncode, said.stderr) == (0, b""), said.stderr
        return dict(json.loads(said.stdout))

    def figures(self, *arguments: object) -> dict[str, Any]:
        """The document without what differs between two runs."""
        found = self.document(*arguments)
        return {key: value for key, value in found.items() if key not in DIFFERENT}

    def frames(self, *arguments: object) -> list[dict[str, Any]]:
        """All frames of a stream."""
        said = self.run("--stream", "--now", NOW, *arguments)
        assert (said.returncode, said.stderr) == (0, b""), said.stderr
        return list(decoded(said.stdout))

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Start it; its output is a pipe."""
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def decoded(data: bytes) -> Iterator[dict[str, Any]]:
    """The frames in what a stream has given."""
    while data:
        (length,) = struct.unpack_from(">I", data)
        assert len(data) >= 4 + length, "the last frame is cut"
        yield msgspec.msgpack.decode(data[4 : 4 + length])
        data = data[4 + length :]


def listed(frames: Sequence[dict[str, Any]]) -> dict[bytes, dict[str, Any]]:
    """The entries of a stream by their paths."""
    rows: dict[bytes, dict[str, Any]] = {}
    for frame in frames:
        if frame["kind"] != "entries":
            continue
        columns = frame["columns"]
        assert {len(column) for column in columns.values()} == {frame["rows"]}
        for at, path in enumerate(columns["path"]):
            assert path not in rows, "listed twice"
            rows[path] = {name: column[at] for name, column in columns.items() if name != "path"}
    return rows


def broken(folder: Path, patch: str) -> Scanner:
    """The scanner built from its source with a patch of variants/ applied."""
    source = folder / "source"
    shutil.copytree(ROOT / "scanner", source)
    subprocess.run(["patch", "--silent", "--strip=1", f"--input={VARIANTS / patch}"], cwd=source, check=True)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
    subprocess.run(["go", "build", "-o", folder / "dkm-scan", "."], cwd=source, env=environment, check=True)
    return Scanner(folder / "dkm-scan")
