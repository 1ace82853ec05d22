"""`dkm disk notify` and `dkm disk notices`: who is written to about disk use, and who was."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

import collectors
from collectors.disk import notices, occasions, tasks
from collectors.disk.errors import TaskError
from collectors.disk.notices import NoticeRow
from collectors.disk.notify import drafts, message_of
from collectors.disk.notify import notify as write_to_all
from collectors.disk.questions import UidType
from collectors.disk.tables import COMPONENT
from dkumonitor.accounts.roles import Role
from dkumonitor.errors import MailError
from dkumonitor.render import Form, form_options, render
from dkumonitor.store.components import core_components
from dkumonitor.store.migrations import open_checked
from dkumonitor.text import printable
from dkumonitor.views import Question, Sources, Viewer

if TYPE_CHECKING:
    from collectors.disk.errors import LetterError
    from collectors.disk.warnings import Occasion
    from dkumonitor.installation import Installation
    from dkumonitor.mail.settings import MailSettings
    from dkumonitor.store.engine import Store

MANY = 100_000


@click.command
@click.argument("task")
@click.option("--dry-run", is_flag=True, help="Only show who would be written to; write nothing anywhere.")
@click.option(
    "--show",
    "shown_uid",
    type=UidType(),
    metavar="USER",
    help="Print the whole message to this login or uid; send nothing.",
)
@form_options
@click.pass_obj
def notify(installation: Installation, task: str, form: Form, shown_uid: int | None, *, dry_run: bool) -> None:
    """Write to those whom the newest full run of TASK concerns.

    Runs do this by themselves. Nobody is written to twice about one run, and nobody more
    than once a day. The mails wait in the spool, from which the collectors send them.

    \b
    Examples:
      dkm disk notify scratch --dry-run
      dkm disk notify scratch --show 1001 > mail.eml
      dkm disk notify scratch
    """  # noqa: D301  \b is click's
    settings = collectors.load_settings(collectors.discover(), installation, os.environ).mail
    with open_checked(installation, [*core_components(), COMPONENT]) as store:
        with store.reading() as connection:
            occasion = occasions.newest(connection, tasks.find(connection, task))
        if shown_uid is not None:
            _show(store, installation, settings, occasion, shown_uid)
            return
        if dry_run:
            errors: dict[str, LetterError] = {}
            found = drafts(store, installation, settings, occasion, now_seconds=time.time(), errors=errors)
            rows = [draft.notice for draft in found]
            for error in errors.values():
                click.echo(f"dkm: {printable(str(error))}", err=True)
        elif not settings.is_configured:
            raise MailError("no mail server is set", "Set server and from_address in [mail] of dkumonitor.toml")
        else:
            rows = write_to_all(store, installation, settings, occasion, now_seconds=time.time())
    render(rows, NoticeRow, form, sys.stdout, "Nobody would be written to.")


@click.command("notices")
@click.option("--search", default="", metavar="TEXT", help="Only those in which TEXT occurs.")
@form_options
@click.pass_obj
def show_notices(installation: Installation, form: Form, search: str) -> None:
    """List who was written to about disk use, the newest first, and why others were not.

    \b
    Examples:
      dkm disk notices
      dkm disk notices --search alice --json
    """  # noqa: D301  \b is click's
    with open_checked(installation, [*core_components(), COMPONENT]) as store:
        viewer = Viewer("dkm", Role.ADMIN, sees_names=True)  # whoever may call dkm may read the store's file
        sources = Sources(installation, store, None, viewer, time.time())
        answer = notices.LISTING.of(sources, Question(search=search, limit=MANY))
    render(answer.rows, NoticeRow, form, sys.stdout, notices.LISTING.empty)


def _show(store: Store, installation: Installation, settings: MailSettings, occasion: Occasion, uid: int) -> None:
    for draft in drafts(store, installation, settings, occasion, now_seconds=time.time()):
        if draft.notice.uid == uid:
            sys.stdout.buffer.write(message_of(draft, installation, settings))
            return
    raise TaskError(
        f"the newest full run of {occasion.task.name!r} has nothing to tell uid {uid}",
        f"`dkm disk notify {occasion.task.name} --dry-run` shows whom it concerns",
    )
