"""The doctor in the console: its findings kept for some seconds, so that many who look cost one examination."""

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING

import collectors
from dkumonitor.doctor.examination import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from dkumonitor.doctor.findings import Finding
    from dkumonitor.installation import Installation

KEPT_SECONDS = 15.0
REFRESH_SECONDS = 60.0


class Examinations:
    """What the doctor found last.

    Args:
        look: examines; takes seconds where something is wrong.
        monotonic: the clock.
    """

    def __init__(self, look: Callable[[], list[Finding]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._monotonic = monotonic
        self._one_at_a_time = threading.Lock()
        self._found: tuple[float, list[Finding]] | None = None

    def fresh(self) -> list[Finding]:
        """The findings, not older than :data:`KEPT_SECONDS`; older ones for who comes while another one looks."""
        if not self._is_older_than(KEPT_SECONDS):
            return self._kept()
        if self._one_at_a_time.acquire(blocking=self._found is None):
            try:
                if self._is_older_than(KEPT_SECONDS):
                    self._found = (self._monotonic(), self._look())
            finally:
                self._one_at_a_time.release()
        return self._kept()

    def known(self) -> list[Finding] | None:
        """What is known without waiting, None before the first look; a new look is begun where that is old."""
        if self._is_older_than(REFRESH_SECONDS) and not self._one_at_a_time.locked():
            threading.Thread(target=self.fresh, name="doctor", daemon=True).start()
        return None if self._found is None else self._kept()

    def _is_older_than(self, age_seconds: float) -> bool:
        return self._found is None or self._monotonic() - self._found[0] > age_seconds

    def _kept(self) -> list[Finding]:
        return [] if self._found is None else self._found[1]


@functools.cache
def examinations_of(installation: Installation) -> Examinations:
    """The examinations of an installation, of which a process has one."""
    return Examinations(lambda: examine(installation, collectors.checks(connects=False)))
