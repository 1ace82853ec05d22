"""The `dkm` command: supervisorctl's verbs, ours, and a group of verbs for each collector that has some."""

from __future__ import annotations

import contextlib
import difflib
import errno
import logging
import os
import shlex
import sys
from importlib import import_module

import click

import collectors
from dkm import doctor, supervision
from dkm.identity import act_as_service_user
from dkm.overview import show_overview
from dkm.services import show_collectors, show_services
from dkumonitor import logs
from dkumonitor.doctor.examination import examine, exit_code
from dkumonitor.doctor.findings import Finding
from dkumonitor.errors import DkmError
from dkumonitor.installation import Installation, current
from dkumonitor.render import Form, form_options, render, render_one
from dkumonitor.text import printable
from dkumonitor.urls import urls

EPILOG = """\b
Examples:
  dkm start                      start everything
  dkm status                     what runs; exits 0 when all is well
  dkm restart go-carbon          one program; without a name, all of them
  dkm tail -f collectd           follow a program's log
  dkm urls --json                where to look and where to send
  dkm doctor                     what is wrong, and what to do about it
  dkm overview                   is the machine well?
  dkm services                   what runs, since when, with how much memory
  dkm collectors                 how each collector's last run went
  dkm mail test me@example.org   does mail get out?
  dkm password                   another password for the console's admin
  dkm shutdown                   end every program, and supervisord

The verbs of supervisorctl are described at https://supervisord.org/running.html."""


# Verbs by their module, which is loaded when one of them is called: the library of databases takes a fifth of a second,
# that of mail a twentieth.
_LATER = {
    "account": "dkm.accounts",
    "mail": "dkm.mail",
    "password": "dkm.accounts",
    "people": "dkm.people",
    "setup": "dkm.setup",
    "store": "dkm.store",
    "token": "dkm.accounts",
}


_log = logging.getLogger("dkm")
_PIPE_EXIT_CODE = 141  # as a shell says of a program that SIGPIPE ended
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class Verbs(click.Group):
    """Our own verbs, a collector's group by the collector's name, and all else by supervisorctl."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our verbs and the collectors' groups; supervisorctl's are in the help's own section."""
        return sorted({*super().list_commands(ctx), *_LATER, *collectors.command_names()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None where nobody knows it."""
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        if cmd_name in _LATER:
            verb: click.Command = getattr(import_module(_LATER[cmd_name]), cmd_name)
            return verb
        if cmd_name in supervision.verbs():
            return _supervisor_command(cmd_name)
        return collectors.command(cmd_name) if cmd_name in collectors.command_names() else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a guess at what was meant."""
        known = [*self.list_commands(ctx), *supervision.verbs()]
        if args[0] not in known:
            near = difflib.get_close_matches(args[0], known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "see `dkm --help`."
            raise click.UsageError(f"there is no verb {printable(args[0])!r}; {meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Our commands, then supervisorctl's verbs in one paragraph."""
        super().format_commands(ctx, formatter)
        with formatter.section("Verbs of supervisorctl (no program named: start, stop and restart mean all)"):
            formatter.write_text(", ".join(supervision.verbs()))


def _supervisor_command(verb: str) -> click.Command:
    @click.pass_obj
    def passed_through(installation: Installation, arguments: tuple[str, ...]) -> None:
        sys.exit(supervision.Control(installation).control(verb, arguments))

    return click.Command(
        verb,
        callback=passed_through,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
    )


def _show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  click's
    installation = context.find_object(Installation)
    if wanted and installation is not None:
        click.echo(installation.version)
        context.exit()


@click.group(cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Control and ask this installation of dkumonitor."""


@cli.command("urls")
@form_options
@click.pass_obj
def show_urls(installation: Installation, form: Form) -> None:
    """Say where to look and where to send.

    What this type of installation does not have is shown as - (null in JSON).
    The password is in the file that is named.

    \b
    Examples:
      dkm urls
      dkm urls --json
    """  # noqa: D301  \b is click's
    render_one(urls(installation), form, sys.stdout)


@cli.command("doctor")
@form_options
@click.pass_obj
def show_doctor(installation: Installation, form: Form) -> None:
    """Check everything and say what to do.

    It looks at every program and port, at the console and the store, sends a test point to carbon and reads it
    back, signs in at the mail server where one is set, and checks how old the newest points are, disk room, the
    clock, versions, the certificate and secrets, and what collectors have to say, of arrivals say.
    Exits 1 when something failed; a warning alone is no failure.

    \b
    Examples:
      dkm doctor
      dkm doctor --json
    """  # noqa: D301  \b is click's
    findings = examine(installation, collectors.checks(connects=True))
    if form is Form.TABLE:
        click.echo(doctor.report(findings))
    else:
        render(findings, Finding, form, sys.stdout)
    sys.exit(exit_code(findings))


cli.add_command(show_overview)
cli.add_command(show_services)
cli.add_command(show_collectors)


@cli.command(
    "earlier",
    hidden=True,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run_earlier(installation: Installation, name: str, arguments: tuple[str, ...]) -> None:
    """Do what a command of an earlier tool does; DIR/bin/NAME calls it."""
    command = collectors.earlier_commands().get(name)
    if command is None:
        raise click.UsageError(f"no collector answers to {printable(name)!r}")
    command.main(list(arguments), prog_name=name, obj=installation, help_option_names=["-h", "--help"])


@cli.command("help", hidden=True)
@click.pass_context
def show_help(context: click.Context) -> None:
    """Show this help."""
    click.echo(context.find_root().get_help())


def main() -> None:
    """Run the command for the installation that $DKM_DIR names; an error a person can mend is one line, not a trace."""
    try:
        installation = current()
        act_as_service_user(installation)
        _log_into(os.environ.get(logs.VARIABLE))
        try:
            cli(prog_name="dkm", obj=installation)
        finally:
            _flush()
    except DkmError as error:
        sys.stderr.write(f"dkm: {printable(str(error))}\n")
        _log.info("failed: %s", error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read it has seen enough
        _write_no_more()
        sys.exit(_PIPE_EXIT_CODE)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        _write_no_more()
        sys.stderr.write(f"dkm: what was to be written could not be: {error.strerror}\n")
        sys.exit(1)


def _log_into(folder: str | None) -> None:
    """Note every call in the folder that somebody wants it in; a command works without, too."""
    if not folder:
        return
    try:
        logs.command("dkm", folder)
    except OSError as error:
        sys.stderr.write(f"dkm: nothing is logged, ${logs.VARIABLE} names no folder to write to: {error}\n")
    else:
        _log.info("dkm %s", shlex.join(sys.argv[1:]))


def _flush() -> None:
    if sys.stdout is not None:  # None where it was closed before
        sys.stdout.flush()


def _write_no_more() -> None:
    """Let what is still in the buffer go nowhere, so that Python does not complain of it at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
