"""What a revision builds with. Each looks first at what is there, so that a step that was cut off is done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic import op
from sqlalchemy.inspection import inspect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column
    from sqlalchemy.engine import Inspector
    from sqlalchemy.schema import SchemaItem

# InnoDB has transactions and foreign keys; text columns have a character set of their own (store/types.py).
_MYSQL: dict[str, Any] = {
    f"{server}_{option}": value
    for server in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))
}


def create_table(name: str, *items: SchemaItem) -> None:
    """Create a table, its constraints with it; its indexes come after it by :func:`create_index`."""
    if not _inspector().has_table(name):
        op.create_table(name, *items, **_MYSQL)


def drop_table(name: str) -> None:
    """Drop a table."""
    if _inspector().has_table(name):
        op.drop_table(name)


def create_index(name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> None:
    """Create an index."""
    if name not in _names(_inspector().get_indexes(table)):
        op.create_index(name, table, list(columns), unique=unique)


def drop_index(name: str, table: str) -> None:
    """Drop an index."""
    if name in _names(_inspector().get_indexes(table)):
        op.drop_index(name, table)


def add_column(table: str, column: Column[Any]) -> None:
    """Add a column, which must have a default or take NULL."""
    if column.name not in _names(_inspector().get_columns(table)):
        op.add_column(table, column)


def drop_column(table: str, name: str) -> None:
    """Drop a column that is in no constraint and no index."""
    if name in _names(_inspector().get_columns(table)):
        op.drop_column(table, name)


def _inspector() -> Inspector:
    return inspect(op.get_bind())  # a new one each time: it remembers what it saw


def _names(found: Sequence[Any]) -> set[str]:
    return {item["name"] for item in found}
