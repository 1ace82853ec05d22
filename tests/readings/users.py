"""The dashboard Users and processes, from psutil."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.readings.system import INTERVAL_SECONDS, TICK_SECONDS
from tests.sampling import AtLeast, Change, Level, Passing, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.machine import Process, Processes
    from tests.readings.observation import Observation
    from tests.sampling import Reading

# What stands in the command lines of the processes that the patterns of the settings are for.
PROGRAMS = {
    "dss_backend": "com.dataiku.dip.DSSBackendMain",
    "dss_fek": "DSSFutureKernelMain",
    "dss_jek": "DSSJobKernelMain",
    "jupyter_kernel": "ipykernel_launcher",
}
TICKS_PERCENT = 100 * 2 * TICK_SECONDS / INTERVAL_SECONDS
Chosen = "Callable[[Process], bool]"


def total(seen: Observation, chosen: Callable[[Process], bool], value: Callable[[Process], float | None]) -> Reading:
    return Level(seen.processes, lambda found: sum(value(one) or 0.0 for one in found.values() if chosen(one)))


def rate(
    seen: Observation, chosen: Callable[[Process], bool], value: Callable[[Process], float | None], factor: float
) -> Reading:
    """Of processes that are there at the later look; one that was not there at the earlier began in between."""

    def change(later: Processes, earlier: Processes, seconds: float) -> float:
        used = 0.0
        for key, process in later.items():
            if chosen(process):
                before = earlier.get(key)
                used += (value(process) or 0.0) - ((value(before) or 0.0) if before else 0.0)
        return factor * used / seconds

    return Change(seen.processes, change, TICKS_PERCENT if factor > 1 else 1e-6)


MEASURES: dict[str, Callable[[Observation, Callable[[Process], bool]], Reading]] = {
    "Processor time": lambda seen, chosen: rate(seen, chosen, lambda one: one.cpu_seconds, 100),
    "Memory": lambda seen, chosen: total(seen, chosen, lambda one: one.resident_bytes),
    "Processes": lambda seen, chosen: total(seen, chosen, lambda _: 1),
    "Threads": lambda seen, chosen: total(seen, chosen, lambda one: one.threads),
    "Open files": lambda seen, chosen: total(seen, chosen, lambda one: one.open_files),
    "Read": lambda seen, chosen: rate(seen, chosen, lambda one: one.read_bytes, 1),
    "Written": lambda seen, chosen: rate(seen, chosen, lambda one: one.written_bytes, 1),
    "Hidden": lambda seen, chosen: total(seen, chosen, lambda one: one.hides),
}


def by_account(seen: Observation, title: str, user: str) -> Reading:
    """What is shown of one account.

    Processes that begin and end between two samples are in what is shown and not in any sample; the collector's own run
    is one of them. An account that has such is held against its processes that were there all the time: it shows at
    least theirs. The busy processes run under an account that has no others, which is compared closely from both sides.
    """
    mine = [{key for key, one in sample.seen.items() if one.user == user} for sample in seen.processes]
    lasting = set.intersection(*mine)
    if set.union(*mine) == lasting and user != seen.service_user:
        return MEASURES[title](seen, lambda one: one.user == user)
    kept = [
        Sample(sample.at, {key: one for key, one in sample.seen.items() if key in lasting}) for sample in seen.processes
    ]
    return AtLeast(MEASURES[title](dataclasses.replace(seen, processes=kept), lambda _: True))


def by_user(title: str) -> Callable[[Observation], dict[str, Reading]]:
    def readings(seen: Observation) -> dict[str, Reading]:
        found = {}
        everywhere = [{process.user for process in sample.seen.values()} for sample in seen.processes]
        for user in set.union(*everywhere):
            mine = [one for sample in seen.processes for one in sample.seen.values() if one.user == user]
            if title in {"Open files", "Read", "Written"} and all(one.hides for one in mine):
                continue  # nothing is known, so nothing is said
            reading = by_account(seen, title, user)
            stays = all(user in users for users in everywhere)
            found[f"{seen.host}.{user}"] = reading if stays else Passing(reading)
        return found

    return readings


def by_program(title: str) -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {
        f"{seen.host}.{name}": MEASURES[title](seen, lambda one, word=word: word in one.command_line)  # type: ignore[misc]
        for name, word in PROGRAMS.items()
    }


def logged_in(seen: Observation) -> dict[str, Reading]:
    if not (Path("/run/utmp").exists() or Path("/run/systemd/sessions").exists()):
        return {}  # this machine keeps no record
    return {seen.host: Level(seen.processes, lambda _: len({session.name for session in psutil.users()}))}


PANELS: dict[str, Callable[[Observation], dict[str, Reading]]] = {
    "Accounts with a process": lambda seen: {
        seen.host: Level(seen.processes, lambda found: len({one.user for one in found.values()}))
    },
    "Logged-in users": logged_in,
    "Hidden processes": by_user("Hidden"),
    **{f"{title} by user": by_user(title) for title in MEASURES if title != "Hidden"},
    **{f"{title} by program": by_program(title) for title in MEASURES},
}
