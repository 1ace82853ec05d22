"""The components of the core. Those of collectors are found by :func:`collectors.components`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dkumonitor.store.migrations import Component


def core_components() -> list[Component]:
    """The core's tables: people and accounts. They are imported here, so that each can be used without the other."""
    from dkumonitor.accounts.tables import COMPONENT as ACCOUNTS  # noqa: PLC0415
    from dkumonitor.store.tables import COMPONENT as PEOPLE  # noqa: PLC0415

    return [PEOPLE, ACCOUNTS]
