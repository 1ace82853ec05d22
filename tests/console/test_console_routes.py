"""The route table: who may what, and how a change proves that it is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from console.discovery import find
from console.routing import Declared, Kind
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tokens import Scope

if TYPE_CHECKING:
    import httpx

    from tests.console_app import RunningConsole

ROUTES = find().routes
PUBLIC = {("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/health")}
VALUES = {"login": "viewer", "listing": "sessions", "program": "console"}
PRIVATE = [one for one in ROUTES if (one.method, one.path) not in PUBLIC]
CHANGES = [one for one in PRIVATE if one.method != "GET"]
BELOW = [(one, role) for one in PRIVATE for role in Role if one.role is not None and not role.may(one.role)]


def path_of(one: Declared) -> str:
    """An address of the route; a number in it is of nothing that exists."""
    path = re.sub(r"\{\w+:number\}", "424242", one.path)
    return re.sub(r"\{(\w+)\}", lambda found: VALUES.get(found[1], "x"), path)


def name_of(one: object) -> str:
    return f"{one.method} {one.path}" if isinstance(one, Declared) else str(one)


def send(client: httpx.Client, one: Declared, **headers: str) -> httpx.Response:
    if one.method == "GET":
        return client.get(path_of(one), headers=headers)
    if one.kind is Kind.API:
        return client.request(one.method, path_of(one), content=b"{}" if one.body else None, headers={
            **({"Content-Type": "application/json"} if one.body else {}), **headers})  # fmt: skip
    return client.request(one.method, path_of(one), data={"any": "field"}, headers=headers)


def test_only_the_sign_in_page_and_health_need_no_sign_in() -> None:
    assert {(one.method, one.path) for one in ROUTES if one.role is None} == PUBLIC
    assert {(one.method, one.path) for one in ROUTES if one.kind is Kind.PUBLIC} == PUBLIC


def test_what_changes_something_is_never_a_get() -> None:
    assert all(one.method == "POST" for one in ROUTES if one.kind is Kind.ACTION)
    assert all(one.method == "GET" for one in ROUTES if one.kind is Kind.PAGE)


@pytest.mark.parametrize("one", PRIVATE, ids=name_of)
def test_a_stranger_is_sent_to_the_sign_in_or_refused(console: RunningConsole, one: Declared) -> None:
    answer = send(console.stranger(), one)
    if one.kind is Kind.PAGE and not path_of(one).endswith(".csv"):
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/sign-in")
    else:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("one", PRIVATE, ids=name_of)
def test_a_wrong_cookie_or_token_is_no_sign_in(console: RunningConsole, one: Declared) -> None:
    assert send(console.stranger(cookies={"dkm_session": "x" * 43}), one).status_code in {303, 401}
    assert send(console.stranger(), one, Authorization=f"Bearer dkm_{'x' * 43}").status_code == 401
    assert send(console.client(Role.ADMIN), one, Authorization="Basic eDp5").status_code == 401


@pytest.mark.parametrize(("one", "role"), BELOW, ids=name_of)
def test_a_smaller_role_is_refused(console: RunningConsole, one: Declared, role: Role) -> None:
    client = console.client(role)
    answer = send(client, one, **{"X-CSRF-Token": console.csrf(client), "Origin": console.url})
    assert answer.status_code == 403
    assert "role" in answer.text


@pytest.mark.parametrize("one", [one for one in PRIVATE if one.method == "GET"], ids=name_of)
def test_the_role_that_is_needed_is_enough(console: RunningConsole, one: Declared) -> None:
    assert one.role is not None
    answer = send(console.client(one.role), one)
    asked_of = one.query is not None and bool(one.query.__struct_fields__)
    # the values of this test name nothing, and what a page is of is not said
    allowed = {200, 400, 502} | ({404} if "{" in one.path or asked_of else set())
    assert answer.status_code in allowed, answer.text


@pytest.mark.parametrize("one", CHANGES, ids=name_of)
def test_a_change_without_proof_that_it_is_meant_is_refused(console: RunningConsole, one: Declared) -> None:
    client = console.client(Role.ADMIN)
    other = console.csrf(console.sign_in("admin"))
    for headers in (
        {},
        {"Origin": console.url},
        {"X-CSRF-Token": "", "Origin": console.url},
        {"X-CSRF-Token": other, "Origin": console.url},
        {"X-CSRF-Token": console.csrf(client), "Origin": "http://evil.example"},
        {"X-CSRF-Token": console.csrf(client), "Origin": "null"},
        {"X-CSRF-Token": console.csrf(client), "Sec-Fetch-Site": "cross-site"},
        {"X-CSRF-Token": console.csrf(client), "Sec-Fetch-Site": "same-site"},
    ):
        answer = send(client, one, **headers)
        assert answer.status_code == 403, headers
        assert "did not come from a page of this console" in answer.text


@pytest.mark.parametrize("one", CHANGES, ids=name_of)
def test_a_token_that_may_only_read_changes_nothing(console: RunningConsole, one: Declared) -> None:
    assert send(console.bearer(Role.ADMIN, Scope.READ), one).status_code == 403


@pytest.mark.parametrize("one", [one for one in CHANGES if one.kind is Kind.ACTION], ids=name_of)
def test_a_form_takes_no_token(console: RunningConsole, one: Declared) -> None:
    assert send(console.bearer(Role.ADMIN, Scope.ADMIN), one).status_code == 403


def test_a_method_that_a_route_does_not_have_is_refused(console: RunningConsole) -> None:
    client = console.client(Role.ADMIN)
    assert client.request("DELETE", "/audit").status_code == 405
    assert client.request("PATCH", "/api/v1/audit").status_code == 405
    for method in ("PUT", "OPTIONS", "TRACE", "CONNECTED", "PROPFIND"):
        assert client.request(method, "/audit").status_code == 405
