"""The doctor's checks: each looks at one thing, and says what to do where it is not well."""

from __future__ import annotations

import ctypes
import math
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dkm.findings import Finding, failed, ok, warning
from dkm.supervision import Supervision
from dkm.urls import listening
from dkumonitor.carbonapi import Carbonapi
from dkumonitor.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dkumonitor.installation import Installation

CONNECT_SECONDS = 3.0
PROBE_SECONDS = 10.0
CLOCK_DRIFT_SECONDS = 5
STALE_INTERVALS = 6
MIN_FREE_BYTES = 200 * 1024 * 1024
LOW_FREE_BYTES = 1024 * 1024 * 1024
LOW_FREE_SHARE = 0.05
ADJTIMEX_ERROR = 5  # TIME_ERROR of adjtimex(2): the kernel's clock is not synchronised


def programs(installation: Installation) -> Iterator[Finding]:
    """Every program is up and stays up."""
    dkm = installation.dir / "bin/dkm"
    try:
        states = Supervision(installation).programs()
    except ServiceError as error:
        yield failed("programs", "supervisord", error.what, f"{dkm} start")
        return
    for program in states:
        log = installation.run / f"{program.name}.log"
        if program.state == "RUNNING":
            yield ok("programs", program.name, f"running for {program.up_seconds} s, process {program.pid}")
        elif program.state in ("STARTING", "STOPPING"):
            yield warning("programs", program.name, program.state.lower(), "ask again in a few seconds")
        elif program.state == "STOPPED":
            yield failed("programs", program.name, "stopped", f"{dkm} start {program.name}")
        else:
            do = f"read {log}, mend the cause, then: {dkm} start {program.name}"
            yield failed("programs", program.name, f"{program.state}: {program.reason}", do)


def ports(installation: Installation) -> Iterator[Finding]:
    """Every port of this type answers."""
    for name, address in listening(installation).items():
        try:
            socket.create_connection(address, timeout=CONNECT_SECONDS).close()
        except OSError as error:
            do = f"see `dkm status` and {installation.run}/; is the port taken by another program? ss -ltnp"
            yield failed("ports", name, f"{address} does not answer: {error}", do)
        else:
            yield ok("ports", name, f"{address} answers")


def round_trip(installation: Installation) -> Iterator[Finding]:
    """A point written to carbon is read back through carbonapi."""
    carbon = listening(installation).get("carbon") or installation.carbon_address
    reader = installation.carbonapi_address
    if carbon is None:
        return
    at_seconds = int(time.time())
    name = f"dkm.{installation.host}.doctor.probe_seconds"
    try:
        with socket.create_connection(carbon, timeout=CONNECT_SECONDS) as connection:
            connection.sendall(f"{name} {at_seconds} {at_seconds}\n".encode())
    except OSError as error:
        do = "is go-carbon up there (`dkm status`), and is the way free (firewall, --carbon-listen)?"
        yield failed("round trip", "carbon", f"{carbon} took no point: {error}", do)
        return
    if reader is None:
        yield ok("round trip", "carbon", f"{carbon} took a point; no carbonapi is known here to read it back")
        return
    carbonapi, started = Carbonapi(reader), time.monotonic()
    while time.monotonic() - started < PROBE_SECONDS:
        try:
            series = carbonapi.render(name)
        except ServiceError as error:
            yield failed("round trip", "carbonapi", error.what, error.do)
            return
        if any((newest := found.newest()) and newest[0] >= at_seconds for found in series):
            took_seconds = time.monotonic() - started
            yield ok("round trip", "carbon to carbonapi", f"a test point came back after {took_seconds:.1f} s")
            return
        time.sleep(0.1)
    do = f"read {installation.run}/go-carbon.log and carbonapi.log; is the quota used up (docs/operations.md)?"
    yield failed("round trip", "carbon to carbonapi", f"a test point was not there after {PROBE_SECONDS:.0f} s", do)


def freshness(installation: Installation) -> Iterator[Finding]:
    """The newest points of collectd and of the collectors are recent."""
    if installation.carbonapi_address is None or installation.carbon_address is None:
        return
    carbonapi = Carbonapi(installation.carbonapi_address)
    for program, target in (
        ("collectd", f"collectd.{installation.host}.load.load.shortterm"),
        ("collectors", f"dkm.{installation.host}.*.run.last_success_seconds"),
    ):
        if program not in installation.programs:
            continue
        try:
            series = carbonapi.render(target, from_="-1h")
        except ServiceError as error:
            yield failed("freshness", program, error.what, error.do)
            continue
        yield _freshness_of(installation, program, [found.newest() for found in series])


def _freshness_of(installation: Installation, program: str, newest: list[tuple[float, int] | None]) -> Finding:
    now_seconds = time.time()
    ages = [now_seconds - at_seconds for _value, at_seconds in filter(None, newest)]
    limit_seconds = STALE_INTERVALS * installation.interval_seconds
    log = f"read {installation.run}/{program}.log"
    if ages and max(ages) <= limit_seconds:
        return ok("freshness", program, f"the newest point is {max(ages):.0f} s old")
    if _up_seconds(installation, program) < limit_seconds:
        wait_seconds = 2 * installation.interval_seconds
        return warning("freshness", program, "it has just started", f"ask again in {wait_seconds} s; {log}")
    if ages:
        return warning("freshness", program, f"the newest point is {max(ages):.0f} s old", log)
    return failed("freshness", program, "no point within the last hour", log)


def _up_seconds(installation: Installation, program: str) -> float:
    try:
        return max(found.up_seconds for found in Supervision(installation).programs() if found.name == program)
    except (ServiceError, ValueError):  # not there at all: the check of the programs says so
        return math.inf


def room(installation: Installation) -> Iterator[Finding]:
    """The file system of storage/ has bytes and inodes left."""
    usage = os.statvfs(installation.storage)
    free_bytes, size_bytes = usage.f_bavail * usage.f_frsize, usage.f_blocks * usage.f_frsize
    detail = f"{free_bytes / 1e9:.1f} GB of {size_bytes / 1e9:.1f} GB are free"
    do = f"free some room on the file system of {installation.storage}, or move DIR/storage to a larger one"
    if free_bytes < MIN_FREE_BYTES:
        yield failed("room", "storage", detail, do)
    elif free_bytes < LOW_FREE_BYTES or free_bytes < LOW_FREE_SHARE * size_bytes:
        yield warning("room", "storage", detail, do)
    else:
        yield ok("room", "storage", detail)
    if usage.f_files and usage.f_favail < LOW_FREE_SHARE * usage.f_files:
        yield warning("room", "inodes", f"{usage.f_favail} of {usage.f_files} inodes are free", do)


def clock(installation: Installation) -> Iterator[Finding]:
    """The machine's clock is kept by something, and agrees with the server's where there is one to ask."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(512))  # struct timex with modes 0: it reads, and changes nothing
    do = "switch on chrony, systemd-timesyncd or ntpd: points with a wrong time land in the wrong place"
    if state == ADJTIMEX_ERROR:
        yield warning("clock", "kernel", "the kernel says that no time service keeps this clock", do)
    else:
        yield ok("clock", "kernel", "kept by a time service")
    newest_seconds = max(path.stat().st_mtime for path in (installation.run, installation.storage, installation.conf))
    if newest_seconds > time.time() + CLOCK_DRIFT_SECONDS:
        ahead_seconds = newest_seconds - time.time()
        yield warning("clock", "files", f"files here are {ahead_seconds:.0f} s ahead of the clock: it went back", do)


def versions(installation: Installation) -> Iterator[Finding]:
    """What runs is the release that DIR/lib points to."""
    release = (installation.dir / "lib").resolve()
    shipped = (release / "VERSION").read_text().strip()
    if shipped == installation.version:
        yield ok("versions", "release", f"{shipped} ({release.name})")
    else:
        detail = f"conf/ was written by {installation.version}, DIR/lib is {shipped}"
        yield failed("versions", "release", detail, "run the release's installer once more: installer -d DIR --update")
    try:
        states = Supervision(installation).programs()
    except ServiceError:
        return  # told by the check of the programs
    for program in states:
        executable = _executable(program.pid) if program.pid else None
        if executable and installation.dir / "releases" in executable.parents and release not in executable.parents:
            detail = f"still runs {executable}"
            yield warning("versions", program.name, detail, f"{installation.dir}/bin/dkm restart {program.name}")


def _executable(pid: int) -> Path | None:
    try:
        return Path(str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)"))
    except OSError:
        return None


def secrets(installation: Installation) -> Iterator[Finding]:
    """No one else can read a secret."""
    names = ("grafana_admin_password", "grafana_secret_key") if installation.grafana else ()
    for name in names:  # by name: with --user the folder is root's, and lets its account pass but not look around
        path = installation.conf / "secrets" / name
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            yield failed("secrets", name, f"mode {mode:04o}: others can read it", f"chmod 600 {path}")
        else:
            yield ok("secrets", name, "readable by its owner alone")


CHECKS: tuple[Callable[[Installation], Iterator[Finding]], ...] = (
    programs,
    ports,
    round_trip,
    freshness,
    room,
    clock,
    versions,
    secrets,
)
