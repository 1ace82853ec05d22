"""How large the store is: rows, bytes, and how far back it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from dkumonitor.store.address import FileAddress
from dkumonitor.store.migrations import current

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dkumonitor.store.engine import Store
    from dkumonitor.store.migrations import Component
    from dkumonitor.store.retention import Term

_TABLE_BYTES = {
    "postgresql": "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
    "AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())",
    "mysql": "SELECT table_name, data_length + index_length FROM information_schema.tables "
    "WHERE table_schema = DATABASE()",
}


class TableStatus(msgspec.Struct, frozen=True):
    """A table.

    Attributes:
        table: its name.
        component: whose it is.
        version: of the component's schema; None where it has none.
        rows: how many it has.
        bytes: what it takes with its indexes; None where the server does not say (SQLite has one file).
        setting: the key of ``[store.retention_days]`` that cleans it; None where nothing does.
        keep_days: for how long its rows stay; 0 and None are for ever.
        oldest_seconds: the time of its oldest row where it is cleaned, UTC seconds.
    """

    table: str
    component: str
    version: str | None
    rows: int
    bytes: int | None
    setting: str | None
    keep_days: int | None
    oldest_seconds: int | None


def look(store: Store, components: Sequence[Component], terms: Sequence[Term]) -> list[TableStatus]:
    """Every table that is there, counted."""
    cleaned = {term.retention.table.name: term for term in terms}
    found = []
    with store.reading() as connection:
        there = set(sa.inspect(connection).get_table_names())
        sizes = _table_bytes(connection, store.dialect)
        for component in components:
            version = current(connection, component)
            for table in component.metadata.sorted_tables:
                if table.name not in there:
                    continue
                term = cleaned.get(table.name)
                oldest = None
                if term is not None:
                    oldest = connection.scalar(sa.select(sa.func.min(table.c[term.retention.column])))
                found.append(
                    TableStatus(
                        table=table.name,
                        component=component.name,
                        version=version,
                        rows=connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0,
                        bytes=sizes.get(table.name),
                        setting=term.retention.setting if term else None,
                        keep_days=term.days if term else None,
                        oldest_seconds=oldest,
                    )
                )
    return found


def size_bytes(store: Store, tables: Sequence[TableStatus]) -> int:
    """What the whole store takes on disk, as far as it is ours."""
    if isinstance(store.address, FileAddress):
        path = store.address.path
        files = (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")))
        return sum(file.stat().st_size for file in files if file.exists())
    return sum(table.bytes or 0 for table in tables)


def _table_bytes(connection: sa.Connection, dialect: str) -> dict[str, int]:
    statement = _TABLE_BYTES.get(dialect)
    return {} if statement is None else {name: int(size or 0) for name, size in connection.execute(sa.text(statement))}
