"""The page of users: who and what uses this machine now."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from collectors.host.collector import Scan
from collectors.host.now import Looks, PatternRow, UserRow, looks_of, pattern_rows, user_rows
from dkumonitor.installation import Installation
from dkumonitor.views import Answer, Listing, Page, Question, Sources, answer_rows

_NO_AGENT = "No collector runs on this machine: install an agent, or see the dashboard Users and processes."


@functools.cache
def _looks(installation: Installation) -> Looks:
    return looks_of(installation)


def _ask(rows: Callable[[Scan], Sequence[msgspec.Struct]]) -> Callable[[Sources, Question], Answer]:
    def ask(sources: Sources, question: Question) -> Answer:
        if not _is_here(sources):
            return Answer([], 0)
        return answer_rows(rows(_looks(sources.installation).latest()), question)

    return ask


def _is_here(sources: Sources) -> bool:
    return "collectors" in sources.installation.programs


def _content(sources: Sources) -> Mapping[str, Any]:
    return {"host": sources.installation.host, "is_here": _is_here(sources)}


USERS = Listing(
    name="host-users",
    title="Users",
    summary="A row is an account that has a process on this machine.",
    row_type=UserRow,
    ask=_ask(user_rows),
    sort="cpu_percent",
    descending=True,
    empty=_NO_AGENT,
)
PATTERNS = Listing(
    name="host-patterns",
    title="Programs by pattern",
    summary="A row is a pattern of the settings, with what the processes whose command line it matches use.",
    row_type=PatternRow,
    ask=_ask(pattern_rows),
    empty=_NO_AGENT,
)
LISTINGS = (USERS, PATTERNS)
PAGES = (Page(path="users", title="Users", template="users.html", content=_content, order=20),)
