"""The terminal and build.log: a line a part on the one, every detail in the other."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pathlib import Path

TAIL_LINES = 25
_TICK_SECONDS = 1.0


class BuildLog:
    """build.log: lines of all parts, each led by its part's name; remembers the last lines of each part."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", errors="replace", buffering=1)
        self._lock = threading.Lock()
        self._tails: dict[str, deque[str]] = {}

    def write(self, part: str, line: str) -> None:
        """Append one line of a part."""
        with self._lock:
            self._tails.setdefault(part, deque(maxlen=TAIL_LINES)).append(line)
            self._file.write(f"[{part}] {line}\n")

    def tail(self, part: str) -> list[str]:
        """Return the last lines of a part, oldest first."""
        with self._lock:
            return list(self._tails.get(part, ()))

    def close(self) -> None:
        """Write out what is left."""
        self._file.close()


class Progress:
    """One line a part when it is done; on a terminal also a line that shows what runs, with its seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._terminal = self._stream.isatty()
        self._lock = threading.Lock()
        self._running: dict[str, tuple[str, float]] = {}
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        if self._terminal:
            self._ticker.start()

    def start(self, part: str, doing: str) -> None:
        """Say that a part is being worked on."""
        with self._lock:
            began = self._running.get(part, ("", time.monotonic()))[1]
            self._running[part] = (doing, began)
            self._show()

    def done(self, part: str, state: str) -> None:
        """Print the part's line: its name, what became of it, and how long that took."""
        with self._lock:
            began = self._running.pop(part, ("", time.monotonic()))[1]
            self._print(f"{part:<24} {state:<28} {time.monotonic() - began:6.1f} s")

    def say(self, text: str) -> None:
        """Print a line of its own."""
        with self._lock:
            self._print(text)

    def close(self) -> None:
        """Take the status line away."""
        with self._lock:
            self._running.clear()
            self._ended.set()
            if self._terminal:
                self._stream.write("\r\x1b[K")
                self._stream.flush()

    def _print(self, text: str) -> None:
        if self._terminal:
            self._stream.write("\r\x1b[K")
        self._stream.write(text + "\n")
        self._stream.flush()
        self._show()

    def _show(self) -> None:
        if self._terminal and self._running and not self._ended.is_set():
            now = time.monotonic()
            text = ", ".join(f"{part}: {doing} {now - began:.0f} s" for part, (doing, began) in self._running.items())
            self._stream.write(f"\r\x1b[K… {text}"[:150])
            self._stream.flush()

    def _tick(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            with self._lock:
                self._show()
