"""The day goes on while an installation runs: what its own programs do not send, this does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

from tests.history.series import FINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.history.load import History
    from tests.history.series import Day
    from tests.stack import Stack

LIVE_USERS = ("root", "daemon", "nobody")


class Feeder(threading.Thread):
    """Sends every ten seconds what was last true of the other hosts, and of this one's people and other disks."""

    def __init__(self, stack: Stack, history: History) -> None:
        super().__init__(daemon=True)
        self._carbon = stack.carbon
        self._own = history.machines[0].host
        self._over = threading.Event()
        self._last = {
            day.name: (day.values[-1] or 0.0, _growth(day)) for day in history.days() if self._is_missing(day.name)
        }

    def _is_missing(self, name: str) -> bool:
        root, host, *rest = name.split(".")
        if root == "carbon":
            return False
        if host != self._own:
            return True
        if root == "collectd":
            return rest[0] == "df" and rest[1] != "root"
        return rest[:2] == ["host", "users"] and len(rest) > 2 and rest[2] not in LIVE_USERS

    def run(self) -> None:
        while not self._over.wait(FINE_SECONDS - time.time() % FINE_SECONDS):
            at = int(time.time()) // FINE_SECONDS * FINE_SECONDS
            self._last = {name: (value + growth, growth) for name, (value, growth) in self._last.items()}
            lines = "".join(f"{name} {value!r} {at}\n" for name, (value, _) in self._last.items())
            with contextlib.suppress(OSError), socket.create_connection(self._carbon, timeout=5) as connection:
                connection.sendall(lines.encode())

    def end(self) -> None:
        """Send no more."""
        self._over.set()
        self.join(30)


def _growth(day: Day) -> float:
    """What a counter gains in ten seconds."""
    before, last = day.values[-2:]
    return (last - before) / 6 if day.grows and last is not None and before is not None else 0.0


@contextlib.contextmanager
def going_on(stack: Stack, history: History) -> Iterator[None]:
    """While this lasts, every host and person of the history is still there."""
    feeder = Feeder(stack, history)
    feeder.start()
    try:
        yield
    finally:
        feeder.end()
