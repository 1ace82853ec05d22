"""Signing in: sessions that nobody else can have, and guessing that does not pay."""

from __future__ import annotations

import concurrent.futures
import re
import time
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from console.signin import local_path
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tables import accounts, audit, failures, sessions
from tests.console_app import PASSWORD, running_console
from tests.html_pages import read

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.console_app import RunningConsole

DAY = 86400


def sign_in(client: httpx.Client, login: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
    return client.post("/sign-in", data={"login": login, "password": password, **fields})


def cookie_of(answer: httpx.Response) -> str:
    found = re.match(r"(?:__Host-)?dkm_session=([^;]+);", answer.headers["set-cookie"])
    assert found
    return found[1]


def acts(console: RunningConsole) -> list[tuple[str, str]]:
    with console.store.reading() as connection:
        return [(row.login, row.act) for row in connection.execute(sa.select(audit).order_by(audit.c.id))]


def test_the_page_has_one_form_that_signs_in(console: RunningConsole) -> None:
    client = console.stranger(follow_redirects=True)
    page = read(client.get("/account").text)
    (form,) = page.all("form")
    fields = {one.attributes["name"]: one.attributes["value"] for one in form.all("input")}
    assert set(fields) == {"next", "login", "password"}
    answer = client.post(form.attributes["action"], data={**fields, "login": " Viewer ", "password": PASSWORD})
    assert answer.url.path == "/account"
    assert "viewer" in answer.text


def test_a_session_is_new_at_each_sign_in_and_replaces_the_one_before(console: RunningConsole) -> None:
    client = console.stranger()
    planted = "planted" * 6
    client.cookies.set("dkm_session", planted)
    first = cookie_of(sign_in(client, "viewer"))
    assert first != planted
    fresh = console.stranger()
    fresh.cookies.set("dkm_session", first)
    second = cookie_of(sign_in(fresh, "viewer"))
    assert second != first
    for cookie, status in ((planted, 303), (first, 303), (second, 200)):
        assert console.stranger(cookies={"dkm_session": cookie}).get("/account").status_code == status


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_the_store_has_only_its_hash(
    console: RunningConsole,
) -> None:
    answer = sign_in(console.stranger(), "viewer")
    assert {part.strip() for part in answer.headers["set-cookie"].split(";")[1:]} == {
        "HttpOnly",
        "Path=/",
        "SameSite=strict",
    }
    everything = b"".join(path.read_bytes() for path in console.installation.store_file.parent.iterdir())
    assert cookie_of(answer).encode() not in everything
    assert PASSWORD.encode() not in everything
    assert cookie_of(answer) not in console.log.read_text()


def test_signing_out_ends_the_session_for_good(console: RunningConsole) -> None:
    client = console.sign_in("viewer")
    cookie = client.cookies["dkm_session"]
    answer = console.post(client, "/sign-out")
    assert answer.headers["Location"] == "/sign-in"
    assert console.stranger(cookies={"dkm_session": cookie}).get("/account").status_code == 303


def test_a_wrong_password_an_unknown_and_a_disabled_login_look_the_same(own_console: RunningConsole) -> None:
    with own_console.store.writing() as connection:
        connection.execute(accounts.update().where(accounts.c.login == "operator").values(disabled=True))
    client = own_console.stranger()
    answers = [
        sign_in(client, "viewer", "wrong password"),
        sign_in(client, "nobody", "wrong password"),
        sign_in(client, "operator"),
        sign_in(client, "", ""),
    ]
    assert {one.status_code for one in answers} == {401}
    texts = {re.sub(r'name="login"[^>]*', "", one.text) for one in answers}
    assert len(texts) == 1
    assert all("set-cookie" not in one.headers for one in answers)
    assert acts(own_console)[-4:] == [
        ("viewer", "sign-in-failed"),
        ("nobody", "sign-in-failed"),
        ("operator", "sign-in-failed"),
        ("", "sign-in-failed"),
    ]


def test_guessing_a_login_is_slowed_also_after_a_restart(own_console: RunningConsole) -> None:
    client = own_console.stranger()
    statuses = [sign_in(client, "viewer", f"wrong {number}").status_code for number in range(6)]
    assert statuses[:5] == [401] * 5
    with own_console.store.writing() as connection:  # as if the last were at this moment, and many before it
        connection.execute(failures.update().values(failures=12, last_seconds=int(time.time()) + 5))
    for _ in range(2):
        refused = sign_in(client, "viewer")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        own_console.restart()
        own_console.wait()
    with own_console.store.writing() as connection:
        connection.execute(failures.update().values(last_seconds=int(time.time()) - 61))
    assert sign_in(client, "viewer").status_code == 303


def test_guessing_from_an_address_is_slowed_whatever_the_login(own_console: RunningConsole) -> None:
    client = own_console.stranger()
    sign_in(client, "nobody", "wrong")
    with own_console.store.writing() as connection:
        address = failures.c.subject.startswith("address:")
        future = int(time.time()) + 5
        connection.execute(failures.update().where(address).values(failures=30, last_seconds=future))
    assert sign_in(client, "viewer").status_code == 429


def test_old_failures_are_forgotten_and_do_not_fill_the_store(own_console: RunningConsole) -> None:
    with own_console.store.writing() as connection:
        old = [{"subject": f"login:{number}", "failures": 9, "last_seconds": 1000} for number in range(2000)]
        connection.execute(failures.insert(), old)
    sign_in(own_console.stranger(), "nobody", "wrong")
    with own_console.store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(failures)) == 2


def test_more_sign_ins_than_can_be_checked_are_sent_away_and_none_fails_otherwise(console: RunningConsole) -> None:
    def attempt(number: int) -> httpx.Response:
        return sign_in(console.stranger(), f"flood{number}", "wrong password")

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(attempt, range(16)))
    assert {one.status_code for one in answers} <= {401, 429, 503}
    assert all("Retry-After" in one.headers for one in answers if one.status_code in {429, 503})
    with console.store.writing() as connection:
        connection.execute(failures.delete())


@pytest.mark.parametrize(("column", "age_seconds"), [("seen_seconds", 9 * 3600), ("created_seconds", 8 * DAY)])
def test_a_session_ends_unused_and_after_its_whole_time(console: RunningConsole, column: str, age_seconds: int) -> None:
    client = console.sign_in("viewer")
    assert client.get("/account").status_code == 200
    with console.store.writing() as connection:
        connection.execute(sessions.update().values({column: int(time.time()) - age_seconds}))
    assert client.get("/account").status_code == 303


def test_a_disabled_account_is_out_at_once(own_console: RunningConsole) -> None:
    client = own_console.client(Role.VIEWER)
    assert client.get("/account").status_code == 200
    own_console.post(own_console.client(Role.ADMIN), "/accounts/viewer", role="viewer", disabled="yes")
    assert client.get("/account").status_code == 303
    assert sign_in(own_console.stranger(), "viewer").status_code == 401


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\r\nX: y", "/\t/x", "evil",
     "", "/\u2028", "///x", "/ä"],
)  # fmt: skip
def test_the_way_on_after_the_sign_in_stays_here(console: RunningConsole, target: str) -> None:
    assert local_path(target) == "/"
    shown = read(console.stranger().get("/sign-in", params={"next": target}).text)
    assert shown.one("input", name="next").attributes["value"] == "/"
    signed_in = console.client(Role.VIEWER).get("/sign-in", params={"next": target})
    assert signed_in.headers["Location"] == "/"


def test_the_way_on_leads_to_the_page_that_was_asked_for(console: RunningConsole) -> None:
    asked = console.stranger().get("/tables/sessions?search=a%26b&sort=login")
    assert asked.status_code == 303
    page = read(console.stranger().get(asked.headers["Location"]).text)
    target = page.one("input", name="next").attributes["value"]
    assert sign_in(console.stranger(), "viewer", next=target).headers["Location"] == (
        "/tables/sessions?search=a%26b&sort=login"
    )


def test_a_sign_in_from_another_sites_page_is_refused(console: RunningConsole) -> None:
    data = {"login": "viewer", "password": PASSWORD}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = console.stranger().post("/sign-in", data=data, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_under_tls_the_cookie_is_bound_to_the_host_and_to_tls(tmp_path: Path) -> None:
    with running_console(tmp_path, tls=True) as console:
        client = console.stranger(verify=False)
        answer = sign_in(client, "viewer")
        assert answer.headers["set-cookie"].startswith("__Host-dkm_session=")
        assert "; Secure" in answer.headers["set-cookie"]
        assert "strict-transport-security" not in answer.headers  # it would hold for the machine's other ports, too
        client.cookies.set("__Host-dkm_session", cookie_of(answer))
        assert client.get("/account").status_code == 200
        old = console.stranger(verify=False, cookies={"dkm_session": cookie_of(answer)})
        assert old.get("/account").status_code == 303
