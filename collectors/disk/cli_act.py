"""`dkm disk plan apply`, `dkm disk restore` and `dkm disk quarantine`: acts, which ask `dkm-act` to be done."""

from __future__ import annotations

import os
import pwd
import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec

import collectors
from collectors.disk import acting, deeds, plans
from collectors.disk.act.requests import Request
from collectors.disk.errors import PlanError, TaskError
from collectors.disk.tables import COMPONENT
from collectors.disk.work import Bench
from dkumonitor.accounts.audit import COMMAND, Actor, note
from dkumonitor.cells import size
from dkumonitor.render import Form, form_options, render, render_one
from dkumonitor.store.components import core_components
from dkumonitor.store.migrations import open_checked
from dkumonitor.text import printable
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from collectors.disk.act.outcome import Outcome, Progress
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

NOT_ALL_EXIT_CODE = 34  # ActError's: refused, stopped, or not all of it done


class OutcomeLine(msgspec.Struct, frozen=True):
    """What an act has done, or would do."""

    plan: str
    act: str
    state: str
    dry_run: bool
    files: int
    bytes: int
    freed_bytes: int
    skipped: str
    errors: int
    detail: str


class KeptRow(msgspec.Struct, frozen=True):
    """A plan that something is left of in the quarantine."""

    plan: str
    task: str
    action: str
    state: str
    acted_seconds: Moment
    expires_seconds: Moment | None
    files: int
    size_bytes: int
    tree: bytes


@click.command("apply")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it. Without it, only what would be done is said.")
@form_options
@click.pass_obj
def apply_plan(installation: Installation, name: str, form: Form, *, yes: bool) -> None:
    """Do what a plan says, each file looked at again before it is touched; or say what would be done.

    What may be done at all stands in DIR/conf/disk-acts.toml. Where root has installed for another
    account, --yes asks root's `dkm-act serve`, and DIR/bin/dkm-act does it by hand.

    \b
    Examples:
      dkm disk plan apply scratch-20261125T020000Z-move
      dkm disk plan apply scratch-20261125T020000Z-move --yes
    """  # noqa: D301  \b is click's
    mail = collectors.load_settings(collectors.discover(), installation, os.environ).mail
    with open_checked(installation, [*core_components(), COMPONENT]) as store:
        with store.reading() as connection:
            plan = plans.find(connection, name)
        if plan.state not in plans.OPEN:
            raise PlanError(
                f"the plan {name} is {plan.state}, and not open any more", "See `dkm disk plan list --open`"
            )
        bench = Bench.of(installation, store)
        if not yes:
            plans.opened(installation, plan).__exit__()
            file = plans.file_of(installation, name)
            _show(acting.apply(installation, file, yes=False, digest=plan.digest, progress=_progress), form)
            return
        _note(store, "disk-plan-applied", f"{plan.id} {plan.digest}")
        outcome = deeds.do(bench, plan, mail, _progress)
    if outcome is None:
        by_hand = f"sudo '{installation.dir}/bin/dkm-act' apply '{plans.file_of(installation, name)}' --yes"
        click.echo(f"Asked for. Root's `dkm-act serve` does it if the policy lets it; by hand: {by_hand}")
        return
    _show(outcome, form)


@click.command("restore")
@click.argument("what")
@click.option("--yes", is_flag=True, help="Do it. Without it, only what would be done is said.")
@form_options
@click.pass_obj
def restore(installation: Installation, what: str, form: Form, *, yes: bool) -> None:
    """Bring back what a plan took: WHAT is a plan, an absolute path, or a user (login or uid).

    Deleted files come back from the quarantine, moved ones from where they were moved to.
    Nothing is overwritten.

    \b
    Examples:
      dkm disk restore scratch-20261125T020000Z-delete
      dkm disk restore /scratch/ann/results --yes
      dkm disk restore ann --yes
    """  # noqa: D301  \b is click's
    with open_checked(installation, [*core_components(), COMPONENT]) as store:
        plan, uid, path = _selection(store, what)
        if yes:
            _note(store, "disk-restored", what)
    if yes and not acting.is_direct(installation):
        shown = None if path is None else os.fsdecode(path)
        acting.request(installation, Request(act="restore", plan=plan, uid=uid, path=shown))
        click.echo("Asked for. Root's `dkm-act serve` does it if the policy lets it.")
        return
    _show(acting.restore(installation, plan=plan, uid=uid, path=path, yes=yes, progress=_progress), form)


@click.group("quarantine")
def quarantine() -> None:
    """See what deleted files still wait, and remove them for good.

    \b
    Examples:
      dkm disk quarantine list
      dkm disk quarantine purge --task scratch --yes
    """  # noqa: D301  \b is click's


@quarantine.command("list")
@form_options
@click.pass_obj
def list_kept(installation: Installation, form: Form) -> None:
    """List the plans of which files wait in a quarantine, and until when.

    \b
    Example:
      dkm disk quarantine list
    """  # noqa: D301  \b is click's
    rows = [
        KeptRow(**{field: getattr(one, field) for field in KeptRow.__struct_fields__})
        for one in acting.kept(installation)
        if one.files or one.state == "unfinished"
    ]
    render(rows, KeptRow, form, sys.stdout, "Nothing waits in a quarantine.")


@quarantine.command("purge")
@click.option("--task", help="Only what was deleted for this task.")
@click.option("--yes", is_flag=True, help="Do it. Without it, only what would be done is said.")
@form_options
@click.pass_obj
def purge(installation: Installation, task: str | None, form: Form, *, yes: bool) -> None:
    """Remove for good what has waited its days. Nightly runs do this by themselves.

    \b
    Examples:
      dkm disk quarantine purge
      dkm disk quarantine purge --task scratch --yes
    """  # noqa: D301  \b is click's
    if yes and not acting.is_direct(installation):
        acting.request(installation, Request(act="purge", task=task))
        click.echo("Asked for. Root's `dkm-act serve` does it if the policy lets it.")
        return
    _show(acting.purge(installation, task=task, yes=yes, progress=_progress), form)


def _selection(store: Store, what: str) -> tuple[str | None, int | None, bytes | None]:
    """A plan, a uid or a path, whichever it is."""
    if what.startswith("/"):
        return None, None, os.fsencode(what.rstrip("/")) or b"/"
    if what.isdecimal():
        return None, int(what), None
    with store.reading() as connection:
        if plans.every(connection, plan_id=what):
            return what, None, None
    try:
        return None, pwd.getpwnam(what).pw_uid, None
    except KeyError:
        do = "Give a plan of `dkm disk plan list`, an absolute path, a login or a uid"
        raise TaskError(f"{what!r} is no plan, no path and no account", do) from None


def _note(store: Store, act: str, about: str) -> None:
    actor = Actor(COMMAND, COMMAND, int(time.time()))
    store.write(lambda connection: note(connection, actor, act, printable(about)[:400]))


def _progress(progress: Progress) -> None:
    if sys.stderr.isatty():
        done = f"{progress.entries:,} of {progress.of:,} entries, {progress.files:,} files, {size(progress.bytes)}"
        sys.stderr.write(f"\r\x1b[K{progress.plan}: {done}")
        sys.stderr.flush()


def _show(outcome: Outcome, form: Form) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    row = OutcomeLine(
        plan=outcome.plan,
        act=outcome.act,
        state=outcome.state,
        dry_run=outcome.dry_run,
        files=outcome.files,
        bytes=outcome.bytes,
        freed_bytes=outcome.freed_bytes,
        skipped=", ".join(f"{count} {reason}" for reason, count in sorted(outcome.skipped.items())),
        errors=outcome.error_count,
        detail=outcome.detail or "; ".join(outcome.errors[:3]),
    )
    render_one(row, form, sys.stdout)
    if form is Form.TABLE and outcome.dry_run and outcome.files:
        click.echo("Nothing was changed: --yes does it.")
    if form is Form.TABLE and outcome.state == "done" and not outcome.files and not outcome.skipped:
        click.echo("There is nothing of that to be done.")
    if outcome.state != "done":
        sys.exit(NOT_ALL_EXIT_CODE)
