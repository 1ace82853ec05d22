"""The doctor: runs every check, all at once, and gathers what they found within a bounded time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from dkumonitor.doctor.certificate import certificate
from dkumonitor.doctor.collectors import collectors
from dkumonitor.doctor.findings import Finding, Status, failed
from dkumonitor.doctor.machine import clock, room
from dkumonitor.doctor.metrics import freshness, round_trip
from dkumonitor.doctor.programs import console, ports, programs, versions
from dkumonitor.doctor.secrets import secrets
from dkumonitor.errors import DkmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dkumonitor.installation import Installation

    Check = Callable[[Installation], Iterator[Finding]]

EXAMINE_SECONDS = 20.0
CHECKS: tuple[Check, ...] = (
    programs,
    ports,
    console,
    round_trip,
    freshness,
    collectors,
    room,
    clock,
    versions,
    certificate,
    secrets,
)


def examine(
    installation: Installation, further: Sequence[Check] = (), limit_seconds: float = EXAMINE_SECONDS
) -> list[Finding]:
    """Every check's findings, in the order in which a person would look; one that cannot look stops no other.

    Args:
        installation: what is looked at.
        further: checks beside :data:`CHECKS`, of who knows more than the core does.
        limit_seconds: a check that takes longer, because a disk does not answer, say, has failed.
    """
    looks = [_Look(check, installation) for check in (*CHECKS, *further)]
    for look in looks:
        look.start()
    deadline = time.monotonic() + limit_seconds
    for look in looks:
        look.join(max(0.0, deadline - time.monotonic()))
    return [finding for look in looks for finding in look.outcome()]


def exit_code(findings: Sequence[Finding]) -> int:
    """1 where anything failed; a warning alone is no failure."""
    return int(any(finding.status is Status.FAILED for finding in findings))


class _Look(threading.Thread):
    """One check under way. A daemon: where a disk hangs, it keeps no process from ending."""

    def __init__(self, check: Check, installation: Installation) -> None:
        super().__init__(name=f"doctor: {check.__name__}", daemon=True)
        self._check = check
        self._installation = installation
        self._found: list[Finding] = []
        self._subject = check.__name__.replace("_", " ")

    def run(self) -> None:
        """Look."""
        found: list[Finding] = []
        try:
            found += self._check(self._installation)
        except OSError as error:
            subject = str(error.filename or self._subject)
            found.append(failed(self._subject, subject, f"cannot look: {error.strerror or error}", "Mend the cause"))
        except DkmError as error:
            found.append(failed(self._subject, self._subject, error.what, error.do))
        except Exception as error:  # noqa: BLE001  the boundary of a check: whatever it is, the reader hears of it
            detail = f"the check itself has a fault: {type(error).__name__}: {error}"
            found.append(failed(self._subject, self._subject, detail, "report it with this line"))
        self._found = found

    def outcome(self) -> list[Finding]:
        """What it found, or that it did not end."""
        if self.is_alive():
            detail, do = "did not end in time", "is a disk or a server not answering? See `dmesg` and `dkm status`"
            return [failed(self._subject, self._subject, detail, do)]
        return self._found
