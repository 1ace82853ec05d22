"""From when on something is not well. Every threshold of the overview stands here (docs/operations.md lists them)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkumonitor.views import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dkumonitor.overview.rows import Problem

SILENT_INTERVALS = 12  # two minutes at 10 s: a restart of carbon, or a portion of the spool, is no silence
SILENT_SECONDS = 120
LOAD_PER_CORE_WARNING = 1.5  # mean of five minutes: half as much again as can run at once
LOAD_PER_CORE_FAILED = 4.0
MEMORY_PERCENT_WARNING = 90.0
MEMORY_PERCENT_FAILED = 97.0
SWAP_PERCENT_WARNING = 50.0
DISK_PERCENT_WARNING = 90.0
DISK_PERCENT_FAILED = 98.0
FULL_IN_SECONDS_WARNING = 7 * 86400
FULL_IN_SECONDS_FAILED = 86400
MOST_TOLD = 3
_ORDER = list(Level)


def worst(levels: Iterable[Level]) -> Level:
    """The worst of some levels, ok where there is none."""
    return max(levels, key=_ORDER.index, default=Level.OK)


def is_silent(last_seen_seconds: float | None, now_seconds: float, interval_seconds: int) -> bool:
    """Whether a machine has sent nothing for longer than it may."""
    limit_seconds = max(SILENT_SECONDS, SILENT_INTERVALS * interval_seconds)
    return last_seen_seconds is None or now_seconds - last_seen_seconds > limit_seconds


def load_level(load: float | None, cores: int | None) -> Level:
    """How well a load is for so many processors."""
    return _level(load / cores if load is not None and cores else None, LOAD_PER_CORE_WARNING, LOAD_PER_CORE_FAILED)


def memory_level(used_percent: float | None) -> Level:
    """How well it is that so much memory is used."""
    return _level(used_percent, MEMORY_PERCENT_WARNING, MEMORY_PERCENT_FAILED)


def swap_level(used_percent: float | None) -> Level:
    """How well it is that so much swap is used; never worse than a warning."""
    return _level(used_percent, SWAP_PERCENT_WARNING, float("inf"))


def disk_level(used_percent: float, full_in_seconds: float | None) -> Level:
    """How well a file system is: by how full it is, and by how soon it will be."""
    by_room = _level(used_percent, DISK_PERCENT_WARNING, DISK_PERCENT_FAILED)
    if full_in_seconds is None:
        return by_room
    by_time = Level.WARNING if full_in_seconds <= FULL_IN_SECONDS_WARNING else Level.OK
    return worst((by_room, Level.FAILED if full_in_seconds <= FULL_IN_SECONDS_FAILED else by_time))


def _level(value: float | None, warning: float, failed: float) -> Level:
    if value is None:
        return Level.UNKNOWN
    if value >= failed:
        return Level.FAILED
    return Level.WARNING if value >= warning else Level.OK


def verdict(hosts: Sequence[str], problems: Sequence[Problem]) -> str:
    """The sentence that answers "is the machine well?".

    Args:
        hosts: the machines that there are.
        problems: what is wrong, the worst first.
    """
    told = [problem for problem in problems if problem.level in {Level.WARNING, Level.FAILED}]
    if not told:
        if not hosts:
            return "Nothing has sent anything yet."
        return f"The machine {hosts[0]} is well." if len(hosts) == 1 else f"All {len(hosts)} machines are well."
    failed = any(problem.level is Level.FAILED for problem in told)
    beginning = "Not well" if failed else "Well, with a warning" if len(told) == 1 else "Well, with warnings"
    said = "; ".join(f"{problem.about}: {problem.text}" for problem in told[:MOST_TOLD])
    more = len(told) - MOST_TOLD
    return f"{beginning}: {said}{f'; and {more} more' if more > 0 else ''}."
