"""The dashboards that the release provides: the very files that Grafana gets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.dashboards.model import Dashboard, load

if TYPE_CHECKING:
    from pathlib import Path

    from dkumonitor.installation import Installation

FOLDER = "dashboards"  # of the release


class Library(msgspec.Struct, frozen=True):
    """All dashboards, by uid in the order of their titles.

    Attributes:
        boards: those that can be drawn.
        problems: a sentence for each file that cannot.
    """

    boards: Mapping[str, Dashboard]
    problems: tuple[str, ...]


def library(installation: Installation) -> Library:
    """The dashboards of the release in use, read again when its folder has changed."""
    folder = installation.lib / FOLDER
    try:
        changed_ns = folder.stat().st_mtime_ns
    except OSError as error:
        return Library({}, (f"{folder} cannot be read: {error.strerror}.",))
    return _read(folder.resolve(), changed_ns)


@functools.lru_cache(maxsize=2)
def _read(folder: Path, _changed_ns: int) -> Library:
    boards, problems = {}, []
    for path in sorted(folder.glob("*.json")):
        try:
            board = load(path)
        except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
            problems.append(f"{path.name} cannot be drawn: {error}.")
        else:
            boards[board.uid] = board
    return Library(dict(sorted(boards.items(), key=lambda item: item[1].title.casefold())), tuple(problems))
