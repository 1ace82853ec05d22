"""What the doctor found, told to a person at a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from dkumonitor.doctor.findings import Finding, Status
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red"}


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
