"""Answers to requests that went wrong: RFC 9457 below ``/api/``, a page elsewhere. Nothing of the inside is shown.

What nobody foresaw gets a number that stands in the log, with the trace, and on the page, without it.
"""

from __future__ import annotations

import json
import logging
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.refused import PROBLEMS, Refused
from console.routing import API
from console.show import show
from dkumonitor.accounts.errors import AccountError, BusyError, NotThereError
from dkumonitor.errors import DkmError, NoSuchError, QuestionError, ServiceError, StoreError
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

_log = logging.getLogger("console")
_BY_STATUS = {status: slug for slug, (status, _) in reversed(PROBLEMS.items())}
_RETRY_SECONDS = "5"
# Errors whose own text is the answer; the first that fits.
_SAID: tuple[tuple[type[DkmError], str], ...] = (
    (NotThereError, "not-there"),
    (NoSuchError, "not-there"),
    (QuestionError, "bad-question"),
    (AccountError, "refused-change"),
    (ServiceError, "no-answer"),
)


def handlers() -> dict[type[Exception], Callable[[Request, Exception], Response]]:
    """What answers each kind of error."""
    return {Refused: _refused, HTTPException: _http, DkmError: _known}


def problem(request: Request, refused: Refused) -> Response:
    """The answer to a refused request."""
    if request.url.path.startswith(API + "/") or request.url.path == API:
        return problem_json(refused)
    status, headers = refused.status, refused.headers
    return show(request, "problem.html", status=status, headers=headers, title=refused.title, problem=refused)


def problem_json(refused: Refused) -> Response:
    """The answer as RFC 9457 has it; ``type`` is the slug, relative to docs/api.md's list."""
    body: Mapping[str, object] = {
        "type": f"/problems/{refused.slug}",
        "title": refused.title,
        "status": int(refused.status),
        "detail": refused.detail,
    }
    return Response(
        json.dumps(body), status_code=refused.status, media_type="application/problem+json", headers=refused.headers
    )


def of_error(error: DkmError) -> Refused:
    """How an error that a person can do something about is answered."""
    if isinstance(error, BusyError):
        return Refused("busy", str(error), {"Retry-After": _RETRY_SECONDS})
    for kind, slug in _SAID:
        if isinstance(error, kind):
            return Refused(slug, printable(str(error)))
    if isinstance(error, StoreError):
        unforeseen(error)
        return Refused("no-store", "An admin finds the reason by `dkm doctor`.", {"Retry-After": _RETRY_SECONDS})
    return unforeseen(error)


def unforeseen(error: Exception, where: str = "") -> Refused:
    """Log an error with its trace under a new number, and answer with the number alone."""
    number = secrets.token_hex(4)
    _log.error("%s: %s failed", number, printable(where) or "a request", exc_info=error)
    return Refused("failed", f"An admin finds the reason in the console's log (dkm tail console) at {number}.")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  for mypy: it is registered for that
    return problem(request, error)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  for mypy: it is registered for that
    slug = _BY_STATUS.get(HTTPStatus(error.status_code), "bad-request")
    return problem(request, Refused(slug, "", dict(error.headers or {})))


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, DkmError)  # noqa: S101  for mypy: it is registered for that
    return problem(request, of_error(error))


def answer_unforeseen(request: Request, error: Exception) -> Response:
    """The answer to what nobody foresaw."""
    refused = unforeseen(error, f"{request.method} {request.url.path}")
    try:
        return problem(request, refused)
    except Exception:  # noqa: BLE001  the page of errors needs the store and templates, which may be what failed
        _log.exception("no page could be drawn for that")
        return problem_json(refused)
