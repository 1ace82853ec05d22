"""What the store holds beside the day: the people with the names they chose, and a year of the audit log."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from dkumonitor.accounts.tables import audit
from dkumonitor.store.engine import insert_rows
from dkumonitor.store.tables import ADDRESSES_MAX, LOGIN_MAX, MAIL_MAX, REAL_NAME_MAX, STUDENT_ID_MAX, people
from dkumonitor.text import printable
from tests import corpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dkumonitor.store.engine import Store

AUDIT_ROWS = 10_000
YEAR_SECONDS = 365 * 86400
_ACTS = ("sign-in", "sign-in-failed", "sign-out", "account-added", "token-created", "restart", "names-unlocked")


def fill(store: Store, logins: Sequence[str], now_seconds: int) -> None:
    """Put the people of these logins and :data:`AUDIT_ROWS` lines of the audit log into an empty store."""
    with store.writing() as connection:
        insert_rows(connection, people, list(_people(logins, now_seconds)))
        insert_rows(connection, audit, list(_audit(logins, now_seconds)))


def _people(logins: Sequence[str], now_seconds: int) -> Iterator[dict[str, Any]]:
    hostile = corpus.SURROGATED
    for number, login in enumerate(logins):
        nasty = hostile[number % len(hostile)]
        plain = login.replace(".", " ").title()
        yield {
            "source": "csv",
            "host": "",
            "login": login[:LOGIN_MAX],
            "uid": 20_000 + number,
            "mail": f"{nasty if number % 7 == 0 else login}@example.org"[:MAIL_MAX],
            "real_name": (nasty if number < 2 * len(hostile) else plain)[:REAL_NAME_MAX],
            "student_id": (nasty if number % 11 == 0 else f"s{number:07d}")[:STUDENT_ID_MAX],
            "addresses": (nasty if number % 13 == 0 else f"Room {number}")[:ADDRESSES_MAX],
            "changed_seconds": now_seconds - 3600 * number,
        }


def _audit(logins: Sequence[str], now_seconds: int) -> Iterator[dict[str, Any]]:
    source = random.Random("audit")
    hostile = corpus.SURROGATED
    for number in range(AUDIT_ROWS):
        act = source.choice(_ACTS)
        login = source.choice(("viewer", "operator", "admin", hostile[number % len(hostile)]))
        yield {
            "at_seconds": now_seconds - (AUDIT_ROWS - number) * (YEAR_SECONDS // AUDIT_ROWS),
            "login": printable(login)[:64],
            "address": source.choice(("127.0.0.1", "command", f"192.0.2.{number % 250}", "2001:db8::1")),
            "act": act,
            "about": printable(source.choice((*logins[:40], "", hostile[-1 - number % len(hostile)])))[:500],
        }
