"""The pages of arrivals: all directories, and one with its last arrivals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from collectors.arrivals.enablement import enabled
from collectors.arrivals.judgement import judge
from collectors.arrivals.rows import (
    MISSING,
    SILENT,
    STOPPED,
    DirectoryRow,
    EventRow,
    directory_rows,
    is_stopped,
    last_events,
    spool_of,
    told_of,
)
from dkumonitor.errors import DkmError, NoSuchError
from dkumonitor.text import printable
from dkumonitor.views import (
    Answer,
    Card,
    Figure,
    Level,
    Listing,
    Page,
    Parameters,
    Question,
    Sources,
    Told,
    answer_rows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.arrivals.status import Status
    from dkumonitor.installation import Installation

PATH = "/arrivals"
EVENTS_MOST = 1000
LEVELS = {MISSING: Level.FAILED, STOPPED: Level.FAILED, SILENT: Level.WARNING}
_NOTHING = "Nothing is watched here: dkm arrivals enable FILE."


class Of(Parameters, frozen=True, kw_only=True):
    """The section that is meant; empty for all."""

    section: str = ""


def _address(section: str) -> str:
    return f"{PATH}/directory?{urlencode({'section': section})}"


def _rows(sources: Sources) -> list[DirectoryRow]:
    return directory_rows(told_of(sources.installation)[0], sources.now_seconds)


def _row(sources: Sources, section: str) -> DirectoryRow:
    for row in _rows(sources):
        if row.section == section:
            return row
    raise NoSuchError(f"no directory of a section {printable(section)!r} is watched here", "See all directories")


def _ask_directories(sources: Sources, question: Question) -> Answer:
    return answer_rows(_rows(sources), question)


def _ask_events(sources: Sources, question: Question) -> Answer:
    """The newest announcements; of one directory those of what is below it, too."""
    try:
        folder = spool_of(sources.installation)
    except DkmError:
        folder = None
    if folder is None:
        return Answer([], 0)
    rows = last_events(folder, EVENTS_MOST)[0]
    section = sources.of(Of).section
    if section:
        directory = _row(sources, section).directory
        rows = [row for row in rows if row.directory == directory or row.directory.startswith(f"{directory}/")]
    return answer_rows(rows, question)


def _content(sources: Sources) -> Mapping[str, Any]:
    status, wrong = told_of(sources.installation)
    rows = directory_rows(status, sources.now_seconds)
    return {
        "wrong": wrong or _trouble(sources.installation, status, sources.now_seconds),
        "told": status,
        "unwell": [row for row in rows if row.state in LEVELS],
        "levels": LEVELS,
        "at": _address,
    }


def _trouble(installation: Installation, status: Status | None, now_seconds: float) -> str:
    """Why nothing is announced; empty where all is well."""
    if status is None:
        return _NOTHING if enabled(installation) is None else "The watcher has never run: dkm start arrivals."
    if is_stopped(status, now_seconds):
        return "The watcher does not run: dkm start arrivals. This is how it stood when it stopped."
    return f"Nothing is pushed: {printable(status.failure)}." if status.failure else ""


def _content_of_one(sources: Sources) -> Mapping[str, Any]:
    row = _row(sources, sources.of(Of).section)
    return {"title": printable(row.section), "row": row, "level": LEVELS.get(row.state, Level.OK)}


def tell(sources: Sources) -> Told | None:
    """Whether files are announced and taken; nothing where no watcher is enabled."""
    judged = judge(sources.installation, sources.now_seconds)
    if judged is None:
        return None
    if judged.status is None:
        return Told(judged.level, ": ".join(filter(None, (judged.sentence, judged.do))))
    figures = (
        Figure("directories", len(judged.rows)),
        Figure("arrivals_per_second", round(sum(row.arrivals_per_second for row in judged.rows), 2)),
        Figure("waiting_in_queues", sum(row.queue_length or 0 for row in judged.rows)),
        Figure("waiting_bytes", judged.status.waiting_bytes),
    )
    return Told(judged.level, judged.sentence, figures)


DIRECTORIES = Listing(
    name="arrivals-directories",
    title="Directories",
    summary="A row is a directory that is watched, with its queue and how far consumers are behind.",
    row_type=DirectoryRow,
    ask=_ask_directories,
    empty=_NOTHING,
    links={"section": lambda row: _address(row.section)},
)
EVENTS = Listing(
    name="arrivals-events",
    title="Last announcements",
    summary=f"A row is an announcement, of the newest {EVENTS_MOST:,} that the spool still has.",
    row_type=EventRow,
    ask=_ask_events,
    parameters=Of,
    sort="event_timestamp_seconds",
    descending=True,
    empty="Nothing has been announced yet.",
)
LISTINGS = (DIRECTORIES, EVENTS)
PAGES = (
    Page(path=PATH[1:], title="Arrivals", template="arrivals.html", content=_content, order=30),
    Page(
        path=f"{PATH[1:]}/directory",
        title="Directory",
        template="directory.html",
        content=_content_of_one,
        parameters=Of,
        in_menu=False,
    ),
)
OVERVIEW = (Card(name="arrivals", title="Arrivals", tell=tell, path=PATH, order=20),)
