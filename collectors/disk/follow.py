"""What follows from a run: plans get their day, people are told, and what is due is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from collectors.disk import deeds, due, notify, occasions, plans, runs, work
from collectors.disk.plans import State
from collectors.disk.warnings import Occasion

if TYPE_CHECKING:
    from collectors.disk.tasks import Task
    from collectors.disk.work import Bench, Outcome
    from dkumonitor.mail.settings import MailSettings

DAY_SECONDS = 86400
NO_MAIL = "no mail server is set, so that owners cannot be warned: a person applies it"


def look_where_due(bench: Bench, task: Task) -> bool:
    """Look at a file system where that is due; whether it was."""
    if not due.quick_is_due(task, _seen(bench, task), bench.wall()):
        return False
    work.quick(bench, task)
    return True


def scan_where_due(bench: Bench, task: Task, mail: MailSettings) -> bool:
    """Scan a tree where its hour has come, or a look found the file system too full; whether it was."""
    seen, now_seconds = _seen(bench, task), bench.wall()
    if seen.is_running or not (
        due.full_is_due(task, seen, now_seconds) or due.warning_scan_is_due(task, seen, now_seconds)
    ):
        return False
    scan_and_follow(bench, task, mail)
    return True


def scan_and_follow(bench: Bench, task: Task, mail: MailSettings) -> Outcome:
    """Scan a tree, and do all that follows from what was found.

    Raises:
        ScanError: the tree cannot be scanned, or a run is under way.
    """
    outcome = _with_day(bench, work.full(bench, task), mail)
    _tell(bench, outcome, mail)
    deeds.do_what_is_due(bench, outcome, mail)
    return outcome


def _with_day(bench: Bench, outcome: Outcome, mail: MailSettings) -> Outcome:
    """Give a new plan the day on which it may be done by itself, where the task wants that and owners can be warned."""
    task, plan = outcome.task, outcome.plan
    if plan is None or plan.state != State.PROPOSED or task.dry_run:
        return outcome
    now = int(bench.wall())
    if task.email_data_alterations and not mail.is_configured:
        changed: dict[str, str | int] = {"detail": NO_MAIL}
    else:
        day = now + task.warning_days * DAY_SECONDS
        changed = {"state": State.WAITING.value, "warned_seconds": now, "due_seconds": day, "detail": ""}
    bench.store.write(lambda connection: plans.change(connection, plan.id, changed))
    return replace(outcome, plan=msgspec.structs.replace(plan, **changed))


def _tell(bench: Bench, outcome: Outcome, mail: MailSettings) -> None:
    """Put mails to all whom the run concerns into the spool, and send what can be sent."""
    assert outcome.scan is not None  # noqa: S101  a full run has one
    planned = () if outcome.plan is None else (occasions.planned_of(outcome.plan, outcome.owned),)
    occasion = Occasion(
        task=outcome.task, run_id=outcome.run_id, scan=outcome.scan, level=outcome.level, planned=planned
    )
    notify.notify(bench.store, bench.installation, mail, occasion, now_seconds=bench.wall())
    notify.deliver(bench.store, bench.installation, mail, bench.wall())


def _seen(bench: Bench, task: Task) -> runs.Seen:
    with bench.store.reading() as connection:
        return runs.last_seen(connection, task.name, bench.wall())
