"""``dkm disk``: who fills the disk, and what is done about it."""

import click

from collectors.disk.cli_act import apply_plan, quarantine, restore
from collectors.disk.cli_exempt import exempt
from collectors.disk.cli_notify import notify, show_notices
from collectors.disk.cli_plan import plan
from collectors.disk.cli_run import run
from collectors.disk.cli_settings import import_settings
from collectors.disk.cli_task import task
from collectors.disk.cli_view import view


@click.group()
def cli() -> None:
    """Show who fills the disk, warn in time, move or delete old files safely.

    \b
    Begin with:
      dkm disk task create scratch --path /scratch
      dkm disk run full scratch
    """  # noqa: D301  \b is click's


plan.add_command(apply_plan)
for command in (task, exempt, run, view, plan, restore, quarantine, notify, show_notices, import_settings):
    cli.add_command(command)
