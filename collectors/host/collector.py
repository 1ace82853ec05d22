"""The host collector: what users and chosen processes take of the machine."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from collectors.host.names import OTHER, Name, look_up, user_segment
from collectors.host.proc import Proc, Process
from collectors.host.sessions import logged_in_users
from collectors.host.settings import HostSettings
from collectors.host.top import Standing, place
from collectors.host.usage import Sample, Usage, is_young, remember, used_since
from dkumonitor.collector import Collector, Facts, Metric, Run
from dkumonitor.metrics import Point

_YOUNG_SECONDS = 60.0  # a launcher may still become another program under the same number and name

_USAGE_METRICS = (
    ("cpu_percent", "percent of one core", "processor time since the sample before"),
    ("resident_bytes", "bytes", "resident memory, what processes share counted for each"),
    ("processes", "processes", "how many there are"),
    ("threads", "threads", "how many there are"),
    ("open_files", "files", "open descriptors of those that do not hide them"),
    ("read_bytes_per_second", "bytes/s", "read from storage by those that do not hide it"),
    ("written_bytes_per_second", "bytes/s", "written to storage by those that do not hide it"),
    ("hidden_processes", "processes", "those that hide something of this from the collector's account"),
)
METRICS = (
    Metric("users", "accounts", "accounts that have a process"),
    Metric("logged_in_users", "accounts", "accounts with a session; not sent where the machine keeps no record"),
    *(Metric(f"users.<login>.{name}", unit, summary) for name, unit, summary in _USAGE_METRICS),
    *(Metric(f"patterns.<name>.{name}", unit, summary) for name, unit, summary in _USAGE_METRICS),
)


class HostState(msgspec.Struct, frozen=True, array_like=True):
    """What one run leaves to the next."""

    sample: Sample
    names: dict[int, Name]
    standing: Standing


class Scan(NamedTuple):
    """Everything that one look at the machine gives.

    Attributes:
        users: by account name, every one.
        patterns: by pattern name, every one.
        sample: for the next look.
        names: for the next look.
        elapsed_seconds: since the look before; None at the first.
    """

    users: dict[str, Usage]
    patterns: dict[str, Usage]
    sample: Sample
    names: dict[int, Name]
    elapsed_seconds: float | None


def scan(proc: Proc, patterns: Mapping[str, str], before: Sample | None, names: Mapping[int, Name]) -> Scan:
    """Look at every process once.

    Args:
        proc: where processes are read.
        patterns: regular expressions by name.
        before: the sample before.
        names: accounts that are known already.
    """
    uptime_seconds = proc.uptime_seconds()
    if before is not None and uptime_seconds <= before.uptime_seconds:
        before = None  # the machine was started again, which this process cannot have survived: a container's clock
    compiled = {name: re.compile(pattern) for name, pattern in patterns.items()}
    matched = {name: Usage() for name in patterns}
    by_uid: dict[int, Usage] = {}
    seen = {}
    for process in proc.processes():
        used = used_since(before, process)
        mine = _patterns_of(proc, process, compiled, before, uptime_seconds)
        by_uid.setdefault(process.uid, Usage()).add(process, used)
        for name in mine:
            matched[name].add(process, used)
        seen[process.pid] = remember(process, mine)
    names = look_up(by_uid, names, uptime_seconds)
    users: dict[str, Usage] = {}
    for uid, usage in by_uid.items():
        users.setdefault(names[uid].name, Usage()).include(usage)
    elapsed_seconds = None if before is None else uptime_seconds - before.uptime_seconds
    return Scan(users, matched, Sample(uptime_seconds, seen), dict(names), elapsed_seconds)


def _patterns_of(
    proc: Proc,
    process: Process,
    compiled: Mapping[str, re.Pattern[str]],
    before: Sample | None,
    uptime_seconds: float,
) -> tuple[str, ...]:
    """The patterns that a process matches; a known process's command line is not read again."""
    stat = process.stat
    if stat.is_kernel_thread or not compiled:
        return ()
    seen = before.processes.get(process.pid) if before is not None else None
    same = seen is not None and (seen.start_ticks, seen.comm) == (stat.start_ticks, stat.comm)
    if seen is not None and same and not is_young(process, uptime_seconds, _YOUNG_SECONDS):
        return seen.patterns
    command_line = proc.command_line(process.pid)
    return tuple(name for name, pattern in compiled.items() if pattern.search(command_line))


def collect_from(root: Path, cores: int, run: Run) -> Facts:
    """One run on the machine whose file system is at ``root``, with ``cores`` processors."""
    settings: HostSettings = run.settings
    state: HostState | None = run.state
    proc = Proc(root / "proc")
    found = scan(proc, settings.patterns, state.sample if state else None, state.names if state else {})
    elapsed_seconds = found.elapsed_seconds
    memory_bytes = proc.memory_total_bytes() or 1
    shares = {
        user: usage.values(elapsed_seconds).get("cpu_percent", 0.0) / (100 * cores)
        + usage.resident_bytes / memory_bytes
        for user, usage in found.users.items()
    }
    before = state.standing if state else Standing()
    standing = place(before, shares, settings.top_users, elapsed_seconds or run.interval_seconds)
    points = [run.point("users", len(found.users))]
    logged_in = logged_in_users(root, proc)
    if logged_in is not None:
        points.append(run.point("logged_in_users", logged_in))
    rest = Usage()
    for user, usage in found.users.items():
        if user in standing.placed:
            points += _points(run, f"users.{user_segment(user)}", usage, elapsed_seconds)
        else:
            rest.include(usage)
    if rest.processes:
        points += _points(run, f"users.{OTHER}", rest, elapsed_seconds)
    for name, usage in found.patterns.items():
        points += _points(run, f"patterns.{name}", usage, elapsed_seconds)
    return Facts(points=tuple(points), state=HostState(found.sample, found.names, standing))


def _points(run: Run, prefix: str, usage: Usage, elapsed_seconds: float | None) -> Iterable[Point]:
    return [run.point(f"{prefix}.{name}", value) for name, value in usage.values(elapsed_seconds).items()]


def collect(run: Run) -> Facts:
    """One run on this machine."""
    return collect_from(Path("/"), os.cpu_count() or 1, run)


COLLECTOR = Collector(
    name="host",
    summary="What users and chosen processes take of the machine",
    collect=collect,
    metrics=METRICS,
    settings=HostSettings,
    state=HostState,
)
