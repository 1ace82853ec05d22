"""What a person does with the console, done in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dkumonitor.accounts.roles import Role
from dkumonitor.text import printable
from tests import corpus
from tests.history.records import AUDIT_ROWS

if TYPE_CHECKING:
    from tests.browser.chromium import Chromium
    from tests.browser.site import Site

pytestmark = pytest.mark.xdist_group("browser")
ADMINS_PAGES = ["/accounts", "/accounts/admin", "/audit", "/tables/audit", "/tables/audit.csv", "/api/v1/audit"]
OPERATORS_ACTS = ["/services/collectd/restart"]
ADMINS_ACTS = ["/accounts", "/accounts/admin", "/accounts/admin/password", "/accounts/admin/remove"]


def count_of(caption: str) -> int:
    """The number of all rows that a table's caption tells."""
    return int(caption.rsplit(" ", 1)[1].replace(",", ""))


def test_tables_and_the_sign_in_work_without_scripts(chromium: Chromium, site: Site) -> None:
    told = chromium.act("without_scripts", **site.account(Role.ADMIN), table="/tables/audit", search="schmidt")

    assert count_of(told["count"]) >= AUDIT_ROWS
    assert told["sorted"] == "1"
    assert told["first"] != "1"
    assert told["order"] == "ascending"
    assert told["next"].startswith("51 to 100 of")
    assert 0 < count_of(told["found"]) < AUDIT_ROWS
    assert told["address"].startswith("?search=schmidt")
    assert told["csv"] == "audit.csv"
    assert told["after"] == "/sign-in"


def test_a_table_is_sorted_turned_and_searched_in_place_by_keyboard(chromium: Chromium, site: Site) -> None:
    told = chromium.act("table", **site.account(Role.ADMIN), table="/audit", heading="at (UTC)", search="schmidt")

    assert told["problems"] == []
    assert (told["before"], told["after"]) == ("none", "descending")
    assert told["focused"] == "at (UTC)"
    assert told["column"] == sorted(told["column"], reverse=True)
    assert told["page"].startswith("51 to 100 of")
    assert 0 < count_of(told["found"]) < AUDIT_ROWS
    assert told["typed"] == "schmidt"
    assert told["same"]  # no new page was loaded


def test_sign_out_ends_the_session_and_not_only_its_cookie(chromium: Chromium, site: Site) -> None:
    told = chromium.act("sign_out", **site.account(Role.VIEWER), path="/people")

    assert told["stranger"] == "/sign-in"
    assert told["cookie"] == [{"name": "dkm_session", "httpOnly": True, "sameSite": "Strict"}]
    assert told["left"] == []
    assert told["back"] == "/sign-in"
    assert told["history"] == 0  # nothing of a page is shown again by going back


def test_the_theme_is_the_accounts_and_stays(chromium: Chromium, site: Site) -> None:
    dark = chromium.act("theme", **site.account(Role.OPERATOR), theme="light", path="/people", wanted="dark")
    back = chromium.act("theme", **site.account(Role.OPERATOR), theme="light", path="/people", wanted="auto")

    assert [step["theme"] for step in dark["steps"]] == ["auto", "dark"]
    assert dark["steps"][0]["ground"] != dark["steps"][1]["ground"]
    assert (dark["elsewhere"], dark["later"]) == ("dark", "dark")
    assert back["later"] == "auto"


@pytest.mark.parametrize(
    ("role", "refused", "refused_acts"),
    [
        (Role.VIEWER, [*ADMINS_PAGES, "/query"], [*ADMINS_ACTS, *OPERATORS_ACTS]),
        (Role.OPERATOR, ADMINS_PAGES, ADMINS_ACTS),
    ],
)
def test_what_a_role_may_not_is_not_shown_and_is_refused(
    chromium: Chromium, site: Site, role: Role, refused: list[str], refused_acts: list[str]
) -> None:
    told = chromium.act("may", **site.account(role), pages=refused, acts=refused_acts, look=["/services"])

    assert set(told["pages"].values()) == {403}
    assert set(told["acts"].values()) == {403}
    assert not set(told["menu"]) & set(refused)
    assert ("Restart" in told["buttons"]["/services"]) == role.may(Role.OPERATOR)


def test_a_keyboard_is_enough(chromium: Chromium, site: Site) -> None:
    told = chromium.act("keyboard", **site.account(Role.VIEWER), board="/dashboards/dkm-system", table="/people")

    assert told["problems"] == []
    assert max(told["stops"]) <= 60
    assert int(told["range"]["until"]) - int(told["range"]["from"]) == 2 * 3600  # the dashboard's hour, twice as long
    assert told["sorted"]["before"] != told["sorted"]["after"]


def test_names_are_shown_to_whom_they_were_unlocked_as_text_whatever_they_are(chromium: Chromium, site: Site) -> None:
    columns = ["real name", "mail", "student id"]
    admin = chromium.act("names", **site.account(Role.ADMIN), columns=columns, hacked=corpus.HACKED)
    viewer = chromium.act("names", **site.account(Role.VIEWER), columns=columns, hacked=corpus.HACKED)

    assert viewer["form"] == 0
    assert viewer["locked"] == admin["locked"] == {column: ["\u2013"] for column in columns}
    assert admin["problems"] == []
    shown = set(admin["unlocked"]["real name"])
    assert {printable(text).strip() for text in corpus.MARKUP} <= shown
    assert len(shown) > len(corpus.SURROGATED) / 2
