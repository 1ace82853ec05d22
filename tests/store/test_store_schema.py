"""The schema comes up to date whatever happens, and only the right one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

import collectors
from dkumonitor.errors import StoreError
from dkumonitor.store.migrations import check, upgrade
from tests.store import records
from tests.store.worker import COMPLETE, differences, tables

if TYPE_CHECKING:
    from dkumonitor.store.engine import Store
    from tests.store.conftest import Database


def test_the_steps_make_just_the_tables_that_are_declared(database: Database) -> None:
    components = [*collectors.components(), records.COMPONENT]
    assert differences(database.upgraded(*components), components) == []


def test_no_two_components_have_a_table_of_the_same_name() -> None:
    names = [name for component in collectors.components() for name in component.metadata.tables]
    assert sorted(set(names)) == sorted(names)


def test_an_empty_database_is_refused_with_the_command_that_fills_it(database: Database) -> None:
    with pytest.raises(StoreError, match=r"has no tables of 'records'.*dkm setup"):
        check(database.open(), [records.COMPONENT])


def test_an_upgraded_database_is_accepted_and_upgrading_it_again_changes_nothing(database: Database) -> None:
    store = database.upgraded(records.COMPONENT)
    check(store, [records.COMPONENT])
    [again] = upgrade(store, [records.COMPONENT])
    assert (again.before, again.after) == ("0003", "0003")


def set_version(store: Store, version: str) -> None:
    with store.writing() as connection:
        connection.execute(sa.text("UPDATE records_version SET version_num = :version"), {"version": version})


def test_an_older_schema_is_refused_with_the_command_that_mends_it(database: Database) -> None:
    store = database.upgraded(records.COMPONENT)
    set_version(store, "0002")
    with pytest.raises(StoreError, match=r"version 0002.*needs 0003.*dkm setup"):
        check(store, [records.COMPONENT])


def test_a_newer_schema_is_refused_and_left_alone(database: Database) -> None:
    store = database.upgraded(records.COMPONENT)
    set_version(store, "0004")
    for refused in (check, upgrade):
        with pytest.raises(StoreError, match=r"newer release: version 0004 of 'records', this release knows 0003"):
            refused(store, [*collectors.components(), records.COMPONENT])
    assert tables(store) == COMPLETE
