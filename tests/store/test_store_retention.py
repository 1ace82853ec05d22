from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from dkumonitor.errors import SettingsError
from dkumonitor.store.engine import insert_rows
from dkumonitor.store.retention import DAY_SECONDS, Cleaned, clean, terms
from dkumonitor.store.status import look, size_bytes
from tests.store import records

if TYPE_CHECKING:
    from dkumonitor.store.engine import Store
    from tests.store.conftest import Database

NOW_SECONDS = 1_800_000_000
OLD, NEW = 2500, 40


@pytest.fixture
def store(database: Database) -> Store:
    store = database.upgraded(records.COMPONENT)
    cut = NOW_SECONDS - 30 * DAY_SECONDS
    with store.writing() as connection:
        old = ({"writer": 0, "name": "x" * 200, "at_seconds": cut - 1 - number} for number in range(OLD))
        new = ({"writer": 1, "name": "x" * 200, "at_seconds": cut + number} for number in range(NEW))
        insert_rows(connection, records.records, old)
        insert_rows(connection, records.records, new)
        some = connection.scalars(sa.select(records.records.c.id).limit(10)).all()
        insert_rows(connection, records.marks, ({"record_id": number, "mark": "m"} for number in some))
    return store


def left(store: Store) -> int:
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(records.records)) or 0


def test_just_what_is_too_old_goes_and_the_room_is_given_back(store: Store) -> None:
    wanted = terms([records.COMPONENT], {})
    told: list[tuple[str, int]] = []
    before = size_bytes(store, look(store, [records.COMPONENT], wanted))
    assert clean(store, wanted, NOW_SECONDS, dry_run=True) == [Cleaned("records", 30, OLD)]
    assert left(store) == OLD + NEW
    done = clean(store, wanted, NOW_SECONDS, progress=lambda table, count: told.append((table, count)))
    assert done == [Cleaned("records", 30, OLD)]
    assert told == [("records", 1000), ("records", 2000), ("records", OLD)]
    assert left(store) == NEW
    if store.dialect == "sqlite":
        with store.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA freelist_count").scalar() == 0
            assert (connection.exec_driver_sql("PRAGMA page_count").scalar() or 0) * 4096 < before / 2
    assert clean(store, wanted, NOW_SECONDS) == [Cleaned("records", 30, 0)]


def test_the_setting_comes_before_the_default_and_0_is_for_ever(store: Store) -> None:
    assert clean(store, terms([records.COMPONENT], {"records": 0}), NOW_SECONDS) == [Cleaned("records", 0, 0)]
    assert clean(store, terms([records.COMPONENT], {"records": 365}), NOW_SECONDS) == [Cleaned("records", 365, 0)]
    assert clean(store, terms([records.COMPONENT], {"records": 1}), NOW_SECONDS) == [Cleaned("records", 1, OLD + NEW)]


def test_a_setting_that_nothing_knows_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"no setting 'store.retention_days.record'. Known there: records"):
        terms([records.COMPONENT], {"record": 1})


def test_the_status_counts_what_is_there(store: Store) -> None:
    tables = {row.table: row for row in look(store, [records.COMPONENT], terms([records.COMPONENT], {}))}
    assert tables["records"].rows == OLD + NEW
    assert tables["marks"].rows == 10
    assert tables["records"].oldest_seconds == NOW_SECONDS - 30 * DAY_SECONDS - OLD
    assert (tables["records"].keep_days, tables["records"].setting, tables["records"].version) == (
        30,
        "records",
        "0003",
    )
    assert tables["marks"].keep_days is None
    assert (tables["records"].bytes is None) == (store.dialect == "sqlite")
    least = 1 if store.dialect == "mysql" else OLD * 200  # MariaDB counts its pages when it has the time
    assert size_bytes(store, list(tables.values())) >= least
