"""Who is who: what the feeds say about each account, and one answer out of all of it.

Three feeds tell of people: the accounts that a machine lists (``getent``), a directory (``ldap``), and a file that an
admin imports (``csv``). Each is kept as it came. Who a person is, is put together when it is asked, field by field:
first what the file says, then the directory, then the machine; a field that one leaves empty is the next one's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from dkumonitor.errors import PeopleError
from dkumonitor.store import tables
from dkumonitor.store.engine import BATCH_ROWS, insert_rows
from dkumonitor.store.tables import people
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Select

    from dkumonitor.store.engine import Store

CSV, LDAP, GETENT = "csv", "ldap", "getent"
SOURCES = (CSV, LDAP, GETENT)  # the first that knows a field is believed
EVERYWHERE = ""  # the host of what holds on all machines
UID_MAX = 2**32 - 1
_LENGTHS = {
    "login": tables.LOGIN_MAX,
    "mail": tables.MAIL_MAX,
    "real_name": tables.REAL_NAME_MAX,
    "student_id": tables.STUDENT_ID_MAX,
    "addresses": tables.ADDRESSES_MAX,
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What one feed says about one person. None is what it does not say; no text is empty.

    Attributes:
        login: the account's name.
        uid: its number.
        mail: where mail to it goes.
        real_name: what the person is called.
        student_id: its number at the university.
        addresses: addresses and networks of its computers, with a blank between each.

    Raises:
        ValueError: a text is empty or too long, or the number is none of a user.
    """

    login: str
    uid: int | None = None
    mail: str | None = None
    real_name: str | None = None
    student_id: str | None = None
    addresses: str | None = None

    def __post_init__(self) -> None:
        for name, length in _LENGTHS.items():
            text = getattr(self, name)
            if text is not None and not 0 < len(text) <= length:
                raise ValueError(f"{name} has {len(text)} characters, 1 to {length} are possible")
        if self.uid is not None and not 0 <= self.uid <= UID_MAX:
            raise ValueError(f"uid is {self.uid}, 0 to {UID_MAX} are possible")


class Person(msgspec.Struct, frozen=True):
    """A person, all feeds together.

    Attributes:
        login: the account's name.
        uid: its number on this machine.
        mail: where mail to it goes.
        real_name: what the person is called.
        student_id: its number at the university.
        addresses: addresses and networks of its computers, with a blank between each.
        source: the first of the feeds that knows it.
        changed_seconds: when one of the feeds last said something else, UTC seconds.
    """

    login: str
    uid: int | None
    mail: str | None
    real_name: str | None
    student_id: str | None
    addresses: str | None
    source: str
    changed_seconds: Moment


class Change(msgspec.Struct, frozen=True):
    """What a feed changed."""

    source: str
    added: int
    changed: int
    removed: int
    unchanged: int


def replace(store: Store, source: str, host: str, entries: Iterable[Entry], now_seconds: float) -> Change:
    """Put what a feed says in the place of what it said before, all or nothing.

    Args:
        store: the store.
        source: the feed.
        host: the machine that lists them; :data:`EVERYWHERE` for the file and the directory.
        entries: all of them.
        now_seconds: the time.

    Raises:
        PeopleError: two entries have the same login.
    """
    wanted: dict[str, Entry] = {}
    for entry in entries:
        if entry.login in wanted:
            raise PeopleError(f"{source}: the login {entry.login!r} is there twice", "Leave one of them out")
        wanted[entry.login] = entry
    return store.write(lambda connection: _replace(connection, source, host, wanted, int(now_seconds)))


def _replace(connection: Connection, source: str, host: str, wanted: Mapping[str, Entry], now_seconds: int) -> Change:
    mine = sa.and_(people.c.source == source, people.c.host == host)
    columns = [people.c[name] for name in Entry.__struct_fields__]
    before = {row["login"]: Entry(**row) for row in connection.execute(sa.select(*columns).where(mine)).mappings()}
    gone = [login for login in before if login not in wanted]
    changed = [entry for login, entry in wanted.items() if login in before and before[login] != entry]
    added = [entry for login, entry in wanted.items() if login not in before]
    rewritten = gone + [entry.login for entry in changed]
    for start in range(0, len(rewritten), BATCH_ROWS):
        batch = rewritten[start : start + BATCH_ROWS]
        connection.execute(sa.delete(people).where(mine, people.c.login.in_(batch)))
    about = {"source": source, "host": host, "changed_seconds": now_seconds}
    insert_rows(connection, people, (msgspec.structs.asdict(entry) | about for entry in added + changed))
    return Change(source, len(added), len(changed), len(gone), len(wanted) - len(added) - len(changed))


def merged(host: str, *where: sa.ColumnElement[bool]) -> Select[Any]:
    """Everybody as :class:`Person`, by the feeds' priority.

    Args:
        host: whose own list of accounts counts.
        where: narrows down the logins by what any feed says of them, in the table of entries.
    """
    here = people.c.host.in_([EVERYWHERE, host])
    logins = sa.select(people.c.login).where(here, *where).distinct().subquery("logins")
    feeds = [people.alias(source) for source in SOURCES]
    tree: sa.FromClause = logins
    for feed, source in zip(feeds, SOURCES, strict=True):
        place = host if source == GETENT else EVERYWHERE
        tree = tree.outerjoin(
            feed, sa.and_(feed.c.source == source, feed.c.host == place, feed.c.login == logins.c.login)
        )
    fields = [name for name in Entry.__struct_fields__ if name != "login"]
    newest = sa.case(
        *((feed.c.login.is_not(None), sa.literal(source)) for feed, source in zip(feeds, SOURCES, strict=True))
    )
    stamps = [sa.func.coalesce(feed.c.changed_seconds, 0) for feed in feeds]
    latest: sa.ColumnElement[int] = stamps[0]
    for stamp in stamps[1:]:
        latest = sa.case((latest >= stamp, latest), else_=stamp)
    return sa.select(
        logins.c.login,
        *(sa.func.coalesce(*(feed.c[name] for feed in feeds)).label(name) for name in fields),
        newest.label("source"),
        latest.label("changed_seconds"),
    ).select_from(tree)


class People:
    """Looks people up, many at once, and remembers them: make one for each run or request.

    Args:
        connection: of a transaction that reads.
        host: the machine whose uids are meant.
    """

    def __init__(self, connection: Connection, host: str) -> None:
        self._connection = connection
        self._host = host
        self._by_uid: dict[int, Person | None] = {}
        self._by_login: dict[str, Person | None] = {}

    def by_uid(self, uids: Iterable[int]) -> dict[int, Person]:
        """The people with these uids. Where two claim one, the first feed is believed, then the first login."""
        unknown = [uid for uid in dict.fromkeys(uids) if uid not in self._by_uid]
        for start in range(0, len(unknown), BATCH_ROWS):
            batch = unknown[start : start + BATCH_ROWS]
            found = self._people(people.c.uid.in_(batch))
            found.sort(key=lambda person: (SOURCES.index(person.source), person.login), reverse=True)
            by_uid = {person.uid: person for person in found}
            self._by_uid.update({uid: by_uid.get(uid) for uid in batch})
        return {uid: person for uid in uids if (person := self._by_uid[uid]) is not None}

    def by_login(self, logins: Iterable[str]) -> dict[str, Person]:
        """The people with these logins."""
        unknown = [login for login in dict.fromkeys(logins) if login not in self._by_login]
        for start in range(0, len(unknown), BATCH_ROWS):
            batch = unknown[start : start + BATCH_ROWS]
            by_login = {person.login: person for person in self._people(people.c.login.in_(batch))}
            self._by_login.update({login: by_login.get(login) for login in batch})
        return {login: person for login in logins if (person := self._by_login[login]) is not None}

    def name_of(self, uid: int, *, sees_names: bool) -> str:
        """How a uid is shown: the real name where there is one and the viewer may see it, else the login."""
        person = self.by_uid([uid]).get(uid)
        if person is None:
            return f"uid-{uid}"
        return (person.real_name if sees_names else None) or person.login

    def _people(self, where: sa.ColumnElement[bool]) -> list[Person]:
        return [Person(*row) for row in self._connection.execute(merged(self._host, where))]
