"""What a request asks of a dashboard, read strictly: an unknown name, a second value or a wrong form is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.dashboards import period
from console.dashboards.grid import MAX_SERIES, Grid, on_grid
from console.dashboards.library import library
from console.refused import Refused
from console.show import sources
from dkumonitor.carbonapi import Carbonapi, QueryError
from dkumonitor.dashboards.targets import ChoiceError, choose, expand
from dkumonitor.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from starlette.requests import Request

    from dkumonitor.dashboards.model import Dashboard
    from dkumonitor.dashboards.panels import QueryPanel

    T = TypeVar("T")

VARIABLE_PREFIX = "var-"
POINTS = range(10, 2201)  # six hours of a value every 10 s are 2,160: a figure's newest value is then just that
DEFAULT_POINTS = 500
MAX_TARGETS = 10
MAX_TARGET_CHARS = 4000


def board_of(request: Request) -> Dashboard:
    """The dashboard that the address names.

    Raises:
        Refused: there is none of that uid.
    """
    board = library(sources(request).installation).boards.get(request.path_params["uid"])
    if board is None:
        raise Refused("not-there", "There is no such dashboard; /dashboards lists them.")
    return board


def panel_of(board: Dashboard, request: Request) -> QueryPanel:
    """The panel that the address names.

    Raises:
        Refused: there is none of that id, or it draws nothing.
    """
    for panel in board.queries():
        if str(panel.id) == request.path_params["panel"]:
            return panel
    raise Refused("not-there", f"{board.title} has no such panel.")


def chosen_of(board: Dashboard, request: Request) -> dict[str, list[str]]:
    """The variables' values, from ``var-NAME=VALUE`` as often as there are values.

    Raises:
        Refused: no such variable or value.
    """
    asked: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        if key.startswith(VARIABLE_PREFIX):
            asked.setdefault(key.removeprefix(VARIABLE_PREFIX), []).append(value)
    try:
        return choose(board, asked)
    except ChoiceError as error:
        raise Refused("bad-request", f"{error}.") from None


def known_only(request: Request, *names: str, variables: bool = False) -> None:
    """Refuse a query parameter that is none of `names`, nor (if `variables`) begins with ``var-``.

    Raises:
        Refused: there is one.
    """
    for key in request.query_params:
        if key not in names and not (variables and key.startswith(VARIABLE_PREFIX)):
            raise Refused("bad-request", f"There is no parameter {key[:100]!r} here; there are: {', '.join(names)}.")


def grid_of(request: Request, targets: Sequence[str], default: tuple[str, str], *, is_whole: bool = False) -> Grid:
    """What carbonapi has of some targets, in the time and with the points that the request asks for.

    Args:
        request: has ``from``, ``until`` and ``points``.
        targets: of a provisioned dashboard, or of an operator.
        default: from and until where the request does not say.
        is_whole: whether as many points are asked for as may be, whatever the request says.

    Raises:
        Refused: a parameter is wrong, carbonapi refuses the targets or does not answer, or it is too much.
    """
    given = sources(request)
    try:
        when = period.parse(
            _one(request, "from", default[0]),
            _one(request, "until", default[1]),
            given.now_seconds,
            given.installation.interval_seconds,
        )
    except period.PeriodError as error:
        raise Refused("bad-request", f"{error}.") from None
    points = POINTS[-1] if is_whole else _points(request)
    columns, total = ask_carbonapi(
        request,
        lambda carbonapi: carbonapi.columns(
            targets, from_seconds=when.from_seconds, until_seconds=when.until_seconds, points=points, most=MAX_SERIES
        ),
    )
    return on_grid(columns, when, targets, total)


def ask_carbonapi(request: Request, ask: Callable[[Carbonapi], T]) -> T:
    """What carbonapi answers.

    Raises:
        Refused: it refuses, does not answer, or is not there.
    """
    carbonapi = sources(request).carbonapi
    if carbonapi is None:
        raise Refused("no-answer", "This installation reads no metrics: it has no carbonapi.")
    try:
        return ask(carbonapi)
    except QueryError as error:
        raise Refused("bad-request", str(error)) from None
    except ServiceError as error:
        raise Refused("no-answer", str(error)) from error


def targets_of(request: Request) -> list[str]:
    """The targets of a free query.

    Raises:
        Refused: there is none, or too many or too long ones.
    """
    targets = [text.strip() for text in request.query_params.getlist("target") if text.strip()]
    if not 0 < len(targets) <= MAX_TARGETS:
        raise Refused("bad-request", f"Give 1 to {MAX_TARGETS} targets.")
    if any(len(text) > MAX_TARGET_CHARS or not text.isprintable() for text in targets):
        raise Refused("bad-request", f"A target has at most {MAX_TARGET_CHARS} characters, and no control characters.")
    return targets


def expanded(panel: QueryPanel, chosen: Mapping[str, Sequence[str]]) -> list[str]:
    """The targets of a panel as carbonapi is asked them."""
    return [expand(target.target, chosen) for target in panel.targets]


def _points(request: Request) -> int:
    text = _one(request, "points", str(DEFAULT_POINTS))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(POINTS[-1])) and int(text) in POINTS):
        raise Refused("bad-request", f"points is a number from {POINTS[0]} to {POINTS[-1]}.")
    return int(text)


def _one(request: Request, name: str, default: str) -> str:
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise Refused("bad-request", f"{name} is given {len(values)} times.")
    return values[0] if values else default
