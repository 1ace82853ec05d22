"""The listing of people, for the console's page and for `dkm people list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from dkumonitor.store.listing import answer_select
from dkumonitor.store.people import Person, merged
from dkumonitor.views import Answer, Listing, Question

if TYPE_CHECKING:
    from dkumonitor.views import Sources

PRIVATE = ("mail", "real_name", "student_id")
_SEARCHED: tuple[str, ...] = ("login", "mail", "real_name", "student_id", "addresses", "source")


def ask(sources: Sources, question: Question) -> Answer:
    """Everybody. What a viewer may not see is not searched and not sorted by either: both would give it away."""
    rows = merged(sources.installation.host)
    searched = _SEARCHED
    if not sources.viewer.sees_names:
        hidden = rows.subquery()
        rows = sa.select(
            *(sa.null().label(name) if name in PRIVATE else hidden.c[name] for name in Person.__struct_fields__)
        )
        searched = tuple(name for name in _SEARCHED if name not in PRIVATE)
    with sources.store.reading() as connection:
        return answer_select(connection, rows, Person, question, searched)


LISTING = Listing(
    name="people",
    title="People",
    summary="Who the accounts of this machine are, from its own list, a directory and imported files",
    row_type=Person,
    ask=ask,
    sort="login",
    empty="Run `dkm people sync`, or import a list with `dkm people import FILE`.",
)
