"""What follows from a run: plans get their day, people are told, and what is due is done."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from collectors.disk import deeds, due, notices, notify, occasions, plans, runs, work
from collectors.disk.errors import BusyError
from collectors.disk.plans import State
from collectors.disk.warnings import Occasion, Planned

if TYPE_CHECKING:
    from collectors.disk.tasks import Task
    from collectors.disk.work import Bench, Outcome
    from dkumonitor.mail.settings import MailSettings

DAY_SECONDS = 86400
BUSY_ATTEMPTS, BUSY_SECONDS = 5, 1.0
NO_MAIL = "no mail server is set, so that owners cannot be warned: a person applies it"


def look_where_due(bench: Bench, task: Task) -> bool:
    """Look at a file system where that is due; whether it was."""
    if not due.quick_is_due(task, _seen(bench, task), bench.wall()):
        return False
    work.quick(bench, task)
    return True


def scan_where_due(bench: Bench, task: Task, mail: MailSettings) -> bool:
    """Scan a tree where its hour has come, or a look found the file system too full; whether it was.

    A look that is under way at the same time is waited for; for a longer run nobody waits, since that is a scan itself.
    """
    for _ in range(BUSY_ATTEMPTS):
        seen, now_seconds = _seen(bench, task), bench.wall()
        if not (due.full_is_due(task, seen, now_seconds) or due.warning_scan_is_due(task, seen, now_seconds)):
            return False
        with contextlib.suppress(BusyError):
            if not seen.is_running:
                scan_and_follow(bench, task, mail)
                return True
        time.sleep(BUSY_SECONDS)
    return False


def scan_and_follow(bench: Bench, task: Task, mail: MailSettings) -> Outcome:
    """Scan a tree, and do all that follows from what was found.

    Raises:
        ScanError: the tree cannot be scanned, or a run is under way.
    """
    outcome = work.full(bench, task)
    day = _day(bench, outcome, mail)
    _tell(bench, outcome, mail, day)
    outcome = _with_day(bench, outcome, mail, day)
    deeds.do_what_is_due(bench, outcome, mail)
    return outcome


def _day(bench: Bench, outcome: Outcome, mail: MailSettings) -> int | None:
    """When the run's plan may be done by itself; None where a person decides."""
    task, plan = outcome.task, outcome.plan
    if plan is None or task.dry_run or (task.email_data_alterations and not mail.is_configured):
        return None
    if plan.state == State.WAITING and plan.due_seconds is not None:
        return int(plan.due_seconds)
    return int(bench.wall()) + task.warning_days * DAY_SECONDS


def _with_day(bench: Bench, outcome: Outcome, mail: MailSettings, day: int | None) -> Outcome:
    """Give a plan its day once every owner was written to; else it stays with a person, and says why."""
    task, plan = outcome.task, outcome.plan
    if plan is None or plan.state not in (State.PROPOSED, State.WAITING):
        return outcome
    changed: dict[str, str | int | None] = {"state": State.PROPOSED.value, "due_seconds": None, "detail": ""}
    if day is not None and not (untold := _untold(bench, outcome)):
        changed = {"state": State.WAITING.value, "due_seconds": day, "detail": ""}
        if plan.warned_seconds is None:
            changed["warned_seconds"] = int(bench.wall())
    elif day is not None:
        changed["detail"] = f"{len(untold)} owners could not be written to, uid {untold[0]} among them"
    elif not task.dry_run and task.email_data_alterations and not mail.is_configured:
        changed["detail"] = NO_MAIL
    bench.store.write(lambda connection: plans.change(connection, plan.id, changed))
    return replace(outcome, plan=msgspec.structs.replace(plan, **changed))


def _untold(bench: Bench, outcome: Outcome) -> list[int]:
    if outcome.plan is None or not outcome.task.email_data_alterations:
        return []
    owners = [owned.uid for owned in outcome.owned]
    with bench.store.reading() as connection:
        return notices.untold(connection, outcome.plan, owners, (notices.State.SENT, notices.State.SPOOLED))


def _tell(bench: Bench, outcome: Outcome, mail: MailSettings, day: int | None) -> None:
    """Put mails to all whom the run concerns into the spool, and send what can be sent."""
    assert outcome.scan is not None  # noqa: S101  a full run has one
    planned: tuple[Planned, ...] = ()
    if outcome.plan is not None:
        planned = (occasions.planned_of(msgspec.structs.replace(outcome.plan, due_seconds=day), outcome.owned),)
    occasion = Occasion(
        task=outcome.task, run_id=outcome.run_id, scan=outcome.scan, level=outcome.level, planned=planned
    )
    notify.notify(bench.store, bench.installation, mail, occasion, now_seconds=bench.wall())
    notify.deliver(bench.store, bench.installation, mail, bench.wall())


def _seen(bench: Bench, task: Task) -> runs.Seen:
    with bench.store.reading() as connection:
        return runs.last_seen(connection, task.name, bench.wall())
