import csv
import io
import json
import os
from typing import Any

import click
import click.testing
import msgspec
import pytest

from dkumonitor.cells import size
from dkumonitor.render import Form, form_options, render
from dkumonitor.text import printable
from dkumonitor.views import Moment


class Row(msgspec.Struct, frozen=True):
    name: Any  # of text or bytes
    size_bytes: int
    share_percent: float | None
    is_old: bool


ROWS = [Row("alice", 3 * 1024 * 1024, 12.34, is_old=False), Row(b"b\xff\n", 10, None, is_old=True)]


def written(form: Form, rows: list[Row] = ROWS) -> str:
    out = io.StringIO()
    render(rows, Row, form, out)
    return out.getvalue()


def test_json_is_a_list_of_flat_objects_with_raw_values() -> None:
    assert json.loads(written(Form.JSON)) == [
        {"name": "alice", "size_bytes": 3145728, "share_percent": 12.34, "is_old": False},
        {"name": os.fsdecode(b"b\xff\n"), "size_bytes": 10, "share_percent": None, "is_old": True},
    ]
    assert written(Form.JSON).isascii()


def test_csv_has_a_header_also_without_rows() -> None:
    assert next(csv.reader(io.StringIO(written(Form.CSV)))) == ["name", "size_bytes", "share_percent", "is_old"]
    assert written(Form.CSV, []) == "name,size_bytes,share_percent,is_old\n"
    assert json.loads(written(Form.JSON, [])) == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\uff1d1"])
def test_csv_never_holds_a_formula(text: str) -> None:
    cell = list(csv.reader(io.StringIO(written(Form.CSV, [Row(text, -1, -0.5, is_old=True)]))))[1]
    assert cell[0][0] in "'\\"
    assert cell[1:] == ["-1", "-0.5", "True"]


def test_a_table_is_for_reading_and_cuts_nothing_where_a_program_reads_it() -> None:
    text = written(Form.TABLE, [*ROWS, Row("x" * 300, 0, 0.0, is_old=True)])
    assert "3.0 MiB" in text
    assert "12.3" in text
    assert r"b\xff\x0a" in text
    assert "x" * 300 in text
    assert "\x1b" not in text


def test_a_table_without_rows_says_so_and_what_to_do() -> None:
    assert "name" in written(Form.TABLE, [])
    assert written(Form.TABLE, []).endswith("No rows.\n")
    out = io.StringIO()
    render([], Row, Form.TABLE, out, "Make one.")
    assert out.getvalue().endswith("Make one.\n")


def test_no_name_can_write_terminal_codes_or_markup() -> None:
    text = written(Form.TABLE, [Row("[red]\x1b[31m\u202eevil", 0, 0.0, is_old=True)])
    assert r"[red]\x1b[31m\u202eevil" in text


def test_the_options_choose_the_form() -> None:
    @click.command()
    @form_options
    def command(form: Form) -> None:
        click.echo(repr(form))

    run = click.testing.CliRunner().invoke
    assert run(command, []).output == f"{Form.TABLE!r}\n"
    assert run(command, ["--json"]).output == f"{Form.JSON!r}\n"
    assert run(command, ["--csv"]).output == f"{Form.CSV!r}\n"


def test_sizes_are_in_powers_of_1024() -> None:
    assert [size(n) for n in (0, 1023, 1024, 1536, 2**40, 2**60)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.5 KiB",
        "1.0 TiB",
        "1024.0 PiB",
    ]


def test_text_is_shown_without_what_would_act() -> None:
    assert printable("é ok") == "é ok"
    assert printable("a\x1b\x9b\u2028\udcff\U000e0001\x00") == r"a\x1b\u009b\u2028\xff\U000e0001\x00"


class Wide(msgspec.Struct, frozen=True):
    first: str
    started_seconds: Moment
    third_bytes: int
    fourth_percent: float


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_has_the_columns_that_a_terminal_has_room_for_and_names_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [Wide("x" * 20, 1_800_000_000, 2048, 12.5)]
    for width, wanted, names in (
        (200, 4, ""),
        (60, 3, "1 more columns: fourth_percent"),
        (10, 2, "2 more columns: third_bytes, fourth_percent"),
    ):
        monkeypatch.setenv("COLUMNS", str(width))
        out = Terminal()
        render(rows, Wide, Form.TABLE, out)
        assert ("2.0 KiB" in out.getvalue(), "12.5 %" in out.getvalue()) == (wanted >= 3, wanted == 4)
        assert names in out.getvalue()
        assert ("more columns" in out.getvalue()) is bool(names)
    monkeypatch.setenv("COLUMNS", "10")
    piped = io.StringIO()
    render(rows, Wide, Form.TABLE, piped)
    assert "2027-01-15 08:00:00" in piped.getvalue()
    assert "more columns" not in piped.getvalue()
