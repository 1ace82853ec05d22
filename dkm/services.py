"""`dkm services` and `dkm collectors`: what runs here, and how it went."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dkumonitor.render import Form, form_options, render
from dkumonitor.runs import CollectorRun, read_runs
from dkumonitor.services import Service, services

if TYPE_CHECKING:
    from dkumonitor.installation import Installation


@click.command("services")
@form_options
@click.pass_obj
def show_services(installation: Installation, form: Form) -> None:
    """List every program with its state, uptime, process and memory.

    `dkm status` says less and exits 0 only where all of them run.

    \b
    Examples:
      dkm services
      dkm services --json
    """  # noqa: D301  \b is click's
    render(services(installation), Service, form, sys.stdout)


@click.command("collectors")
@form_options
@click.pass_obj
def show_collectors(installation: Installation, form: Form) -> None:
    """List every collector with how its last run went.

    Where the program `collectors` is stopped, this is how it stood when it stopped.

    \b
    Examples:
      dkm collectors
      dkm collectors --json
    """  # noqa: D301  \b is click's
    render(read_runs(installation), CollectorRun, form, sys.stdout)
