"""Databases for the tests of the store: each test has an empty one of its own, on each kind of server."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import pytest

from dkumonitor.installation import Description, Installation
from dkumonitor.store.engine import Store, open_store
from dkumonitor.store.migrations import upgrade
from tests import servers
from tests.conftest import ROOT, RUN_FOLDER
from tests.installations import an_installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dkumonitor.store.migrations import Component
    from tests.servers import DatabaseServer

DIALECTS = ("sqlite", "postgresql", "mysql")


@dataclass
class Database:
    """An empty database and an installation on disk that uses it; `server` is None for SQLite."""

    installation: Installation
    server: DatabaseServer | None = None
    stores: list[Store] = field(default_factory=list)

    @property
    def dialect(self) -> str:
        return "sqlite" if self.server is None else self.server.dialect

    def open(self) -> Store:
        store = open_store(self.installation)
        self.stores.append(store)
        return store

    def close(self) -> None:
        for store in self.stores:
            store.close()

    def upgraded(self, *components: Component) -> Store:
        store = self.open()
        upgrade(store, components)
        return store

    def process(self, module: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a module of ours in a process of its own."""
        with self.begin(module, *arguments) as process:
            out, err = process.communicate(timeout=120)
        if check and process.returncode != 0:
            raise AssertionError(f"{module} {arguments} exited {process.returncode}\n{out}\n{err}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def begin(self, module: str, *arguments: str, tree: Path = ROOT) -> subprocess.Popen[str]:
        """Start a module of ours, or of a copy of the tree; standard input, output and error are pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=tree,
            env={"PATH": os.environ["PATH"], "DKM_DIR": str(self.installation.dir), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def written(installation: Installation) -> Installation:
    """The same installation, with the files that programs read."""
    (installation.conf / "secrets").mkdir(parents=True, exist_ok=True)
    description = {name: getattr(installation, name) for name in Description.__struct_fields__}
    (installation.conf / "installation.json").write_bytes(msgspec.json.encode(description))
    (installation.conf / "dkumonitor.toml").touch()
    return installation


def database_on(server: DatabaseServer | None, directory: Path) -> Database:
    url = None if server is None else server.create()
    user = pwd.getpwuid(os.geteuid()).pw_name
    installation = written(an_installation(directory, database=url, user=user))
    if server is not None:
        installation.secret("database_password").write_text(servers.PASSWORD + "\n")
    return Database(installation, server)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[DatabaseServer]:
    with servers.postgresql(os.environ[RUN_FOLDER]) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[DatabaseServer]:
    with servers.mariadb(os.environ[RUN_FOLDER]) as server:
        yield server


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, on each kind of server in turn."""
    fixture = {"postgresql": "postgresql_server", "mysql": "mariadb_server"}.get(request.param)
    made = database_on(None if fixture is None else request.getfixturevalue(fixture), tmp_path / "dkm")
    yield made
    made.close()
