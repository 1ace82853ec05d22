"""Passwords, their queue, and how failures slow the next sign-in."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkumonitor.accounts import accounts, slowing
from dkumonitor.accounts.accounts import login_of
from dkumonitor.accounts.errors import AccountError, BusyError, NotThereError
from dkumonitor.accounts.passwords import Hashing, check_new, generated
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.slowing import MAX_WAIT_SECONDS, failed, succeeded, wait_seconds
from dkumonitor.accounts.tokens import Scope
from dkumonitor.store.components import core_components
from dkumonitor.store.engine import open_store
from dkumonitor.store.migrations import upgrade
from tests.console_app import write_installation
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dkumonitor.store.engine import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(write_installation(tmp_path, 15000))
    upgrade(opened, core_components())
    yield opened
    opened.close()


def test_a_hash_opens_with_its_password_alone_and_is_salted() -> None:
    hashing = Hashing()
    kept = hashing.hash("pässword \U0001f600 \udcff")
    assert hashing.check("pässword \U0001f600 \udcff", kept)
    assert not hashing.check("passwort", kept)
    assert kept != hashing.hash("pässword \U0001f600 \udcff")
    assert kept.startswith("scrypt$32768$8$3$")


def test_no_password_opens_what_is_not_there_and_it_takes_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int, int]] = []
    real = hashlib.scrypt

    def counted(password: bytes, **options: int) -> bytes:
        calls.append((options["n"], options["r"], options["p"]))
        return real(password, **options)  # type: ignore[arg-type]

    hashing = Hashing()
    kept = hashing.hash("some password")
    monkeypatch.setattr(hashlib, "scrypt", counted)
    assert not hashing.check("some password", None)
    assert hashing.check("some password", kept)
    assert calls == [(2**15, 8, 3)] * 2


def test_a_hash_that_we_did_not_write_is_an_error() -> None:
    with pytest.raises(AccountError, match="is not one that this version wrote"):
        Hashing().check("x", "md5$abc")


def test_no_more_are_hashed_at_once_than_said_and_no_more_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    go, running, most = threading.Event(), [0], [0]
    lock = threading.Lock()

    def slow(_: bytes, **__: object) -> bytes:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        assert go.wait(60)
        with lock:
            running[0] -= 1
        return b"x" * 32

    hashing = Hashing(at_once=2, waiting=1)
    monkeypatch.setattr(hashlib, "scrypt", slow)
    threads = [threading.Thread(target=hashing.hash, args=("x",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for("three that hash or wait", lambda: hashing._places._value == 0)
    with pytest.raises(BusyError):
        hashing.hash("x")
    go.set()
    for thread in threads:
        thread.join()
    assert most == [2]
    assert hashing.hash("x")


@pytest.mark.parametrize("login", ["a", "-", "_", "z" * 64, "", "ab"])
def test_a_generated_password_may_be_one(login: str) -> None:
    check_new(generated(login), login or "nobody")


@given(st.text(max_size=70))
@settings(max_examples=300)
def test_a_login_is_small_and_harmless_or_none(text: str) -> None:
    try:
        login = login_of(text)
    except AccountError:
        return
    assert login == login_of(login)
    assert 0 < len(login) <= 64
    assert set(login) <= set("abcdefghijklmnopqrstuvwxyz0123456789._@-")


def test_waiting_doubles_to_a_minute_and_is_forgotten(store: Store) -> None:
    now, waits = 1_000_000, []
    with store.writing() as connection:
        for _ in range(14):
            waits.append(wait_seconds(connection, "ada", "::1", now))
            failed(connection, "ada", "::1", now)
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    with store.reading() as connection:
        assert wait_seconds(connection, "ada", "192.0.2.1", now + 10) == MAX_WAIT_SECONDS - 10
        assert wait_seconds(connection, "bob", "::1", now) == 0
        assert wait_seconds(connection, "ada", "::1", now + MAX_WAIT_SECONDS) == 0
        assert wait_seconds(connection, "ada", "::1", now - 3600) == MAX_WAIT_SECONDS  # a clock that went back
        assert wait_seconds(connection, "ada", "::1", now + slowing.FORGET_SECONDS) == 0


def test_an_address_waits_whatever_login_it_tries_and_a_success_forgives_the_login_alone(store: Store) -> None:
    now = 1_000_000
    with store.writing() as connection:
        for number in range(21):
            failed(connection, f"user{number}", "192.0.2.1", now)
        assert wait_seconds(connection, "ada", "192.0.2.1", now) == 2
        assert wait_seconds(connection, "ada", "192.0.2.2", now) == 0
        for _ in range(6):
            failed(connection, "ada", "192.0.2.3", now)
        assert wait_seconds(connection, "ada", "192.0.2.4", now) == 2
        succeeded(connection, "ada")
        assert wait_seconds(connection, "ada", "192.0.2.4", now) == 0
        assert wait_seconds(connection, "ada", "192.0.2.1", now) == 2


def test_a_scope_never_gives_more_than_the_role() -> None:
    for scope in Scope:
        for role in Role:
            assert role.may(scope.role(role))
    assert Scope.READ.role(Role.ADMIN) is Role.VIEWER
    assert Scope.WRITE.role(Role.ADMIN) is Role.OPERATOR


def test_a_login_that_only_looks_like_another_is_nobodys(store: Store) -> None:
    accounts.ensure_first_admin(store, Hashing(), "a wholly different phrase", 1000)
    with store.reading() as connection:
        assert accounts.password_hash(connection, " Admin ")[0] is not None
        for login in ("ädmin", "adm\u0131n", "admin\0", "", "admin'--", "\uff41dmin"):
            assert accounts.password_hash(connection, login) == (None, None)
            with pytest.raises(NotThereError):
                accounts.find(connection, login)
