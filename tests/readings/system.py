"""The dashboard System, from /proc and statvfs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import machine
from tests.machine import CPU_STATES
from tests.sampling import Change, Level, Restless

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.machine import Values
    from tests.readings.observation import Observation
    from tests.sampling import Reading

BUSY = ("user", "nice", "system", "interrupt", "softirq", "steal")
INTERVAL_SECONDS = 10
TICK_SECONDS = 0.01
# A share of time is made of whole ticks: one may be missed at either end, on each processor.
TICKS_PERCENT = 100 * 2 * TICK_SECONDS / INTERVAL_SECONDS
DISK_TIME_QUANTUM = 1 / INTERVAL_SECONDS  # collectd rounds the mean time, multiplied by its interval, to whole ms


def share(seen: Observation, states: Sequence[str]) -> Reading:
    def percent(later: Values, earlier: Values, _: float) -> float:
        change = {state: later[f"cpu.{state}"] - earlier[f"cpu.{state}"] for state in CPU_STATES}
        return 100 * sum(change[state] for state in states) / sum(change.values())

    return Change(seen.machine, percent, TICKS_PERCENT)


def level(seen: Observation, name: str) -> Reading:
    return Level(seen.machine, lambda values: values[name])


def restless(seen: Observation, name: str) -> Reading:
    return Restless(seen.machine, lambda values: values[name])


def ratio(seen: Observation, part: str, whole: str) -> Reading:
    return Level(seen.machine, lambda values: 100 * values[part] / values[whole])


def rate(seen: Observation, name: str, factor: float = 1.0, quantum: float = 1e-6) -> Reading:
    return Change(
        seen.machine, lambda later, earlier, seconds: factor * (later[name] - earlier[name]) / seconds, quantum
    )


def operation_time(seen: Observation, disk: str, way: str) -> Reading:
    def mean_ms(later: Values, earlier: Values, _: float) -> float:
        count = later[f"disk.{disk}.ops.{way}"] - earlier[f"disk.{disk}.ops.{way}"]
        return (later[f"disk.{disk}.ms.{way}"] - earlier[f"disk.{disk}.ms.{way}"]) / count if count else 0.0

    return Change(seen.machine, mean_ms, DISK_TIME_QUANTUM)


def of_host(name: str) -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {seen.host: level(seen, name)}


def of_file_systems(part: str, whole: str = "") -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {
        f"{seen.host}.{name}": ratio(seen, f"df.{name}.{part}", f"df.{name}.{whole}")
        if whole
        else level(seen, f"df.{name}.{part}")
        for name in machine.names(seen.machine[0].seen, "df")
    }


def of_disks(kind: str) -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {
        f"{seen.host}.{name}.{way}": rate(seen, f"disk.{name}.{kind}.{way}")
        for name in machine.names(seen.machine[0].seen, "disk")
        for way in ("read", "write")
    }


def of_disk_time(kind: str, factor: float) -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {
        f"{seen.host}.{name}": rate(seen, f"disk.{name}.{kind}", factor)
        for name in machine.names(seen.machine[0].seen, "disk")
    }


def of_interfaces(kind: str, label: str = "") -> Callable[[Observation], dict[str, Reading]]:
    return lambda seen: {
        ".".join(filter(None, (seen.host, name, label, way))): rate(seen, f"if.{name}.{kind}.{way}")
        for name in machine.names(seen.machine[0].seen, "if")
        for way in ("rx", "tx")
    }


def operation_times(seen: Observation) -> dict[str, Reading]:
    return {
        f"{seen.host}.{name}.{way}": operation_time(seen, name, way)
        for name in machine.names(seen.machine[0].seen, "disk")
        for way in ("read", "write")
    }


def errors_and_drops(seen: Observation) -> dict[str, Reading]:
    return of_interfaces("errors", "if_errors")(seen) | of_interfaces("dropped", "if_dropped")(seen)


def load(seen: Observation) -> dict[str, Reading]:
    terms = {f"{seen.host}.{term}": level(seen, f"load.{term}") for term in ("shortterm", "midterm", "longterm")}
    return {**terms, f"{seen.host}.cpu.count": level(seen, "cpus")}


def memory(seen: Observation) -> dict[str, Reading]:
    kinds = ("used", "free", "buffered", "cached", "slab_recl", "slab_unrecl")
    return {kind: level(seen, f"memory.{kind}") for kind in kinds}


PANELS: dict[str, Callable[[Observation], dict[str, Reading]]] = {
    "Processors busy": lambda seen: {seen.host: share(seen, BUSY)},
    "Memory used": lambda seen: {seen.host: ratio(seen, "memory.used", "memory.total")},
    "File systems used": of_file_systems("used", "size"),
    "Up since": lambda seen: {seen.host: Level(seen.machine, lambda values: values["uptime"], quantum=1)},
    "Processor time by state": lambda seen: {state: share(seen, (state,)) for state in (*BUSY, "wait")},
    "Processors busy by host": lambda seen: {seen.host: share(seen, BUSY)},
    "Load and processors": load,
    "Memory by use": memory,
    "Swap used": of_host("swap.used"),
    "Swapping": lambda seen: {f"{seen.host}.{way}": rate(seen, f"swap.{way}") for way in ("in", "out")},
    "Used": of_file_systems("used"),
    "Free": of_file_systems("free"),
    "Inodes used": of_file_systems("inodes_used", "inodes"),
    "Bytes read and written": of_disks("octets"),
    "Operations": of_disks("ops"),
    "Time of one operation": operation_times,
    "Disk busy": of_disk_time("busy_ms", 0.1),
    "Operations waiting": of_disk_time("waiting_ms", 0.001),
    "Received and sent": of_interfaces("octets"),
    "Packets": of_interfaces("packets"),
    "Errors and drops": errors_and_drops,
    "Blocked processes and zombies": lambda seen: {
        f"{seen.host}.{state}": restless(seen, f"ps.{state}") for state in ("blocked", "zombies")
    },
    "New processes": lambda seen: {seen.host: rate(seen, "forks")},
    "Logged-in sessions": of_host("sessions"),
}
