"""One line that counts, on a terminal; nothing where nobody looks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from dkumonitor.text import printable

if TYPE_CHECKING:
    from typing import Self

PAUSE_SECONDS = 0.1


class Progress:
    """Shows how far a long act is, at most ten times a second, and removes the line at its end.

    Args:
        out: where to; nothing is written unless it is a terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last = 0.0
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def show(self, what: str, count: int) -> None:
        """Say how many of what there are so far."""
        now = time.monotonic()
        if self._out.isatty() and now - self._last >= PAUSE_SECONDS:
            self._out.write(f"\r\x1b[K{printable(what)}: {count}")
            self._out.flush()
            self._last, self._shown = now, True
