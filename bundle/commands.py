"""The one place where the build starts programs, and where they are ended when the build is."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

from bundle.errors import DiskFullError, RecipeError, disk_full

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bundle.progress import BuildLog

# What the caller's shell may hold that would change what a compiler or a build script does.
_DROPPED = frozenset(
    {
        "AR",
        "ARFLAGS",
        "CC",
        "CFLAGS",
        "CONFIG_SITE",
        "CPATH",
        "CPP",
        "CPPFLAGS",
        "CXX",
        "CXXFLAGS",
        "C_INCLUDE_PATH",
        "DESTDIR",
        "GOARCH",
        "GOBIN",
        "GOFLAGS",
        "GOOS",
        "GOWORK",
        "LD",
        "LDFLAGS",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "LIBRARY_PATH",
        "LIBS",
        "MAKEFLAGS",
        "MFLAGS",
        "PKG_CONFIG",
        "PKG_CONFIG_LIBDIR",
        "PKG_CONFIG_PATH",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RANLIB",
        "SOURCE_DATE_EPOCH",
        "TZ",
        "ZERO_AR_DATE",
    }
)  # fmt: skip  a list of names reads better in lines
_GRACE_SECONDS = 5.0
_FULL_DISK_WORDS = ("No space left on device", "Disk quota exceeded", "NoSpaceLeft", "DiskQuota")


class Interrupted(Exception):  # noqa: N818  it is no error: somebody asked for it
    """The build was told to stop while a program ran."""


class Commands:
    """Starts programs in sessions of their own, writes their output to the log, and can end all of them."""

    def __init__(self, log: BuildLog) -> None:
        self.log = log
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()

    @property
    def stopping(self) -> bool:
        """Whether the build was told to stop."""
        return self._stop.is_set()

    def run(self, part: str, argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> None:
        """Run a program to its end.

        Args:
            part: whose line leads the program's output in build.log.
            argv: the program and its arguments; no shell is involved.
            cwd: the folder it runs in.
            env: variables set on top of the cleaned environment of the caller.

        Raises:
            RecipeError: it ended with an error; the message carries its last lines.
            DiskFullError: it ended with an error because the disk is full.
            Interrupted: the build was told to stop.
        """
        self._run(part, argv, cwd, env)

    def output(self, part: str, argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> str:
        """Like run, and return what the program wrote (standard output and error)."""
        return "\n".join(self._run(part, argv, cwd, env))

    def stop(self) -> None:
        """End every running program, politely first; no new one starts."""
        self._stop.set()
        with self._lock:
            running = list(self._running)
        for process in running:
            _signal_group(process, signal.SIGTERM)
        for process in running:
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)

    def _run(self, part: str, argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None) -> list[str]:
        words = [str(word) for word in argv]
        self.log.write(part, f"$ (cd {cwd}) {' '.join(words)}")
        process = self._start(words, cwd, clean_environment(env))
        lines: list[str] = []
        try:
            with process, process.stdout or open(os.devnull, encoding="utf-8") as stdout:  # noqa: PTH123  a device
                for line in stdout:
                    lines.append(line.rstrip("\n"))
                    self.log.write(part, lines[-1])
        finally:
            with self._lock:
                self._running.discard(process)
        if self.stopping:
            raise Interrupted
        if process.returncode:
            raise self._failure(part, words, cwd, process.returncode, lines)
        return lines

    def _start(self, words: list[str], cwd: Path, env: dict[str, str]) -> subprocess.Popen[str]:
        with self._lock:
            if self.stopping:
                raise Interrupted
            process = subprocess.Popen(
                words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, encoding="utf-8", errors="replace", start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
        return process

    def _failure(
        self, part: str, words: list[str], cwd: Path, code: int, lines: list[str]
    ) -> RecipeError | DiskFullError:
        if any(word in line for line in lines[-200:] for word in _FULL_DISK_WORDS):
            return disk_full(cwd)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        tail = "\n".join(f"    {line}" for line in self.log.tail(part))
        return RecipeError(
            f"{part}: {words[0]} {how}. Its last lines:\n{tail}",
            f"All it wrote is in {self.log.path}. Run make-package again after a repair: finished parts are kept.",
        )


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the caller's environment without what would change a build, in the C locale and UTC, plus `extra`."""
    env = {name: value for name, value in os.environ.items() if name not in _DROPPED and not name.startswith("LC_")}
    env.update(LC_ALL="C", LANG="C", TZ="UTC", LANGUAGE="")
    env.update(extra or {})
    return env


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself in between
            os.killpg(process.pid, number)
