"""A listing as a table, as JSON or as CSV: the one renderer of every command that lists."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TextIO, TypeVar

import click
import msgspec

from dkumonitor.cells import cell_of, columns_of
from dkumonitor.text import printable, unprintable

Cell = str | bytes | int | float | bool | None
F = TypeVar("F", bound=Callable[..., Any])
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  full width: Excel reads them too
_MARKED = (*_FORMULA, "'")  # a text that begins with the mark itself gets another, so that none is mixed up
_WIDE = 1_000_000  # characters: what a program reads is never cut
_GAP = 3  # characters between two columns


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


def render(
    rows: Iterable[msgspec.Struct], row_type: type[msgspec.Struct], form: Form, out: TextIO, empty: str = ""
) -> None:
    """Write rows; JSON and CSV one after the other, so that a million of them need no memory.

    Args:
        rows: of ``row_type``, whose fields are the columns; cells are str, bytes (a file name), numbers, bool or None.
            Units stand in the names: bytes as ``_bytes``, UTC seconds as ``_seconds``.
        row_type: names the columns where there is no row.
        form: JSON is a list of flat objects with raw values. CSV is as :func:`csv_text` says. A table is
            for reading: sizes in KiB and so on, controls escaped.
        out: where to write.
        empty: a sentence that stands below the heading of a table without rows: what to do, say.
    """
    if form is Form.JSON:
        _write_json(map(plain_row, rows), out)
    elif form is Form.CSV:
        write_csv(row_type.__struct_fields__, (plain_row(row).values() for row in rows), out)
    else:
        table = list(rows)
        _write_table(row_type, table, out)
        if not table:
            out.write(f"{empty or 'No rows.'}\n")


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
    if form is Form.JSON:
        out.write(json.dumps(plain_row(row), indent=2) + "\n")
    else:
        columns = columns_of(type(row))
        width = max(len(column.label) for column in columns)
        lines = (f"{column.label:{width}}  {cell_of(column, getattr(row, column.name)).text}" for column in columns)
        out.writelines(f"{line}\n" for line in lines)


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


def _write_table(row_type: type[msgspec.Struct], rows: Sequence[msgspec.Struct], out: TextIO) -> None:
    """A table for reading. Where a terminal has not the room for all columns, the last ones are named below it."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  rich takes 50 ms to import, and only tables need it
    from rich.cells import cell_len  # noqa: PLC0415  the same
    from rich.console import Console  # noqa: PLC0415  the same
    from rich.table import Table  # noqa: PLC0415  the same
    from rich.text import Text  # noqa: PLC0415  the same

    columns = columns_of(row_type)
    texts = [[cell_of(column, getattr(row, column.name)).text for column in columns] for row in rows]
    console = Console(file=out, highlight=False, width=None if out.isatty() else _WIDE)
    widths = [
        max(cell_len(column.label), *(cell_len(text[at]) for text in texts), 0) for at, column in enumerate(columns)
    ]
    shown = _that_fit(widths, console.width)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns[:shown]:
        table.add_column(column.label, justify="right" if column.numeric else "left", no_wrap=column.numeric)
    for text in texts:
        table.add_row(*map(Text, text[:shown]))
    console.print(table)
    if left_out := columns[shown:]:
        out.write(f"{len(left_out)} more columns: {', '.join(column.name for column in left_out)} (--json, --csv)\n")


def _that_fit(widths: Sequence[int], room: int) -> int:
    """How many columns, from the first on, a terminal has the room for; two at least, which then are folded."""
    taken = 0
    for count, width in enumerate(widths):
        taken += width + _GAP
        if taken > room:
            return max(count, 2)
    return len(widths)
