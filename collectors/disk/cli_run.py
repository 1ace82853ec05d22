"""`dkm disk run`: look at file systems and scan trees now."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import click
import msgspec

import collectors
from collectors.disk import follow, runs, tasks, work
from collectors.disk.errors import DiskError, TaskError
from collectors.disk.runs import Level
from collectors.disk.tables import COMPONENT
from dkumonitor.cells import size
from dkumonitor.render import Form, form_options, render
from dkumonitor.store.migrations import open_checked
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collectors.disk.scan import Progress
    from collectors.disk.tasks import Task
    from collectors.disk.work import Outcome
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store


_log = logging.getLogger(__name__)


class OutcomeRow(msgspec.Struct, frozen=True):
    """How a run went."""

    task: str
    run: int
    kind: str
    level: str
    used_percent: float
    files: int | None
    allocated_bytes: int | None
    old_files: int | None
    old_bytes: int | None
    seconds: float | None
    partial: bool | None
    plan: str | None
    detail: str


class Meter:
    """One line on a terminal: how far a scan is, how fast, and about how long it will still take.

    Args:
        task: whose scan.
        expected: the entries of the scan before; None where there was none.
    """

    def __init__(self, task: str, expected: int | None) -> None:
        self._task = task
        self._expected = expected
        self._shown = False

    def show(self, progress: Progress) -> None:
        """Show how far it is, where somebody looks."""
        if not sys.stderr.isatty():
            return
        rate = progress.entries / progress.seconds if progress.seconds else 0.0
        text = f"{self._task}: {progress.entries:,} entries, {size(progress.apparent_bytes)}, {rate:,.0f} a second"
        if self._expected and rate and progress.entries < self._expected:
            share = 100 * progress.entries / self._expected
            text += f", about {share:.0f} % and {(self._expected - progress.entries) / rate:.0f} s left"
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
        self._shown = True

    def close(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@click.group("run")
def run() -> None:
    """Look at file systems and scan trees now. The collectors do it by themselves when it is due.

    \b
    Examples:
      dkm disk run quick
      dkm disk run full scratch
    """  # noqa: D301  \b is click's


@run.command("quick")
@click.argument("task", required=False)
@form_options
@click.pass_obj
def run_quick(installation: Installation, task: str | None, form: Form) -> None:
    """Look at the use of file systems, and scan those that are above their warning threshold.

    \b
    Examples:
      dkm disk run quick
      dkm disk run quick scratch
      0 * * * *  DIR/bin/dkm disk run quick      a line for cron, where the collectors do not run
    """  # noqa: D301  \b is click's
    run_tasks(installation, task, form, "quick")


@run.command("full")
@click.argument("task", required=False)
@form_options
@click.pass_obj
def run_full(installation: Installation, task: str | None, form: Form) -> None:
    """Scan every enabled task of this host, or the one that is named, and keep what is found.

    \b
    Examples:
      dkm disk run full
      dkm disk run full scratch --json
      0 2 * * *  DIR/bin/dkm disk run full       a line for cron, where the collectors do not run
    """  # noqa: D301  \b is click's
    run_tasks(installation, task, form, "full")


def run_tasks(installation: Installation, name: str | None, form: Form, kind: runs.Kind) -> None:
    """Run the task of a name, or all that are enabled on this host, one after the other, and show how they went.

    One that fails stops no other; the command then ends with the exit code of the first that did.
    """
    with open_checked(installation, [COMPONENT]) as store:
        failed: list[DiskError] = []
        rows = []
        for one in wanted_tasks(installation, store, name):
            try:
                done = [_row(outcome) for outcome in _outcomes(installation, store, one, kind)]
            except DiskError as error:
                failed.append(error)
                _log.info("%s: the run failed: %s", one.name, error)
                click.echo(f"dkm: {one.name}: {printable(str(error))}", err=True)
                continue
            for row in done:
                _log.info("%s: run %d (%s): %s, %.1f %% used", one.name, row.run, row.kind, row.level, row.used_percent)
            rows += done
        render(rows, OutcomeRow, form, sys.stdout)
    if failed:
        sys.exit(failed[0].exit_code)


def wanted_tasks(installation: Installation, store: Store, name: str | None) -> list[Task]:
    """The task of that name, or all that are enabled on this host.

    Raises:
        TaskError: the task is another host's, or there is none to run.
    """
    with store.reading() as connection:
        if name is None:
            found = [task for task in tasks.every(connection, installation.host) if task.enabled]
            if not found:
                raise TaskError(
                    f"no task is enabled on the host {installation.host}",
                    "Make one with `dkm disk task create`, or enable one of `dkm disk task list`",
                )
            return found
        task = tasks.find(connection, name)
    if task.host != installation.host:
        raise TaskError(f"{name!r} is a task of the host {task.host}, this is {installation.host}", "Run it there")
    return [task]


def _outcomes(installation: Installation, store: Store, task: Task, kind: runs.Kind) -> list[Outcome]:
    meter = Meter(task.name, _expected(store, task))
    bench = work.Bench.of(installation, store, meter.show)
    mail = collectors.load_settings(collectors.discover(), installation, os.environ).mail
    try:
        if kind == "full":
            return [follow.scan_and_follow(bench, task, mail)]
        looked = work.quick(bench, task)
        if looked.level is Level.OK:
            return [looked]
        return [looked, follow.scan_and_follow(bench, task, mail)]
    finally:
        meter.close()


def _expected(store: Store, task: Task) -> int | None:
    with store.reading() as connection:
        scanned = runs.newest_ended(connection, task.name, "full")
    return None if scanned is None else scanned["entries"]


def _row(outcome: Outcome) -> OutcomeRow:
    seen = (outcome.task.name, outcome.run_id, outcome.kind, outcome.level.value, outcome.file_system.used_percent)
    if outcome.scan is None:
        return OutcomeRow(*seen, None, None, None, None, None, None, None, outcome.detail)
    found, totals = outcome.scan, outcome.scan.totals
    plan = None if outcome.plan is None else outcome.plan.id
    sums = (totals.files, totals.allocated_bytes, totals.old_files, totals.old_bytes)
    return OutcomeRow(*seen, *sums, found.seconds, found.partial, plan, outcome.detail)
