"""The dashboard Disk use, from a tree that the test made and its file system, by stat(2) and statvfs(3)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dkumonitor.metrics import segment
from tests.readings.stack import Between
from tests.sampling import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.readings.observation import Observation
    from tests.sampling import Reading
    from tests.stack import Stack

TASK = "tree"
FILES, OLD_FILES, FOLDERS = 40, 5, 4
OLD_SECONDS = 200 * 86400
_TABLE = "[collectors.disk]\n"


@dataclass(frozen=True)
class Scanned:
    """A tree and its file system, as they were when the task was run.

    Attributes:
        size_bytes, old_bytes, allocated_bytes: of its files.
        before, after: statvfs around the run.
        seconds: how long the command took.
    """

    size_bytes: int
    old_bytes: int
    allocated_bytes: int
    before: os.statvfs_result
    after: os.statvfs_result
    seconds: float

    def between(self, of: Callable[[os.statvfs_result], float], slack: float) -> Bounds:
        """What a figure of the file system may have been: others write to it, too, so that it goes to and fro."""
        low, high = sorted((of(self.before), of(self.after)))
        return Bounds(low - slack, high + slack)


def used_bytes(seen: os.statvfs_result) -> float:
    return float((seen.f_blocks - seen.f_bfree) * seen.f_frsize)


def free_bytes(seen: os.statvfs_result) -> float:
    return float(seen.f_bavail * seen.f_frsize)


def used_percent(seen: os.statvfs_result) -> float:
    return 100 * used_bytes(seen) / (used_bytes(seen) + free_bytes(seen))


def scanned(stack: Stack, folder: Path) -> Scanned:
    """Make a tree, a task that nothing runs by itself, run it, and let the collector send every 10 seconds."""
    made = []
    for number in range(FILES):
        place = folder / f"folder {number % FOLDERS}"
        place.mkdir(exist_ok=True)
        made.append(place / f"file {number}")
        made[-1].write_bytes(b"x" * 1000 * (number + 1))
    old = made[:OLD_FILES]
    for path in old:
        os.utime(path, (time.time() - OLD_SECONDS, time.time() - OLD_SECONDS))
    os.sync()  # what a file takes is known only then
    stack.dkm("people", "sync")
    stack.dkm("disk", "task", "create", TASK, "--path", str(folder), "--quick-minutes", "0", "--full-hour", "-1")
    before, begin = os.statvfs(folder), time.monotonic()
    stack.dkm("disk", "run", "full", TASK)
    seconds, after = time.monotonic() - begin, os.statvfs(folder)
    settings = stack.dir / "conf/dkumonitor.toml"
    settings.write_text(settings.read_text().replace(_TABLE, f"{_TABLE}interval_seconds = 10\n"))
    stack.dkm("restart", "collectors")
    return Scanned(
        size_bytes=sum(path.stat().st_size for path in made),
        old_bytes=sum(path.stat().st_size for path in old),
        allocated_bytes=sum(path.stat().st_blocks * 512 for path in made),
        before=before,
        after=after,
        seconds=seconds,
    )


def _of_task(**values: Callable[[Scanned], Bounds | float]) -> Callable[[Observation], dict[str, Reading]]:
    """A reading for each legend below the task's; of one without a name it is the task's own."""

    def readings(seen: Observation) -> dict[str, Reading]:
        return {
            ".".join(filter(None, (seen.host, TASK, name.rstrip("_")))): _constant(of(seen.disk))
            for name, of in values.items()
        }

    return readings


def _of_user(of: Callable[[Scanned], float]) -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {f"{seen.host}.{TASK}.{segment(seen.service_user)}": _constant(of(seen.disk))}


def _constant(value: Bounds | float) -> Reading:
    bounds = value if isinstance(value, Bounds) else Bounds(value, value)
    return Between(lambda _: bounds)


def _level(disk: Scanned) -> Bounds:
    """By the thresholds that a task has unless it says others."""
    percent = disk.between(used_percent, 2)
    return Bounds(*(sum(one >= threshold for threshold in (80, 90)) for one in (percent.low, percent.high)))


PANELS = {
    "Level": _of_task(_=_level),
    "Used": _of_task(_=lambda disk: disk.between(used_percent, 2)),
    "Free": _of_task(_=lambda disk: disk.between(free_bytes, 2 << 30)),
    "Old": _of_task(_=lambda disk: disk.old_bytes),
    "Use of the file systems": _of_task(_=lambda disk: disk.between(used_percent, 2)),
    "What the trees take": _of_task(_=lambda disk: disk.allocated_bytes),
    "Old files take": _of_task(_=lambda disk: disk.old_bytes),
    "Files": _of_task(files=lambda _: FILES, old_files=lambda _: OLD_FILES),
    "Taken by user": _of_user(lambda disk: disk.allocated_bytes),
    "Old by user": _of_user(lambda disk: disk.old_bytes),
    "Files by user": _of_user(lambda _: FILES),
    "Duration of scans": _of_task(_=lambda disk: Bounds(0, disk.seconds)),
    "Entries": _of_task(_=lambda _: FILES + FOLDERS + 1),
    "Could not be read": _of_task(errors=lambda _: 0, partial=lambda _: 0),
}
