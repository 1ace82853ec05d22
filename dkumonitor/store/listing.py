"""Questions to a listing answered by the database: searched, sorted and cut there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import String, cast, collate, func, or_, select, type_coerce

from dkumonitor.errors import StoreError
from dkumonitor.store.types import AnyText, escape
from dkumonitor.views import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from dkumonitor.views import Question

S = TypeVar("S", bound=msgspec.Struct)


def answer_select(
    connection: Connection,
    wanted: Select[Any],
    row_type: type[msgspec.Struct],
    question: Question,
    searchable: Sequence[str] = (),
) -> Answer:
    """Search, sort and page a select.

    Args:
        connection: of a transaction that reads.
        wanted: gives one column for each field of ``row_type``, named as it is.
        row_type: what a row becomes. Its first field tells rows apart: it decides where the sorted column does not.
        question: its search is without regard to case in text, and in a column of bytes for ASCII alone.
        searchable: the columns that are searched, of text or bytes.

    Raises:
        StoreError: the question names a column that is not there.
    """
    rows = wanted.order_by(None).subquery()
    found = select(*(rows.c[name] for name in row_type.__struct_fields__))
    if question.search:
        found = found.where(or_(*(_contains(connection, rows.c[name], question.search) for name in searchable)))
    total = connection.scalar(select(func.count()).select_from(found.subquery())) or 0
    if question.sort:
        if question.sort not in row_type.__struct_fields__:
            known = ", ".join(row_type.__struct_fields__)
            raise StoreError(f"there is no column {question.sort!r}", f"Sort by one of {known}")
        found = found.order_by(*_order(connection, rows.c[question.sort], descending=question.descending))
    found = found.order_by(rows.c[row_type.__struct_fields__[0]])
    page = connection.execute(found.offset(question.offset).limit(question.limit))
    return Answer([row_type(*row) for row in page], total)


def _order(connection: Connection, column: ColumnElement[Any], *, descending: bool) -> list[ColumnElement[Any]]:
    """Text without regard to case, by code point on every server; NULL last in both directions."""
    key: ColumnElement[Any] = column
    if _is_text(column):
        key = func.lower(column)
        if connection.dialect.name == "postgresql":
            key = collate(key, "C")
    return [column.is_(None), key.desc() if descending else key.asc()]


def _contains(connection: Connection, column: ColumnElement[Any], search: str) -> ColumnElement[bool]:
    text: ColumnElement[str]
    dialect = connection.dialect.name
    if dialect == "sqlite" and search.isascii() and _is_text(column):
        text, needle = type_coerce(column, String()), escape(search)  # its LIKE takes no notice of ASCII's case
    elif dialect == "sqlite":  # whose lower() is ours, and slow
        text, needle = func.lower(column, type_=String()), escape(search.casefold())
    elif _is_text(column):
        text, needle = func.lower(column, type_=String()), escape(search.lower())
    elif dialect == "postgresql":
        text, needle = func.lower(func.encode(column, "escape"), type_=String()), _octal(os.fsencode(search)).lower()
    else:
        from sqlalchemy.dialects import mysql  # noqa: PLC0415  two megabytes that only this needs

        each_byte = cast(column, mysql.CHAR(charset="latin1"))  # as a character, so that any bytes are a text
        text = func.lower(cast(each_byte, mysql.CHAR(charset="utf8mb4")), type_=String()).collate("utf8mb4_bin")
        needle = "".join(map(_latin1, os.fsencode(search))).lower()
    return text.contains(needle, autoescape=True)


def _latin1(byte: int) -> str:
    """The character that MySQL's latin1 has for a byte: Windows-1252, without its holes."""
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def _octal(raw: bytes) -> str:
    """What PostgreSQL's encode(bytes, 'escape') makes of bytes: text, whatever they are."""
    plain = range(1, 0x80)
    return "".join("\\\\" if byte == ord("\\") else chr(byte) if byte in plain else f"\\{byte:03o}" for byte in raw)


def _is_text(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, String | AnyText)
