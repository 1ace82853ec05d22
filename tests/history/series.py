"""A day of one metric, as minutes, and the whisper file that go-carbon would hold after it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tests import whisper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MINUTE = 60
DAY_MINUTES = 24 * 60
FINE_SECONDS = 10
FINE_MINUTES = 6 * 60  # as far back as the finest archive goes
COARSE = ((5 * MINUTE, 60 * 288), (60 * MINUTE, 2 * 8760))  # seconds a point, points
Values = list[float | None]


@dataclass(frozen=True)
class Day:
    """A metric's value of each minute of the day that ends at `end`, None where it was not sent.

    Attributes:
        name: the metric's.
        values: one a minute, the oldest first.
        restless: how far the values within a minute stray from its mean, as a share of it.
        grows: whether it counts up; of several values the last stands then for all.
        own: whether it is of the programs themselves, which are kept from a minute on.
    """

    name: str
    values: Values
    restless: float = 0.0
    grows: bool = False
    own: bool = False

    def write(self, tree: Path, end: int) -> None:
        """Write its file below `tree`; `end` is a whole minute, the first that is not there any more."""
        start = end - DAY_MINUTES * MINUTE
        archives = [] if self.own else [self._fine(end)]
        archives.append(whisper.Archive(MINUTE, 7 * DAY_MINUTES, start, self.values))
        archives += [self._coarse(step, count, start) for step, count in COARSE]
        path = tree / f"{self.name.replace('.', '/')}.wsp"
        whisper.write_archives(path, archives, whisper.LAST if self.name.endswith("_total") else whisper.AVERAGE)

    def _fine(self, end: int) -> whisper.Archive:
        values: Values = []
        shares = _strays(self.name, self.restless)
        before = self.values[-FINE_MINUTES - 1]
        for i, value in enumerate(self.values[-FINE_MINUTES:]):
            if value is None:
                values += [None] * len(_STRAYS)
            elif self.grows:
                step = (value - before) / len(_STRAYS) if before is not None and before <= value else 0.0
                values += [value - step * left for left in range(len(_STRAYS) - 1, -1, -1)]
            elif self.restless:
                values += [value * share for share in shares[i % len(shares)]]
            else:
                values += [value] * len(_STRAYS)
            before = value
        return whisper.Archive(FINE_SECONDS, FINE_MINUTES * len(_STRAYS), end - FINE_MINUTES * MINUTE, values)

    def _coarse(self, step: int, count: int, start: int) -> whisper.Archive:
        first = start // step * step
        minutes = step // MINUTE
        padded = [None] * ((start - first) // MINUTE) + self.values
        parts = (padded[i : i + minutes] for i in range(0, len(padded), minutes))
        return whisper.Archive(step, count, first, [self._one(part) for part in parts])

    def _one(self, part: Sequence[float | None]) -> float | None:
        there = [value for value in part if value is not None]
        if not there:
            return None
        return there[-1] if self.grows else sum(there) / len(there)


_STRAYS = (-1.0, 0.5, 0.8, -0.4, 0.3, -0.2)  # their sum is nothing, so that a minute's mean is its value


@cache
def _strays(name: str, restless: float) -> list[list[float]]:
    """What the six values of a minute are multiplied with, for some minutes in turn."""
    source = random.Random(hash_of(name) % 64)
    rows = []
    for _ in range(37):
        turn = source.randrange(len(_STRAYS))
        size = restless * source.random()
        rows.append([1 + size * stray for stray in (*_STRAYS[turn:], *_STRAYS[:turn])])
    return rows


def hash_of(text: str) -> int:
    """A number that a text always gives, unlike hash()."""
    return random.Random(text).getrandbits(32)
