"""The client library that DSS reports with (tests/dss, Java), driven from a test: one report for each call."""

from __future__ import annotations

import contextlib
import fcntl
import math
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parent / "dss"
ONE_EACH = "4.2.30"  # opens a connection for each report, and closes it
HELD_OPEN = "3.1.2"  # opens one at the first report, and keeps it
MINUTE = 60  # the first archive of what is neither collectd's nor ours


@dataclass(frozen=True)
class Report:
    """What the library sent (value as it wrote it, UTC seconds; by name), and what failed."""

    sent: dict[str, tuple[str, int]]
    failures: list[str]

    @property
    def numbers(self) -> dict[str, float]:
        """What carbon can keep of it: go-carbon refuses NaN."""
        return {name: float(value) for name, (value, _) in self.sent.items() if not math.isnan(float(value))}

    @property
    def refused(self) -> int:
        """How many lines go-carbon refuses."""
        return len(self.sent) - len(self.numbers)

    @property
    def at(self) -> int:
        """The time (UTC seconds) that it gives all its lines."""
        (at,) = {at for _, at in self.sent.values()}
        return at

    @property
    def slot(self) -> int:
        """The start of the minute that keeps it."""
        return self.at - self.at % MINUTE


def build(version: str) -> str:
    """Compile the client against this version of the library, once; the class path."""
    target = PROJECT / "target" / version
    target.parent.mkdir(exist_ok=True)
    with (target.parent / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = subprocess.run(
            ["mvn", "-B", "-q", f"-Dmetrics.version={version}", "process-classes"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert outcome.returncode == 0, f"mvn failed\n{outcome.stdout}\n{outcome.stderr}"
    return f"{target}/classes:{target}/dependency/*"


@dataclass(frozen=True)
class DssClient:
    """A running client."""

    process: subprocess.Popen[str]

    def report(self, number: int) -> Report:
        """Let it report now; `number` decides its values."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        sent: dict[str, tuple[str, int]] = {}
        failures: list[str] = []
        for line in self.process.stdout:
            kind, *fields = line.rstrip("\n").split("\t")
            if kind == "end":
                return Report(sent, failures)
            if kind == "sent":
                sent[fields[0]] = (fields[1], int(fields[2]))
            else:
                failures.append(fields[0])
        raise AssertionError(f"the client ended with {self.process.wait()}")


@contextlib.contextmanager
def dss_client(version: str, carbon: tuple[str, int], prefix: str) -> Iterator[DssClient]:
    """A client of this version of the library that reports to `carbon` under `prefix`; ended afterwards."""
    command = ["java", "-Xmx64m", "-cp", build(version), "dkumonitor.DssClient", carbon[0], str(carbon[1]), prefix]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield DssClient(process)
        finally:
            process.terminate()
