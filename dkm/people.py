"""`dkm people`: who the accounts of this machine are."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

import collectors
from dkm.progress import Progress
from dkumonitor.accounts.roles import Role
from dkumonitor.render import Form, form_options, render
from dkumonitor.store import people_csv
from dkumonitor.store.components import core_components
from dkumonitor.store.migrations import open_checked
from dkumonitor.store.people import CSV, EVERYWHERE, Change, Person, replace
from dkumonitor.store.people_view import LISTING
from dkumonitor.store.upkeep import sync_people
from dkumonitor.views import Question, Sources, Viewer

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

EVERYBODY = 1_000_000


@click.group("people")
def people() -> None:
    """Tell who the accounts of this machine are, and list them.

    Three feeds are put together, field by field: an imported file comes first, then the
    directory of [people.ldap], then the accounts that the machine itself lists.

    \b
    Examples:
      dkm people list --search smith
      dkm people import people.csv --dry-run
    """  # noqa: D301  \b is click's


@people.command("list")
@click.option("--search", default="", metavar="TEXT", help="Only those in which TEXT occurs.")
@form_options
@click.pass_obj
def list_people(installation: Installation, form: Form, search: str) -> None:
    """List everybody.

    \b
    Examples:
      dkm people list
      dkm people list --search smith --json
      dkm people list --csv > people.csv
    """  # noqa: D301  \b is click's
    with open_checked(installation, core_components()) as store:
        viewer = Viewer("dkm", Role.ADMIN, sees_names=True)  # whoever may call dkm may read the store's file
        sources = Sources(installation, store, None, viewer, time.time())
        answer = LISTING.of(sources, Question(search=search, limit=EVERYBODY))
    render(answer.rows, Person, form, sys.stdout, LISTING.empty)


@people.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only read the file and say what is wrong with it.")
@form_options
@click.pass_obj
def import_people(installation: Installation, file: Path, form: Form, *, dry_run: bool) -> None:
    """Read people from a CSV file, in place of those of the file before.

    Its first line names the columns: login, and any of uid, mail, real_name, student_id,
    addresses (of computers, with a blank between each). A line that is wrong is named with
    its number, and then nothing is imported.

    \b
    Examples:
      dkm people import --dry-run class.csv
      dkm people import class.csv
    """  # noqa: D301  \b is click's
    entries = people_csv.read(file)
    if dry_run:
        click.echo(f"{file} has {len(entries)} people and no wrong line.")
        return
    with open_checked(installation, core_components()) as store:
        change = replace(store, CSV, EVERYWHERE, entries, time.time())
    render([change], Change, form, sys.stdout)


@people.command("sync")
@form_options
@click.pass_obj
def sync(installation: Installation, form: Form) -> None:
    """Ask the machine's own list of accounts and the directory of [people.ldap] now.

    The collectors do this once a day.

    \b
    Example:
      dkm people sync
    """  # noqa: D301  \b is click's
    settings = collectors.load_settings(collectors.discover(), installation, os.environ).people
    with open_checked(installation, core_components()) as store, Progress(sys.stderr) as progress:
        changes, errors = sync_people(store, installation, settings, time.time(), progress.show)
    render(changes, Change, form, sys.stdout)
    if errors:
        raise errors[0]
