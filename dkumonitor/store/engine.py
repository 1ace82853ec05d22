"""The store: one database, read and written in transactions that mean the same on every server."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import QueuePool, create_engine, event, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from dkumonitor.errors import InstallationError, StoreError
from dkumonitor.store import trouble
from dkumonitor.store.address import Address, FileAddress, ServerAddress
from dkumonitor.store.connect import BEGIN, driver_url, make_connect, prepare_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any, Self

    from sqlalchemy import Connection, Engine, Table

    from dkumonitor.installation import Installation
    from dkumonitor.store.address import Dialect

BATCH_ROWS = 1000
POOL_CONNECTIONS = 2
POOL_EXTRA = 6
POOL_SECONDS = 30
ATTEMPTS = 12
PAUSE_SECONDS = 0.05
PAUSE_MAX_SECONDS = 2.0
_MODE = "dkumonitor_mode"
T = TypeVar("T")


class Store:
    """A database. Safe to use from several threads; a process that forks opens its own.

    Args:
        address: where it is.
        password_file: holds the password of a server; read anew for every connection, so that it may change.
    """

    def __init__(self, address: Address, password_file: Path | None = None) -> None:
        self.address = address
        self._engine = _engine(address, password_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def dialect(self) -> Dialect:
        """Which kind of server it is."""
        return self.address.dialect

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in one transaction, which sees one state of the database and can change nothing.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._transaction("read") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction: all of it is kept, or nothing where an exception leaves the block.

        SQLite has one writer at a time, which the others wait for. On a server two may write at once, and what was read
        here may have changed: an act that decides on what it read belongs into :meth:`write`.

        Raises:
            StoreError: the database cannot be used. What is wrong with a row (IntegrityError) is left as it is.
        """
        with self._transaction("write") as connection:
            yield connection

    def write(self, act: Callable[[Connection], T]) -> T:
        """Do an act as if nobody else wrote meanwhile, and do it again where somebody did.

        Args:
            act: is given the connection; must change nothing but the database, since it may run several times.

        Returns:
            What the act returned, in the attempt that was kept.

        Raises:
            StoreError: the database cannot be used, or others were always faster.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._transaction("alone") as connection:
                    return act(connection)
            except trouble.ConflictError:
                if attempt == ATTEMPTS:
                    raise
                longest_seconds = min(PAUSE_SECONDS * 2**attempt, PAUSE_MAX_SECONDS)
                time.sleep(longest_seconds * random.random())  # noqa: S311  it only spreads the attempts
        raise AssertionError("unreachable")  # pragma: no cover

    def close(self) -> None:
        """Close what is open. The store may be used again."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(**{_MODE: mode}) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            told = trouble.told(error, self.address)
            if told is None:
                raise
            raise told from error
        except PoolTimeoutError:
            raise StoreError(
                f"all {POOL_CONNECTIONS + POOL_EXTRA} connections to the {self.address} are in use",
                "Try again in a moment",
            ) from None
        except OSError as error:  # a driver lets some of the network's errors through as they are
            if isinstance(self.address, ServerAddress):
                raise trouble.unreachable(self.address, error) from error
            raise


def open_store(installation: Installation) -> Store:
    """The store of an installation, connected to once; its schema is not looked at.

    Raises:
        InstallationError: this type of installation has none.
        StoreError: it cannot be reached, or refuses the password.
    """
    if not installation.has_store:
        raise InstallationError(
            f"{installation.dir} is of type {installation.type}, which keeps no store",
            "Call it in an installation with a console or collectors",
        )
    if installation.database is None:
        store = Store(FileAddress(installation.store_file))
    else:
        store = Store(ServerAddress.parse(installation.database), installation.secret("database_password"))
    try:
        with store.reading():
            pass
    except BaseException:
        store.close()
        raise
    return store


def insert_rows(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert rows, at most :data:`BATCH_ROWS` at once.

    Args:
        connection: of a transaction that writes.
        table: where to.
        rows: values by column; all name the same columns.

    Returns:
        How many there were.
    """
    statement, count, batch = insert(table), 0, []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            connection.execute(statement, batch)
            count, batch = count + len(batch), []
    if batch:
        connection.execute(statement, batch)
    return count + len(batch)


def _engine(address: Address, password_file: Path | None) -> Engine:
    if isinstance(address, FileAddress):
        prepare_file(address.path)
    engine = create_engine(
        driver_url(address),
        creator=make_connect(address, password_file),
        hide_parameters=True,  # no value of a row, a password's hash least of all, gets into a log
        poolclass=QueuePool,
        pool_size=POOL_CONNECTIONS,
        max_overflow=POOL_EXTRA,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=isinstance(address, ServerAddress),
        insertmanyvalues_page_size=BATCH_ROWS,
    )
    begin = BEGIN[address.dialect]

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        for statement in begin[connection.get_execution_options()[_MODE]]:
            connection.exec_driver_sql(statement)

    event.listen(engine, "handle_error", trouble.integrity_error, retval=True)
    return engine
