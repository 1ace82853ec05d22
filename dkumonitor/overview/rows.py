"""The rows of the overview: hosts, file systems, users, and what is wrong."""

from __future__ import annotations

import msgspec

from dkumonitor.services import Service
from dkumonitor.views import Figure, Level, Moment


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that sends metrics. None is what it has not sent.

    Attributes:
        host: its segment in metric names.
        level: how well it is.
        state: the same in words.
        last_seen_seconds: when its newest point was of, UTC; None where it sent none within a day.
        up_seconds: since its start.
        cores: processors.
        load: processes that want a processor, mean of five minutes.
        memory_bytes: all of it.
        memory_used_percent: by programs; what the kernel caches is not used.
        swap_used_percent: None without swap.
        fullest: its fullest file system.
        fullest_percent: how full that is.
        full_in_seconds: when the first of its file systems is full if they go on as within the last week; None for not
            within a year, not growing, or too early to say.
    """

    host: str
    level: Level
    state: str
    last_seen_seconds: Moment | None
    up_seconds: float | None
    cores: int | None
    load: float | None
    memory_bytes: float | None
    memory_used_percent: float | None
    swap_used_percent: float | None
    fullest: str | None
    fullest_percent: float | None
    full_in_seconds: float | None


class FileSystem(msgspec.Struct, frozen=True, kw_only=True):
    """A file system of a machine, as collectd names it: ``root``, ``var-lib``.

    Attributes:
        level: how well it is.
        used_percent: of what an ordinary account can have, as df(1) counts.
        daily_growth_bytes: the slope of the last week; None where it is too early to say.
        full_in_seconds: when it is full if it goes on so; None for not within a year, not growing, or too early to say.
        trend: which of these.
    """

    host: str
    file_system: str
    level: Level
    size_bytes: float
    used_bytes: float
    free_bytes: float
    used_percent: float
    daily_growth_bytes: float | None
    full_in_seconds: float | None
    trend: str


class TopUser(msgspec.Struct, frozen=True, kw_only=True):
    """One of the accounts that use most processor time on any machine."""

    host: str
    user: str
    cpu_percent: float
    resident_bytes: float | None
    processes: int | None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not well: ``about`` what, ``text`` what is wrong, ``do`` what to do next."""

    level: Level
    source: str
    about: str
    text: str
    do: str


class LoadHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's load within the last day: value i is of ``start_seconds + i * step_seconds``."""

    host: str
    start_seconds: Moment
    step_seconds: int
    values: list[float | None]


class CardTold(msgspec.Struct, frozen=True, kw_only=True):
    """What a collector says to the overview; ``banner``: its sentence stands on top of every page of the console."""

    name: str
    title: str
    level: Level
    sentence: str
    figures: tuple[Figure, ...]
    path: str
    banner: bool = False


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Is the machine well?

    Attributes:
        verdict: one sentence.
        level: the same for a colour.
        next_step: what to do where there is nothing to see yet, else empty.
        at_seconds: when this was asked, UTC.
    """

    verdict: str
    level: Level
    next_step: str
    at_seconds: Moment
    problems: list[Problem]
    hosts: list[Host]
    file_systems: list[FileSystem]
    users: list[TopUser]
    services: list[Service]
    cards: list[CardTold]
    loads: list[LoadHistory]
