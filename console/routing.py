"""How a route is declared: what it is, who may, what it takes and gives. A test walks these declarations.

A module of routes has ``ROUTES``, a tuple of :func:`page`, :func:`action` and :func:`api`, and ``LISTINGS`` where it
has tables. Endpoints are plain functions of the request; they run in a thread, after all about the sender has been
checked:

- :func:`page`: GET, answers with :func:`console.show.show`. A stranger is sent to the sign-in page.
- :func:`action`: POST of a form of a page; takes a session and its CSRF token, never an API token. :func:`form` has its
  fields.
- :func:`api`: below ``/api/v1/``; a session or a token; a change needs the CSRF header or a token. Its body is decoded
  into ``body`` (see :func:`body_of`), and what it returns is a struct, a list of structs, or a response.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import parse_qsl, quote

import anyio
import anyio.to_thread
import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console import access
from console.refused import Refused
from console.state import state_of
from dkumonitor.accounts.roles import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

T = TypeVar("T")
API = "/api/v1"
SIGN_IN = "/sign-in"
_CLOSE = {"Connection": "close"}  # the rest of the body is not waited for
_MAX_FIELDS = 200
_FORM_TYPE = "application/x-www-form-urlencoded"


class Lane(Enum):
    """Who waits for whom: each lane has a few threads of its own, so that what is slow keeps no page waiting.

    A password is hashed in a third of a second, and any stranger can ask for that; a chart takes as long as carbonapi.
    """

    PAGES = "pages"
    SIGN_INS = "sign-ins"
    CHARTS = "charts"


_LIMITERS = {Lane.SIGN_INS: anyio.CapacityLimiter(4), Lane.CHARTS: anyio.CapacityLimiter(2)}


class _Number(Convertor[int]):
    """A row's number in an address; one with more digits is no row's."""

    regex = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _Number())


class Kind(Enum):
    """What a route is; see the functions of this module."""

    PUBLIC = "public"
    PAGE = "page"
    ACTION = "action"
    API = "api"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A route.

    Attributes:
        role: who may; None for everybody without sign-in.
        title: its word in the navigation, empty where it is not there.
        order: its place there.
        summary: one line for the OpenAPI document.
        query: a struct with the parameters that its address takes; those of the API are in the OpenAPI document.
        body: what its JSON body is decoded into.
        answer: what it gives, for the OpenAPI document; None for no content.
        lane: whose threads it takes.
    """

    path: str
    method: str
    kind: Kind
    endpoint: Callable[[Request], Any]
    role: Role | None
    title: str = ""
    order: int = 100
    summary: str = ""
    query: Any = None
    body: Any = None
    answer: Any = None
    lane: Lane = Lane.PAGES

    def route(self) -> Route:
        """The route as Starlette takes it."""
        return Route(self.path, _served(self), methods=[self.method], name=f"{self.method} {self.path}")


def public(
    path: str, endpoint: Callable[[Request], Response], *, method: str = "GET", lane: Lane = Lane.PAGES
) -> Declared:
    """A route that needs no sign-in. There are four: the sign-in page and its form, health, and what they load."""
    return Declared(path=path, method=method, kind=Kind.PUBLIC, endpoint=endpoint, role=None, lane=lane)


def page(
    path: str,
    endpoint: Callable[[Request], Response],
    *,
    role: Role = Role.VIEWER,
    title: str = "",
    order: int = 100,
    query: Any = None,
) -> Declared:
    """A page. With a `title` it stands in the navigation, at `order`. `query` is what it can be asked of."""
    return Declared(
        path=path, method="GET", kind=Kind.PAGE, endpoint=endpoint, role=role, title=title, order=order, query=query
    )


def action(path: str, endpoint: Callable[[Request], Response], *, role: Role = Role.VIEWER) -> Declared:
    """What a form of a page does: POST with the session's CSRF token."""
    return Declared(path=path, method="POST", kind=Kind.ACTION, endpoint=endpoint, role=role)


def api(
    path: str,
    endpoint: Callable[[Request], Any],
    *,
    role: Role = Role.VIEWER,
    method: str = "GET",
    summary: str = "",
    query: Any = None,
    body: Any = None,
    answer: Any = None,
    lane: Lane = Lane.PAGES,
) -> Declared:
    """JSON at ``/api/v1`` + `path`. `query`, `body` and `answer` are msgspec types; ``str`` answers text, or CSV."""
    return Declared(
        path=API + path,
        method=method,
        kind=Kind.API,
        endpoint=endpoint,
        role=role,
        summary=summary,
        query=query,
        body=body,
        answer=answer,
        lane=lane,
    )


def form(request: Request) -> Mapping[str, str]:
    """The fields of the form that was sent; of one sent twice the last."""
    return cast("Mapping[str, str]", request.state.form)


def body_of(request: Request, _type: type[T]) -> T:
    """The body, decoded into the type that the route declared."""
    return cast("T", request.state.body)


def see_other(path: str) -> RedirectResponse:
    """To another page of the console, after a change."""
    return RedirectResponse(path, status_code=303)


def _served(declared: Declared) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        content = b"" if declared.method == "GET" else await _content(request)
        limiter = _LIMITERS.get(declared.lane)  # None for the threads that all pages share
        return await anyio.to_thread.run_sync(_answer, declared, request, content, limiter=limiter)

    return serve


async def _content(request: Request) -> bytes:
    settings = state_of(request).settings
    most = settings.max_body_bytes
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused("wrong-type", "Send the body as it is, not compressed.")
    if int(request.headers.get("content-length", "0")) > most:
        raise Refused("too-large", f"At most {most} bytes.", _CLOSE)
    content = bytearray()
    try:
        with anyio.fail_after(settings.request_seconds):
            async for part in request.stream():
                content += part
                if len(content) > most:
                    raise Refused("too-large", f"At most {most} bytes.", _CLOSE)
    except TimeoutError:
        raise Refused("too-slow", "", _CLOSE) from None
    return bytes(content)


def _answer(declared: Declared, request: Request, content: bytes) -> Response:
    request.state.form = {}
    if declared.kind in {Kind.ACTION, Kind.PUBLIC} and content:
        request.state.form = _fields(request, content)
    if declared.role is not None:
        identity = access.identify(request)
        if identity is None:
            return _to_sign_in(declared, request)
        request.state.identity = identity
        if declared.kind is Kind.ACTION and identity.session is None:
            raise Refused("not-allowed", "Forms take a session; with a token use the address below /api/v1/.")
        if declared.method != "GET":
            access.check_change(request, identity, request.state.form)
        access.check_role(identity, declared.role)
    if declared.body is not None:
        request.state.body = _decoded(request, content, declared.body)
    found = declared.endpoint(request)
    return found if isinstance(found, Response) else _json(found)


def _to_sign_in(declared: Declared, request: Request) -> Response:
    headers = {"WWW-Authenticate": "Bearer"}
    if declared.kind is not Kind.PAGE:
        raise Refused("sign-in-needed", "", headers)
    if request.headers.get("hx-request"):
        raise Refused("sign-in-needed", "", {**headers, "HX-Redirect": SIGN_IN})
    if request.url.path.endswith(".csv") and "text/html" not in request.headers.get("accept", ""):
        raise Refused("sign-in-needed", "", headers)
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return see_other(SIGN_IN if target == "/" else f"{SIGN_IN}?next={quote(target, safe='/')}")


def _fields(request: Request, content: bytes) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        raise Refused("wrong-type", f"Send a form as {_FORM_TYPE}.")
    try:
        pairs = parse_qsl(content.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise Refused("bad-request", "That is no form, or has too many fields.") from None
    return dict(pairs)


def _decoded(request: Request, content: bytes, wanted: Any) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("wrong-type", "Send application/json.")
    try:
        return msgspec.json.decode(content, type=wanted)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Refused("bad-request", f"{error}.") from None


def _json(found: Any) -> Response:
    if found is None:
        return Response(status_code=204)
    # json.dumps and not msgspec's encoder: it writes a name that is not UTF-8 as `dkm ... --json` does.
    text = json.dumps(msgspec.to_builtins(found), ensure_ascii=True, separators=(",", ":"))
    return Response(text, media_type="application/json")
