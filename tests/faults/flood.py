"""An honest sender, and what a hostile one does to the carbon port; what go-carbon took of the machine meanwhile."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stack import install

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.stack import Stack

MIB = 1 << 20
HONEST_SERIES = 20
CHUNK_LINES = 5000
BACKEND = ("--type", "backend", "--carbon-listen", "127.0.0.1")


class Honest(threading.Thread):
    """Sends every second a point of each of a few series, over one connection that it opens again when it breaks."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._over = threading.Event()
        self.sent: list[int] = []

    def run(self) -> None:
        connection: socket.socket | None = None
        while not self._over.wait(1 - time.time() % 1):
            at = int(time.time())
            lines = "".join(f"dkm.honest.s{i} {at % 1000 + i} {at}\n" for i in range(HONEST_SERIES))
            try:
                connection = connection or socket.create_connection(self._stack.carbon, timeout=5)
                connection.sendall(lines.encode())
                self.sent.append(at)
            except OSError:
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def end(self) -> None:
        self._over.set()
        self.join(30)

    def missing(self, first: int) -> list[tuple[int, int]]:
        """(series, time) of what was sent since `first` and is not read back."""
        lost = []
        found = self._stack.render("dkm.honest.*", str(first - 1))
        for i in range(HONEST_SERIES):
            values = {at: value for value, at in found.get(f"dkm.honest.s{i}", [])}
            lost += [(i, at) for at in list(self.sent) if at >= first and values.get(at) != at % 1000 + i]
        return lost


@contextlib.contextmanager
def honest(stack: Stack) -> Iterator[Honest]:
    """An honest sender beside what the test does."""
    sender = Honest(stack)
    sender.start()
    try:
        yield sender
    finally:
        sender.end()


def backend(release: Path, folder: Path, port: int, *, interval_seconds: int = 1) -> Stack:
    """go-carbon and carbonapi on loopback, installed and not started."""
    return install(release, folder / "dkm", port, *BACKEND, "--interval", str(interval_seconds))


def set_bounds(stack: Stack, *, metrics: int, creates_per_second: int) -> None:
    """Give the rendered bounds smaller figures, so that a flood reaches them soon and fills little of the disk."""
    _substitute(stack, "storage-quotas.conf", r"(?m)^metrics = [0-9,]+$", f"metrics = {metrics}")
    wanted = f"max-creates-per-second = {creates_per_second}"
    _substitute(stack, "go-carbon.conf", r"(?m)^max-creates-per-second = [0-9]+$", wanted)


def _substitute(stack: Stack, name: str, pattern: str, text: str) -> None:
    path = stack.dir / "conf/go-carbon" / name
    changed, count = re.subn(pattern, text, path.read_text())
    assert count == 1, f"{path} has {count} lines like {pattern}"
    path.write_text(changed)


def send_names(stack: Stack, prefix: str, count: int) -> None:
    """Send one point each of so many new names over one connection."""
    now = int(time.time())
    with socket.create_connection(stack.carbon, timeout=60) as connection:
        for start in range(0, count, CHUNK_LINES):
            names = range(start, min(count, start + CHUNK_LINES))
            connection.sendall("".join(f"{prefix}.f{i}.x 1 {now}\n" for i in names).encode())


def send_bytes(stack: Stack, pieces: Iterable[bytes]) -> None:
    """Send bytes over one connection, until it ends."""
    with socket.create_connection(stack.carbon, timeout=60) as connection, contextlib.suppress(ConnectionError):
        for piece in pieces:
            connection.sendall(piece)


def files(stack: Stack) -> int:
    """Whisper files that are not go-carbon's own metrics."""
    whisper = stack.dir / "storage/whisper"
    return sum(1 for path in whisper.rglob("*.wsp") if path.relative_to(whisper).parts[0] != "carbon")


def disk_bytes(folder: Path) -> int:
    """Room that a folder takes, its directories included."""
    total = 0
    for path in (folder, *folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total


def status_bytes(pid: int, key: str) -> int:
    """A size of proc(5)'s status: VmHWM is the most memory that the process ever had, VmSize its address space."""
    text = Path(f"/proc/{pid}/status").read_text()
    (found,) = re.findall(rf"(?m)^{key}:\s+([0-9]+) kB$", text)
    return int(found) * 1024


def hostile_pieces(kind: str) -> Iterator[bytes]:
    """What a broken or hostile sender sends over one connection."""
    now = int(time.time())
    if kind == "random bytes":
        source = random.Random(1)
        yield from (source.randbytes(MIB) for _ in range(32))
    elif kind == "a line without an end":
        yield from (b"x" * MIB for _ in range(1024))
    elif kind == "names of a megabyte":
        yield from (b"n" * MIB + b" 1 %d\n" % now for _ in range(200))
    elif kind == "a name of 64 megabytes":
        yield b"n" * (64 * MIB) + b" 1 %d\n" % now
    elif kind == "names that no file can have":
        yield b"".join(b"no\0file.n%d 1 %d\nno\x1b[31mfile.n%d 1 %d\n" % (i, now, i, now) for i in range(5000))
    elif kind == "names of a thousand directories":
        yield b"".join(b"d." * 1000 + b"%d 1 %d\n" % (i, now) for i in range(5000))
    elif kind == "numbers that are none":
        values = (b"nan 1", b"x 1", b"1 nan", b"1 x", b"1", b"", b" ", b"1e999 x", b"0x")
        yield b"".join(b"no.number %b\n" % value for value in values) * 1000
    else:
        raise ValueError(f"no attack is called {kind}")


HOSTILE = (
    "random bytes",
    "a line without an end",
    "names of a megabyte",
    "a name of 64 megabytes",
    "names that no file can have",
    "names of a thousand directories",
    "numbers that are none",
)
