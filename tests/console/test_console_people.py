"""Real names: left out by the server for whoever has not unlocked them, in every form; and harmless when shown."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tokens import Scope
from dkumonitor.store.tables import people
from dkumonitor.text import printable
from tests import corpus
from tests.console_app import PASSWORD, running_console
from tests.html_pages import assert_harmless, read, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.console_app import RunningConsole

NAME, MAIL, NUMBER = "Ada King Lovelace", "ada.king@example.org", "s1815"
PRIVATE = ("real_name", "mail", "student_id")


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    def fill(store: Any, installation: Any) -> None:
        texts = {f"user{number}": text for number, text in enumerate(corpus.SURROGATED)}
        plain = {"source": "csv", "host": "", "changed_seconds": 1000, "mail": None, "student_id": None}
        with store.writing() as connection:
            for login, text in texts.items():
                connection.execute(people.insert().values(**plain, login=login, real_name=text[:500]))
            known = {**plain, "login": "ada", "real_name": NAME, "mail": MAIL, "student_id": NUMBER}
            connection.execute(people.insert().values(**known))
            connection.exec_driver_sql("UPDATE accounts SET real_names = 1 WHERE login = 'operator'")
        assert installation.host

    with running_console(tmp_path_factory.mktemp("peopled"), before_start=fill) as running:
        yield running


def everything(client: httpx.Client) -> str:
    paths = ("/people", "/tables/people?limit=1000", "/tables/people.csv", "/api/v1/people?limit=1000")
    return "".join(client.get(path).text for path in paths)


def test_real_names_are_in_no_page_csv_or_json_before_they_are_unlocked(peopled: RunningConsole) -> None:
    clients = [peopled.client(role) for role in Role]
    clients += [peopled.bearer(role, scope) for role in Role for scope in Scope]
    for client in clients:
        shown = everything(client)
        assert "ada" in shown
        assert not [text for text in (NAME, MAIL, NUMBER) if text in shown]
        (row,) = client.get("/api/v1/people?search=ada").json()["rows"]
        assert [row[name] for name in PRIVATE] == [None, None, None]


@pytest.mark.parametrize("text", ["Lovelace", "king@", NUMBER])
def test_a_hidden_name_can_be_neither_found_nor_guessed_by_its_order(peopled: RunningConsole, text: str) -> None:
    client = peopled.client(Role.ADMIN)
    assert client.get("/api/v1/people", params={"search": text}).json()["total"] == 0
    by_name = client.get("/api/v1/people?sort=real_name&limit=1000").json()["rows"]
    by_login = client.get("/api/v1/people?sort=login&limit=1000").json()["rows"]
    assert by_name == by_login


def test_who_has_the_right_unlocks_them_for_one_session_with_the_password(peopled: RunningConsole) -> None:
    client, other = peopled.sign_in("operator"), peopled.sign_in("operator")
    page = read(client.get("/people").text)
    fields = {one.attributes["name"] for one in page.one("form", action="/account/names").all("input")}
    assert fields == {"csrf", "next", "password"}
    unlocked = peopled.post(client, "/account/names", password=PASSWORD, next="/people")
    assert unlocked.headers["Location"] == "/people"
    assert client.get("/api/v1/people?search=Lovelace").json()["rows"][0]["mail"] == MAIL
    found = list(csv.DictReader(io.StringIO(client.get("/tables/people.csv").text)))
    assert NAME in [row["real_name"] for row in found]
    assert NAME not in everything(other)
    peopled.post(client, "/account/names/hide")
    assert NAME not in everything(client)


def test_no_real_name_runs_or_breaks_a_page(peopled: RunningConsole) -> None:
    client = peopled.sign_in("operator")
    peopled.post(client, "/account/names", password=PASSWORD)
    answer = client.get("/api/v1/people?limit=1000").json()["rows"]
    column = list(answer[0]).index("real_name")
    shown = [row[column] for row in rows(assert_harmless(client.get("/tables/people?limit=1000").text))]
    assert shown == [printable(row["real_name"]) for row in answer]
    assert {row["real_name"] for row in answer} == {text[:500] for text in corpus.SURROGATED} | {NAME}


def test_the_navigation_leads_to_what_a_role_may_see_and_to_nothing_else(peopled: RunningConsole) -> None:
    shown = {}
    for role in Role:
        client = peopled.client(role)
        (menu,) = read(client.get("/account").text).all("nav")
        shown[role] = [link.attributes["href"] for link in menu.all("a")]
        for path in shown[role]:
            page = read(client.get(path).text)
            assert page.all("h1"), path
            current = [link for link in page.all("a") if link.attributes.get("aria-current") == "page"]
            assert path in [link.attributes["href"] for link in current], path
    assert set(shown[Role.ADMIN]) - set(shown[Role.OPERATOR]) == {"/accounts", "/audit"}
    assert set(shown[Role.VIEWER]) <= set(shown[Role.OPERATOR])
