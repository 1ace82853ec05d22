"""Accounts, sessions, tokens, real names and the audit log, as their pages and the API have them."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from dkumonitor.accounts import accounts
from dkumonitor.accounts.audit import Actor, note
from dkumonitor.accounts.errors import AccountError
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tables import audit, sessions, tokens
from dkumonitor.accounts.tokens import Scope, create
from dkumonitor.text import printable
from tests import corpus
from tests.console_app import PASSWORD
from tests.html_pages import assert_harmless, read, rows

if TYPE_CHECKING:
    import httpx

    from tests.console_app import RunningConsole

ACCOUNTS = "/api/v1/accounts"
NEW = "a wholly different phrase"


def secret_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return read(answer.text).one("code", id="secret").text


def told(client: httpx.Client, answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    return read(client.get(answer.headers["Location"]).text).one("p", role="status").text


def newest(console: RunningConsole) -> tuple[str, str, str, str]:
    with console.store.reading() as connection:
        row = connection.execute(sa.select(audit).order_by(audit.c.id.desc()).limit(1)).one()
    return row.login, row.address, row.act, row.about


def opens(console: RunningConsole, login: str, password: str) -> bool:
    answer = console.stranger().post("/sign-in", data={"login": login, "password": password})
    return answer.status_code == 303


def test_an_admin_makes_an_account_whose_password_is_shown_once(own_console: RunningConsole) -> None:
    admin = own_console.client(Role.ADMIN)
    password = secret_of(own_console.post(admin, "/accounts", login=" Ada.L ", role="operator", real_names="yes"))
    assert newest(own_console) == ("admin", "127.0.0.1", "account-added", "ada.l, operator, real names")
    assert opens(own_console, "ADA.L", password)
    for path in ("/accounts", "/accounts/ada.l", "/audit"):
        assert password not in admin.get(path).text
    assert own_console.post(admin, "/accounts", login="ada.l", role="viewer").status_code == 409
    for login in ("", "-x", "a b", "x" * 65, "<b>", "é", "../x", "a\nb"):
        assert own_console.post(admin, "/accounts", login=login, role="viewer").status_code == 409
    assert own_console.post(admin, "/accounts", login="eve", role="root").status_code == 409


def test_a_role_that_is_changed_counts_at_once(own_console: RunningConsole) -> None:
    admin, viewer = own_console.client(Role.ADMIN), own_console.client(Role.VIEWER)
    token = own_console.bearer(Role.VIEWER, Scope.ADMIN)
    assert viewer.get("/audit").status_code == token.get("/api/v1/audit").status_code == 403
    changed = own_console.post(admin, "/accounts/viewer", role="admin")
    assert told(admin, changed) == "The account viewer is changed."
    assert newest(own_console)[2:] == (
        "account-changed",
        "viewer: role viewer -> admin, real_names False -> False, disabled False -> False",
    )
    assert viewer.get("/audit").status_code == token.get("/api/v1/audit").status_code == 200


def test_the_last_admin_stays_one(own_console: RunningConsole) -> None:
    admin, token = own_console.client(Role.ADMIN), own_console.bearer(Role.ADMIN, Scope.ADMIN)
    for answer in (
        own_console.post(admin, "/accounts/admin", role="viewer"),
        own_console.post(admin, "/accounts/admin", role="admin", disabled="yes"),
        own_console.post(admin, "/accounts/admin/remove"),
        token.patch(f"{ACCOUNTS}/admin", json={"role": "operator"}),
        token.patch(f"{ACCOUNTS}/admin", json={"disabled": True}),
        token.delete(f"{ACCOUNTS}/admin"),
    ):
        assert answer.status_code == 409
        assert "is the last admin" in answer.text
    assert token.patch(f"{ACCOUNTS}/viewer", json={"role": "admin"}).status_code == 200
    assert token.patch(f"{ACCOUNTS}/admin", json={"role": "viewer"}).status_code == 200
    assert own_console.client(Role.ADMIN).get("/audit").status_code == 403


def test_a_reset_password_is_generated_and_ends_the_accounts_sessions(own_console: RunningConsole) -> None:
    viewer = own_console.client(Role.VIEWER)
    password = secret_of(own_console.post(own_console.client(Role.ADMIN), "/accounts/viewer/password"))
    assert viewer.get("/account").status_code == 303
    assert not opens(own_console, "viewer", PASSWORD)
    assert opens(own_console, "viewer", password)


def test_a_removed_account_leaves_no_session_and_no_token(own_console: RunningConsole) -> None:
    viewer, token = own_console.client(Role.VIEWER), own_console.bearer(Role.VIEWER, Scope.READ)
    admin = own_console.client(Role.ADMIN)
    assert told(admin, own_console.post(admin, "/accounts/viewer/remove")) == "The account viewer is removed."
    assert viewer.get("/account").status_code == 303
    assert token.get("/api/v1/me").status_code == 401
    with own_console.store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tokens)) == 0
        assert connection.scalar(sa.select(sa.func.count()).select_from(sessions)) == 1
    assert own_console.post(admin, "/accounts/viewer/remove").status_code == 404


def test_the_api_does_what_the_pages_do(own_console: RunningConsole) -> None:
    token = own_console.bearer(Role.ADMIN, Scope.ADMIN)
    made = token.post(ACCOUNTS, json={"login": "bob", "role": "operator"}).json()
    assert made["login"] == "bob"
    assert opens(own_console, "bob", made["password"])
    assert token.post(ACCOUNTS, json={"login": "eve", "password": NEW}).json() == {"login": "eve", "password": None}
    assert token.post(f"{ACCOUNTS}/bob/password", json={"password": NEW}).json()["password"] is None
    assert opens(own_console, "bob", NEW)
    changed = token.patch(f"{ACCOUNTS}/bob", json={"real_names": True}).json()
    assert (changed["role"], changed["real_names"]) == ("operator", True)
    assert token.delete(f"{ACCOUNTS}/bob").status_code == 204
    assert newest(own_console) == ("admin", "127.0.0.1", "account-removed", "bob")
    refused = token.delete(f"{ACCOUNTS}/bob")
    assert (refused.status_code, refused.json()["type"]) == (404, "/problems/not-there")


@pytest.mark.parametrize(
    ("password", "why"),
    [("short", "has 5 characters"), ("viewer is my name", "contains the login"), ("VIEWER12345678", "the login"),
     ("aaaaaaaaaaaaaa", "too few different"), ("x" * 1025, "too long")],
)  # fmt: skip
def test_a_weak_password_is_refused(console: RunningConsole, password: str, why: str) -> None:
    fields = {"password": PASSWORD, "new_password": password, "new_password_again": password}
    answer = console.post(console.client(Role.VIEWER), "/account/password", **fields)
    assert answer.status_code == 409
    assert why in answer.text


def test_an_own_password_is_changed_by_who_knows_it(own_console: RunningConsole) -> None:
    viewer, other = own_console.client(Role.VIEWER), own_console.sign_in("viewer")
    fields = {"new_password": NEW, "new_password_again": NEW}
    assert own_console.post(viewer, "/account/password", password="wrong", **fields).status_code == 403
    assert newest(own_console)[2] == "password-failed"
    twice = {"new_password": NEW, "new_password_again": "another phrase of words"}
    assert own_console.post(viewer, "/account/password", password=PASSWORD, **twice).status_code == 409
    changed = own_console.post(viewer, "/account/password", password=PASSWORD, **fields)
    assert told(viewer, changed) == "Your password is changed, and your other sessions are ended."
    assert other.get("/account").status_code == 303
    assert opens(own_console, "viewer", NEW)


def test_guessing_the_password_in_an_open_session_is_slowed(own_console: RunningConsole) -> None:
    viewer = own_console.client(Role.VIEWER)
    statuses = [own_console.post(viewer, "/account/password", password="wrong").status_code for _ in range(5)]
    assert statuses == [403] * 5
    with own_console.store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE sign_in_failures SET last_seconds = {int(time.time()) + 30}")
    answer = own_console.post(viewer, "/account/password", password=PASSWORD, new_password=NEW, new_password_again=NEW)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_the_first_admins_password_file_goes_when_it_is_no_longer_true(own_console: RunningConsole) -> None:
    secret = own_console.installation.secret("admin_password")
    secret.write_text(PASSWORD)
    fields = {"password": PASSWORD, "new_password": NEW, "new_password_again": NEW}
    own_console.post(own_console.client(Role.VIEWER), "/account/password", **fields)
    assert secret.exists()
    own_console.post(own_console.client(Role.ADMIN), "/account/password", **fields)
    assert not secret.exists()


def test_real_names_need_the_right_and_the_password_and_end_by_themselves(own_console: RunningConsole) -> None:
    viewer = own_console.client(Role.VIEWER)
    me = "/api/v1/me"
    assert own_console.post(viewer, "/account/names", password=PASSWORD).status_code == 403
    own_console.post(own_console.client(Role.ADMIN), "/accounts/viewer", role="viewer", real_names="yes")
    assert viewer.get(me).json()["sees_names"] is False
    assert own_console.post(viewer, "/account/names", password="wrong").status_code == 403
    assert viewer.get(me).json()["sees_names"] is False
    shown = told(viewer, own_console.post(viewer, "/account/names", password=PASSWORD))
    assert shown == "Real names are shown for 15 minutes."
    assert newest(own_console) == ("viewer", "127.0.0.1", "names-unlocked", "")
    assert viewer.get(me).json()["sees_names"] is True
    assert own_console.sign_in("viewer").get(me).json()["sees_names"] is False
    assert own_console.bearer(Role.VIEWER, Scope.ADMIN).get(me).json()["sees_names"] is False
    with own_console.store.writing() as connection:
        unlocked = connection.scalar(sa.select(sa.func.max(sessions.c.names_until_seconds)))
        assert 0 < unlocked - time.time() <= 900
        connection.execute(sessions.update().values(names_until_seconds=int(time.time())))
    assert viewer.get(me).json()["sees_names"] is False
    own_console.post(viewer, "/account/names", password=PASSWORD)
    own_console.post(own_console.client(Role.ADMIN), "/accounts/viewer", role="viewer")
    assert viewer.get(me).json()["sees_names"] is False


def test_a_theme_is_remembered_and_unknown_ones_are_refused(console: RunningConsole) -> None:
    client = console.client(Role.OPERATOR)
    answer = console.post(client, "/account/theme", theme="dark", next="/tokens")
    assert answer.headers["Location"] == "/tokens"
    assert 'data-theme="dark"' in console.sign_in("operator").get("/tokens").text
    assert console.post(client, "/account/theme", theme='"><script>').status_code == 409
    moved = console.post(client, "/account/theme", theme="auto", next="//evil.example")
    assert moved.headers["Location"] == "/"


def test_everybody_ends_the_own_sessions_and_an_admin_any(own_console: RunningConsole) -> None:
    victim, viewer, admin = (own_console.sign_in(name) for name in ("operator", "viewer", "admin"))
    numbers = {row["login"]: row["id"] for row in admin.get("/api/v1/sessions").json()["rows"]}
    assert {row["login"] for row in viewer.get("/api/v1/sessions").json()["rows"]} == {"viewer"}
    foreign = f"/sessions/{numbers['operator']}"
    assert viewer.get(foreign).status_code == 404
    assert own_console.post(viewer, f"{foreign}/revoke").status_code == 404
    assert own_console.bearer(Role.VIEWER, Scope.ADMIN).delete(f"/api/v1{foreign}").status_code == 404
    assert victim.get("/account").status_code == 200
    own_console.post(admin, f"{foreign}/revoke")
    assert newest(own_console)[2:] == ("session-revoked", str(numbers["operator"]))
    assert victim.get("/account").status_code == 303
    own_console.post(viewer, f"/sessions/{numbers['viewer']}/revoke")
    assert viewer.get("/account").status_code == 303


def test_a_token_is_shown_once_and_works_until_it_is_revoked(own_console: RunningConsole) -> None:
    viewer = own_console.client(Role.VIEWER)
    token = secret_of(own_console.post(viewer, "/tokens", name="backup", scope="read", days="3"))
    assert token.startswith("dkm_")
    bearer = own_console.stranger(headers={"Authorization": f"bearer {token}"})
    assert bearer.get("/api/v1/me").json() == {"login": "viewer", "role": "viewer", "sees_names": False}
    (row,) = viewer.get("/api/v1/tokens").json()["rows"]
    assert (row["name"], row["scope"]) == ("backup", "read")
    assert row["expires_seconds"] - row["created_seconds"] == 3 * 86400
    assert row["used_seconds"] is not None
    assert token not in viewer.get("/tokens").text
    everything = b"".join(path.read_bytes() for path in own_console.installation.store_file.parent.iterdir())
    assert token.encode() not in everything
    other = own_console.client(Role.OPERATOR)
    assert other.get(f"/tokens/{row['id']}").status_code == 404
    assert own_console.post(other, f"/tokens/{row['id']}/revoke").status_code == 404
    told(viewer, own_console.post(viewer, f"/tokens/{row['id']}/revoke"))
    assert bearer.get("/api/v1/me").status_code == 401


def test_a_token_ends_with_its_days_and_with_its_account(own_console: RunningConsole) -> None:
    client = own_console.stranger(headers={"Authorization": f"Bearer {own_console.token(Role.VIEWER, Scope.READ, 1)}"})
    assert client.get("/api/v1/me").status_code == 200
    with own_console.store.writing() as connection:
        connection.execute(tokens.update().values(expires_seconds=int(time.time())))
    assert client.get("/api/v1/me").status_code == 401
    lasting = own_console.bearer(Role.VIEWER, Scope.READ)
    own_console.post(own_console.client(Role.ADMIN), "/accounts/viewer", role="viewer", disabled="yes")
    assert lasting.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("scope", list(Scope))
def test_a_tokens_scope_and_its_accounts_role_both_bound_it(console: RunningConsole, role: Role, scope: Scope) -> None:
    client = console.bearer(role, scope)
    most = {Scope.READ: Role.VIEWER, Scope.WRITE: Role.OPERATOR, Scope.ADMIN: Role.ADMIN}[scope]
    expected = min(role, most, key=list(Role).index)
    assert client.get("/api/v1/me").json()["role"] == expected
    assert (client.get("/api/v1/audit").status_code == 200) is (expected is Role.ADMIN)
    changed = client.patch(f"{ACCOUNTS}/nobody", json={})
    assert changed.status_code == (404 if expected is Role.ADMIN else 403)


@pytest.mark.parametrize(
    ("role", "scope", "wanted", "status"),
    [(Role.ADMIN, Scope.ADMIN, "admin", 200), (Role.VIEWER, Scope.ADMIN, "admin", 403),
     (Role.ADMIN, Scope.WRITE, "write", 403), (Role.ADMIN, Scope.READ, "read", 403),
     (Role.VIEWER, Scope.ADMIN, "write", 200)],
)  # fmt: skip
def test_a_token_makes_no_greater_one_and_only_with_the_scope_admin_any(
    console: RunningConsole, role: Role, scope: Scope, wanted: str, status: int
) -> None:
    answer = console.bearer(role, scope).post("/api/v1/tokens", json={"name": "x", "scope": wanted})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "body",
    [{"name": ""}, {"name": "x" * 101}, {"name": "x", "days": 0}, {"name": "x", "days": -1},
     {"name": "x", "days": 99999}],
)  # fmt: skip
def test_a_token_out_of_bounds_is_refused(console: RunningConsole, body: dict[str, object]) -> None:
    assert console.bearer(Role.ADMIN, Scope.ADMIN).post("/api/v1/tokens", json=body).status_code == 409


def test_no_name_that_anybody_chooses_runs_or_breaks_a_page(own_console: RunningConsole) -> None:
    admin, stranger = own_console.client(Role.ADMIN), own_console.stranger()
    stranger.post("/sign-in", data={"login": corpus.TEXTS[0], "password": "x", "next": corpus.TEXTS[0]})
    now = int(time.time())
    with own_console.store.writing() as connection:
        # from now on sign-ins are answered before a password is hashed, which would take a third of a second each
        connection.exec_driver_sql(f"UPDATE sign_in_failures SET failures = 99, last_seconds = {now + 3000}")
        account = accounts.find(connection, "viewer")
        for text in corpus.TEXTS:
            own_console.start_session(connection, account.id, text, text)
            note(connection, Actor(text, text, now), "sign-in-failed", text)
            with contextlib.suppress(AccountError):  # an empty name is refused
                create(connection, account.id, text, Scope.READ, days=None, now_seconds=now)
    for path in ("/tokens", "/sessions", "/audit", "/tables/tokens?limit=1000", "/tables/sessions?limit=1000",
                 "/tables/audit?limit=1000", "/tokens/1", "/tokens/5", "/sessions/5"):  # fmt: skip
        page = assert_harmless(admin.get(path).text)
        assert page.all("main")
    names = [row[2] for row in rows(read(admin.get("/tables/tokens?limit=1000&sort=id").text))]
    assert names == [printable(row["name"]) for row in admin.get("/api/v1/tokens?limit=1000&sort=id").json()["rows"]]
    assert len(names) > len(corpus.TEXTS) - 5
    for text in corpus.TEXTS:
        refused = stranger.post("/sign-in", data={"login": text, "password": "x", "next": text})
        assert refused.status_code == 429
        found = admin.get("/tables/audit", params={"search": text})
        for answer in (refused, found, admin.get("/" + quote(text, safe=""))):
            assert_harmless(answer.text)


def test_a_token_revoked_by_its_page_is_named_harmlessly(own_console: RunningConsole) -> None:
    admin = own_console.client(Role.ADMIN)
    for text in corpus.MARKUP:
        secret_of(own_console.post(admin, "/tokens", name=text, scope="read", days=""))
        number = admin.get("/api/v1/tokens").json()["rows"][0]["id"]
        moved = own_console.post(admin, f"/tokens/{number}/revoke")
        page = assert_harmless(admin.get(moved.headers["Location"]).text)
        assert page.one("p", role="status").text == f"The token {printable(text)} is revoked."
