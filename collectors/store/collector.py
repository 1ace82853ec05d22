"""The store's collector: how large the store is, and once a day its upkeep."""

import os

import msgspec

from collectors import components, discover, load_settings
from dkumonitor.collector import MIB, Collector, CollectorSettings, Facts, Metric, Run
from dkumonitor.installation import Installation, current
from dkumonitor.metrics import segment

METRICS = (
    Metric("size_bytes", "bytes", "what the store takes on disk"),
    Metric("removed_total", "rows", "rows that were removed for their age since the start"),
    Metric("tables.<table>.rows", "rows", "rows of a table"),
    Metric(
        "tables.<table>.size_bytes",
        "bytes",
        "what a table takes with its indexes; not sent of SQLite, which has one file",
    ),
)


class StoreState(msgspec.Struct, frozen=True):
    """What one run leaves to the next.

    Attributes:
        upkeep_seconds: when the upkeep was last done, UTC seconds.
        removed_total: rows removed since the start.
    """

    upkeep_seconds: int = 0
    removed_total: int = 0


def collect_from(installation: Installation, run: Run) -> Facts:
    """One run for an installation."""
    # only here, in the child: the parent that lives on never loads the library of databases
    from dkumonitor.store import upkeep  # noqa: PLC0415
    from dkumonitor.store.engine import open_store  # noqa: PLC0415
    from dkumonitor.store.migrations import check  # noqa: PLC0415
    from dkumonitor.store.retention import terms  # noqa: PLC0415
    from dkumonitor.store.status import look, size_bytes  # noqa: PLC0415

    state: StoreState = run.state or StoreState()
    settings = load_settings(discover(), installation, os.environ)
    parts = components()
    with open_store(installation) as store:
        check(store, parts)
        if not 0 <= run.time_seconds - state.upkeep_seconds < upkeep.INTERVAL_SECONDS:
            removed = upkeep.daily(store, installation, settings, parts, run.time_seconds)
            total = state.removed_total + sum(cleaned.removed for cleaned in removed)
            state = StoreState(run.time_seconds, total)
        tables = look(store, parts, terms(parts, settings.store.retention_days))
        points = [
            run.point("size_bytes", size_bytes(store, tables)),
            run.point("removed_total", state.removed_total),
        ]
    for table in tables:
        points.append(run.point(f"tables.{segment(table.table)}.rows", table.rows))
        if table.bytes is not None:
            points.append(run.point(f"tables.{segment(table.table)}.size_bytes", table.bytes))
    return Facts(points=tuple(points), state=state)


def collect(run: Run) -> Facts:
    """One run for this installation."""
    return collect_from(current(), run)


COLLECTOR = Collector(
    name="store",
    summary="How large the store is; its daily upkeep",
    collect=collect,
    metrics=METRICS,
    settings=CollectorSettings,
    state=StoreState,
    interval_seconds=300,
    deadline_seconds=240.0,
    memory_bytes=512 * MIB,
)
