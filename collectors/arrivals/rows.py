"""What views show of arrivals: a row for each directory, a row for each event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from collectors.arrivals.enablement import enabled
from collectors.arrivals.protocol import contents
from collectors.arrivals.spool import Position, read_batch, segment_numbers
from collectors.arrivals.status import STALE_SECONDS, Directory, Status, read_status
from dkumonitor.errors import DkmError
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors.arrivals.protocol import Queue
    from dkumonitor.installation import Installation

OK, SILENT, MISSING, STOPPED = "ok", "silent", "missing", "stopped"


class DirectoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One directory.

    Attributes:
        section: of the INI file.
        directory: what is watched.
        state: ``ok``; ``silent`` where nothing has arrived for longer than usual; ``missing`` where it is not there;
            ``stopped`` where the watcher does not run.
        last_arrival_seconds: when the last one came.
        arrivals_per_second: of late.
        queue_length: events that no consumer has taken.
        oldest_age_seconds: how long the oldest of these has waited: how far consumers are behind.
        silence_seconds: for how long none has come.
        usual_silence_seconds: the longest pause of late; None where too few are known.
        arrivals: events since the spool was made.
        incomplete: files that are there and not complete yet.
        queue: where events go.
        watched_by: ``inotify`` or ``polling``.
    """

    section: str
    directory: str
    state: str
    last_arrival_seconds: Moment | None
    arrivals_per_second: float
    queue_length: int | None
    oldest_age_seconds: float | None
    silence_seconds: float | None
    usual_silence_seconds: float | None
    arrivals: int
    incomplete: int
    queue: str
    watched_by: str


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the spool.

    Attributes:
        event_timestamp_seconds: when it happened.
        directory: the directory.
        filename: the file.
        event: ``created`` or ``exists``.
        queue: where it went.
    """

    event_timestamp_seconds: Moment
    directory: str
    filename: bytes
    event: str
    queue: str


def spool_of(installation: Installation) -> Path | None:
    """The spool of the supervised watcher; None where nothing is under supervision.

    Raises:
        DkmError: its INI file cannot be used.
    """
    known = enabled(installation)
    return known.load(installation).spool if known is not None else None


def status_of(installation: Installation) -> Status | None:
    """How the supervised watcher is; None where nothing is under supervision or it has never run.

    Raises:
        DkmError: its INI file or its status cannot be used.
    """
    folder = spool_of(installation)
    return read_status(folder) if folder is not None else None


def is_stopped(status: Status, now_seconds: float) -> bool:
    """Whether a status is so old that its watcher does not run."""
    return now_seconds - status.at_seconds > STALE_SECONDS


def directory_rows(status: Status | None, now_seconds: float) -> list[DirectoryRow]:
    """A row for each directory."""
    if status is None:
        return []
    stopped = is_stopped(status, now_seconds)
    return [_row(one, now_seconds, stopped=stopped) for one in status.directories]


def _row(one: Directory, now_seconds: float, *, stopped: bool) -> DirectoryRow:
    last, oldest = one.last_arrival_seconds, one.oldest_seconds
    state = STOPPED if stopped else MISSING if one.state == "missing" else OK
    return DirectoryRow(
        section=one.section,
        directory=one.directory,
        state=SILENT if state == OK and one.is_silent(now_seconds) else state,
        watched_by="polling" if one.state == "polled" else "inotify",
        arrivals=one.arrivals,
        arrivals_per_second=one.arrivals_per_second,
        last_arrival_seconds=last,
        silence_seconds=None if last is None else max(0.0, now_seconds - last),
        usual_silence_seconds=one.usual_silence_seconds,
        queue=one.queue,
        queue_length=one.queue_length,
        oldest_age_seconds=None if oldest is None else max(0.0, now_seconds - oldest),
        incomplete=one.waiting,
    )


def events_of(folder: Path, after: Position | None = None) -> Iterator[tuple[Position, Queue, bytes]]:
    """The events that a spool still has, the oldest first, each with its queue and the position behind its batch.

    Args:
        folder: the spool's.
        after: events up to this position are left out.
    """
    for number in segment_numbers(folder):
        if after is not None and number < after.segment:
            continue
        position = after if after is not None and number == after.segment else Position(number, 0)
        while (batch := read_batch(folder, position)) is not None and batch.end is not None:
            position = batch.end
            for queue, values in contents(batch.content):
                for value in values:
                    yield position, queue, value


def event_row(queue: Queue, value: bytes) -> EventRow:
    """An event as a row."""
    event = json.loads(value)
    return EventRow(
        event_timestamp_seconds=event["event_timestamp"],
        directory=event["directory"].encode("utf-8", "backslashreplace").decode(),
        filename=event["filename"].encode("utf-8", "surrogateescape"),
        event=event["event"],
        queue=queue.queue,
    )


def last_events(folder: Path, most: int) -> tuple[list[EventRow], Position | None]:
    """The newest events that a spool has, the oldest of them first, and the position behind them.

    It reads no more segments than it must.
    """
    found: list[EventRow] = []
    end: Position | None = None
    for number in reversed(segment_numbers(folder)):
        part = []
        for position, queue, value in events_of(folder, Position(number, 0)):
            if position.segment != number:
                break
            part.append((queue, value))
            end = max(end or position, position)
        found = [event_row(queue, value) for queue, value in part[-most:]] + found
        if len(found) >= most:
            break
    return found[-most:], end


def told_of(installation: Installation) -> tuple[Status | None, str]:
    """How the watcher is, and why nothing is known: a view that shows other things too must not fail for this one."""
    try:
        return status_of(installation), ""
    except DkmError as error:
        return None, str(error)
