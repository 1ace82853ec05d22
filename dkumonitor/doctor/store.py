"""Whether the store can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkumonitor.doctor.findings import Finding, failed, ok
from dkumonitor.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dkumonitor.installation import Installation
    from dkumonitor.store.migrations import Component


def store_check(components: Callable[[], list[Component]]) -> Callable[[Installation], Iterator[Finding]]:
    """The check that the store is there and has this release's tables.

    Args:
        components: gives all that have tables, which only who sees the collectors knows.
    """

    def store(installation: Installation) -> Iterator[Finding]:
        """The store is there, and its tables are those of this release."""
        if not installation.has_store:
            return
        from dkumonitor.store.engine import open_store  # noqa: PLC0415  only here is the database library needed
        from dkumonitor.store.migrations import check  # noqa: PLC0415  the same

        if installation.database is None and not installation.store_file.exists():
            detail, do = f"{installation.store_file} is not there", f"{installation.dir}/bin/dkm setup"
            yield failed("store", "tables", detail, do)  # looking would make an empty one
            return
        try:
            opened = open_store(installation)
        except StoreError as error:
            yield failed("store", "database", error.what, error.do)
            return
        try:
            yield ok("store", "database", f"{opened.address} answers")
            check(opened, components())
            yield ok("store", "tables", f"those of {installation.version}")
        except StoreError as error:
            yield failed("store", "tables", error.what, error.do)
        finally:
            opened.close()

    return store
