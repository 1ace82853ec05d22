"""The doctor: runs every check, gathers what they found, and tells it to a person."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from dkm.checks import CHECKS
from dkm.findings import Finding, Status, failed
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dkumonitor.installation import Installation

COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red"}


def examine(installation: Installation) -> list[Finding]:
    """Every check's findings, in the order in which a person would look; one that cannot look stops no other."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check(installation)
        except OSError as error:
            name = check.__name__.replace("_", " ")
            findings.append(failed(name, error.filename or name, f"cannot look: {error.strerror}", "Mend the cause"))
    return findings


def exit_code(findings: Sequence[Finding]) -> int:
    """1 where anything failed; a warning alone is no failure."""
    return int(any(finding.status is Status.FAILED for finding in findings))


def report(findings: Sequence[Finding]) -> str:
    """A line a finding, what to do below it where there is something to do, and the sum at the end."""
    check_width = max(len(finding.check) for finding in findings)
    subject_width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        status = _coloured(f"{finding.status.value:8}", finding.status)
        where = f"{finding.check:{check_width}}  {printable(finding.subject):{subject_width}}"
        lines.append(f"{status} {where}  {printable(finding.detail)}")
        if finding.do:
            lines.append(f"{'':9}do: {printable(finding.do)}")
    counts = ", ".join(
        _coloured(f"{count} {status.value}", status)
        for status in Status
        if (count := sum(finding.status is status for finding in findings))
    )
    return "\n".join([*lines, "", f"{len(findings)} checks: {counts}"])


def _coloured(text: str, status: Status) -> str:
    """Colour for a terminal (click.echo takes it out for a pipe), unless NO_COLOR asks for none."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=COLOURS[status])
