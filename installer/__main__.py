"""The command ``installer``: options, facts, plan, and then either the plan's text or the installation."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import jinja2

from installer import checks, layout, machine
from installer.address import LOOPBACK, Endpoint, parse_endpoint, parse_listen
from installer.certificate import names_for
from installer.database import MAX_PASSWORD_BYTES, password_in
from installer.errors import Refusal, ReleaseError
from installer.farewell import farewell
from installer.install import install
from installer.installation import Installation
from installer.message import told
from installer.options import DEFAULT_INTERVAL_SECONDS, TYPES, Options
from installer.plan import Plan, describe, make_plan
from installer.ports import occupied
from installer.progress import shown_progress
from installer.release import Release
from installer.render import render
from installer.update import describe_update, make_update, update

# python/lib/python3.X/site-packages/installer/__main__.py, below the release's folder
RELEASE_ROOT = Path(sys.prefix).parent


class _Listen(click.ParamType[str]):
    name = "ADDR"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """An address to listen on."""
        try:
            return parse_listen(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Server(click.ParamType[Endpoint]):
    def __init__(self, *, needs_port: bool) -> None:
        self.name = "HOST:PORT" if needs_port else "HOST[:PORT]"
        self._needs_port = needs_port

    def convert(self, value: str | Endpoint, param: click.Parameter | None, ctx: click.Context | None) -> Endpoint:
        """A server to send to or read from."""
        if isinstance(value, Endpoint):
            return value
        try:
            return parse_endpoint(value, needs_port=self._needs_port)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_UPDATE_TAKES = frozenset({"directory", "wants_update", "dry_run"})


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("-d", "--directory", metavar="DIR", required=True, help="Where to install; absent or empty.")
@click.option("-p", "--port", type=int, help="The first of ten ports: the web page; the next ones are the others.")
@click.option(
    "-t",
    "--type",
    "installation_type",
    type=click.Choice(TYPES),
    default="all",
    show_default=True,
    help="What runs here.",
)
@click.option("-u", "--update", "wants_update", is_flag=True, help="Update the installation in DIR to this release.")
@click.option("--listen", type=_Listen(), default=LOOPBACK, show_default=True, help="For the web pages.")
@click.option("--no-tls", is_flag=True, help="Web pages by HTTP even where other machines reach them.")
@click.option("--database", metavar="URL", help="The store: postgresql://, mysql:// or mariadb://. [default: a file]")
@click.option(
    "--database-password-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="Holds that server's password; it is copied.",
)
@click.option("-l", "--carbon-listen", type=_Listen(), help="For carbon. [default: 127.0.0.1 for all, else 0.0.0.0]")
@click.option("--carbonapi-listen", type=_Listen(), help="For carbonapi, which has no login. [default: 127.0.0.1]")
@click.option("--carbon-server", type=_Server(needs_port=False), help="Where to send. PORT is -p plus 1, else 15001.")
@click.option("--carbonapi-server", type=_Server(needs_port=True), help="What a frontend reads.")
@click.option("--hostname", metavar="NAME", help="This machine's name in metrics. [default: its full host name]")
@click.option("--system-collectd", is_flag=True, help="Use the collectd on PATH instead of the bundled one.")
@click.option("--pickle", is_flag=True, help="Also receive carbon's pickle protocol, on -p plus 4.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=int,
    default=DEFAULT_INTERVAL_SECONDS,
    show_default=True,
    help="Between two measurements.",
)
@click.option("--user", metavar="NAME", help="Installed by root: the account that the programs run as.")
@click.option("--as-root", is_flag=True, help="Installed by root: the programs run as root.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and write nothing.")
@click.pass_context
def main(ctx: click.Context, /, **values: Any) -> None:
    """Install dkumonitor in DIR, or update the installation there."""
    os.umask(0o077)  # each file gets its mode explicitly; nothing is open for a moment before that
    release = Release.read(RELEASE_ROOT)
    directory = Path(os.path.realpath(values["directory"]))
    if values["wants_update"]:
        given = [name for name in ctx.params if name not in _UPDATE_TAKES and _is_given(ctx, name)]
        if given:
            raise click.UsageError(
                "--update takes only -d and --dry-run: the other options are those of the installation in DIR"
            )
        _update(release, directory, dry_run=values["dry_run"])
        return
    _install(release, _options(directory, values), dry_run=values["dry_run"])


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _options(directory: Path, values: dict[str, Any]) -> Options:
    return Options(
        directory=directory,
        port=values["port"],
        type=values["installation_type"],
        listen=values["listen"],
        carbon_listen=values["carbon_listen"],
        carbonapi_listen=values["carbonapi_listen"],
        carbon_server=values["carbon_server"],
        carbonapi_server=values["carbonapi_server"],
        hostname=values["hostname"],
        system_collectd=values["system_collectd"],
        pickle=values["pickle"],
        interval_seconds=values["interval"],
        user=values["user"],
        as_root=values["as_root"],
        no_tls=values["no_tls"],
        database=values["database"],
        database_password=_password(values["database_password_file"]),
    )


def _password(path: Path | None) -> bytes | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return password_in(file.read(MAX_PASSWORD_BYTES + 2), str(path))


def _install(release: Release, options: Options, *, dry_run: bool) -> None:
    plan = _plan(release, options)
    for warning in layout.warnings(plan.installation, options.carbon_server):
        click.echo(f"warning: {warning}", err=True)
    if dry_run:
        click.echo(describe(plan), nl=False)
        return
    with shown_progress("copying the release") as progress:
        install(plan, progress, _now())
    click.echo(farewell(plan))


def _plan(release: Release, options: Options) -> Plan:
    facts = machine.look(
        options.directory,
        account_name=options.user,
        wants_collectd=options.system_collectd,
        name=options.hostname,
    )
    user = facts.account.name if facts.account else str(options.user)
    installation = layout.lay_out(
        options,
        version=release.version,
        has_grafana=release.has_grafana,
        hostname=facts.hostname,
        user=user,
        system_collectd=str(facts.collectd[0]) if facts.collectd else None,
    )
    wrong = [
        *layout.problems(options),
        *layout.name_problems(user, facts.hostname),
        *checks.problems(options, release, facts),
    ]
    # Where DIR is an installation, its own programs may have the ports: that says nothing new.
    if facts.directory is not machine.DirectoryState.INSTALLED and not layout.port_problems(options):
        wrong += checks.port_problems(occupied(installation.sockets()))
    if wrong or facts.account is None:
        raise Refusal(wrong)
    rendered = _render(release, installation, options.directory)
    return make_plan(
        options.directory,
        installation,
        release,
        facts.account,
        rendered,
        database_password=options.database_password,
        certificate_names=names_for(facts.hostname, options.listen),
    )


def _render(release: Release, installation: Installation, directory: Path) -> Any:
    try:
        return render(release.templates, installation, directory)
    except (jinja2.TemplateError, OSError) as error:
        raise ReleaseError(
            f"a template of {release.root} cannot be used: {error}", "Extract the tarball again"
        ) from None


def _update(release: Release, directory: Path, *, dry_run: bool) -> None:
    planned = make_update(directory, release, _render)
    if dry_run:
        click.echo(describe_update(planned), nl=False)
        return
    with shown_progress("copying the release") as progress:
        warning = update(planned, progress, _now())
    click.echo(describe_update(planned), nl=False)
    if warning:
        click.echo(f"warning: {warning}", err=True)
    click.echo(
        f"\nThe programs go on with what they have. To change over:  '{directory}/bin/dkm' shutdown && "
        f"'{directory}/bin/dkm' start"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    with told("installer"):
        main(prog_name="installer")
