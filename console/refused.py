"""A request that is answered with an error: one exception, one table of what there is (docs/api.md lists it)."""

from __future__ import annotations

from http import HTTPStatus

PROBLEMS = {
    "bad-request": (HTTPStatus.BAD_REQUEST, "The request is not as it must be"),
    "bad-question": (HTTPStatus.BAD_REQUEST, "A listing cannot be asked that"),
    "refused-change": (HTTPStatus.CONFLICT, "The change cannot be made"),
    "sign-in-needed": (HTTPStatus.UNAUTHORIZED, "Sign in, or send a token"),
    "wrong-password": (HTTPStatus.FORBIDDEN, "That is not the password"),
    "not-allowed": (HTTPStatus.FORBIDDEN, "Your role or token does not allow that"),
    "no-proof-of-origin": (HTTPStatus.FORBIDDEN, "The change did not come from a page of this console"),
    "not-there": (HTTPStatus.NOT_FOUND, "There is nothing at this address"),
    "wrong-method": (HTTPStatus.METHOD_NOT_ALLOWED, "This address does not take that method"),
    "too-slow": (HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time"),
    "too-large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request's body is too large"),
    "too-long": (HTTPStatus.REQUEST_URI_TOO_LONG, "The address is too long"),
    "wrong-type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The request's body is of a type that is not read here"),
    "wrong-host": (HTTPStatus.MISDIRECTED_REQUEST, "This console does not answer to that host name"),
    "too-many": (HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts"),
    "failed": (HTTPStatus.INTERNAL_SERVER_ERROR, "The console failed"),
    "no-answer": (HTTPStatus.BAD_GATEWAY, "A program behind the console does not answer"),
    "no-store": (HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot be used"),
    "busy": (HTTPStatus.SERVICE_UNAVAILABLE, "The console is busy"),
}


class Refused(Exception):  # noqa: N818  it is an answer, not a failure
    """Answer the request with a problem.

    Args:
        slug: one of :data:`PROBLEMS`.
        detail: what is wrong and what to do, in a sentence or two; empty where the title says it.
        headers: more headers of the answer.
    """

    def __init__(self, slug: str, detail: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(slug, detail)
        self.slug = slug
        self.status, self.title = PROBLEMS[slug]
        self.detail = detail
        self.headers = headers or {}
