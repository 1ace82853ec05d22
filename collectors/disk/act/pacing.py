"""What a long act looks at again and again: the clock, whether it shall end, and whether somebody watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from collectors.disk.act.outcome import Progress, Tally

if TYPE_CHECKING:
    import types

JUMP_SECONDS = 60.0
_PAUSE_SECONDS = 1.0
Watch = Callable[[Progress], None]


class StoppedError(Exception):
    """The act ends here, whole; what is left can be done later. The text says why."""


class Pace:
    """The clock of an act, its end by a signal, and its progress.

    Args:
        watch: gets the progress, at most once a second.
        wall: UTC seconds.
        steady: seconds that go on whatever is done to the clock, also while the machine sleeps.
    """

    def __init__(
        self,
        watch: Watch = lambda _: None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._watch = watch
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()
        self._shown = steady()
        self._ends = ""
        self.plan = ""
        self.of = 0
        self.tally = Tally()

    @property
    def now_seconds(self) -> float:
        """The time, UTC seconds."""
        return self._wall()

    @property
    def now_ns(self) -> int:
        """The same in nanoseconds."""
        return int(self._wall() * 1_000_000_000)

    def follow(self, plan: str, of: int, tally: Tally) -> None:
        """Say what is under way."""
        self.plan, self.of, self.tally = plan, of, tally

    def end(self, _number: int = 0, _frame: types.FrameType | None = None) -> None:
        """Have the act end at the next opportunity; a handler of signals."""
        self._ends = "it was interrupted"

    def __call__(self) -> None:
        """Look at everything.

        Raises:
            StoppedError: the act shall end, or the clock jumped.
        """
        steady = self._steady()
        if abs(self._wall() - steady - self._offset) > JUMP_SECONDS:
            raise StoppedError("the clock jumped while it was at work")
        if self._ends:
            raise StoppedError(self._ends)
        if steady - self._shown >= _PAUSE_SECONDS:
            self._shown = steady
            tally = self.tally
            self._watch(Progress(plan=self.plan, entries=tally.tried, of=self.of, files=tally.files, bytes=tally.bytes))
