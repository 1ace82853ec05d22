"""People from a file: CSV with the names of its columns in its first line, as spreadsheets write it."""

from __future__ import annotations

import csv
import io
import ipaddress
from typing import TYPE_CHECKING

from dkumonitor.errors import PeopleError
from dkumonitor.render import read_csv_text
from dkumonitor.store.people import Entry
from dkumonitor.text import printable

if TYPE_CHECKING:
    from _csv import Reader as _Reader
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = Entry.__struct_fields__
IGNORED = ("source", "changed_seconds")  # what `dkm people list --csv` writes beside them
FILE_MAX_BYTES = 64 * 1024 * 1024
_SHOWN_ERRORS = 20
_DELIMITERS = (",", ";", "\t")


def read(path: Path) -> list[Entry]:
    """Read a file, all of it or nothing.

    Raises:
        PeopleError: the file cannot be read; or lines are wrong, which are named with their numbers.
    """
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise PeopleError(f"{path} has more than {FILE_MAX_BYTES} bytes", "Is it the right file?")
        raw = path.read_bytes()
    except OSError as error:
        raise PeopleError(f"cannot read {path}: {error.strerror}", "Correct the path or its rights") from None
    return parse(raw, str(path))


def parse(raw: bytes, name: str) -> list[Entry]:
    """Read the content of a file; ``name`` is what errors call it."""
    text = raw.decode("utf-8-sig", "surrogateescape")
    header = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=header.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    errors: list[str] = []
    entries: dict[str, Entry] = {}
    seen: dict[str, int] = {}
    for number, row in _rows(lines, name):
        try:
            entry = _entry(row)
        except ValueError as error:
            errors.append(f"line {number}: {error}")
            continue
        if entry.login in seen:
            errors.append(f"line {number}: the login {entry.login!r} is there already, in line {seen[entry.login]}")
        seen.setdefault(entry.login, number)
        entries.setdefault(entry.login, entry)
    if errors:
        shown = "; ".join(printable(error) for error in errors[:_SHOWN_ERRORS])
        more = f"; and {len(errors) - _SHOWN_ERRORS} more" if len(errors) > _SHOWN_ERRORS else ""
        raise PeopleError(f"{name} is not imported: {shown}{more}", "Correct these lines; nothing was changed")
    return list(entries.values())


def _rows(lines: _Reader, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the number of its (last) line and its cells by column."""
    try:
        columns = [column.strip().casefold() for column in next(lines, [])]
        _check_columns(columns, name)
        for row in lines:
            number = lines.line_num
            if not row:
                continue
            if len(row) != len(columns):
                raise PeopleError(
                    f"{name}, line {number}: it has {len(row)} cells, the first line has {len(columns)}",
                    "Correct that line; nothing was changed",
                )
            yield number, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise PeopleError(f"{name}, line {lines.line_num}: {error}", "Correct that line; nothing was changed") from None


def _check_columns(columns: list[str], name: str) -> None:
    do = f"Name the columns in its first line; known are {', '.join(COLUMNS)}"
    for column in columns:
        if column not in (*COLUMNS, *IGNORED):
            raise PeopleError(f"{name}, line 1: there is no column {printable(column[:80])!r}", do)
        if columns.count(column) > 1:
            raise PeopleError(f"{name}, line 1: the column {column!r} is there twice", do)
    if "login" not in columns:
        raise PeopleError(f"{name}, line 1: no column is named 'login'", do)


def _entry(row: dict[str, str]) -> Entry:
    texts = {column: read_csv_text(cell.strip(" \t")) or None for column, cell in row.items() if column in COLUMNS}
    login = texts.pop("login")
    if login is None:
        raise ValueError("it has no login")
    uid, addresses = texts.pop("uid", None), texts.pop("addresses", None)
    return Entry(
        login=login,
        uid=None if uid is None else _number(uid),
        addresses=None if addresses is None else canonical_addresses(addresses),
        **texts,
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"uid {text[:40]!r} is no number")
    return int(text[:20])


def canonical_addresses(text: str) -> str:
    """Addresses and networks separated by blanks, commas or semicolons, with one blank between each.

    Raises:
        ValueError: one is neither.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    return " ".join(
        str(ipaddress.ip_network(word, strict=False)).removesuffix("/32").removesuffix("/128") for word in words
    )
