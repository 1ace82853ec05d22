"""`dkm disk exempt`: whose files and which paths are left alone."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Literal

import click

from collectors.disk import exemptions, tasks
from collectors.disk.exemptions import Exemption
from collectors.disk.questions import UidType
from collectors.disk.tables import COMPONENT
from dkumonitor.render import Form, form_options, render
from dkumonitor.store.migrations import open_checked

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from dkumonitor.installation import Installation


@click.group("exempt")
def exempt() -> None:
    """Leave files of some users, or below some paths, alone: no plan takes them.

    \b
    Examples:
      dkm disk exempt user ann --until 2027-01-31
      dkm disk exempt path '/scratch/shared/*'
      dkm disk exempt list
    """  # noqa: D301  \b is click's


def _term(command: Any) -> Any:
    """Give a command what every exemption may say: its task, its end, its reason."""
    for option in (
        click.option("--reason", default="", help="Why, for whoever reads it."),
        click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The first day on which it does not hold."),
        click.option("--task", default="", help="The task that it is for; all of them unless given."),
    ):
        command = option(command)
    return command


@exempt.command("user")
@click.argument("user", type=UidType())
@_term
@click.pass_obj
def exempt_user(installation: Installation, /, user: int, **term: Any) -> None:
    """Leave the files of USER (a login or a uid) alone.

    \b
    Examples:
      dkm disk exempt user ann
      dkm disk exempt user 10012 --task scratch --until 2027-01-31 --reason "thesis"
    """  # noqa: D301  \b is click's
    _add(installation, "user", str(user).encode(), **term)


@exempt.command("path")
@click.argument("pattern")
@_term
@click.pass_obj
def exempt_path(installation: Installation, /, pattern: str, **term: Any) -> None:
    """Leave what matches PATTERN, and all below it, alone. `*` matches `/` too.

    \b
    Examples:
      dkm disk exempt path /scratch/shared/reference
      dkm disk exempt path 'projects/*/keep' --task scratch
    """  # noqa: D301  \b is click's
    _add(installation, "path", os.fsencode(pattern), **term)


@exempt.command("list")
@form_options
@click.pass_obj
def list_exemptions(installation: Installation, form: Form) -> None:
    """List all exemptions, those that have ended too.

    \b
    Example:
      dkm disk exempt list --json
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store, store.reading() as connection:
        render(exemptions.every(connection), Exemption, form, sys.stdout, "Nothing is exempt.")


@exempt.command("remove")
@click.argument("number", type=int)
@click.pass_obj
def remove(installation: Installation, number: int) -> None:
    """End the exemption of this number (its id in `dkm disk exempt list`).

    \b
    Example:
      dkm disk exempt remove 3
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store:
        store.write(lambda connection: exemptions.remove(connection, number))
    click.echo(f"The exemption {number} is removed.")


def _add(
    installation: Installation,
    kind: Literal["user", "path"],
    pattern: bytes,
    *,
    task: str,
    until: datetime | None,
    reason: str,
) -> None:
    def act(connection: Connection) -> int:
        if task:
            tasks.find(connection, task)
        return exemptions.add(
            connection,
            kind,
            pattern,
            task=task,
            until_seconds=None if until is None else int(until.timestamp()),
            reason=reason,
            now_seconds=time.time(),
        )

    with open_checked(installation, [COMPONENT]) as store:
        number = store.write(act)
    click.echo(f"The exemption {number} is made.")
