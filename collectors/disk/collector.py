"""The disk collector: runs the tasks of this host that are due, and sends what the newest runs found."""

import logging
from typing import TYPE_CHECKING, Annotated

import msgspec

from dkumonitor.collector import MIB, Collector, CollectorSettings, Facts, Metric, Run
from dkumonitor.errors import DkmError
from dkumonitor.installation import Installation, current
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collectors.disk.tasks import Task
    from collectors.disk.work import Bench

DEADLINE_SECONDS = 24 * 3600.0
_log = logging.getLogger(__name__)
METRICS = (
    Metric("<task>.level", "0, 1 or 2", "how full the file system is: ok, warning, critical"),
    Metric("<task>.used_percent", "percent", "the use of the file system, as df says it"),
    Metric("<task>.used_bytes", "bytes", "the same in bytes"),
    Metric("<task>.available_bytes", "bytes", "what an ordinary account may still take"),
    Metric("<task>.files", "files", "regular files in the tree, one with several links once"),
    Metric("<task>.apparent_bytes", "bytes", "their sizes"),
    Metric("<task>.allocated_bytes", "bytes", "what they take on disk"),
    Metric("<task>.old_files", "files", "files that are old by the task's days"),
    Metric("<task>.old_bytes", "bytes", "their sizes"),
    Metric("<task>.entries", "entries", "all that the last scan looked at"),
    Metric("<task>.scan_seconds", "seconds", "how long it took"),
    Metric("<task>.errors", "errors", "what it could not read"),
    Metric("<task>.partial", "0 or 1", "whether its sums are lower bounds for that or another reason"),
    Metric("<task>.users.<login>.apparent_bytes", "bytes", "sizes of an account's files"),
    Metric("<task>.users.<login>.allocated_bytes", "bytes", "what they take on disk"),
    Metric("<task>.users.<login>.old_bytes", "bytes", "sizes of those that are old"),
    Metric("<task>.users.<login>.files", "files", "how many there are"),
)


class DiskSettings(CollectorSettings, frozen=True, kw_only=True):
    """``[collectors.disk]``.

    Attributes:
        top_users: how many accounts of each task have series of their own; the rest is summed as ``_other``.
    """

    top_users: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20


def collect_from(installation: Installation, run: Run) -> Facts:
    """One run for an installation.

    Raises:
        DkmError: a task failed; the others were done.
    """
    # only here, in the child: the parent that lives on never loads the library of databases
    from collectors.disk import series, tasks, work  # noqa: PLC0415
    from collectors.disk.tables import COMPONENT  # noqa: PLC0415
    from dkumonitor.store.engine import open_store  # noqa: PLC0415
    from dkumonitor.store.migrations import check  # noqa: PLC0415

    settings: DiskSettings = run.settings
    with open_store(installation) as store:
        check(store, [COMPONENT])
        with store.reading() as connection:
            mine = [task for task in tasks.every(connection, installation.host) if task.enabled]
        if not mine:
            return Facts(no_data="no task is enabled on this host; `dkm disk task create` makes one")
        failed = _do_due(work.Bench.of(installation, store), mine)
        with store.reading() as connection:
            points = tuple(series.points(run, connection, mine, installation.host, settings.top_users))
    if failed and not points:
        raise failed[0]
    for error in failed:
        _log.warning("%s", printable(str(error)))
    return Facts(points=points)


def _do_due(bench: "Bench", mine: "list[Task]") -> list[DkmError]:
    """Do what is due, quick looks first, since a scan may take hours. A task that fails stops no other."""
    from collectors.disk import follow  # noqa: PLC0415  the database, as above

    failed: list[DkmError] = []
    for step in (follow.look_where_due, follow.scan_where_due):
        for task in mine:
            try:
                step(bench, task)
            except DkmError as error:
                failed.append(error)
    return failed


def collect(run: Run) -> Facts:
    """One run for this installation."""
    return collect_from(current(), run)


COLLECTOR = Collector(
    name="disk",
    summary="Who fills the disk; warnings, and plans that move or delete old files",
    collect=collect,
    metrics=METRICS,
    settings=DiskSettings,
    interval_seconds=300,
    deadline_seconds=DEADLINE_SECONDS,
    memory_bytes=1024 * MIB,
)
