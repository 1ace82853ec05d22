"""Events that the spool still has, pushed once more on request."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from collectors.arrivals.connection import ask, connect
from collectors.arrivals.errors import ArrivalsError, RedisError
from collectors.arrivals.protocol import Queue, ReplyError, pushed
from collectors.arrivals.rows import events_of

if TYPE_CHECKING:
    from collectors.arrivals.configuration import Configuration, Server

AT_ONCE = 1000


def chosen(configuration: Configuration, since_seconds: float, section: str | None) -> list[tuple[Queue, bytes]]:
    """Events since a moment, the oldest first.

    Args:
        configuration: whose spool is read.
        since_seconds: UTC seconds.
        section: the section whose directory is meant, with what is below it; None for all.

    Raises:
        ArrivalsError: there is no such section.
    """
    directory = None
    if section is not None:
        named = [os.fsdecode(one.path) for one in configuration.directories if one.section == section]
        if not named:
            known = ", ".join(one.section for one in configuration.directories)
            raise ArrivalsError(f"there is no active section [{section}]", f"The sections are: {known}")
        directory = named[0]
    found = []
    for _, queue, value in events_of(configuration.spool):
        event = json.loads(value)
        if event["event_timestamp"] < since_seconds:
            continue
        if directory is None or event["directory"] == directory or event["directory"].startswith(f"{directory}/"):
            found.append((queue, value))
    return found


def push_again(server: Server, events: list[tuple[Queue, bytes]]) -> None:
    """Push events to their queues.

    Raises:
        RedisError: Redis cannot be reached, or refuses them; what was pushed before stays pushed.
    """
    with contextlib.closing(connect(server)) as connection:
        for first in range(0, len(events), AT_ONCE):
            groups = [(queue, [value]) for queue, value in events[first : first + AT_ONCE]]
            data, commands = pushed(groups, b"", None)
            try:
                replies = ask(connection, [data], commands + 2)
            except (OSError, ReplyError) as error:
                raise RedisError(f"Redis at {server}: {error}", "Look what has arrived, and try again") from error
            outcome = replies[-1] if isinstance(replies[-1], list) else replies
            for reply in outcome:
                if isinstance(reply, ReplyError):
                    raise RedisError(f"Redis at {server} refuses: {reply}", "Mend the cause, and try again")
