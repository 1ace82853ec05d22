"""A day of three machines: what collectd, the host collector and the programs themselves would have sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.history.curves import Curve, growing, nightly, office, scaled, steady, whole, without
from tests.history.series import DAY_MINUTES, Day, Values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GIB = float(1 << 30)
FILLING = "srv-scratch"
FILLING_FROM_PERCENT = 71.0
FILLING_TO_PERCENT = 93.5


@dataclass(frozen=True)
class Machine:
    """A host: its processors, memory and disks, and the minutes (first, count) in which it sent nothing."""

    host: str
    cores: int
    memory_bytes: float
    file_systems: tuple[tuple[str, float, float], ...]  # name, size, share used
    gap: tuple[int, int] = (0, 0)


def machines(host: str) -> tuple[Machine, Machine, Machine]:
    """The three; the first is called `host`."""
    return (
        Machine(
            host,
            32,
            256 * GIB,
            (("root", 100 * GIB, 0.41), ("home", 4000 * GIB, 0.66), (FILLING, 8000 * GIB, FILLING_FROM_PERCENT / 100)),
        ),
        Machine("borea", 16, 128 * GIB, (("root", 60 * GIB, 0.78), ("data", 2000 * GIB, 0.35)), gap=(200, 25)),
        Machine("cirrus_example_org", 8, 64 * GIB, (("root", 60 * GIB, 0.12),), gap=(DAY_MINUTES - 95, 3)),
    )


def days(machine: Machine, end: int) -> Iterator[Day]:
    """Every metric of a machine but those of its users."""
    work = office(machine.host, end)
    for name, values, restless in (
        *_processors(machine, work, end),
        *_memory(machine, work),
        *_file_systems(machine),
        *_disks(machine, work, end),
        *_network(machine, work, end),
        *_processes(machine, work),
    ):
        yield Day(f"collectd.{machine.host}.{name}", without(values, *machine.gap), restless)
    for name, values in _runs(end).items():
        counts = name.endswith(("_total", "last_success_seconds"))
        yield Day(f"dkm.{machine.host}.{name}", without(values, *machine.gap), 0.0, grows=counts)


Named = tuple[str, Values, float]


def _processors(machine: Machine, work: Curve, end: int) -> Iterator[Named]:
    night = nightly(machine.host, end)
    states: Mapping[str, Values] = {
        "user": [52 * by_day + 30 * by_night for by_day, by_night in zip(work, night, strict=True)],
        "system": scaled(work, 1.5, 7),
        "nice": scaled(night, 0.0, 4),
        "wait": scaled(night, 0.3, 5),
        "interrupt": scaled(work, 0.05, 0.2),
        "softirq": scaled(work, 0.1, 0.5),
        "steal": [0.0] * DAY_MINUTES,
    }
    busy = [sum(value or 0.0 for value in minute) for minute in zip(*states.values(), strict=True)]
    for state, values in {**states, "idle": [max(0.0, 100 - value) for value in busy]}.items():
        yield f"cpu.percent.{state}", values, 0.08
    yield "cpu.count", [float(machine.cores)] * DAY_MINUTES, 0.0
    runnable = [machine.cores * value / 85 for value in busy]
    for name, minutes in (("shortterm", 1), ("midterm", 5), ("longterm", 15)):
        yield f"load.load.{name}", _smooth(runnable, minutes), 0.05
    yield "uptime.uptime", [4_000_000.0 + 60 * minute for minute in range(DAY_MINUTES)], 0.0
    yield "contextswitch.contextswitch", scaled(work, 3000, 80_000), 0.1


def _smooth(values: Curve, minutes: int) -> Values:
    mean, smoothed = values[0], []
    for value in values:
        mean += (value - mean) / minutes
        smoothed.append(mean)
    return list(smoothed)


def _memory(machine: Machine, work: Curve) -> Iterator[Named]:
    shares: dict[str, list[float]] = {
        "used": [0.22 + 0.45 * share for share in work],
        "buffered": [0.01] * DAY_MINUTES,
        "slab_recl": [0.02 + 0.01 * share for share in work],
        "slab_unrecl": [0.005] * DAY_MINUTES,
        "cached": [0.30 - 0.15 * share for share in work],
    }
    shares["free"] = [1 - sum(minute) for minute in zip(*shares.values(), strict=True)]
    for name, values in shares.items():
        yield f"memory.memory.{name}", [round(machine.memory_bytes * share) for share in values], 0.0
        yield f"memory.percent.{name}", [100 * share for share in values], 0.0
    swap = 8 * GIB
    used = [0.02 * swap + 0.2 * swap * max(0.0, share - 0.6) for share in work]
    yield "swap.swap.used", list(used), 0.0
    yield "swap.swap.free", [swap - value for value in used], 0.0
    yield "swap.swap.cached", [0.0] * DAY_MINUTES, 0.0
    for way in ("in", "out"):
        yield f"swap.swap_io.{way}", [4e6 * max(0.0, share - 0.7) for share in work], 0.2


def _file_systems(machine: Machine) -> Iterator[Named]:
    for name, size, share in machine.file_systems:
        last = FILLING_TO_PERCENT / 100 if name == FILLING else share + 0.002
        used = [share + (last - share) * (minute + 1) / DAY_MINUTES for minute in range(DAY_MINUTES)]
        parts = {"used": used, "free": [1 - value for value in used], "reserved": [0.0] * DAY_MINUTES}
        for part, values in parts.items():
            yield f"df.{name}.df_complex.{part}", [round(size * value) for value in values], 0.0
            yield f"df.{name}.percent_bytes.{part}", [100 * value for value in values], 0.0
            yield f"df.{name}.percent_inodes.{part}", [60 * value + 5 for value in values], 0.0


def _disks(machine: Machine, work: Curve, end: int) -> Iterator[Named]:
    for disk, curve in (("nvme0n1", work), ("sda", nightly(f"{machine.host} sda", end))):
        for way, share in (("read", 1.0), ("write", 0.6)):
            yield f"disk.{disk}.disk_octets.{way}", scaled(curve, 2e4, 3e8 * share), 0.3
            yield f"disk.{disk}.disk_ops.{way}", scaled(curve, 2, 2500 * share), 0.3
            yield f"disk.{disk}.disk_time.{way}", scaled(curve, 0.2, 9 * share), 0.2
        yield f"disk.{disk}.disk_io_time.io_time", scaled(curve, 4, 700), 0.2
        yield f"disk.{disk}.disk_io_time.weighted_io_time", scaled(curve, 5, 4000), 0.3


def _network(machine: Machine, work: Curve, end: int) -> Iterator[Named]:
    for interface, curve in (("eno1", work), ("ib0", steady(f"{machine.host} ib0", end))):
        for way in ("rx", "tx"):
            yield f"interface.{interface}.if_octets.{way}", scaled(curve, 8e4, 1.1e8), 0.3
            yield f"interface.{interface}.if_packets.{way}", scaled(curve, 200, 90_000), 0.3
            yield f"interface.{interface}.if_errors.{way}", [0.0] * DAY_MINUTES, 0.0
            yield f"interface.{interface}.if_dropped.{way}", [0.4 if share > 0.85 else 0.0 for share in curve], 0.0


def _processes(machine: Machine, work: Curve) -> Iterator[Named]:
    for state, base, height in (("running", 1, 30), ("sleeping", 400, 900), ("blocked", 0, 6), ("zombies", 1, 2)):
        yield f"processes.ps_state.{state}", whole(work, base, height), 0.0
    yield "processes.fork_rate", scaled(work, 3, 120), 0.3
    yield "users.users", whole(work, 2, machine.cores * 2), 0.0


def _runs(end: int) -> dict[str, Values]:
    """What the collectors say of themselves; one run in five hundred failed."""
    start = end - DAY_MINUTES * 60
    values: dict[str, Values] = {
        "carbon.sent_total": growing(0, [15_000.0] * DAY_MINUTES),
        "carbon.spool_bytes": [0.0] * DAY_MINUTES,
        "carbon.dropped_total": [0.0] * DAY_MINUTES,
        "carbon.failures_total": [float(minute > 700) for minute in range(DAY_MINUTES)],
        "carbon.reconnects_total": [1.0 + (minute > 700) for minute in range(DAY_MINUTES)],
    }
    for collector, seconds in (("host", 0.08), ("store", 0.4)):
        values[f"{collector}.run.duration_seconds"] = scaled(steady(collector, end), seconds, seconds)
        values[f"{collector}.run.success"] = [float(minute % 500 != 250) for minute in range(DAY_MINUTES)]
        values[f"{collector}.run.skipped_total"] = [0.0] * DAY_MINUTES
        values[f"{collector}.run.last_success_seconds"] = [float(start + 60 * m) for m in range(DAY_MINUTES)]
    return values


def service_days(host: str, end: int) -> Iterator[Day]:
    """What go-carbon and carbonapi of the installation on `host` say of themselves, once a minute."""
    flat = steady("service", end)
    agents: dict[str, Values] = {
        "tcp.metricsReceived": whole(flat, 28_000, 2000),
        "tcp.errors": [0.0] * DAY_MINUTES,
        "tcp.active": whole(flat, 4, 3),
        "persister.committedPoints": whole(flat, 28_000, 2000),
        "persister.created": [float(40 * (minute % 360 == 5)) for minute in range(DAY_MINUTES)],
        "cache.size": whole(flat, 300, 800),
        "cache.overflow": [0.0] * DAY_MINUTES,
        "carbonserver.throttle.root": [0.0] * DAY_MINUTES,
        "carbonserver.metrics_known": [4000.0 + minute // 360 * 40 for minute in range(DAY_MINUTES)],
        "carbonserver.alloc": scaled(flat, 2e7, 3e7),
    }
    api: dict[str, Values] = {
        "requests": growing(0, [60 * share for share in flat]),
        "render_requests": growing(0, [40 * share for share in flat]),
        "requests_in_1000ms_to_1100ms": growing(0, [float(share > 0.97) for share in flat]),
        **{f"zipper.{name}": [0.0] * DAY_MINUTES for name in ("find_errors", "render_errors", "timeouts")},
        "runtime.mem_stats.alloc_bytes": scaled(flat, 1.2e7, 1e7),
    }
    for name, values in agents.items():
        yield Day(f"carbon.agents.{host}.{name}", values, own=True)
    for name, values in api.items():
        yield Day(f"carbon.api.{host}.{name}", values, own=True, grows="requests" in name)
