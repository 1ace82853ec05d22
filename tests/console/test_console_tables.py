"""Listings: one question, answered the same as page, CSV and JSON; sorted, searched and paged by the server."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from console.parameters import address, check, taken, written
from console.refused import Refused
from console.tables import table
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tables import audit
from dkumonitor.cells import Column, about, cell_of, columns_of, duration
from dkumonitor.views import MAX_LIMIT, Answer, Listing, Moment, Parameters, Question, answer_rows
from tests import corpus
from tests.console_app import running_console
from tests.html_pages import assert_harmless, read, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console_app import RunningConsole

COUNT = 2345
MARKED = ("'=", "'+", "'-", "'@", "''")
START = 1_900_000_000
TEXTS = corpus.SURROGATED


class Sample(msgspec.Struct, frozen=True):
    path: bytes
    used_bytes: int | None
    changed_seconds: Moment | None
    age_seconds: float
    full_percent: float
    ok: bool
    files: int


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    def fill(store: Any, _: Any) -> None:
        with store.writing() as connection:
            for number in range(COUNT):
                text = TEXTS[number % len(TEXTS)]
                line = {
                    "at_seconds": START + number,
                    "login": f"u{number % 7}",
                    "address": "::1",
                    "act": "x",
                    "about": text,
                }
                connection.execute(audit.insert().values(line))

    with running_console(tmp_path_factory.mktemp("filled"), before_start=fill) as running:
        yield running


@pytest.mark.parametrize(
    "question",
    ["", "sort=about", "sort=about&descending=true&limit=50&offset=30", "search=script&limit=1000", "search=%25",
     "sort=at_seconds&descending=false&offset=1000&limit=1000", "search=u3&sort=login&limit=7", "search=nothing-has"],
)  # fmt: skip
def test_page_csv_and_json_show_the_same_rows(filled: RunningConsole, question: str) -> None:
    client = filled.client(Role.ADMIN)
    asked = dict(parse_qsl(question))
    asked.setdefault("limit", "50")
    answer = client.get("/api/v1/audit", params=asked).json()
    shown = rows(assert_harmless(client.get("/tables/audit", params=asked).text))
    read_again = list(csv.reader(io.StringIO(client.get("/tables/audit.csv", params=asked).text)))
    columns = list(answer["rows"][0]) if answer["rows"] else read_again[0]
    assert read_again[0] == columns
    plain = [[_shown(row[name]) for name in columns] for row in answer["rows"]]
    assert (shown if answer["rows"] else []) == plain
    unmarked = [[cell[1:] if cell[:2] in MARKED else cell for cell in row] for row in read_again[1:]]
    assert unmarked == plain
    assert len(plain) == min(int(asked["limit"]), max(0, answer["total"] - int(asked.get("offset", 0))))


def _shown(value: object) -> str:
    from dkumonitor.text import printable  # noqa: PLC0415

    return "" if value is None else printable(str(value))


def test_a_csv_has_every_row_and_one_header_however_many_there_are(filled: RunningConsole) -> None:
    client = filled.client(Role.ADMIN)
    answer = client.get("/tables/audit.csv?sort=id")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    found = list(csv.reader(io.StringIO(answer.text)))
    assert [row[0] for row in found].count("id") == 1
    numbers = [int(row[0]) for row in found[1:]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == client.get("/api/v1/audit").json()["total"] == COUNT + 3


def test_no_cell_of_csv_is_a_formula(filled: RunningConsole) -> None:
    found = csv.reader(io.StringIO(filled.client(Role.ADMIN).get("/tables/audit.csv").text))
    assert not [cell for row in found for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def test_links_walk_through_all_pages_of_an_answer(filled: RunningConsole) -> None:
    client = filled.client(Role.ADMIN)
    address: str | None = "/api/v1/audit?limit=100&sort=id&search=u1"
    found: list[int] = []
    while address:
        answer = client.get(address)
        found += [row["id"] for row in answer.json()["rows"]]
        address = answer.links.get("next", {}).get("url")
    assert found == sorted(found)
    assert len(found) == len(set(found)) == answer.json()["total"]
    back = answer.links["prev"]["url"]
    assert client.get(back).json()["rows"][-1]["id"] < answer.json()["rows"][0]["id"]


def test_a_page_of_a_table_walks_without_scripts(filled: RunningConsole) -> None:
    client = filled.client(Role.ADMIN)
    address = "/tables/audit?search=u2&limit=200"
    seen = 0
    while True:
        page = assert_harmless(client.get(address).text)
        seen += len(rows(page))
        (pages,) = [one for one in page.all("p") if one.attributes.get("class") == "pages"]
        following = [one for one in pages.all("a") if one.attributes["rel"] == "next"]
        if not following:
            break
        address = following[0].attributes["href"]
        assert following[0].attributes["data-hx-get"] == address
    assert seen == client.get("/api/v1/audit?search=u2").json()["total"]


def test_a_heading_sorts_and_says_how_it_is_sorted(filled: RunningConsole) -> None:
    client = filled.client(Role.ADMIN)

    def headings(address: str) -> dict[str, Any]:
        return {one.text: one for one in read(client.get(address).text).all("th")}

    first = headings("/tables/audit?search=u1&offset=100")
    assert {name: one.attributes["aria-sort"] for name, one in first.items()} == {
        "id": "descending", "at (UTC)": "none", "login": "none", "address": "none", "act": "none", "about": "none",
    }  # fmt: skip
    (link,) = first["login"].all("a")
    assert dict(parse_qsl(urlsplit(link.attributes["href"]).query)) == {"search": "u1", "sort": "login"}
    second = headings(link.attributes["href"])
    assert second["login"].attributes["aria-sort"] == "ascending"
    (link,) = second["login"].all("a")
    assert headings(link.attributes["href"])["login"].attributes["aria-sort"] == "descending"
    assert "number" in first["at (UTC)"].attributes["class"]


def test_htmx_gets_the_table_alone(filled: RunningConsole) -> None:
    client = filled.client(Role.ADMIN)
    part = client.get("/tables/audit", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert read(part).one("section").attributes["id"] == "table-audit"
    stranger = filled.stranger().get("/tables/audit", headers={"HX-Request": "true"})
    assert (stranger.status_code, stranger.headers["HX-Redirect"]) == (401, "/sign-in")


@pytest.mark.parametrize(
    "question",
    ["sort=nothing", "sort=id;DROP", "limit=0", f"limit={MAX_LIMIT + 1}", "limit=x", "limit=1.5", "offset=-1",
     "offset=99999999999999999999", "descending=maybe", "unknown=1", "search=" + "x" * 201, "search=%00"],
)  # fmt: skip
def test_a_question_that_cannot_be_asked_is_refused_everywhere(filled: RunningConsole, question: str) -> None:
    client = filled.client(Role.ADMIN)
    for path in ("/tables/audit", "/tables/audit.csv", "/api/v1/audit"):
        assert client.get(f"{path}?{question}").status_code == 400, path
    assert client.get(f"/api/v1/audit?{question}").json()["type"] == "/problems/bad-question"


def test_a_listing_that_is_not_there_or_not_for_this_role_is_not_shown(filled: RunningConsole) -> None:
    for path in ("/tables/nothing", "/tables/nothing.csv", "/tables/.csv", "/tables/audit.csv.csv"):
        assert filled.client(Role.ADMIN).get(path).status_code == 404
    for path in ("/tables/audit", "/tables/audit.csv", "/tables/accounts", "/api/v1/accounts"):
        assert filled.client(Role.OPERATOR).get(path).status_code == 403


def test_columns_are_shown_by_their_type_and_unit() -> None:
    row = Sample(b"a\xff\x1b", 1536, 1_795_458_319, 93_784.0, 12.345, ok=True, files=1_234_567)
    columns = columns_of(Sample)
    assert [column.label for column in columns] == [
        "path", "used", "changed (UTC)", "age", "full %", "ok", "files"
    ]  # fmt: skip
    assert [column.numeric for column in columns] == [False, True, True, True, True, False, True]
    cells = [cell_of(column, getattr(row, column.name)) for column in columns]
    assert [cell.text for cell in cells] == [
        "a\\xff\\x1b", "1.5 KiB", "2026-11-23 18:25:19", "1 d 2 h", "12.3 %", "yes", "1,234,567",
    ]  # fmt: skip
    assert [cell.value for cell in cells] == [
        None, "1536", "1795458319", "93784.0", "12.345", "true", "1234567"
    ]  # fmt: skip
    assert cell_of(columns[2], None).text == "–"  # noqa: RUF001
    assert cell_of(Column("last_seconds", "last", numeric=True, moment=True), None).text == "never"
    assert cell_of(columns[1], None).text == "–"  # noqa: RUF001
    assert cell_of(columns[2], -1).text == "-1"
    assert cell_of(Column("x", "x", numeric=True, moment=True), 10**30).text == str(10**30)
    assert [duration(seconds) for seconds in (0, 59, 61, 3661, 90_061, -61, 0.25)] == [
        "0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h", "-1 min 1 s", "0.25 s"
    ]  # fmt: skip


def test_an_empty_table_says_what_to_do() -> None:
    listing = Listing(
        name="x", title="X", summary="", row_type=Sample, ask=lambda _, question: answer_rows([], question),
        empty="Run `dkm x`.",
    )  # fmt: skip
    question = Question()
    assert table(listing, question, answer_rows([], question)).empty == "Run `dkm x`."
    searched = Question(search="a")
    assert table(listing, searched, answer_rows([], searched)).empty == "No row contains that text."


@pytest.mark.parametrize("href", ["javascript:alert(1)", "//evil.example", "https://evil.example", "/\\evil", "", "x"])
def test_a_cell_leads_nowhere_else(href: str) -> None:
    listing = Listing(
        name="x", title="X", summary="", row_type=Sample, ask=lambda _, question: answer_rows([], question),
        links={"path": lambda _: href, "files": lambda _: "/users"},
    )  # fmt: skip
    row = Sample(b"x", 1, 1.0, 1.0, 1.0, ok=True, files=1)
    (cells,) = table(listing, Question(), answer_rows([row], Question())).rows
    assert (cells[0].href, cells[-1].href) == (None, "/users")


class Choice(Parameters, frozen=True, kw_only=True):
    user: str
    run: int | None = None
    deep: bool = False


def test_parameters_are_taken_by_their_types_and_written_back() -> None:
    for given in (
        {"user": "ann"}, {"user": "a&b=c/?#", "run": "7"}, {"user": "\u202e", "deep": "true"}, {"user": "x", "run": ""},
    ):  # fmt: skip
        found = taken(given, Choice)
        assert taken(written(found), Choice) == found
        link = address("/tables/x", found, Question(sort="path", offset=50))
        assert dict(parse_qsl(urlsplit(link).query)) == {**written(found), "sort": "path", "offset": "50"}
    assert address("/tables/x", Parameters(), Question()) == "/tables/x"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"user": ""},
        {"user": "a", "run": "x"},
        {"user": "a", "more": "1"},
        {"user": "a\0b"},
        {"user": "a", "deep": "2"},
    ],
)
def test_parameters_that_are_missing_unknown_or_wrong_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        taken(given, Choice)
    assert refused.value.slug == "bad-question"


def test_no_parameter_may_have_the_name_of_what_every_listing_takes() -> None:
    class Wrong(Parameters, frozen=True, kw_only=True):
        search: str = ""

    check(Choice, "x")
    with pytest.raises(ValueError, match="search"):
        check(Wrong, "x")


def test_a_table_keeps_its_parameters_in_all_of_its_addresses() -> None:
    listing = Listing(
        name="x", title="X", summary="", row_type=Sample, ask=lambda _, question: answer_rows([], question),
        parameters=Choice,
    )  # fmt: skip
    row = Sample(b"x", 1, 1.0, 1.0, 1.0, ok=True, files=1)
    question = Question(offset=10, limit=10)
    drawn = table(listing, question, Answer([row] * 10, 100), Choice(user="a&b", run=3))
    links = [drawn.csv, drawn.previous, drawn.next, *(heading.href for heading in drawn.headings)]
    for link in links:
        assert link is not None
        assert {"user": "a&b", "run": "3"}.items() <= dict(parse_qsl(urlsplit(link).query)).items()
    assert drawn.parameters == {"user": "a&b", "run": "3"}


def test_what_tells_things_apart_has_no_separators_and_estimates_are_round() -> None:
    for name in ("id", "uid", "number", "run_id"):
        assert cell_of(Column(name, name, numeric=True, moment=False), 20_117).text == "20117"
    assert cell_of(Column("bytes", "bytes", numeric=True, moment=False), 2048).text == "2.0 KiB"
    assert [about(seconds) for seconds in (3600, 86_400, 129_600, 200_000, 40_000_000)] == [
        "1 hour", "24 hours", "2 days", "2 days", "463 days"
    ]  # fmt: skip
