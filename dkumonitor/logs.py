"""Where a program logs: standard error, which supervisord keeps and rotates, or a file in the folder $DKM_LOG."""

from __future__ import annotations

import logging
from pathlib import Path

from dkumonitor.text import printable

VARIABLE = "DKM_LOG"
_MAX_BYTES = 10 * 1024 * 1024


class Printable(logging.Formatter):
    """A time, a level and a message, whatever names that holds: nothing of it acts on a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record; one that was escaped where it was made is not escaped again."""
        lines = super().format(record).splitlines()
        return "\n".join(line if line.isprintable() else printable(line) for line in lines)


def begin(handler: logging.Handler) -> None:
    """Log to a handler, and nowhere else."""
    handler.setFormatter(Printable())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def resident(program: str, folder: str | None) -> None:
    """Log as a resident program does: to standard error, or to a file of its own that it rotates.

    Args:
        program: names the file.
        folder: where it lies; None or empty for standard error.

    Raises:
        OSError: the file cannot be written.
    """
    if not folder:
        begin(logging.StreamHandler())
        return
    from logging.handlers import RotatingFileHandler  # noqa: PLC0415  seldom wanted, and it takes memory

    begin(RotatingFileHandler(Path(folder) / f"{program}.log", maxBytes=_MAX_BYTES, backupCount=2))


def command(program: str, folder: str) -> None:
    """Log as a command does, of which several may run at once: to the end of a file that somebody else rotates.

    Args:
        program: names the file.
        folder: where it lies.

    Raises:
        OSError: the file cannot be written.
    """
    from logging.handlers import WatchedFileHandler  # noqa: PLC0415  seldom wanted

    begin(WatchedFileHandler(Path(folder) / f"{program}.log"))
