"""Sign-ins that failed make the next one wait: by login and by address, in the store, so a restart forgives nothing.

Nobody is locked out for good: after five failures of a login (twenty from an address) the next attempt is refused for a
second, then for two, and so on up to a minute; attempts within that time are refused unread and prolong nothing. A
quarter of an hour without a failure forgets them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dkumonitor.accounts.tables import failures

if TYPE_CHECKING:
    from sqlalchemy import Connection

FREE_BY_LOGIN = 5
FREE_BY_ADDRESS = 20
FORGET_SECONDS = 900
MAX_WAIT_SECONDS = 60
_MAX_DOUBLINGS = 6


def subjects(login: str, address: str) -> dict[str, int]:
    """What is counted for an attempt, each with how many failures are free. Hashed: such a login may be a password."""
    return {_subject("login", login): FREE_BY_LOGIN, _subject("address", address): FREE_BY_ADDRESS}


def wait_seconds(connection: Connection, login: str, address: str, now_seconds: int) -> int:
    """How long this login or address has to wait before the next attempt; 0 for not at all."""
    free = subjects(login, address)
    rows = connection.execute(
        sa.select(failures).where(failures.c.subject.in_(free), failures.c.last_seconds > now_seconds - FORGET_SECONDS)
    )
    return max((_wait(row.failures - free[row.subject], now_seconds - row.last_seconds) for row in rows), default=0)


def failed(connection: Connection, login: str, address: str, now_seconds: int) -> None:
    """Count a failure, and forget the old ones."""
    connection.execute(failures.delete().where(failures.c.last_seconds <= now_seconds - FORGET_SECONDS))
    for subject in subjects(login, address):
        same = failures.c.subject == subject
        counted = connection.execute(
            failures.update().where(same).values(failures=failures.c.failures + 1, last_seconds=now_seconds)
        )
        if not counted.rowcount:
            connection.execute(failures.insert().values(subject=subject, failures=1, last_seconds=now_seconds))


def succeeded(connection: Connection, login: str) -> None:
    """Forget a login's failures; its address may be shared with whoever guesses, so that keeps its own."""
    connection.execute(failures.delete().where(failures.c.subject == _subject("login", login)))


def _wait(beyond: int, since_seconds: int) -> int:
    if beyond < 0:
        return 0
    return int(max(0, min(MAX_WAIT_SECONDS, 2 ** min(beyond, _MAX_DOUBLINGS)) - max(0, since_seconds)))


def _subject(kind: str, text: str) -> str:
    return f"{kind}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
