"""A listing as a table, as JSON or as CSV: the one renderer of every command that lists."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TextIO, TypeVar

import click
import msgspec

from dkumonitor.text import printable, unprintable

Cell = str | bytes | int | float | bool | None
F = TypeVar("F", bound=Callable[..., Any])
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  full width: Excel reads them too
_MARKED = (*_FORMULA, "'")  # a text that begins with the mark itself gets another, so that none is mixed up
_UNIT = 1024
_WIDE = 1_000_000  # characters: what a program reads is never cut


class Form(StrEnum):
    """How a listing is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def form_options(command: F) -> F:
    """Give a click command ``--json`` and ``--csv``; it receives ``form: Form``."""
    for form, text in ((Form.CSV, "Write CSV, with a header."), (Form.JSON, "Write a list of flat JSON objects.")):
        command = click.option(f"--{form}", "form", type=Form, flag_value=form, default=Form.TABLE, help=text)(command)
    return command


def render(rows: Iterable[msgspec.Struct], row_type: type[msgspec.Struct], form: Form, out: TextIO) -> None:
    """Write rows; JSON and CSV one after the other, so that a million of them need no memory.

    Args:
        rows: of ``row_type``, whose fields are the columns; cells are str, bytes (a file name), numbers, bool or None.
            Units stand in the names: bytes as ``_bytes``, UTC seconds as ``_seconds``.
        row_type: names the columns where there is no row.
        form: JSON is a list of flat objects with raw values. CSV is as :func:`csv_text` says. A table is
            for reading: sizes in KiB and so on, controls escaped.
        out: where to write.
    """
    columns = row_type.__struct_fields__
    flat = (plain_row(row) for row in rows)
    if form is Form.JSON:
        _write_json(flat, out)
    elif form is Form.CSV:
        write_csv(columns, (row.values() for row in flat), out)
    else:
        _write_table(columns, list(flat), out)


def _write_json(rows: Iterable[Mapping[str, Any]], out: TextIO) -> None:
    """As ``json.dumps(rows, indent=2)`` writes a list."""
    before = "["
    for row in rows:
        indented = json.dumps(row, indent=2).replace("\n", "\n  ")
        out.write(f"{before}\n  {indented}")
        before = ","
    out.write("[]\n" if before == "[" else "\n]\n")


def write_csv(columns: Sequence[str], rows: Iterable[Iterable[Cell]], out: TextIO) -> None:
    """Write CSV, the names of the columns first; a text that a spreadsheet would run is marked, names too."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_csv_cell(name) for name in columns])
    writer.writerows([_csv_cell(_plain(cell)) for cell in row] for row in rows)


def render_one(row: msgspec.Struct, form: Form, out: TextIO) -> None:
    """Write a single row: JSON is one flat object, a table has a line for each field; else as :func:`render`."""
    if form is Form.CSV:
        render([row], type(row), form, out)
        return
    flat = plain_row(row)
    if form is Form.JSON:
        out.write(json.dumps(flat, indent=2) + "\n")
    else:
        width = max(map(len, flat))
        out.writelines(f"{name.replace('_', ' '):{width}}  {_table_cell(name, cell)}\n" for name, cell in flat.items())


def plain_row(row: msgspec.Struct) -> dict[str, str | int | float | bool | None]:
    """A row as the flat object that JSON shows, bytes decoded as the file system does."""
    return {name: _plain(getattr(row, name)) for name in row.__struct_fields__}


def _plain(cell: Cell) -> str | int | float | bool | None:
    return os.fsdecode(cell) if isinstance(cell, bytes) else cell


def csv_text(text: str) -> str:
    """A text as a cell of CSV: on one line, no formula to a spreadsheet; :func:`read_csv_text` gives it back."""
    safe = printable(text)
    return f"'{safe}" if safe.startswith(_MARKED) else safe


def read_csv_text(cell: str) -> str:
    """The text that :func:`csv_text` was given. What a person wrote is left as it is, a leading apostrophe too."""
    return unprintable(cell[1:] if cell.startswith("'") and cell[1:].startswith(_MARKED) else cell)


def _csv_cell(cell: Cell) -> Cell:
    return csv_text(cell) if isinstance(cell, str) else cell


def _write_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], out: TextIO) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  rich takes 50 ms to import, and only tables need it
    from rich.console import Console  # noqa: PLC0415  the same
    from rich.table import Table  # noqa: PLC0415  the same
    from rich.text import Text  # noqa: PLC0415  the same

    console = Console(file=out, highlight=False, width=None if out.isatty() else _WIDE)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        numeric = any(isinstance(row[name], int | float) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", no_wrap=numeric)
    for row in rows:
        table.add_row(*(Text(_table_cell(name, row[name])) for name in columns))
    console.print(table)


def _table_cell(name: str, cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        if name == "bytes" or name.endswith(("_bytes", "_bytes_per_second")):
            return size(cell)
        return f"{cell:.1f}" if isinstance(cell, float) else str(cell)
    return printable(str(cell))


def size(size_bytes: float) -> str:
    """A size for reading: ``512 B``, ``1.5 KiB``."""
    number = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < _UNIT:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _UNIT
    return f"{number:.1f} PiB"
