"""Series become facts: each host, its file systems and the busiest users. Pure: no clock, no network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.metrics import unsegment
from dkumonitor.overview import judgement
from dkumonitor.overview.fit import seconds_to_full, slope_per_second, trend
from dkumonitor.overview.rows import FileSystem, Host, LoadHistory, Problem, TopUser
from dkumonitor.views import Level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dkumonitor.carbonapi import Column
    from dkumonitor.overview.readings import Readings

DAY_SECONDS = 86400
_LOAD = re.compile(r"collectd\.([^.]+)\.load\.load\.midterm\Z")
_USED = re.compile(r"collectd\.([^.]+)\.df\.([^.]+)\.df_complex\.used\Z")
_MEMORY = re.compile(r"collectd\.([^.]+)\.memory\.memory\.[^.]+\Z")
_CPU = re.compile(r"dkm\.([^.]+)\.host\.users\.([^.]+)\.cpu_percent\Z")


@dataclass(frozen=True)
class Facts:
    """All that the metrics say, each list in the order in which it is shown."""

    hosts: list[Host]
    file_systems: list[FileSystem]
    users: list[TopUser]
    problems: list[Problem]
    loads: list[LoadHistory]


def facts(readings: Readings, now_seconds: float, interval_seconds: int) -> Facts:
    """What the metrics say.

    Args:
        readings: the series.
        now_seconds: the time, UTC.
        interval_seconds: how often metrics are sent.
    """
    file_systems = _file_systems(readings)
    names = sorted({match[1] for name in (*readings.day, *readings.now) if (match := _LOAD.match(name))})
    by_host = {name: [disk for disk in file_systems if disk.host == name] for name in names}
    hosts, problems = [], []
    for name in names:
        host, wrong = _host(name, readings, by_host[name], now_seconds, interval_seconds)
        hosts.append(host)
        problems += wrong
    loads = [
        LoadHistory(host=match[1], start_seconds=day.start_seconds, step_seconds=day.step_seconds, values=day.values)
        for name, day in sorted(readings.day.items())
        if (match := _LOAD.match(name))
    ]
    return Facts(hosts, file_systems, _users(readings), problems, loads)


def newest(column: Column | None) -> float | None:
    """The newest value of a series, None where there is none."""
    return None if column is None else next((value for value in reversed(column.values) if value is not None), None)


def newest_seconds(column: Column | None) -> int | None:
    """When the newest value of a series was of, UTC; None where there is none."""
    if column is None:
        return None
    times = column.times()
    at = next((index for index in range(len(times) - 1, -1, -1) if column.values[index] is not None), None)
    return None if at is None else times[at]


def _host(
    name: str, readings: Readings, disks: list[FileSystem], now_seconds: float, interval_seconds: int
) -> tuple[Host, list[Problem]]:
    prefix, now = f"collectd.{name}", readings.now
    load_name = f"{prefix}.load.load.midterm"
    seen = [newest_seconds(now.get(load_name)), newest_seconds(readings.day.get(load_name))]
    last_seen_seconds = max(filter(None, seen), default=None)
    cores = newest(now.get(f"{prefix}.cpu.count"))
    memory = [newest(column) or 0 for key, column in now.items() if (m := _MEMORY.match(key)) and m[1] == name]
    fullest = max(disks, key=lambda disk: disk.used_percent, default=None)
    host = Host(
        host=name,
        level=Level.OK,
        state="",
        last_seen_seconds=last_seen_seconds,
        up_seconds=newest(now.get(f"{prefix}.uptime.uptime")),
        cores=None if cores is None else round(cores),
        load=newest(now.get(load_name)),
        memory_bytes=sum(memory) if memory else None,
        memory_used_percent=newest(now.get(f"{prefix}.memory.percent.used")),
        swap_used_percent=_swap_percent(prefix, now),
        fullest=fullest.file_system if fullest else None,
        fullest_percent=fullest.used_percent if fullest else None,
        full_in_seconds=min((d.full_in_seconds for d in disks if d.full_in_seconds is not None), default=None),
    )
    problems = _problems(host, disks, silent=judgement.is_silent(last_seen_seconds, now_seconds, interval_seconds))
    level = judgement.worst(problem.level for problem in problems)
    state = "; ".join(problem.text for problem in problems) or "well"
    return msgspec.structs.replace(host, level=level, state=state), problems


def _problems(host: Host, disks: list[FileSystem], *, silent: bool) -> list[Problem]:
    """What is wrong with a host, the worst first; of one that is silent nothing else is known."""
    if silent:
        look = "is collectd up there (dkm status), and is the way to carbon free?"
        return [_problem(Level.FAILED, host.host, "sends nothing", look)]
    found = [
        _problem(
            judgement.load_level(host.load, host.cores),
            host.host,
            f"load {host.load or 0:.1f} for {_counted(host.cores or 0, 'processor')}",
            "see who is busy: Users, or dkm host users",
        ),
        _problem(
            judgement.memory_level(host.memory_used_percent),
            host.host,
            f"{host.memory_used_percent or 0:.0f} % of the memory is used",
            "see who has it: Users, or dkm host users",
        ),
        _problem(
            judgement.swap_level(host.swap_used_percent),
            host.host,
            f"{host.swap_used_percent or 0:.0f} % of the swap is used",
            "memory was short: see the dashboard of the machine for when",
        ),
        *(_disk_problem(disk) for disk in disks),
    ]
    wrong = [problem for problem in found if problem.level in {Level.WARNING, Level.FAILED}]
    return sorted(wrong, key=lambda problem: problem.level is not Level.FAILED)


def _disk_problem(disk: FileSystem) -> Problem:
    text = f"{disk.file_system} is {disk.used_percent:.0f} % full"
    if disk.full_in_seconds is not None:
        text += f", and full in {_roughly(disk.full_in_seconds)} if it goes on so"
    return _problem(disk.level, disk.host, text, "free some room there, or make it larger")


def _problem(level: Level, about: str, text: str, do: str) -> Problem:
    return Problem(level=level, source="metrics", about=about, text=text, do=do)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _roughly(seconds: float) -> str:
    return f"{seconds / 3600:.0f} hours" if seconds < 2 * DAY_SECONDS else f"{seconds / DAY_SECONDS:.0f} days"


def _swap_percent(prefix: str, now: Mapping[str, Column]) -> float | None:
    used, free = newest(now.get(f"{prefix}.swap.swap.used")), newest(now.get(f"{prefix}.swap.swap.free"))
    return 100 * used / (used + free) if used is not None and free is not None and used + free else None


def _file_systems(readings: Readings) -> list[FileSystem]:
    """By host, the fullest first."""
    found = []
    for name, column in readings.now.items():
        match = _USED.match(name)
        used, free = newest(column), newest(readings.now.get(name.removesuffix("used") + "free"))
        if match is None or used is None or free is None or used + free <= 0:
            continue
        growth = _growth(readings.trend.get(name))
        full_in_seconds = seconds_to_full(free, growth)
        used_percent = 100 * used / (used + free)
        found.append(
            FileSystem(
                host=match[1],
                file_system=match[2],
                level=judgement.disk_level(used_percent, full_in_seconds),
                size_bytes=used + free + (newest(readings.now.get(name.removesuffix("used") + "reserved")) or 0),
                used_bytes=used,
                free_bytes=free,
                used_percent=used_percent,
                daily_growth_bytes=None if growth is None else growth * DAY_SECONDS,
                full_in_seconds=full_in_seconds,
                trend=trend(free, growth),
            )
        )
    return sorted(found, key=lambda disk: (disk.host, -disk.used_percent, disk.file_system))


def _growth(column: Column | None) -> float | None:
    if column is None:
        return None
    points = zip(column.times(), column.values, strict=True)
    return slope_per_second([(at, value) for at, value in points if value is not None])


def _users(readings: Readings) -> list[TopUser]:
    """The busiest first."""
    found = []
    for name, column in readings.users.items():
        match, cpu_percent = _CPU.match(name), newest(column)
        if match is None or cpu_percent is None:
            continue
        prefix = name.removesuffix("cpu_percent")
        processes = newest(readings.users.get(f"{prefix}processes"))
        found.append(
            TopUser(
                host=match[1],
                user=unsegment(match[2]) or match[2],
                cpu_percent=cpu_percent,
                resident_bytes=newest(readings.users.get(f"{prefix}resident_bytes")),
                processes=None if processes is None else round(processes),
            )
        )
    return sorted(found, key=lambda user: (-user.cpu_percent, user.host, user.user))
