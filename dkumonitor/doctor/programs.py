"""Checks of the programs and of what they listen on."""

from __future__ import annotations

import http.client
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from dkumonitor.doctor.findings import Finding, failed, ok, warning
from dkumonitor.errors import ServiceError
from dkumonitor.supervision import Supervision
from dkumonitor.urls import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.address import Address
    from dkumonitor.installation import Installation

CONNECT_SECONDS = 3.0
HEALTHY = 200


def programs(installation: Installation) -> Iterator[Finding]:
    """Every program is up and stays up."""
    dkm = installation.dir / "bin/dkm"
    try:
        states = Supervision(installation).programs()
    except ServiceError as error:
        yield failed("programs", "supervisord", error.what, f"{dkm} start")
        return
    for program in states:
        if program.state == "RUNNING":
            yield ok("programs", program.name, f"running for {program.up_seconds} s, process {program.pid}")
        elif program.state in ("STARTING", "STOPPING"):
            yield warning("programs", program.name, program.state.lower(), "ask again in a few seconds")
        elif program.state == "STOPPED":
            yield failed("programs", program.name, "stopped", f"{dkm} start {program.name}")
        else:
            do = f"read {program.log_file}, mend the cause, then: {dkm} start {program.name}"
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


def console(installation: Installation) -> Iterator[Finding]:
    """The console answers, with the certificate of this installation where TLS is on."""
    address = listening(installation).get("console")
    if address is None:
        return
    scheme = "https" if installation.tls else "http"
    subject = f"{scheme}://{address}/health"
    do = f"read {installation.run}/console.log, then: {installation.dir}/bin/dkm restart console"
    try:
        status = _health(installation, address)
    except (OSError, http.client.HTTPException) as error:  # ssl's errors are OSErrors
        yield failed("console", subject, f"does not answer: {error}", do)
        return
    if status == HEALTHY:
        yield ok("console", subject, "answers")
    else:
        yield failed("console", subject, f"answers {status}", do)


def _health(installation: Installation, address: Address) -> int:
    """The status of GET /health."""
    if installation.tls:
        context = ssl.create_default_context(cafile=installation.certificate)  # what it shows must be this very file
        context.check_hostname = False  # asked by its number, known by its name
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            address.host, address.port, timeout=CONNECT_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=CONNECT_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    finally:
        connection.close()


def versions(installation: Installation) -> Iterator[Finding]:
    """What runs is the release that DIR/lib points to."""
    release = installation.lib.resolve()
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
