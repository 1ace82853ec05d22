"""Where the database is, who it proves to be, and what is told when it is not there. No password is ever shown."""

from __future__ import annotations

import contextlib
import gc
import os
import pwd
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest
import sqlalchemy as sa

from dkumonitor.errors import InstallationError, StoreError
from dkumonitor.store import connect, filesystem
from dkumonitor.store.address import FileAddress, ServerAddress
from dkumonitor.store.engine import Store, insert_rows, open_store
from tests import servers
from tests.installations import an_installation
from tests.stack import free_port_range
from tests.store import records
from tests.store.conftest import Database, database_on, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import DatabaseServer


@pytest.fixture(params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    name = {"postgresql": "postgresql_server", "mysql": "mariadb_server"}[request.param]
    running: DatabaseServer = request.getfixturevalue(name)
    return running


@pytest.fixture
def on_server(server: DatabaseServer, tmp_path: Path) -> Database:
    return database_on(server, tmp_path / "dkm")


def at(database: Database, url: str) -> Database:
    """The same with another URL."""
    return Database(msgspec.structs.replace(database.installation, database=url), database.server)


def reached(database: Database) -> bool:
    with database.open() as store, store.reading() as connection:
        return bool(connection.scalar(sa.text("SELECT 1")) == 1)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "postgresql://dkm@db.example.org/monitor",
            ServerAddress("postgresql", "db.example.org", 5432, "dkm", "monitor", tls="verify-full"),
        ),
        (
            "mariadb://d%40k@localhost:3307/m",
            ServerAddress("mysql", "localhost", 3307, "d@k", "m", tls="disable"),
        ),
        (
            "postgresql://dkm@[::1]/m?sslmode=require&sslrootcert=%2Fa%20b",
            ServerAddress("postgresql", "::1", 5432, "dkm", "m", tls="require", authorities="/a b"),
        ),
        (
            "mysql://dkm@localhost/m?socket=/run/mysqld/mysqld.sock",
            ServerAddress("mysql", "localhost", 3306, "dkm", "m", socket="/run/mysqld/mysqld.sock", tls="disable"),
        ),
    ],
)
def test_a_url_says_where_and_a_server_elsewhere_must_prove_who_it_is(url: str, wanted: ServerAddress) -> None:
    assert ServerAddress.parse(url) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret",
        "sqlite:///secret",
        "postgresql://dkm:secret@db/m",
        "postgresql://dkm@db/",
        "postgresql://db/secret",
        "postgresql://dkm@db:secret/m",
        "postgresql://dkm@db/m?password=secret",
        "postgresql://dkm@db/m?sslmode=whatever",
        "postgresql://dkm@[secret/m",
    ],
)
def test_a_url_of_another_form_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        ServerAddress.parse(url)
    assert "secret" not in str(caught.value)
    assert caught.value.do


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_server_with_the_right_certificate_is_reached_over_tls(
    server: DatabaseServer, on_server: Database, mode: str
) -> None:
    authority = str(server.certificate.authority)
    url = server.url(f"test{server.made}", sslmode=mode, sslrootcert=authority)
    with at(on_server, url).open() as store, store.reading() as connection:
        encrypted = {
            "postgresql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            "mysql": "SELECT variable_value <> '' FROM information_schema.session_status "
            "WHERE variable_name = 'Ssl_cipher'",
        }[server.dialect]
        assert connection.scalar(sa.text(encrypted))


def test_a_server_with_another_certificate_gets_no_password(server: DatabaseServer, on_server: Database) -> None:
    name = f"test{server.made}"
    with pytest.raises(StoreError, match=r"cannot be reached: .*certificate verify failed"):
        reached(at(on_server, server.url(name, sslmode="verify-full")))
    other = server.url(name, host="127.0.0.1", sslmode="verify-full", sslrootcert=str(server.certificate.authority))
    with pytest.raises(StoreError, match=r"cannot be reached: .*certificate verify failed"):
        reached(at(on_server, other))


def test_a_wrong_password_is_told_and_not_shown_and_a_right_one_is_taken_at_once(on_server: Database) -> None:
    secret = on_server.installation.secret("database_password")
    secret.write_text("wrong-secret")
    with pytest.raises(StoreError, match=r"refuses the user 'dkumonitor': .*conf/secrets/database_password") as caught:
        on_server.open()
    assert "wrong-secret" not in str(caught.value)
    secret.write_text(servers.PASSWORD)
    store = on_server.open()
    assert servers.PASSWORD not in repr(store.__dict__)
    store.close()


def test_a_database_that_is_not_there_is_told(server: DatabaseServer, on_server: Database) -> None:
    with pytest.raises(StoreError, match=r"'nowhere' .*(not there or closed to us)"):
        at(on_server, server.url("nowhere")).open()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_is_not_there_is_told_with_its_address(scheme: str, tmp_path: Path) -> None:
    with free_port_range() as port:
        url = f"{scheme}://dkm@127.0.0.1:{port}/m"
        installation = written(an_installation(tmp_path, database=url))
        with pytest.raises(StoreError, match=rf"'m' on 127\.0\.0\.1:{port} cannot be reached") as caught:
            open_store(installation)
    assert "docs/store.md" in caught.value.do


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver leaves a socket open
def test_a_server_that_was_restarted_is_used_again(tmp_path: Path) -> None:
    with servers.mariadb(os.environ["DKM_TEST_RUN"]) as server:
        database = database_on(server, tmp_path)
        store = database.upgraded(records.COMPONENT)
        server.stop()
        with pytest.raises(StoreError, match="cannot be reached"), store.reading():
            pass
        server.start()
        with store.writing() as connection:
            assert insert_rows(connection, records.records, [{"writer": 1, "at_seconds": 1}]) == 1
        store.close()
    gc.collect()


def test_an_installation_without_console_and_collectors_has_no_store(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match="type backend, which keeps no store"):
        open_store(an_installation(tmp_path, type="backend", programs=("go-carbon", "carbonapi")))


def sqlite(store: Store, pragma: str) -> object:
    with store.reading() as connection:
        return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    with open_store(written(an_installation(tmp_path))) as store:
        yield store


def test_the_file_is_for_the_service_user_alone_and_keeps_what_it_was_told(file_store: Store) -> None:
    assert isinstance(file_store.address, FileAddress)
    path = file_store.address.path
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with file_store.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys((path.name, f"{path.name}-wal", f"{path.name}-shm"), 0o600)
    wanted = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30000, "auto_vacuum": 2}
    assert {pragma: sqlite(file_store, pragma) for pragma in wanted} == wanted


def test_no_wal_on_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = filesystem.file_system_type(tmp_path)
    said = subprocess.run(["stat", "-f", "-c", "%t", tmp_path], capture_output=True, text=True, check=True).stdout
    assert kind == int(said, 16)
    assert not filesystem.is_network(tmp_path)
    installation = written(an_installation(tmp_path))
    with open_store(installation) as store:
        assert sqlite(store, "journal_mode") == "wal"
    monkeypatch.setitem(filesystem.NETWORK_TYPES, kind, "as if it were one")
    with open_store(installation) as store:
        assert sqlite(store, "journal_mode") == "delete"


def test_a_file_of_another_user_or_no_database_is_told(tmp_path: Path) -> None:
    installation = written(an_installation(tmp_path))
    connect.prepare_file(installation.store_file)
    installation.store_file.write_bytes(b"this is no database " * 100)
    with pytest.raises(StoreError, match=r"is damaged: file is not a database.*backup"):
        open_store(installation)
    shutil.rmtree(installation.storage)
    installation.storage.write_text("a file")
    with pytest.raises(StoreError, match=r"cannot open the store"):
        open_store(installation)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A small tmpfs over a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_is_told_harms_nothing_and_is_recovered_from(tmp_path: Path) -> None:
    installation = written(an_installation(tmp_path, user=pwd.getpwuid(0).pw_name))
    with small_disk(installation.storage / "store", "1m"):
        database = Database(installation)
        store = database.upgraded(records.COMPONENT)

        def fill(connection: sa.Connection) -> int:
            rows = ({"writer": 1, "name": "x" * 250, "at_seconds": number} for number in range(200))
            return insert_rows(connection, records.records, rows)

        written_acts = 0
        error = None
        while error is None:
            try:
                store.write(fill)
                written_acts += 1
            except StoreError as caught:
                error = caught
        assert re.search(r"no room is left|cannot be used", error.what)
        assert "room" in error.do
        assert written_acts > 0
        count = sa.select(sa.func.count()).select_from(records.records)
        with store.reading() as connection:
            assert connection.scalar(count) == written_acts * 200
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        subprocess.run(["mount", "-o", "remount,size=8m", installation.storage / "store"], check=True)
        store.write(fill)
        with store.reading() as connection:
            assert connection.scalar(count) == (written_acts + 1) * 200
        store.close()
