"""What the drivers' errors mean: what a person can mend becomes a StoreError, a fault of ours stays as it is."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from dkumonitor.errors import StoreError
from dkumonitor.store.address import Address, FileAddress, ServerAddress
from dkumonitor.text import printable

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.exc import DBAPIError

# SQLSTATE, PostgreSQL's manual, appendix A
_PG_CONFLICT = ("40001", "40P01", "55P03")  # serialization, deadlock, lock_timeout
_PG_INTEGRITY = "23"
_PG_REFUSED = ("28",)
_PG_NO_DATABASE = ("3D",)
_PG_RIGHTS = ("42501", "25006")
_PG_FULL = ("53100",)
_PG_GONE = ("08", "57P", "53")
# MySQL's and MariaDB's error numbers
_MY_CONFLICT = (1205, 1213, 1020)  # lock wait, deadlock, "Record has changed since last read"
_MY_REFUSED = (1045, 1698, 1862)
_MY_NO_DATABASE = (1044, 1049)
_MY_RIGHTS = (1142, 1227, 1290, 1370, 1792)
_MY_FULL = (1021, 1114, 1030)
_MY_GONE = (1040, 1053, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1203, 1226, *range(2000, 2100), 3159)


class ConflictError(StoreError):
    """Somebody else wrote the same at the same time; doing it again may help."""


def integrity_error(context: ExceptionContext) -> BaseException | None:
    """What a row does wrong is an IntegrityError on every server; pg8000 calls most of it a DatabaseError."""
    error = context.original_exception
    answer = error.args[0] if error.args else None
    if isinstance(context.sqlalchemy_exception, IntegrityError) or not isinstance(answer, dict):
        return None
    if not str(answer.get("C", "")).startswith(_PG_INTEGRITY):
        return None
    return IntegrityError(context.statement, context.parameters, error, hide_parameters=True)


def unreachable(address: ServerAddress, error: BaseException | None) -> StoreError:
    """A server that does not answer."""
    said = printable(str(error)) if error is not None else "no reason was given"
    do = "Is it up, and do host, port and TLS fit? See docs/store.md"
    return StoreError(f"the {address} cannot be reached: {said}", do)


def told(error: DBAPIError, address: Address) -> StoreError | None:
    """What to tell of a driver's error; None where it is not the database's state but our own doing."""
    if isinstance(error, IntegrityError) or error.orig is None:
        return None
    if isinstance(address, FileAddress):
        return _of_sqlite(error.orig, address)
    if address.dialect == "postgresql":
        return _of_postgresql(error.orig, address)
    return _of_mysql(error.orig, address)


def _of_sqlite(error: BaseException, address: FileAddress) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ConflictError(f"the {address} is in use by another process for too long", "Try again in a moment")
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"no room is left for the {address}", "Free some room on its file system")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError(f"the {address} is damaged: {error}", "Bring back a backup, see docs/store.md")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY):
        do = "Look at its file system: room, rights, and whether it belongs to the user that dkumonitor runs as"
        return StoreError(f"the {address} cannot be used: {error}", do)
    return None


def _of_postgresql(error: BaseException, address: ServerAddress) -> StoreError | None:
    answer = error.args[0] if error.args else None
    if not isinstance(answer, dict):  # not the server's words: the connection broke, or never was
        broken = type(error).__name__ in ("InterfaceError", "OperationalError")
        return unreachable(address, error.__cause__ or error) if broken else None
    code, said = str(answer.get("C", "")), printable(str(answer.get("M", "")))
    if code.startswith(_PG_CONFLICT):
        return ConflictError(f"others write the same in the {address}: {said}", "Try again in a moment")
    return _of_server(
        address,
        said,
        refused=code.startswith(_PG_REFUSED),
        missing=code.startswith(_PG_NO_DATABASE),
        rights=code.startswith(_PG_RIGHTS),
        full=code.startswith(_PG_FULL),
        gone=code.startswith(_PG_GONE),
    )


def _of_mysql(error: BaseException, address: ServerAddress) -> StoreError | None:
    code = error.args[0] if error.args else None
    said = printable(str(error.args[1])) if len(error.args) > 1 else printable(str(error))
    if not isinstance(code, int):
        return None
    if code in _MY_CONFLICT:
        return ConflictError(f"others write the same in the {address}: {said}", "Try again in a moment")
    return _of_server(
        address,
        said,
        refused=code in _MY_REFUSED,
        missing=code in _MY_NO_DATABASE,
        rights=code in _MY_RIGHTS,
        full=code in _MY_FULL,
        gone=code in _MY_GONE or code == errno.EPIPE,
    )


def _of_server(
    address: ServerAddress, said: str, *, refused: bool, missing: bool, rights: bool, full: bool, gone: bool
) -> StoreError | None:
    if refused:
        do = f"Correct the user {address.user!r} in the URL or the password in conf/secrets/database_password"
        return StoreError(f"the {address} refuses the user {address.user!r}: {said}", do)
    if missing:
        do = f"Create the database and let {address.user!r} use it, see docs/store.md"
        return StoreError(f"the {address} is not there or closed to us: {said}", do)
    if rights:
        do = f"Let {address.user!r} create and change tables there, see docs/store.md"
        return StoreError(f"the {address} does not let us: {said}", do)
    if full:
        return StoreError(f"the {address} has no room left: {said}", "Free some room on that server")
    return unreachable(address, RuntimeError(said)) if gone else None
