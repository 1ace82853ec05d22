"""What one check of the doctor says."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Status(StrEnum):
    """How it stands: fine, worth a look, or broken."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was checked: `subject` is what was looked at, `do` the next step (empty where all is well)."""

    check: str
    subject: str
    status: Status
    detail: str
    do: str = ""


def ok(check: str, subject: str, detail: str) -> Finding:
    """It is as it should be."""
    return Finding(check, subject, Status.OK, detail)


def warning(check: str, subject: str, detail: str, do: str) -> Finding:
    """It works, and will not for long or not fully."""
    return Finding(check, subject, Status.WARNING, detail, do)


def failed(check: str, subject: str, detail: str, do: str) -> Finding:
    """It does not work."""
    return Finding(check, subject, Status.FAILED, detail, do)
