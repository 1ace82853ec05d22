"""What the fault tests do in processes of their own, of this tree or of a patched copy of it.

python -m tests.store.worker ACT
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from dkumonitor.installation import current
from dkumonitor.store.engine import Store, insert_rows, open_store
from dkumonitor.store.migrations import check, upgrade
from tests.store import records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dkumonitor.store.migrations import Component

WRITERS, ACTS, ROWS = 5, 20, 50
LOOKS = ("SELECT", "PRAGMA", "SHOW", "SET", "DESCRIBE", "ROLLBACK", "BEGIN", "START")


def differences(store: Store, components: Sequence[Component]) -> list[object]:
    """What alembic finds different between the tables that are declared and those that are there."""
    declared = sa.MetaData()
    for component in components:
        for table in component.metadata.sorted_tables:
            table.to_metadata(declared)
    versions = {component.version_table for component in components}
    with store.reading() as connection:
        options = {"include_name": lambda name, kind, _: kind != "table" or name not in versions, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), declared))


def tables(store: Store) -> list[str]:
    with store.reading() as connection:
        return sorted(sa.inspect(connection).get_table_names())


def wipe(store: Store) -> None:
    there = sa.MetaData()
    with store.writing() as connection:
        there.reflect(connection)
        there.drop_all(connection)


def child(act: Callable[[], None]) -> int:
    """Do an act in a process of its own; its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        act()
    except BaseException:  # noqa: BLE001  nothing may leave a forked child
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def die_at(point: int) -> None:
    """Be killed before the statement that changes something, or the commit, with this number."""
    passed = 0

    def count(*_: object) -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(_connection: object, _cursor: object, text: str, *_: object) -> None:
        if not text.lstrip().upper().startswith(LOOKS):
            count()

    event.listen(sa.Engine, "before_cursor_execute", statement)
    event.listen(sa.Engine, "commit", count)


def kill_upgrades() -> None:
    """Kill an upgrade at each of its points. It leaves what was there before or, on MariaDB, what goes on."""
    store = open_store(current())
    for point in range(1, 1000):
        store.close()

        def killed(point: int = point) -> None:
            die_at(point)
            with open_store(current()) as mine:
                upgrade(mine, [records.COMPONENT])

        _, status = os.waitpid(child(killed), 0)
        if status == 0:
            assert point > 10, f"only {point} points"
            assert differences(store, [records.COMPONENT]) == []
            return
        assert os.WTERMSIG(status) == signal.SIGKILL, f"the upgrade itself failed at point {point}"
        left = tables(store)
        if store.dialect != "mysql":
            assert left == [], f"killed at {point}: it left {left}"
            continue  # and the next one begins where this one left off
        upgrade(store, [records.COMPONENT])
        check(store, [records.COMPONENT])
        assert differences(store, [records.COMPONENT]) == [], f"killed at {point}: not completed"
        wipe(store)
    raise AssertionError("it never ended")


COMPLETE = ["counters", "marks", "records", "records_version"]


def write_at_once() -> None:
    """Write from several processes, each deciding on what it read: nothing is lost, nobody is locked out."""
    with open_store(current()) as store, store.writing() as connection:
        connection.execute(sa.insert(records.counters).values(name="acts", value=0))
    children = [child(lambda writer=writer: _write(writer)) for writer in range(WRITERS)]  # type: ignore[misc]
    failed = [os.waitpid(pid, 0)[1] for pid in children]
    assert not any(failed), "a writer failed"
    with open_store(current()) as store, store.reading() as connection:
        value = connection.scalar(sa.select(records.counters.c.value)) or 0
        rows = connection.execute(
            sa.select(records.records.c.writer, sa.func.count()).group_by(records.records.c.writer)
        )
        assert value == WRITERS * ACTS, f"{WRITERS * ACTS - value} acts were lost"
        assert dict(tuple(row) for row in rows) == dict.fromkeys(range(WRITERS), ACTS * (ROWS + 1))


def _write(writer: int) -> None:
    def act(connection: sa.Connection) -> None:
        value = connection.scalar(sa.select(records.counters.c.value)) or 0
        rows = ({"writer": writer, "name": f"{writer}.{number}", "at_seconds": number} for number in range(ROWS))
        insert_rows(connection, records.records, rows)
        connection.execute(sa.update(records.counters).values(value=value + 1))

    with open_store(current()) as store:
        for _ in range(ACTS):
            store.write(act)
            with store.writing() as connection:
                count = connection.scalar(sa.select(sa.func.count()).select_from(records.records))
                insert_rows(connection, records.records, [{"writer": writer, "size_bytes": count, "at_seconds": 0}])


def upgrade_all() -> None:
    """Upgrade, from several processes at once."""

    def one() -> None:
        with open_store(current()) as store:
            upgrade(store, [records.COMPONENT])

    children = [child(one) for _ in range(WRITERS)]
    assert not any(os.waitpid(pid, 0)[1] for pid in children), "an upgrade failed"
    with open_store(current()) as store:
        check(store, [records.COMPONENT])
        assert differences(store, [records.COMPONENT]) == []


ACTS_BY_NAME = {"kill-upgrades": kill_upgrades, "upgrade-at-once": upgrade_all, "write-at-once": write_at_once}


def main() -> NoReturn:
    ACTS_BY_NAME[sys.argv[1]]()
    sys.exit(0)


if __name__ == "__main__":
    main()
