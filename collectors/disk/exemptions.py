"""Exemptions: whose files, and which paths, are left alone, until when."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

import msgspec
import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.errors import TaskError
from collectors.disk.patterns import below
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from collectors.disk.plan_file import Entry

PATTERN_MAX_BYTES = 1024


class Exemption(msgspec.Struct, frozen=True):
    """One exemption.

    Attributes:
        id: its number.
        task: the task that it is for; empty for all of them.
        kind: what the pattern is of.
        pattern: a uid in digits, or a path: absolute, or relative to the tree; ``*``, ``?`` and ``[...]`` match as the
            shell's do, and ``*`` matches ``/`` too. A path stands for all below it.
        until_seconds: when it ends; None for never.
        reason: why, for whoever reads it.
        created_seconds: when it was made.
    """

    id: int
    task: str
    kind: Literal["user", "path"]
    pattern: bytes
    until_seconds: Moment | None
    reason: str
    created_seconds: Moment


def add(
    connection: Connection,
    kind: Literal["user", "path"],
    pattern: bytes,
    *,
    task: str = "",
    until_seconds: int | None = None,
    reason: str = "",
    now_seconds: float,
) -> int:
    """Keep an exemption; its number.

    Raises:
        TaskError: the pattern is impossible, or the exemption has ended already.
    """
    if not 0 < len(pattern) <= PATTERN_MAX_BYTES or b"\0" in pattern:
        raise TaskError("a pattern has 1 to 1024 bytes and no NUL", "Write a shorter one, with * for the rest")
    if kind == "user" and not pattern.isdigit():
        raise TaskError(f"{os.fsdecode(pattern)!r} is no uid", "Give the number, or a login that this machine knows")
    if until_seconds is not None and until_seconds <= now_seconds:
        raise TaskError("that exemption has ended already", "Give a date to come")
    if len(reason) > tables.TEXT_MAX // 2:
        raise TaskError(f"the reason has {len(reason)} characters", f"Write at most {tables.TEXT_MAX // 2}")
    values = {
        "task": task,
        "kind": kind,
        "pattern": pattern,
        "until_seconds": until_seconds,
        "reason": reason,
        "created_seconds": int(now_seconds),
    }
    key = connection.execute(sa.insert(tables.exemptions).values(values)).inserted_primary_key
    assert key is not None  # noqa: S101  every server gives it
    return int(key[0])


def remove(connection: Connection, number: int) -> None:
    """End an exemption.

    Raises:
        TaskError: there is none of that number.
    """
    if not connection.execute(sa.delete(tables.exemptions).where(tables.exemptions.c.id == number)).rowcount:
        raise TaskError(f"there is no exemption {number}", "See `dkm disk exempt list`")


def every(connection: Connection, task: str | None = None, now_seconds: float | None = None) -> list[Exemption]:
    """Exemptions by number.

    Args:
        connection: reads.
        task: only those that hold for this task.
        now_seconds: only those that hold at this time.
    """
    wanted = sa.select(*(tables.exemptions.c[name] for name in Exemption.__struct_fields__))
    if task is not None:
        wanted = wanted.where(tables.exemptions.c.task.in_(["", task]))
    if now_seconds is not None:
        until = tables.exemptions.c.until_seconds
        wanted = wanted.where(sa.or_(until.is_(None), until > int(now_seconds)))
    return [Exemption(*row) for row in connection.execute(wanted.order_by(tables.exemptions.c.id))]


def exempter(exemptions: Iterable[Exemption], tree: bytes) -> Callable[[Entry], bool]:
    """What says whether an entry of a tree is exempt."""
    uids, patterns = set(), []
    for exemption in exemptions:
        if exemption.kind == "user":
            uids.add(int(exemption.pattern))
        else:
            patterns.append(below(exemption.pattern, tree))
    joined = re.compile(b"|".join(b"(?:" + pattern + b")" for pattern in patterns), re.DOTALL) if patterns else None

    def is_exempt(entry: Entry) -> bool:
        return entry.uid in uids or (joined is not None and joined.match(entry.path) is not None)

    return is_exempt
