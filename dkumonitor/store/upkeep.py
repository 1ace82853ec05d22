"""What the store needs once a day: people brought up to date, old records removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkumonitor.errors import DkmError, PeopleError
from dkumonitor.store import people_passwd
from dkumonitor.store.people import EVERYWHERE, GETENT, LDAP, replace
from dkumonitor.store.retention import clean, terms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dkumonitor.installation import Installation
    from dkumonitor.settings import Settings
    from dkumonitor.store.engine import Store
    from dkumonitor.store.migrations import Component
    from dkumonitor.store.people import Change
    from dkumonitor.store.retention import Cleaned
    from dkumonitor.store.settings import PeopleSettings

INTERVAL_SECONDS = 86400


def sync_people(
    store: Store,
    installation: Installation,
    settings: PeopleSettings,
    now_seconds: float,
    progress: Callable[[str, int], None] = lambda *_: None,
) -> tuple[list[Change], list[DkmError]]:
    """Ask the machine's list of accounts and the directory, as far as they are set.

    Returns:
        What changed, and why a feed could not be asked; the people it told of before stay as they are then.
    """
    changes: list[Change] = []
    errors: list[DkmError] = []
    if settings.getent:
        listed = people_passwd.listed()
        changes.append(replace(store, GETENT, installation.host, listed, now_seconds))
    if settings.ldap is not None:
        from dkumonitor.store import people_ldap  # noqa: PLC0415  only where there is a directory

        try:
            secret = installation.secret(people_ldap.SECRET)
            fetched = people_ldap.fetch(settings.ldap, secret, lambda count: progress(LDAP, count))
            changes.append(replace(store, LDAP, EVERYWHERE, fetched, now_seconds))
        except PeopleError as error:
            errors.append(error)
    return changes, errors


def daily(
    store: Store,
    installation: Installation,
    settings: Settings,
    components: Sequence[Component],
    now_seconds: float,
) -> list[Cleaned]:
    """Do all that a day asks for. May be cut off, done twice, and done by several hosts of one store at once.

    Returns:
        What was removed.

    Raises:
        DkmError: something could not be done; the rest was.
    """
    removed = clean(store, terms(components, settings.store.retention_days), now_seconds)
    _, errors = sync_people(store, installation, settings.people, now_seconds)
    if errors:
        raise errors[0]
    return removed
