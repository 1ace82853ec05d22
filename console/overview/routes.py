"""Routes and tables of the overview."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import collectors
from console.examinations import examinations_of
from console.overview.figures import figure_label, figure_text
from console.overview.watch import watch_of
from console.routing import api, page
from console.show import show, sources
from dkumonitor.overview.facts import facts
from dkumonitor.overview.judgement import DISK_PERCENT_WARNING, MEMORY_PERCENT_WARNING, SWAP_PERCENT_WARNING
from dkumonitor.overview.rows import FileSystem, Host, Overview, TopUser
from dkumonitor.overview.survey import overview
from dkumonitor.spark import spark
from dkumonitor.views import Level, Listing, answer_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import msgspec
    from starlette.requests import Request
    from starlette.responses import Response

    from dkumonitor.overview.facts import Facts
    from dkumonitor.views import Answer, Question, Sources


_cards = functools.cache(collectors.cards)


def overview_of(read: Sources) -> Overview:
    """The overview for a viewer, of metrics that are some seconds old."""
    installation = read.installation
    known = examinations_of(installation).known() or []
    return overview(read, lambda: watch_of(installation).readings(), known, _cards())


def show_overview(request: Request) -> Response:
    """The first page; for htmx only what changes."""
    found = overview_of(sources(request))
    template = "overview/live.html" if request.headers.get("hx-request") else "overview/page.html"
    return show(
        request,
        template,
        title="Overview",
        now=found,
        figures={card.name: [(figure_label(one), figure_text(one)) for one in card.figures] for card in found.cards},
        sparks={history.host: spark(history.values) for history in found.loads},
        unwell={Level.WARNING, Level.FAILED},
        memory_high=MEMORY_PERCENT_WARNING,
        swap_high=SWAP_PERCENT_WARNING,
        disk_high=DISK_PERCENT_WARNING,
    )


def api_overview(request: Request) -> Overview:
    """Is the machine well?"""
    return overview_of(sources(request))


def _listing(rows: Callable[[Facts], Sequence[msgspec.Struct]]) -> Callable[[Sources, Question], Answer]:
    def ask(read: Sources, question: Question) -> Answer:
        readings = watch_of(read.installation).readings()
        return answer_rows(rows(facts(readings, read.now_seconds, read.installation.interval_seconds)), question)

    return ask


HOSTS = Listing(
    name="hosts",
    title="Machines",
    summary="A row is a machine that sends metrics, with how it is now.",
    row_type=Host,
    ask=_listing(lambda found: found.hosts),
    empty="No machine has sent anything yet.",
)
FILE_SYSTEMS = Listing(
    name="file-systems",
    title="File systems",
    summary="A row is a file system of a machine, with when it is full if it goes on as within the last week.",
    row_type=FileSystem,
    ask=_listing(lambda found: found.file_systems),
    empty="No machine has sent anything of its file systems yet.",
)
TOP_USERS = Listing(
    name="top-users",
    title="Busiest accounts",
    summary="A row is one of the ten accounts that use most processor time on any machine now.",
    row_type=TopUser,
    ask=_listing(lambda found: found.users),
    sort="cpu_percent",
    descending=True,
    empty="No collector has sent anything of users yet.",
)
LISTINGS = (HOSTS, FILE_SYSTEMS, TOP_USERS)
ROUTES = (
    page("/", show_overview, title="Overview", order=0),
    api(
        "/overview", api_overview, summary="Is the machine well? Everything that the first page shows.", answer=Overview
    ),
)
