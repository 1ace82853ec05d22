"""What goes in comes out, and a question to the database has the answer that one to the rows themselves has."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dkumonitor.errors import StoreError
from dkumonitor.render import Form, csv_text, read_csv_text, render
from dkumonitor.store import types
from dkumonitor.store.engine import insert_rows
from dkumonitor.store.listing import answer_select
from dkumonitor.text import printable, unprintable
from dkumonitor.views import Question, answer_rows
from tests import corpus
from tests.store import records
from tests.store.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dkumonitor.store.engine import Store
    from tests.store.conftest import Database

NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: not {0, 0x2F} & set(name))
TEXTS = st.text(st.characters(), max_size=100)  # lone surrogates and NUL among them
SHAPES = st.text("\\xuU0f5c4'=+-@\t\r\n\udcff\u0080\xad\u202eä\U000e0001 ", max_size=20)


@pytest.fixture
def store(database: Database) -> Store:
    return database.upgraded(records.COMPONENT)


def put(store: Store, rows: Sequence[Record]) -> None:
    with store.writing() as connection:
        connection.execute(sa.delete(records.records))
        insert_rows(
            connection,
            records.records,
            ({name: getattr(row, name) for name in Record.__struct_fields__} for row in rows),
        )


def everything(store: Store) -> list[Record]:
    with store.reading() as connection:
        return [
            Record(*row)
            for row in connection.execute(sa.select(records.records).order_by("id").with_only_columns(*COLUMNS))
        ]


COLUMNS = [records.records.c[name] for name in Record.__struct_fields__]


def a_record(number: int, name: str | None, path: bytes | None, **others: Any) -> Record:
    plain: dict[str, Any] = {"writer": 1, "size_bytes": None, "share_percent": None, "done": None, "at_seconds": 0}
    return Record(id=number, name=name, path=path, **(plain | others))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=1, max_size=20), texts=st.lists(TEXTS | SHAPES, min_size=1, max_size=20))
def test_any_name_and_text_survives_store_json_and_csv(store: Store, names: list[bytes], texts: list[str]) -> None:
    rows = [a_record(n, texts[n % len(texts)], name) for n, name in enumerate(names, 1)]
    put(store, rows)
    kept = everything(store)
    assert kept == rows
    out = io.StringIO()
    render(kept, Record, Form.JSON, out)
    assert [os.fsencode(row["path"]) for row in json.loads(out.getvalue())] == names
    out = io.StringIO()
    render(kept, Record, Form.CSV, out)
    lines = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert out.getvalue().count("\n") == len(rows) + 1
    assert [os.fsencode(read_csv_text(line["path"])) for line in lines] == names
    assert [read_csv_text(line["name"]) for line in lines] == [row.name for row in rows]


@given(TEXTS | SHAPES)
def test_what_is_shown_can_be_read_again(text: str) -> None:
    assert unprintable(printable(text)) == text
    assert read_csv_text(csv_text(text)) == text
    assert types.unescape(types.escape(text)) == text
    types.escape(text).encode()


def test_an_apostrophe_that_a_person_wrote_is_kept() -> None:
    assert read_csv_text("'t Hooft") == "'t Hooft"
    assert csv_text("'t Hooft") == "''t Hooft"


@pytest.mark.parametrize("number", [0, -1, 2**53, 2**63 - 1, -(2**63)])
def test_numbers_of_64_bits_are_kept(store: Store, number: int) -> None:
    rows = [a_record(1, None, None, size_bytes=number, share_percent=0.1, done=True)]
    put(store, rows)
    assert everything(store) == rows


def test_texts_that_differ_in_case_accent_or_blanks_are_different_keys(store: Store) -> None:
    names = ["alice", "Alice", "alicé", "alice ", " alice", "alice\0", "ALICE", "aliçe", "alice\udce9"]
    with store.writing() as connection:
        insert_rows(connection, records.counters, ({"name": name, "value": 1} for name in names))
    with store.reading() as connection:
        for name in names:
            found = connection.scalars(sa.select(records.counters.c.name).where(records.counters.c.name == name)).all()
            assert found == [name]


def test_a_reading_transaction_can_change_nothing(store: Store) -> None:
    put(store, [a_record(1, "stays", None)])
    forbidden = sa.delete(records.records)
    with pytest.raises((StoreError, sa.exc.DBAPIError)), store.reading() as connection:
        connection.execute(forbidden)
    assert [row.name for row in everything(store)] == ["stays"]
    put(store, [])
    assert everything(store) == []


def test_a_block_that_raises_leaves_nothing(store: Store) -> None:
    put(store, [])
    with pytest.raises(ZeroDivisionError), store.writing() as connection:
        _ = insert_rows(connection, records.records, [{"writer": 1, "at_seconds": 1}]) / 0
    assert everything(store) == []


def test_a_row_that_refers_to_nothing_is_refused_and_children_go_with_their_parent(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        insert_rows(connection, records.marks, [{"record_id": 99, "mark": "x"}])
    put(store, [a_record(1, "parent", None)])
    with store.writing() as connection:
        insert_rows(connection, records.marks, [{"record_id": 1, "mark": "x"}])
    put(store, [])
    with store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(records.marks)) == 0


MANY = [
    a_record(
        number,
        None
        if number % 7 == 0
        else f"{'Ab' if number % 2 else 'äÖ'}{number % 13}%_\\" + ("\udcff" if number % 5 == 0 else ""),
        None if number % 11 == 0 else b"/Data/%d\\_" % (number % 17) + (b"\xc3\xff" if number % 3 == 0 else b""),
        size_bytes=None if number % 3 else number * 2**33,
        at_seconds=number % 50,
    )
    for number in range(1, 300)
]
QUESTIONS = [
    Question(),
    Question(sort="name"),
    Question(sort="name", descending=True, offset=30, limit=7),
    Question(sort="size_bytes", descending=True, limit=20),
    Question(sort="at_seconds", offset=290, limit=50),
    Question(sort="id", search="AB1", limit=1000),
    Question(sort="id", search="ÄÖ", limit=1000),
    Question(sort="id", search="%_\\", limit=1000),
    Question(sort="id", search="1\udcff"),
    Question(sort="id", search="data/1"),
    Question(sort="id", search="7\\_"),
    Question(sort="id", search="nowhere"),
    *(Question(sort="id", search=text[:200]) for text in corpus.SQL),
]


def test_a_question_has_the_answer_that_the_rows_themselves_give(store: Store) -> None:
    put(store, MANY)
    for question in QUESTIONS:
        wanted = answer_rows(MANY, question)
        with store.reading() as connection:
            found = answer_select(connection, sa.select(*COLUMNS), Record, question, ["name", "path"])
        assert (list(found.rows), found.total) == (list(wanted.rows), wanted.total), question


def test_a_column_that_is_not_there_is_no_column_to_sort_by(store: Store) -> None:
    for name in ("nothing", "id; DROP TABLE records", "__class__"):
        with pytest.raises(StoreError, match="there is no column"), store.reading() as connection:
            answer_select(connection, sa.select(*COLUMNS), Record, Question(sort=name), [])
