"""A real browser for the tests: Debian's Chromium, driven by tests/browser/driver.mjs."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = ("package.json", "package-lock.json")
CHROMIUM = "chromium-headless-shell"  # of tests/packages.txt: the same engine, without windows


class BrowserError(AssertionError):
    """An act of the browser failed, or the browser itself."""


def modules() -> Path:
    """The folder with node_modules as package-lock.json says, filled where it is not yet in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dkumonitor/browser"
    key = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in PACKAGES)).hexdigest()[:16]
    folder = cache / key
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            for name in PACKAGES:
                shutil.copy(HERE / name, folder)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
            (folder / "ready").touch()
    return folder


class Chromium:
    """One browser; `act` runs a module of tests/browser/acts in it and returns what it returns."""

    def __init__(self, log: Path) -> None:
        executable = shutil.which(CHROMIUM)
        if executable is None:
            raise BrowserError(f"{CHROMIUM} is missing: run tests/install-packages")
        self._log = log
        self._numbers = itertools.count()
        self._answers: queue.Queue[str] = queue.Queue()
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                ["node", HERE / "driver.mjs", modules(), executable],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def act(self, name: str, timeout_seconds: float = 120, **job: Any) -> Any:
        """Run an act and return its result.

        Raises:
            BrowserError: it failed, or took too long.
        """
        number = next(self._numbers)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"id": number, "act": name, "job": job}) + "\n")
            self._process.stdin.flush()
            answer = self._answer(number, timeout_seconds)
        except queue.Empty:
            raise BrowserError(f"the browser has not done {name!r} within {timeout_seconds} s") from None
        except BrokenPipeError:
            raise BrowserError(f"the browser ended:\n{self._log.read_text(errors='replace')[-4000:]}") from None
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["result"]

    def _answer(self, number: int, timeout_seconds: float) -> dict[str, Any]:
        while True:
            line = self._answers.get(timeout=timeout_seconds)
            if not line:
                raise BrokenPipeError
            answer: dict[str, Any] = json.loads(line)
            if answer["id"] == number:  # an act that took too long may still answer
                return answer

    def close(self) -> None:
        """End the browser and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()  # Chromium ends with the pipe to its parent
            self._process.wait()
        self._reader.join(30)
        self._process.stdout.close()
