"""Plans that are done: `dkm-act` is called or asked, what it says is kept with the plan, and owners are told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from collectors.disk import acting, exemptions, notices, notify, occasions, plans, tasks
from collectors.disk.act.requests import Request
from collectors.disk.errors import ActError, PlanError, TaskError
from collectors.disk.plans import State
from collectors.disk.runs import Level
from collectors.disk.warnings import Done, Occasion
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.disk.act.outcome import Outcome, Progress
    from collectors.disk.plans import Plan
    from collectors.disk.tasks import Task
    from collectors.disk.work import Bench
    from collectors.disk.work import Outcome as Found
    from dkumonitor.mail.settings import MailSettings

ACTED = frozenset({"done", "partial"})
_log = logging.getLogger(__name__)


def do(
    bench: Bench, plan: Plan, mail: MailSettings, progress: Callable[[Progress], None] = lambda _: None
) -> Outcome | None:
    """Have a plan done: at once where this account may act, else by asking.

    Returns:
        What was done; None where `dkm-act serve` was asked, and answers later.

    Raises:
        PlanError: the plan's file is not the one that was made.
        ActError: the program could not be called.
    """
    held = exempt_files(bench, plan)
    if held:
        raise PlanError(
            f"{held} files of {plan.id} are exempt by now",
            f"`dkm disk plan discard {plan.id}`; the next full run leaves them out",
        )
    if not acting.is_direct(bench.installation):
        acting.request(bench.installation, Request(act="apply", plan=plan.id, digest=plan.digest))
        changed = {"state": State.REQUESTED.value, "detail": "dkm-act serve was asked"}
        bench.store.write(lambda connection: plans.change(connection, plan.id, changed))
        return None
    file = plans.file_of(bench.installation, plan.id)
    outcome = acting.apply(bench.installation, file, yes=True, digest=plan.digest, progress=progress)
    keep(bench, plan, outcome, mail)
    return outcome


def exempt_files(bench: Bench, plan: Plan) -> int:
    """How many entries of a plan are exempt at this moment; its file is checked whole before.

    Raises:
        PlanError: the file is gone, damaged, or another one.
    """
    with bench.store.reading() as connection:
        now = exemptions.every(connection, plan.task, bench.wall())
    with plans.opened(bench.installation, plan) as reader:
        if not now:
            return 0
        is_exempt = exemptions.exempter(now, reader.head.tree)
        return sum(is_exempt(entry) for block in reader.blocks() for entry in block)


def keep(bench: Bench, plan: Plan, outcome: Outcome, mail: MailSettings) -> None:
    """Keep what became of a plan, and tell the owners of what was done."""
    values = {
        "state": state_of(plan, outcome).value,
        "done_files": outcome.files,
        "done_bytes": outcome.bytes,
        "skipped_files": sum(outcome.skipped.values()),
        "detail": detail_of(outcome),
    }
    if outcome.state in ACTED:
        values["ended_seconds"] = int(outcome.ended_seconds)
    bench.store.write(lambda connection: plans.change(connection, plan.id, values))
    if outcome.files:
        _tell(bench, plan, outcome, mail)


def state_of(plan: Plan, outcome: Outcome) -> State:
    """How it stands with a plan after that. What was refused or stopped may be done again."""
    if outcome.state == "done":
        return State.DONE
    if outcome.state == "partial":
        return State.FULL if outcome.full else State.PARTIAL
    return State.PROPOSED if plan.due_seconds is None else State.WAITING


def detail_of(outcome: Outcome) -> str:
    """The same in words."""
    said = [outcome.detail] if outcome.detail else []
    if outcome.state in {"refused", "stopped"}:
        said.insert(0, outcome.state)
    said += [f"{count} {reason}" for reason, count in sorted(outcome.skipped.items())]
    said += list(outcome.errors[:3])
    return printable("; ".join(said))[: plans.DETAIL_MAX]


def collect_answers(bench: Bench, mail: MailSettings) -> int:
    """Keep what `dkm-act serve` has answered since; how many answers there were."""
    with bench.store.reading() as connection:
        asked = [
            plan for plan in plans.every(connection, states=[State.REQUESTED]) if plan.host == bench.installation.host
        ]
    answered = 0
    for plan in asked:
        outcome = acting.outcome(bench.installation, plan.id)
        if outcome is not None and not acting.is_requested(bench.installation, plan.id):
            keep(bench, plan, outcome, mail)
            answered += 1
    return answered


def do_what_is_due(bench: Bench, found: Found, mail: MailSettings) -> None:
    """Do a plan whose day has come, while the file system is critical, and let go of what waits in the quarantine.

    A failure is logged and kept with the plan: what the run found is not lost by it.
    """
    task, plan, now_seconds = found.task, found.plan, bench.wall()
    try:
        if plan is not None and found.level is Level.CRITICAL and is_due(plan, now_seconds) and not task.dry_run:
            _do_by_itself(bench, found, plan, mail)
        _purge(bench, found)
    except (ActError, PlanError) as error:
        _log.warning("%s: %s", task.name, printable(str(error)))
        if plan is not None:
            failed = {"detail": printable(str(error))[: plans.DETAIL_MAX]}
            bench.store.write(lambda connection: plans.change(connection, plan.id, failed))


def _do_by_itself(bench: Bench, found: Found, plan: Plan, mail: MailSettings) -> None:
    """Do a plan that is due, unless an owner of its files was not told: a mail may have been given up meanwhile."""
    if found.task.email_data_alterations:
        with bench.store.reading() as connection:
            untold = notices.untold(connection, plan, [owned.uid for owned in plans.owners(connection, plan.id)])
        if untold:
            raise ActError(
                f"{len(untold)} owners of files in {plan.id} have got no mail about it, uid {untold[0]} among them",
                "See `dkm disk notices`; a person may apply it",
            )
    do(bench, plan, mail)


def is_due(plan: Plan, now_seconds: float) -> bool:
    """Whether a plan may be done by itself by now."""
    return plan.state == State.WAITING and plan.due_seconds is not None and plan.due_seconds <= now_seconds


def _purge(bench: Bench, found: Found) -> None:
    """Remove for good what has waited its days; while the file system is critical, the oldest before its days, too."""
    with bench.store.reading() as connection:
        deleted = any(
            plan.action == "delete" and plan.done_files for plan in plans.every(connection, task=found.task.name)
        )
    if not deleted:
        return
    mine = [kept for kept in acting.kept(bench.installation) if kept.task == found.task.name and kept.files]
    if not mine:
        return
    until_bytes = None
    if found.level is Level.CRITICAL:
        seen = found.file_system
        reachable_bytes = seen.used_bytes + seen.available_bytes
        until_bytes = max(int(seen.used_bytes - found.task.usage_warning_percent / 100 * reachable_bytes), 1)
    elif not any(kept.expires_seconds is not None and kept.expires_seconds <= bench.wall() for kept in mine):
        return
    if not acting.is_direct(bench.installation):
        acting.request(bench.installation, Request(act="purge", task=found.task.name, until_bytes=until_bytes))
        return
    outcome = acting.purge(bench.installation, task=found.task.name, oldest_until_bytes=until_bytes, yes=True)
    _log.info(
        "%s: the quarantine was purged of %d files, %d bytes", found.task.name, outcome.files, outcome.freed_bytes
    )


def _tell(bench: Bench, plan: Plan, outcome: Outcome, mail: MailSettings) -> None:
    """Write to the owners of what was done, with the figures of the newest scan."""
    with bench.store.reading() as connection:
        try:
            newest = occasions.newest(connection, _task_of(bench, plan))
        except TaskError:
            return  # the task was removed meanwhile: there is nothing to tell about it
    users = {owner.uid: (owner.files, owner.bytes) for owner in outcome.owners}
    done = Done(action="move" if plan.action == "move" else "delete", users=users)
    occasion = Occasion(task=newest.task, run_id=newest.run_id, scan=newest.scan, level=newest.level, done=(done,))
    notify.notify(bench.store, bench.installation, mail, occasion, now_seconds=bench.wall())
    notify.deliver(bench.store, bench.installation, mail, bench.wall())


def _task_of(bench: Bench, plan: Plan) -> Task:
    with bench.store.reading() as connection:
        return tasks.find(connection, plan.task)
