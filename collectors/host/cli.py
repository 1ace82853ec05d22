"""``dkm host``: who and what uses this machine now."""

import os
import sys

import click

from collectors.host.now import PatternRow, UserRow, look_twice, pattern_rows, patterns_of, user_rows
from dkumonitor.installation import current
from dkumonitor.render import Form, form_options, render


@click.group()
def cli() -> None:
    """Show who and what uses this machine now.

    \b
    Examples:
      dkm host users
      dkm host patterns
    """  # noqa: D301  \b is click's


@cli.command()
@form_options
def users(form: Form) -> None:
    """List every account that has a process, from two samples one second apart.

    \b
    Examples:
      dkm host users
      dkm host users --json
    """  # noqa: D301  \b is click's
    render(user_rows(look_twice({})), UserRow, form, sys.stdout)


@cli.command()
@form_options
def patterns(form: Form) -> None:
    """List the configured patterns and what their processes use, from two samples one second apart.

    \b
    Examples:
      dkm host patterns
      dkm host patterns --csv
    """  # noqa: D301  \b is click's
    found = look_twice(patterns_of(current(), os.environ))
    render(pattern_rows(found), PatternRow, form, sys.stdout)
