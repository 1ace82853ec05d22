"""Whose files they are: names of uids, and uids of names, on the host that was scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dkumonitor.store.people import UID_MAX, People

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from dkumonitor.views import Viewer


class Owner(msgspec.Struct, frozen=True):
    """An account as a viewer may see it."""

    login: str
    real_name: str | None


class Owners:
    """Looks owners up, many at once, and remembers them: make one for each request.

    Args:
        connection: of a transaction that reads.
        viewer: who looks; real names are given to none but who may see them.
    """

    def __init__(self, connection: Connection, viewer: Viewer) -> None:
        self._connection = connection
        self._sees_names = viewer.sees_names
        self._hosts: dict[str, People] = {}

    def of(self, host: str, uids: Iterable[int]) -> dict[int, Owner]:
        """The owners with these uids on a host, those that nobody knows as well."""
        wanted = list(uids)
        known = self._people(host).by_uid(wanted)
        return {
            uid: Owner(person.login, person.real_name if self._sees_names else None)
            if (person := known.get(uid)) is not None
            else Owner(f"uid-{uid}", None)
            for uid in wanted
        }

    def uid_of(self, host: str, user: str) -> int | None:
        """The uid on a host of a login, or of a number in digits, or as an unknown one is shown; None for nobody's."""
        digits = user.removeprefix("uid-")
        if digits.isascii() and digits.isdigit():
            return int(digits) if len(digits) <= len(str(UID_MAX)) and int(digits) <= UID_MAX else None
        person = self._people(host).by_login([user]).get(user)
        return None if person is None else person.uid

    def _people(self, host: str) -> People:
        if host not in self._hosts:
            self._hosts[host] = People(self._connection, host)
        return self._hosts[host]
