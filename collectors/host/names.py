"""Accounts by number: looked up seldom, since a directory service may answer slowly."""

import os
import pwd
from collections.abc import Iterable, Mapping

import msgspec

from dkumonitor.metrics import segment

OTHER = "_other"
REFRESH_SECONDS = 3600.0


class Name(msgspec.Struct, frozen=True, array_like=True):
    """An account's name, and when (seconds since the machine started) it was looked up."""

    name: str
    uptime_seconds: float


def look_up(uids: Iterable[int], before: Mapping[int, Name], uptime_seconds: float) -> dict[int, Name]:
    """The names of accounts; one that has none is ``uid-`` and its number."""
    names = {}
    for uid in uids:
        known = before.get(uid)
        if known is None or uptime_seconds - known.uptime_seconds > REFRESH_SECONDS:
            known = Name(_name(uid), uptime_seconds)
        names[uid] = known
    return names


def user_segment(name: str) -> str:
    """The segment of an account's name; an account called ``_other`` is kept apart from the sum of the rest."""
    return f"-_5F{OTHER[1:]}" if name == OTHER else segment(name)


def _name(uid: int) -> str:
    try:
        name = pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        return f"uid-{uid}"
    return os.fsdecode(os.fsencode(name)) or f"uid-{uid}"
