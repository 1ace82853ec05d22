"""The addresses of the dashboards: two pages and a page for free queries, and what they load.

carbonapi is asked for nothing but the targets of provisioned dashboards, whose variables take checked values only, and
for the free queries of operators.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from console.dashboards.drawing import BoardDrawing, VariableChoice, draw, offer
from console.dashboards.grid import Grid, without_times, write_figures, write_times
from console.dashboards.library import library
from console.dashboards.question import (
    ask_carbonapi,
    board_of,
    chosen_of,
    expanded,
    grid_of,
    known_only,
    panel_of,
    targets_of,
)
from console.routing import Lane, api, page
from console.show import show, sources
from dkumonitor.accounts.roles import Role
from dkumonitor.dashboards.panels import Stat, TimeSeries, calculations
from dkumonitor.dashboards.units import UNITS

if TYPE_CHECKING:
    from starlette.requests import Request

_FREE = ("now-1h", "now")


class DataQuery(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The time of a panel; every variable is a parameter too: ``var-NAME``, as often as it has values.

    Attributes:
        from_: ``now-6h`` (of s m h d w M y) or UTC seconds.
        until: the same.
        points: the most values of a series, 10 to 2,200.
    """

    from_: str = ""
    until: str = ""
    points: int = 500


class FreeQuery(DataQuery, frozen=True, kw_only=True):
    """The targets of a free query, in Graphite's language, one to ten of them."""

    target: list[str]


_DATA = ("from", "until", "points")


class BoardSummary(msgspec.Struct, frozen=True):
    """A dashboard in the list of them."""

    uid: str
    title: str
    description: str
    tags: list[str]


class BoardList(msgspec.Struct, frozen=True):
    """All dashboards; `problems` has a sentence for each file that cannot be drawn."""

    rows: list[BoardSummary]
    total: int
    problems: list[str]


class VariableList(msgspec.Struct, frozen=True):
    """The variables of a dashboard."""

    rows: list[VariableChoice]
    total: int


def list_page(request: Request) -> Response:
    """All dashboards by title, description and tags."""
    return show(request, "dashboards/list.html", title="Dashboards", boards=_all(request))


def board_page(request: Request) -> Response:
    """One dashboard; the browser loads what it draws."""
    board = board_of(request)
    return show(request, "dashboards/board.html", title=board.title, board=draw(board, _grafana(request, board.uid)))


def query_page(request: Request) -> Response:
    """A free query with its chart."""
    units_json = msgspec.json.encode(UNITS).decode()
    return show(request, "dashboards/query.html", title="Query", units=list(UNITS), units_json=units_json)


def list_boards(request: Request) -> BoardList:
    """All dashboards."""
    known_only(request)
    return _all(request)


def one_board(request: Request) -> BoardDrawing:
    """What to draw of a dashboard."""
    known_only(request)
    board = board_of(request)
    return draw(board, _grafana(request, board.uid))


def board_variables(request: Request) -> VariableList:
    """What may be chosen now; one variable's values may hang on what is chosen of another."""
    known_only(request, variables=True)
    board = board_of(request)
    chosen = chosen_of(board, request)
    rows = ask_carbonapi(request, lambda carbonapi: offer(board, chosen, carbonapi))
    return VariableList(rows, len(rows))


def panel_data(request: Request) -> Response:
    """What a panel shows."""
    grid, panel = _panel_grid(request), panel_of(board_of(request), request)
    return _json(grid if isinstance(panel, TimeSeries | Stat) else without_times(grid))


def panel_csv(request: Request) -> Response:
    """What a panel shows, as CSV: a row for each time, or for each series where the panel says one thing of each."""
    grid, board = _panel_grid(request), board_of(request)
    panel = panel_of(board, request)
    out = io.StringIO()
    if isinstance(panel, TimeSeries):
        write_times(grid, out)
    else:
        write_figures(grid, calculations(panel), out)
    return _csv(out, f"{board.uid}-{panel.title}")


def query_data(request: Request) -> Response:
    """What carbonapi has of any targets."""
    return _json(_query_grid(request))


def query_csv(request: Request) -> Response:
    """The same as CSV, a row for each time."""
    out = io.StringIO()
    write_times(_query_grid(request), out)
    return _csv(out, "query")


def _panel_grid(request: Request) -> Grid:
    known_only(request, *_DATA, variables=True)
    board = board_of(request)
    panel = panel_of(board, request)
    targets = expanded(panel, chosen_of(board, request))
    return grid_of(request, targets, (board.time.from_, board.time.to), is_whole=not isinstance(panel, TimeSeries))


def _query_grid(request: Request) -> Grid:
    known_only(request, "target", *_DATA)
    return grid_of(request, targets_of(request), _FREE)


def _all(request: Request) -> BoardList:
    found = library(sources(request).installation)
    rows = [BoardSummary(one.uid, one.title, one.description, list(one.tags)) for one in found.boards.values()]
    return BoardList(rows, len(rows), list(found.problems))


def _grafana(request: Request, uid: str) -> str | None:
    """The same dashboard in Grafana, which listens at its own port of the address that the browser uses."""
    installation = sources(request).installation
    if not installation.grafana or installation.ports.web is None:
        return None
    return str(request.url.replace(port=installation.ports.web, path=f"/d/{uid}", query="", fragment=""))


def _json(grid: Grid) -> Response:
    # msgspec's own encoder: 100 series of 1,440 values are 2 MB, and their names come from carbonapi as UTF-8.
    return Response(msgspec.json.encode(grid), media_type="application/json")


def _csv(out: io.StringIO, name: str) -> Response:
    file_name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    headers = {"Content-Disposition": f'attachment; filename="{file_name}.csv"'}
    return Response(out.getvalue(), media_type="text/csv", headers=headers)


_BOARD = "/dashboards/{uid}"
_PANEL = f"{_BOARD}/panels/{{panel}}"
_SAME = "The same as CSV"
_FREE_SUMMARY = "What carbonapi has of any targets"
ROUTES = (
    page("/dashboards", list_page, title="Dashboards", order=10),
    page(_BOARD, board_page),
    page("/query", query_page, role=Role.OPERATOR, title="Query", order=15),
    api("/dashboards", list_boards, summary="All dashboards", answer=BoardList),
    api(_BOARD, one_board, summary="What to draw of a dashboard", answer=BoardDrawing),
    api(
        f"{_BOARD}/variables",
        board_variables,
        summary="What may be chosen on it",
        answer=VariableList,
        lane=Lane.CHARTS,
    ),
    api(f"{_PANEL}/data", panel_data, summary="What a panel shows", query=DataQuery, answer=Grid, lane=Lane.CHARTS),
    api(f"{_PANEL}/data.csv", panel_csv, summary=_SAME, query=DataQuery, answer=str, lane=Lane.CHARTS),
    api(
        "/query", query_data, role=Role.OPERATOR, summary=_FREE_SUMMARY, query=FreeQuery, answer=Grid, lane=Lane.CHARTS
    ),
    api("/query.csv", query_csv, role=Role.OPERATOR, summary=_SAME, query=FreeQuery, answer=str, lane=Lane.CHARTS),
)
