"""The schema: brought up to date by steps, one chain of them for each component; checked at every start.

A component's steps are alembic revisions in its folder: ``r0001_what.py`` with ``revision = "0001"``. They build with
:mod:`dkumonitor.store.steps`, which looks first at what is there: MariaDB and MySQL commit each change of a schema at
once, so that a step that was killed half way is done again from its beginning.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.inspection import inspect

from dkumonitor.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, MetaData

    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store
    from dkumonitor.store.retention import Retention

LOCK_SECONDS = 100  # another process may be at it; less than what a silent server is given
_LOCK_NUMBER = 0x646B756D  # for servers whose locks have numbers
_REVISION_FILE = re.compile(r"r(\d{4})_\w+\.py\Z")


@dataclass(frozen=True)
class Component:
    """A part of the product that owns tables.

    Attributes:
        name: of lower case letters and digits; its schema's version is kept in the table ``<name>_version``.
        metadata: its tables, each named so that no other component has it.
        folder: its revisions.
        retentions: which of its tables are cleaned.
    """

    name: str
    metadata: MetaData
    folder: Path
    retentions: tuple[Retention, ...] = ()

    @property
    def version_table(self) -> str:
        """The table with the version of its schema."""
        return f"{self.name}_version"

    @property
    def head(self) -> str:
        """The version that this release has. The folder is read, no revision is loaded."""
        return max(match[1] for path in self.folder.iterdir() if (match := _REVISION_FILE.match(path.name)))


@dataclass(frozen=True)
class Upgrade:
    """What :func:`upgrade` did for one component; ``before`` is None where there was nothing."""

    component: str
    before: str | None
    after: str


def upgrade(store: Store, components: Sequence[Component]) -> list[Upgrade]:
    """Bring every component's tables to this release. Safe to be killed, to be repeated, and to be run twice at once.

    SQLite and PostgreSQL have all of a component's steps or none of them; MySQL and MariaDB have some, and go on.

    Raises:
        StoreError: a schema is newer than this release; nothing of any component was changed then.
    """
    with _locked(store):
        with store.reading() as connection:
            _refuse_newer(store, connection, components)
        return [_upgrade_one(store, component) for component in components]


def check(store: Store, components: Sequence[Component]) -> None:
    """Make sure that the tables are those of this release. Loads nothing of alembic.

    Raises:
        StoreError: a schema is newer or older.
    """
    with store.reading() as connection:
        _refuse_newer(store, connection, components)
        for component in components:
            version = current(connection, component)
            if version != component.head:
                there = "has no tables" if version is None else f"has version {version} of the tables"
                raise StoreError(
                    f"the {store.address} {there} of {component.name!r}, this release needs {component.head}",
                    "Run `dkm setup`, which brings it up to date",
                )


def open_checked(installation: Installation, components: Sequence[Component]) -> Store:
    """The store of an installation, once it is sure that these components' tables are those of this release.

    Raises:
        StoreError: it cannot be reached, or a schema is newer or older.
    """
    from dkumonitor.store.engine import open_store  # noqa: PLC0415  which a schema alone does not need

    store = open_store(installation)
    try:
        check(store, components)
    except BaseException:
        store.close()
        raise
    return store


def current(connection: Connection, component: Component) -> str | None:
    """The version of a component's schema; None where it has none."""
    if not inspect(connection).has_table(component.version_table):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {component.version_table}"))  # noqa: S608  ours
    return version


def _refuse_newer(store: Store, connection: Connection, components: Sequence[Component]) -> None:
    for component in components:
        version = current(connection, component)
        if version is not None and version > component.head:
            raise StoreError(
                f"the {store.address} was written by a newer release: version {version} of {component.name!r}, "
                f"this release knows {component.head}",
                "Use that release, or bring back a backup from before the update",
            )


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    """Keep every other process from changing the schema; the server lets go where this process dies."""
    if store.dialect != "mysql":
        yield  # each component's one transaction has a lock of its own
        return
    with store.reading() as connection:
        name = "CONCAT('dkumonitor.', MD5(DATABASE()))"  # a lock's name is short, a database's may be long
        if connection.scalar(text(f"SELECT GET_LOCK({name}, :seconds)"), {"seconds": LOCK_SECONDS}) != 1:
            raise StoreError(f"another process is changing the {store.address}", "Wait until it is done")
        try:
            yield
        finally:
            connection.execute(text(f"SELECT RELEASE_LOCK({name})"))


def _upgrade_one(store: Store, component: Component) -> Upgrade:
    from alembic.operations import Operations  # noqa: PLC0415  20 MB that only this needs
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  the same
    from alembic.script import ScriptDirectory  # noqa: PLC0415  the same

    script = ScriptDirectory(str(component.folder), version_locations=[str(component.folder)])
    with store.writing() as connection:
        if store.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        options = {"version_table": component.version_table}
        context = MigrationContext.configure(connection, opts=options)
        before = context.get_current_revision()
        steps = [] if before == component.head else list(script.iterate_revisions(component.head, before or "base"))
        with Operations.context(context):
            for step in reversed(steps):
                step.module.upgrade()
                context.stamp(script, step.revision)
    return Upgrade(component.name, before, component.head)
