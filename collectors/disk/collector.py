"""The disk collector: looks at file systems and scans trees where a task is due, and sends what was found."""

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import msgspec

from collectors import discover, load_settings
from collectors.disk.errors import DiskError
from dkumonitor.collector import MIB, Collector, CollectorSettings, Facts, Metric, Run
from dkumonitor.errors import DkmError, MailError
from dkumonitor.installation import Installation, current
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectors.disk.tasks import Task
    from dkumonitor.mail.settings import MailSettings
    from dkumonitor.store.engine import Store

_NO_TASK = "no task is enabled on this host; `dkm disk task create` makes one"
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


@contextmanager
def _own_tasks(installation: Installation) -> "Iterator[tuple[Store, list[Task]]]":
    """The store, and the enabled tasks of this host."""
    # only here, in the child: the parent that lives on never loads the library of databases
    from collectors.disk import tasks  # noqa: PLC0415
    from collectors.disk.tables import COMPONENT  # noqa: PLC0415
    from dkumonitor.store.migrations import open_checked  # noqa: PLC0415

    with open_checked(installation, [COMPONENT]) as store:
        with store.reading() as connection:
            mine = [task for task in tasks.every(connection, installation.host) if task.enabled]
        yield store, mine


def _mail(installation: Installation) -> "MailSettings":
    return load_settings(discover(), installation, os.environ).mail


def _each(step: "Callable[[Task], bool]", mine: "list[Task]") -> tuple[int, list[DkmError]]:
    """Do a step for every task: how many had something to do, and what failed. A task that fails stops no other."""
    done, failed = 0, []
    for task in mine:
        try:
            done += step(task)
        except DkmError as error:
            _log.warning("%s: %s", task.name, printable(str(error)))
            failed.append(error)
    return done, failed


def look_from(installation: Installation, run: Run) -> Facts:
    """One run of ``disk`` for an installation: quick looks where they are due, and the figures of all tasks."""
    from collectors.disk import deeds, follow, notify, series, work  # noqa: PLC0415  the database, as above

    settings: DiskSettings = run.settings
    with _own_tasks(installation) as (store, mine):
        if not mine:
            return Facts(no_data=_NO_TASK)
        bench = work.Bench.of(installation, store)
        _, failed = _each(lambda task: follow.look_where_due(bench, task), mine)
        mail = _mail(installation)
        try:
            deeds.collect_answers(bench, mail)
            notify.deliver(store, installation, mail, bench.wall())
        except (DiskError, MailError) as error:  # figures do not wait for that
            _log.warning("%s", printable(str(error)))
        with store.reading() as connection:
            points = tuple(series.points(run, connection, mine, installation.host, settings.top_users))
    if failed and not points:
        raise failed[0]
    return Facts(points=points)


def scan_from(installation: Installation, run: Run) -> Facts:
    """One run of ``disk_scan`` for an installation: scans where they are due, and what follows from them."""
    from collectors.disk import follow, work  # noqa: PLC0415  the database, as above

    with _own_tasks(installation) as (store, mine):
        if not mine:
            return Facts(no_data=_NO_TASK)
        bench, mail = work.Bench.of(installation, store), _mail(installation)
        done, failed = _each(lambda task: follow.scan_where_due(bench, task, mail), mine)
    if failed and not done:
        raise failed[0]
    return Facts(points=(run.point("scanned", done),))


def collect(run: Run) -> Facts:
    """One run of ``disk`` for this installation."""
    return look_from(current(), run)


def collect_scans(run: Run) -> Facts:
    """One run of ``disk_scan`` for this installation."""
    return scan_from(current(), run)


SCANS = Collector(
    name="disk_scan",
    summary="Scans of the disk collector's tasks, and what follows from them",
    collect=collect_scans,
    metrics=(Metric("scanned", "tasks", "tasks whose tree this run scanned"),),
    settings=DiskSettings,
    interval_seconds=300,
    deadline_seconds=24 * 3600.0,
    memory_bytes=1024 * MIB,
    outlasts_interval=True,
)
COLLECTOR = Collector(
    name="disk",
    summary="Who fills the disk; warnings, and plans that move or delete old files",
    collect=collect,
    metrics=METRICS,
    settings=DiskSettings,
    interval_seconds=300,
    deadline_seconds=120.0,
    memory_bytes=512 * MIB,
    more=(SCANS,),
)
