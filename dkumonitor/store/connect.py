"""How a connection is made and how a transaction begins, for each kind of server."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from dkumonitor.errors import StoreError
from dkumonitor.store.address import Address, FileAddress, ServerAddress
from dkumonitor.store.filesystem import is_network
from dkumonitor.store.types import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dkumonitor.store.address import Dialect

LOCK_SECONDS = 30
JOURNAL_BYTES = 32 * 1024 * 1024
CONNECT_SECONDS = 10
ANSWER_SECONDS = 120  # a server that says nothing for so long is taken as gone
_DRIVERS: Mapping[str, str] = {
    "sqlite": "sqlite+pysqlite://",
    "postgresql": "postgresql+pg8000://",
    "mysql": "mysql+pymysql://",
}
# What begins a transaction that reads, that writes, that decides on what it reads. SQLite's writers are always alone.
BEGIN: Mapping[Dialect, Mapping[str, tuple[str, ...]]] = {
    "sqlite": {
        "read": ("PRAGMA query_only = ON", "BEGIN"),
        "write": ("PRAGMA query_only = OFF", "BEGIN IMMEDIATE"),
        "alone": ("PRAGMA query_only = OFF", "BEGIN IMMEDIATE"),
    },
    "postgresql": {
        "read": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",),
        "write": (),
        "alone": ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",),
    },
    "mysql": {
        "read": ("START TRANSACTION READ ONLY",),
        "write": ("START TRANSACTION",),
        "alone": ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION"),
    },
}


def driver_url(address: Address) -> str:
    """What tells SQLAlchemy which driver to use; where to connect is told by :func:`make_connect` alone."""
    return _DRIVERS[address.dialect]


def make_connect(address: Address, password_file: Path | None) -> Callable[[], Any]:
    """What makes a new connection.

    Args:
        address: of the database.
        password_file: of a server's password; None or a file that is not there where none is needed.
    """
    if isinstance(address, FileAddress):
        # asked once: a mounted file system does not change its kind below an open file
        journal = "DELETE" if is_network(address.path.parent) else "WAL"
        return lambda: _open_file(address.path, journal)
    connect = _connect_postgresql if address.dialect == "postgresql" else _connect_mysql
    return lambda: connect(address, _password(password_file))


def prepare_file(path: Path) -> None:
    """Make the file and its folder where they are missing, for the service user's eyes alone.

    Raises:
        StoreError: that is not possible.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))  # SQLite's other files get its mode
    except OSError as error:
        raise StoreError(
            f"cannot open the store {path}: {error.strerror}", "Does it belong to the user that dkumonitor runs as?"
        ) from None


def _open_file(path: Path, journal: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heard only where there is no table yet
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
        _set_journal(connection, journal)
        connection.create_function("lower", 1, _lower, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_journal(connection: sqlite3.Connection, wanted: str) -> None:
    """Set the kind of journal, which is kept in the file. Two that do so at once may lock each other out, at once."""
    deadline = time.monotonic() + LOCK_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0].upper() != wanted:
        try:
            connection.execute(f"PRAGMA journal_mode = {wanted}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _lower(value: Any) -> Any:
    """In place of SQLite's own, which knows only ASCII."""
    if isinstance(value, bytes):
        value = escape(os.fsdecode(value))
    return value.casefold() if isinstance(value, str) else value


def _password(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read the database's password in {file}: {error}", "Correct that file") from None


def _connect_postgresql(address: ServerAddress, password: str | None) -> Any:
    import pg8000.dbapi  # noqa: PLC0415  only where it is the server

    try:
        return pg8000.dbapi.connect(
            address.user,
            host=address.host,
            port=address.port,
            unix_sock=address.socket,
            database=address.database,
            password=password,
            ssl_context=address.tls_context() or False,  # of None it would make TLS that checks nothing
            timeout=ANSWER_SECONDS,
            application_name="dkumonitor",
            startup_params={"lock_timeout": f"{LOCK_SECONDS}s", "TimeZone": "UTC"},
        )
    except (OSError, pg8000.dbapi.Error) as error:
        # the server said why and closed; that the driver's good-bye did not reach it is of no interest
        raise _answer_below(error) from None


def _answer_below(error: BaseException) -> BaseException:
    """The server's answer among the errors that led to this one, else this one."""
    cause: BaseException | None = error
    while cause is not None and not (cause.args and isinstance(cause.args[0], dict)):
        cause = cause.__context__
    return error if cause is None else cause


def _connect_mysql(address: ServerAddress, password: str | None) -> Any:
    import pymysql  # noqa: PLC0415  only where it is the server

    context = address.tls_context()
    return pymysql.connect(
        user=address.user,
        password=(password or "").encode(),  # of a text, the driver would make Latin-1
        host=address.host,
        port=address.port,
        unix_socket=address.socket,
        database=address.database,
        ssl=context,
        ssl_disabled=context is None,
        charset="utf8mb4",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        write_timeout=ANSWER_SECONDS,
        sql_mode="STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
        init_command=f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}, time_zone = '+00:00'",
        program_name="dkumonitor",
    )
