"""What becomes too old is removed, a little at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dkumonitor.errors import SettingsError
from dkumonitor.store.engine import BATCH_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dkumonitor.store.engine import Store
    from dkumonitor.store.migrations import Component

DAY_SECONDS = 86400
_FREE_PAGES = 2000


@dataclass(frozen=True)
class Retention:
    """A table whose old rows go.

    Attributes:
        table: the table; it has a primary key.
        column: the name of its column of UTC seconds that says how old a row is; it should be indexed.
        setting: the key in ``[store.retention_days]``, of one component alone.
        days: the default; 0 keeps everything.
    """

    table: sa.Table
    column: str
    setting: str
    days: int


@dataclass(frozen=True)
class Term:
    """A retention with the days that hold here."""

    retention: Retention
    days: int

    def before_seconds(self, now_seconds: float) -> int | None:
        """The time before which rows go, UTC seconds; None where all stay."""
        return int(now_seconds) - self.days * DAY_SECONDS if self.days else None


@dataclass(frozen=True)
class Cleaned:
    """How many rows of a table went, or in a dry run would go."""

    table: str
    days: int
    removed: int


def terms(components: Iterable[Component], days: Mapping[str, int]) -> list[Term]:
    """The retentions of all components, as they are set.

    Args:
        components: whose tables.
        days: ``[store.retention_days]``.

    Raises:
        SettingsError: it has a key that no component knows.
    """
    retentions = [retention for component in components for retention in component.retentions]
    known = {retention.setting for retention in retentions}
    for key in days:
        if key not in known:
            raise SettingsError(
                f"there is no setting 'store.retention_days.{key}'",
                f"Known there: {', '.join(sorted(known)) or 'nothing'}",
            )
    return [Term(retention, days.get(retention.setting, retention.days)) for retention in retentions]


def clean(
    store: Store,
    wanted: Sequence[Term],
    now_seconds: float,
    *,
    dry_run: bool = False,
    progress: Callable[[str, int], None] = lambda *_: None,
) -> list[Cleaned]:
    """Remove what is too old, a batch a transaction, so that no other writer waits for long. May be cut off anywhere.

    Args:
        store: the store.
        wanted: made by :func:`terms`.
        now_seconds: the time.
        dry_run: only count.
        progress: is told the table and how many rows of it went so far.
    """
    outcome = []
    for term in wanted:
        before_seconds = term.before_seconds(now_seconds)
        table, removed = term.retention.table, 0
        if before_seconds is not None:
            old = table.c[term.retention.column] < before_seconds
            if dry_run:
                with store.reading() as connection:
                    removed = connection.scalar(sa.select(sa.func.count()).select_from(table).where(old)) or 0
            else:
                removed = _remove(store, table, old, progress)
        outcome.append(Cleaned(table.name, term.days, removed))
    if store.dialect == "sqlite" and not dry_run and any(cleaned.removed for cleaned in outcome):
        _give_back(store)
    return outcome


def _remove(store: Store, table: sa.Table, old: sa.ColumnElement[bool], progress: Callable[[str, int], None]) -> int:
    key = sa.tuple_(*table.primary_key.columns)
    some = sa.select(*table.primary_key.columns).where(old).limit(BATCH_ROWS)

    def one_batch(connection: sa.Connection) -> tuple[int, int]:
        keys = [tuple(row) for row in connection.execute(some)]
        if not keys:
            return 0, 0
        # asked again: what was made young meanwhile stays
        gone = connection.execute(sa.delete(table).where(key.in_(keys), old)).rowcount
        return len(keys), gone

    removed = 0
    while True:
        found, gone = store.write(one_batch)
        removed += gone
        if gone:
            progress(table.name, removed)
        if found < BATCH_ROWS:
            return removed


def _give_back(store: Store) -> None:
    """Give SQLite's empty pages back to the file system, some at a time."""
    while True:
        with store.writing() as connection:
            # SQLAlchemy closes what returns no rows after its first step, which frees one page
            connection.connection.cursor().execute(f"PRAGMA incremental_vacuum({_FREE_PAGES})").fetchall()
            left = connection.exec_driver_sql("PRAGMA freelist_count").scalar() or 0
            if not left or connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == 0:
                return
