"""Listings: as a table in a page, as a page of their own, as CSV and as JSON. All four ask the same question."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.responses import Response, StreamingResponse

from console import access
from console import parameters as of
from console.refused import Refused
from console.routing import API, Declared, api, page
from console.show import show, sources
from console.state import state_of
from dkumonitor.cells import Cell, Column, cell_of, columns_of
from dkumonitor.render import Form, plain_row, render
from dkumonitor.views import DEFAULT_LIMIT, MAX_LIMIT, Listing, Parameters, Question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from dkumonitor.views import Answer, Sources

MAX_OFFSET = 10_000_000
MAX_SEARCH = 200
CSV_MAX_ROWS = 100_000
_NO_PARAMETERS = Parameters()


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters that every listing takes.

    Attributes:
        search: text that a row must contain, without regard to case.
        sort: the column to sort by.
        descending: whether the largest comes first.
        offset: rows to leave out.
        limit: rows to give.
    """

    search: Annotated[str, msgspec.Meta(max_length=MAX_SEARCH)] = ""
    sort: str = ""
    descending: bool = False
    offset: Annotated[int, msgspec.Meta(ge=0, le=MAX_OFFSET)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT


class Heading(msgspec.Struct, frozen=True):
    """A column's heading: the address that sorts by it, and how it is sorted now."""

    column: Column
    href: str
    order: str  # as aria-sort takes it


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A listing's answer as a template draws it.

    Attributes:
        first, last: the numbers of the rows that are shown, from 1; 0 where there are none.
        parameters: what it is of, as an address has it.
    """

    name: str
    title: str
    summary: str
    empty: str
    headings: tuple[Heading, ...]
    rows: list[tuple[Cell, ...]]
    total: int
    first: int
    last: int
    question: Question
    parameters: Mapping[str, str]
    csv: str
    previous: str | None
    next: str | None


def asked(request: Request, listing: Listing) -> tuple[Sources, Question]:
    """What the address asks of a listing: of what, and how sorted, searched and cut.

    Raises:
        Refused: a parameter is unknown or out of bounds.
    """
    given = dict(request.query_params)
    own = {name: given.pop(name) for name in listing.parameters.__struct_fields__ if name in given}
    try:
        found = msgspec.convert(given, Asked, strict=False)
    except msgspec.ValidationError as error:
        raise Refused("bad-question", f"{error}.") from None
    if found.sort and found.sort not in listing.columns:
        raise Refused("bad-question", f"{listing.name} can be sorted by {', '.join(listing.columns)}.")
    if "\x00" in found.search:
        raise Refused("bad-question", "A search holds no NUL.")
    return sources(request, of.taken(own, listing.parameters)), Question(**msgspec.structs.asdict(found))


def table(listing: Listing, question: Question, answer: Answer, parameters: Parameters = _NO_PARAMETERS) -> Table:
    """A listing's answer, ready to be drawn."""
    if not question.sort:
        question = msgspec.structs.replace(question, sort=listing.sort, descending=listing.descending)
    columns = columns_of(listing.row_type)
    path = f"/tables/{listing.name}"
    end = question.offset + len(answer.rows)
    more = bool(answer.rows) and end < answer.total

    def moved(path: str, **changes: Any) -> str:
        return of.address(path, parameters, msgspec.structs.replace(question, **changes))

    return Table(
        name=listing.name,
        title=listing.title,
        summary=listing.summary,
        empty=_empty(listing, question),
        headings=tuple(_heading(path, column, question, parameters) for column in columns),
        rows=[_cells(listing, columns, row) for row in answer.rows],
        total=answer.total,
        first=question.offset + 1 if answer.rows else 0,
        last=end if answer.rows else 0,
        question=question,
        parameters=of.written(parameters),
        csv=moved(f"{path}.csv", offset=0, limit=DEFAULT_LIMIT),
        previous=moved(path, offset=max(0, question.offset - question.limit)) if question.offset else None,
        next=moved(path, offset=end) if more else None,
    )


def _empty(listing: Listing, question: Question) -> str:
    return "No row contains that text." if question.search else listing.empty or "There is nothing here yet."


def _heading(path: str, column: Column, question: Question, parameters: Parameters) -> Heading:
    mine = question.sort == column.name
    # A number is first asked for its largest, a text for its first; a second press turns it round.
    descending = not question.descending if mine else column.numeric
    turned = msgspec.structs.replace(question, sort=column.name, descending=descending, offset=0)
    order = ("descending" if question.descending else "ascending") if mine else "none"
    return Heading(column, of.address(path, parameters, turned), order)


def _cells(listing: Listing, columns: tuple[Column, ...], row: msgspec.Struct) -> tuple[Cell, ...]:
    return tuple(cell_of(column, getattr(row, column.name), _link(listing, column, row)) for column in columns)


def _link(listing: Listing, column: Column, row: msgspec.Struct) -> str | None:
    """Where a cell leads to: to a page of this console or nowhere, whatever a name in the row made of it."""
    href = listing.links[column.name](row) if column.name in listing.links else None
    return href if href and href.startswith("/") and not href.startswith(("//", "/\\")) else None


def listing_of(request: Request, name: str) -> Listing:
    """The listing of a name that this viewer may see.

    Raises:
        Refused: there is none, or not for this role.
    """
    listing = state_of(request).listings.get(name)
    if listing is None:
        raise Refused("not-there", "There is no such listing.")
    access.check_role(access.identity_of(request), listing.role)
    return listing


def drawn(request: Request, name: str, **parameters: Any) -> Table:
    """The first rows of a listing, for a page that has it in it, in the listing's own order.

    Args:
        request: the page's.
        name: the listing's.
        parameters: what it shall be of.
    """
    listing = listing_of(request, name)
    question, wanted = Question(), of.taken(parameters, listing.parameters)
    return table(listing, question, listing.of(sources(request, wanted), question), wanted)


def show_table(request: Request) -> Response:
    """``/tables/NAME``: the table alone for htmx, a page of its own otherwise; ``/tables/NAME.csv``: as CSV."""
    name: str = request.path_params["listing"]
    if name.endswith(".csv"):
        return _csv(request, listing_of(request, name.removesuffix(".csv")))
    listing = listing_of(request, name)
    read, question = asked(request, listing)
    found = table(listing, question, listing.of(read, question), read.parameters)
    template = "table.html" if request.headers.get("hx-request") else "table_page.html"
    return show(request, template, title=listing.title, table=found)


def _csv(request: Request, listing: Listing) -> Response:
    read, question = asked(request, listing)
    wanted = question.limit if "limit" in request.query_params else CSV_MAX_ROWS
    headers = {"Content-Disposition": f'attachment; filename="{listing.name}.csv"'}
    chunks = _csv_chunks(read, listing, question, wanted)
    first = next(chunks)  # what can fail, fails before the answer has begun
    return StreamingResponse(_with(first, chunks), media_type="text/csv; charset=utf-8", headers=headers)


def _csv_chunks(read: Sources, listing: Listing, question: Question, wanted: int) -> Iterator[str]:
    given = 0
    while True:
        part = msgspec.structs.replace(question, offset=question.offset + given, limit=min(MAX_LIMIT, wanted - given))
        rows = listing.of(read, part).rows
        out = io.StringIO()
        render(rows, listing.row_type, Form.CSV, out)
        yield out.getvalue() if given == 0 else out.getvalue().partition("\n")[2]  # one header
        given += len(rows)
        if len(rows) < part.limit or given >= wanted:
            return


def _with(first: str, others: Iterator[str]) -> Iterator[str]:
    yield first
    yield from others


def listing_api(listing: Listing) -> Declared:
    """The listing's route below ``/api/v1/``."""

    def answer(request: Request) -> Response:
        read, question = asked(request, listing)
        return _json(listing, question, listing.of(read, question), read.parameters)

    return api(f"/{listing.name}", answer, role=listing.role, summary=listing.summary, answer=listing)


def _json(listing: Listing, question: Question, answer: Answer, parameters: Parameters) -> Response:
    body: Mapping[str, Any] = {
        "rows": [plain_row(row) for row in answer.rows],
        "total": answer.total,
        "offset": question.offset,
        "limit": question.limit,
    }
    path = f"{API}/{listing.name}"
    moves = {}
    end = question.offset + len(answer.rows)
    if answer.rows and end < answer.total:
        moves["next"] = end
    if question.offset:
        moves["prev"] = max(0, question.offset - question.limit)
    links = [
        f'<{of.address(path, parameters, msgspec.structs.replace(question, offset=offset))}>; rel="{relation}"'
        for relation, offset in moves.items()
    ]
    headers = {"Link": ", ".join(links)} if links else None
    return Response(json.dumps(body, separators=(",", ":")), media_type="application/json", headers=headers)


ROUTES = (page("/tables/{listing}", show_table),)
