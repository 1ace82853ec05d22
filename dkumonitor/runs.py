"""How each collector's last run went: DIR/run/collectors.json, written by the resident parent, read by all views."""

from __future__ import annotations

import logging
import os
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.errors import ServiceError
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dkumonitor.installation import Installation

FILE_NAME = "collectors.json"
MAX_BYTES = 4 * 1024 * 1024
DETAIL_LENGTH = 1000
_log = logging.getLogger(__name__)


class RunState(StrEnum):
    """How it stands with a collector."""

    OK = "ok"
    FAILED = "failed"
    NO_DATA = "no data"
    RUNNING = "running"
    NEVER = "never"


class CollectorRun(msgspec.Struct, frozen=True, kw_only=True):
    """One collector's last run, or the one that is under way.

    Attributes:
        collector: its name.
        state: how the last run ended; ``running`` while one is under way for longer than a moment.
        started_seconds: when it began, UTC seconds; None before the first.
        duration_seconds: how long it took; None while it runs.
        detail: why it failed, or why there is no data; empty where all is well.
        skipped: runs left out since the program's start because the one before had not ended.
        last_success_seconds: when one last ended well, UTC seconds; None where none did since the program's start.
        next_due_seconds: when the next is due, UTC seconds.
        interval_seconds: how often it runs.
    """

    collector: str
    state: RunState
    started_seconds: Moment | None
    duration_seconds: float | None
    detail: str
    skipped: int
    last_success_seconds: Moment | None
    next_due_seconds: Moment
    interval_seconds: int


class Board:
    """The file's one writer. A disk that takes nothing is logged once and stops no run.

    Args:
        path: the file; None to write nothing.
        told: gives what is to be written.
        monotonic: the clock.
        moment_seconds: how long a change may wait that is no run's end, since most runs end within that time.
    """

    def __init__(
        self,
        path: Path | None,
        told: Callable[[], list[CollectorRun]],
        monotonic: Callable[[], float],
        moment_seconds: float = 1.0,
    ) -> None:
        self._path = path
        self._told = told
        self._monotonic = monotonic
        self._moment_seconds = moment_seconds
        self._due_seconds: float | None = None
        self._failed = False

    def change(self, *, now: bool) -> None:
        """Something is to be written, at the next :meth:`tick` or a moment later."""
        if self._path is None:
            return
        due_seconds = self._monotonic() + (0 if now else self._moment_seconds)
        self._due_seconds = due_seconds if self._due_seconds is None else min(self._due_seconds, due_seconds)

    def wait_seconds(self) -> float | None:
        """How long until :meth:`tick` has something to do; None while there is nothing."""
        return None if self._due_seconds is None else self._due_seconds - self._monotonic()

    def tick(self) -> None:
        """Write what is due."""
        if self._path is None or self._due_seconds is None or self._monotonic() < self._due_seconds:
            return
        self._due_seconds = None
        partial = self._path.with_name(f".{FILE_NAME}.new")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123  a descriptor with a mode of its own
                file.write(msgspec.json.encode(self._told()))
            partial.replace(self._path)
        except OSError as error:
            if not self._failed:
                _log.warning("cannot write %s: %s", self._path, error.strerror)
            self._failed = True
        else:
            self._failed = False


def read_runs(installation: Installation) -> list[CollectorRun]:
    """How each collector's last run went; none where no collector has run here.

    Raises:
        ServiceError: the file is there, and not what this version writes.
    """
    path = installation.run / FILE_NAME
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(MAX_BYTES), type=list[CollectorRun])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ServiceError(f"cannot read {path}: {error.strerror}", "Mend the cause, and ask again") from None
    except msgspec.MsgspecError as error:
        do = f"{installation.dir}/bin/dkm restart collectors"
        raise ServiceError(f"{path} is not what this version writes: {error}", do) from None
