"""People from the accounts that this machine lists, by the name service switch: what ``getent passwd`` prints."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from dkumonitor.store.people import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def listed(accounts: Callable[[], Iterable[pwd.struct_passwd]] = pwd.getpwall) -> list[Entry]:
    """Every account; of two with the same name the first, as the machine itself sees it.

    Directories are often set not to list all accounts (sssd's ``enumerate = false``): ``[people.ldap]`` finds those.
    What no entry can hold (a name of 300 characters) is left out.
    """
    entries: dict[str, Entry] = {}
    for account in accounts():
        login = _text(account.pw_name)
        try:
            entry = Entry(login=login, uid=account.pw_uid, real_name=_real_name(_text(account.pw_gecos), login))
        except ValueError:
            continue
        entries.setdefault(login, entry)
    return list(entries.values())


def _real_name(gecos: str, login: str) -> str | None:
    """The first part of the field; in it an ``&`` stands for the login with a capital (passwd(5) of the BSDs)."""
    return gecos.partition(",")[0].strip().replace("&", login.capitalize()) or None


def _text(text: str) -> str:
    return os.fsdecode(os.fsencode(text))  # bytes that are not UTF-8 look the same whatever the locale
