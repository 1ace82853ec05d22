"""Checks of the way that a metric takes: from its sender to carbon, and back through carbonapi."""

from __future__ import annotations

import math
import socket
import time
from typing import TYPE_CHECKING

from dkumonitor.carbonapi import Carbonapi
from dkumonitor.doctor.findings import Finding, failed, ok, warning
from dkumonitor.errors import ServiceError
from dkumonitor.supervision import Supervision
from dkumonitor.urls import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.installation import Installation

CONNECT_SECONDS = 3.0
RENDER_SECONDS = 5.0
PROBE_SECONDS = 10.0
PAUSE_SECONDS = 0.1
STALE_INTERVALS = 6


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
    carbonapi, started = Carbonapi(reader, RENDER_SECONDS), time.monotonic()
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
        time.sleep(PAUSE_SECONDS)
    do = f"read {installation.run}/go-carbon.log and carbonapi.log; is the quota used up (docs/operations.md)?"
    yield failed("round trip", "carbon to carbonapi", f"a test point was not there after {PROBE_SECONDS:.0f} s", do)


def freshness(installation: Installation) -> Iterator[Finding]:
    """The newest points of collectd and of the collectors are recent."""
    if installation.carbonapi_address is None or installation.carbon_address is None:
        return
    carbonapi = Carbonapi(installation.carbonapi_address, RENDER_SECONDS)
    for program, target in (
        ("collectd", f"collectd.{installation.host}.load.load.shortterm"),
        ("collectors", f"dkm.{installation.host}.carbon.sent_total"),  # at each interval, however seldom a run is due
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
