"""Who and what uses this machine now, from two looks some time apart: what `dkm host`, the console and the API list."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from collectors import discover, load_settings
from collectors.host.collector import Scan, scan
from collectors.host.proc import Proc
from collectors.host.usage import Usage
from dkumonitor.installation import Installation

if TYPE_CHECKING:
    from collectors.host.settings import HostSettings

APART_SECONDS = 1.0
KEPT_SECONDS = 5.0
FORGOTTEN_SECONDS = 60.0
# Named as the collector's metrics are; None is what all of the processes hide.
_COLUMNS = (
    ("cpu_percent", float | None),
    ("resident_bytes", int),
    ("processes", int),
    ("threads", int),
    ("open_files", int | None),
    ("read_bytes_per_second", float | None),
    ("written_bytes_per_second", float | None),
    ("hidden_processes", int),
)
UserRow = msgspec.defstruct("UserRow", [("user", str), *_COLUMNS], frozen=True)
"""One account."""
PatternRow = msgspec.defstruct("PatternRow", [("pattern", str), *_COLUMNS], frozen=True)
"""One pattern of command lines, with the same columns."""


def user_rows(found: Scan) -> list[msgspec.Struct]:
    """Every account that has a process, the busiest first."""
    users = sorted(found.users.items(), key=lambda item: _values(item[1], found)[0] or 0, reverse=True)
    return [UserRow(name, *_values(usage, found)) for name, usage in users]


def pattern_rows(found: Scan) -> list[msgspec.Struct]:
    """Every pattern, in the settings' order."""
    return [PatternRow(name, *_values(usage, found)) for name, usage in found.patterns.items()]


def patterns_of(installation: Installation, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The patterns that are set.

    Raises:
        SettingsError: the settings file cannot be used.
    """
    settings = load_settings(discover(), installation, environment).collectors["host"]
    return cast("HostSettings", settings).patterns


def look_twice(patterns: Mapping[str, str]) -> Scan:
    """This machine, from two looks a second apart."""
    proc = Proc(Path("/proc"))
    first = scan(proc, patterns, None, {})
    time.sleep(APART_SECONDS)
    return scan(proc, patterns, first.sample, first.names)


class Looks:
    """The same for a program that is asked again and again: it looks on from its last look, and not too often.

    Args:
        patterns: gives the patterns that are set.
        proc: where processes are read.
        monotonic: the clock.
        pause: waits for so many seconds.
    """

    def __init__(
        self,
        patterns: Callable[[], Mapping[str, str]],
        proc: Path = Path("/proc"),
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._patterns = patterns
        self._proc = proc
        self._monotonic = monotonic
        self._pause = pause
        self._lock = threading.Lock()
        self._last: Scan | None = None
        self._at_seconds = 0.0

    def latest(self) -> Scan:
        """The newest look, at most :data:`KEPT_SECONDS` old; its rates are over the time since the look before it."""
        with self._lock:
            age_seconds = self._monotonic() - self._at_seconds
            if self._last is None or age_seconds > FORGOTTEN_SECONDS:
                self._look(None)
                self._pause(APART_SECONDS)
                self._look(self._last)
            elif age_seconds > KEPT_SECONDS:
                self._look(self._last)
            return cast("Scan", self._last)

    def _look(self, before: Scan | None) -> None:
        sample, names = (before.sample, before.names) if before else (None, {})
        self._last = scan(Proc(self._proc), self._patterns(), sample, names)
        self._at_seconds = self._monotonic()


def _values(usage: Usage, found: Scan) -> list[Any]:
    values = usage.values(found.elapsed_seconds)
    return [values.get(name) for name, _type in _COLUMNS]


def looks_of(installation: Installation) -> Looks:
    """Looks at this machine with an installation's patterns."""
    return Looks(lambda: patterns_of(installation, os.environ))
