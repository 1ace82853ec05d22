"""What a scan lists as old, put by until it is known how much of it a plan may take."""

from __future__ import annotations

import tempfile
from collections import Counter
from typing import IO, TYPE_CHECKING

import msgspec

from collectors.disk.plan_file import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_DAY_NS = 86400 * 10**9
_LENGTH_BYTES = 4


class Candidates:
    """What a scan lists, put by until it is known how much there is: on disk, so that memory does not grow with it.

    Args:
        folder: where to; the file has no name there.
        is_exempt: says which entries are left alone.
    """

    def __init__(self, folder: Path, is_exempt: Callable[[Entry], bool]) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  lives as long as this object
        self.is_exempt = is_exempt
        self._files: Counter[int] = Counter()  # by days since the epoch
        self._bytes: Counter[int] = Counter()
        self.exempt_files = 0

    def add(self, entries: Sequence[Entry], age_by: str) -> None:
        """Put entries by."""
        kept = []
        for entry in entries:
            if self.is_exempt(entry):
                self.exempt_files += 1
                continue
            day = used_ns(entry, age_by) // _DAY_NS
            self._files[day] += 1
            self._bytes[day] += entry.size_bytes
            kept.append(entry)
        encoded = msgspec.msgpack.encode(kept)
        self._file.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)

    @property
    def files(self) -> int:
        """How many were put by, without those that are exempt."""
        return self._files.total()

    def chosen(self, age_by: str, max_files: int, max_bytes: int) -> Iterator[list[Entry]]:
        """The entries within the bounds, those that were used longest ago first as far as days tell them apart."""
        left_files, left_bytes = max_files, max_bytes
        whole_days: set[int] = set()
        last: int | None = None
        for day in sorted(self._files):
            if self._files[day] <= left_files and self._bytes[day] <= left_bytes:
                whole_days.add(day)
                left_files -= self._files[day]
                left_bytes -= self._bytes[day]
            else:
                last = day
                break
        for block in self._blocks():
            taken = []
            for entry in block:
                day = used_ns(entry, age_by) // _DAY_NS
                if day in whole_days:
                    taken.append(entry)
                elif day == last and left_files > 0 and entry.size_bytes <= left_bytes:
                    left_files -= 1
                    left_bytes -= entry.size_bytes
                    taken.append(entry)
            yield taken

    def close(self) -> None:
        """Forget them."""
        self._file.close()

    def _blocks(self) -> Iterator[list[Entry]]:
        self._file.seek(0)
        while prefix := self._file.read(_LENGTH_BYTES):
            yield msgspec.msgpack.decode(self._file.read(int.from_bytes(prefix, "big")), type=list[Entry])


def used_ns(entry: Entry, age_by: str) -> int:
    """When an entry was last used."""
    if age_by == "newest":
        return max(entry.atime_ns, entry.mtime_ns)
    return entry.atime_ns if age_by == "atime" else entry.mtime_ns
