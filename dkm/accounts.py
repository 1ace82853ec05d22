"""`dkm password`, `dkm token` and `dkm account`: what the console's pages do, from the command line."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from dkm import grafana
from dkumonitor.accounts import accounts, first_password, passwords, tokens
from dkumonitor.accounts.accounts import Account, Change
from dkumonitor.accounts.audit import COMMAND, Actor, note
from dkumonitor.accounts.errors import AccountError, NotThereError
from dkumonitor.accounts.passwords import Hashing
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tokens import Scope
from dkumonitor.accounts.views import ACCOUNTS, TOKENS, AccountRow, TokenRow
from dkumonitor.render import Form, form_options, render
from dkumonitor.store.engine import open_store
from dkumonitor.views import MAX_LIMIT, Question, Sources, Viewer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec
    from sqlalchemy import Connection

    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store
    from dkumonitor.views import Listing

_ROLES = click.Choice([role.value for role in Role])


@click.command("password")
@click.argument("login", default=accounts.FIRST_ADMIN)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from standard input, one line.")
@click.pass_obj
def password(installation: Installation, login: str, *, from_stdin: bool) -> None:
    """Set the password of an account, of the first admin unless LOGIN says another.

    It is asked for twice. The account's sessions end. Where Grafana is installed and the
    account is admin, Grafana's admin gets the same password.

    \b
    Examples:
      dkm password
      dkm password ann --stdin < FILE
    """  # noqa: D301  \b is click's
    store = open_store(installation)
    login = accounts.login_of(login)
    with store.reading() as connection:
        accounts.find(connection, login)  # before anything is asked for
    wanted = _given(from_stdin=from_stdin)
    accounts.set_password(store, Hashing(), _actor(), login, wanted)
    click.echo(f"The password of {login} is changed.")
    if login != accounts.FIRST_ADMIN:
        return
    left = first_password.remove_stale(installation, login, wanted)
    if left is not None:
        why = "Grafana needs it to start" if installation.grafana else "remove it"
        click.echo(f"{left} still holds the password before this one: {why}.", err=True)
    if installation.grafana:
        grafana.set_admin_password(installation, wanted)
        click.echo("Grafana's admin has the same.")


@click.group("token")
def token() -> None:
    """What programs sign in to the console's API with.

    \b
    Examples:
      dkm token create backup
      dkm token list
    """  # noqa: D301  \b is click's


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="What it may do.",
)
@click.option("--days", type=click.IntRange(1, tokens.MAX_DAYS), help="For how long; for ever unless given.")
@click.option("--login", default=accounts.FIRST_ADMIN, show_default=True, help="The account that it acts for.")
@click.pass_obj
def create_token(installation: Installation, name: str, scope: str, days: int | None, login: str) -> None:
    """Make a token and print it, alone. It is not shown again.

    It goes into the header "Authorization: Bearer TOKEN". read looks, write also changes
    what an operator may, admin also what an admin may; never more than its account.

    \b
    Examples:
      dkm token create backup
      dkm token create deploy --scope write --days 90 --login ann
    """  # noqa: D301  \b is click's
    store, actor = open_store(installation), _actor()

    def act(connection: Connection) -> str:
        account = accounts.find(connection, login)
        number, made = tokens.create(
            connection, account.id, name, Scope(scope), days=days, now_seconds=actor.now_seconds
        )
        note(connection, actor, "token-created", f"{number} {name}, {scope}, for {account.login}")
        return made

    click.echo(store.write(act))


@token.command("list")
@form_options
@click.pass_obj
def list_tokens(installation: Installation, form: Form) -> None:
    """List all tokens, without what they are made of.

    \b
    Examples:
      dkm token list
      dkm token list --json
    """  # noqa: D301  \b is click's
    render(_rows(installation, TOKENS), TokenRow, form, sys.stdout)


@token.command("revoke")
@click.argument("number", type=int)
@click.pass_obj
def revoke_token(installation: Installation, number: int) -> None:
    """Revoke the token of this number (its id in `dkm token list`). It stops working at once.

    \b
    Example:
      dkm token revoke 3
    """  # noqa: D301  \b is click's
    actor = _actor()

    def act(connection: Connection) -> str:
        name = tokens.revoke(connection, number)
        if name is None:
            raise NotThereError(f"there is no token {number}", "See `dkm token list`")
        note(connection, actor, "token-revoked", f"{number} {name}")
        return name

    click.echo(f"The token {open_store(installation).write(act)} is revoked.")


@click.group("account")
def account() -> None:
    """Who may sign in to the console, and what each may do.

    \b
    Examples:
      dkm account add ann --role operator
      dkm account list
    """  # noqa: D301  \b is click's


@account.command("list")
@form_options
@click.pass_obj
def list_accounts(installation: Installation, form: Form) -> None:
    """List all accounts.

    \b
    Examples:
      dkm account list
      dkm account list --csv
    """  # noqa: D301  \b is click's
    render(_rows(installation, ACCOUNTS), AccountRow, form, sys.stdout)


@account.command("add")
@click.argument("login")
@click.option("--role", type=_ROLES, default=Role.VIEWER.value, show_default=True, help="What it may do.")
@click.option("--real-names", is_flag=True, help="It may see real names.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read its password from standard input, one line.")
@click.pass_obj
def add_account(installation: Installation, login: str, role: str, *, real_names: bool, from_stdin: bool) -> None:
    """Make an account. Its password is generated and printed, alone, unless --stdin gives one.

    \b
    Examples:
      dkm account add ann
      dkm account add ben --role operator --real-names --stdin < FILE
    """  # noqa: D301  \b is click's
    wanted = _given(from_stdin=True) if from_stdin else passwords.generated(accounts.login_of(login))
    accounts.add(open_store(installation), Hashing(), _actor(), login, wanted, role=Role(role), real_names=real_names)
    if not from_stdin:
        click.echo(wanted)


@account.command("set")
@click.argument("login")
@click.option("--role", type=_ROLES, help="What it may do.")
@click.option("--real-names/--no-real-names", default=None, help="Whether it may see real names.")
@click.option("--disable/--enable", "disabled", default=None, help="Whether it may sign in at all.")
@click.pass_obj
def set_account(
    installation: Installation, login: str, role: str | None, *, real_names: bool | None, disabled: bool | None
) -> None:
    """Change what an account may do. The last admin stays one.

    \b
    Examples:
      dkm account set ann --role admin
      dkm account set ben --disable
    """  # noqa: D301  \b is click's
    wanted = Change(role=None if role is None else Role(role), real_names=real_names, disabled=disabled)
    if wanted == Change():
        raise AccountError("nothing was said to change", "Give --role, --real-names or --disable, or their opposites")
    changed: Account = accounts.change(open_store(installation), _actor(), login, wanted)
    click.echo(f"The account {changed.login} is changed.")


@account.command("remove")
@click.argument("login")
@click.pass_obj
def remove_account(installation: Installation, login: str) -> None:
    """Remove an account with its sessions and tokens. The last admin stays.

    \b
    Example:
      dkm account remove ben
    """  # noqa: D301  \b is click's
    accounts.remove(open_store(installation), _actor(), login)
    click.echo(f"The account {login} is removed.")


def _given(*, from_stdin: bool) -> str:
    if not from_stdin:
        return str(click.prompt("New password", hide_input=True, confirmation_prompt="The same again"))
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise AccountError("no password came from standard input", "Write it there, one line")
    return given


def _actor() -> Actor:
    return Actor(COMMAND, COMMAND, int(time.time()))


def _rows(installation: Installation, listing: Listing) -> list[msgspec.Struct]:
    store = open_store(installation)
    return list(_all(store, installation, listing))


def _all(store: Store, installation: Installation, listing: Listing) -> Iterator[msgspec.Struct]:
    sources = Sources(installation, store, None, Viewer(COMMAND, Role.ADMIN), time.time())
    offset = 0
    while True:
        rows = listing.of(sources, Question(offset=offset, limit=MAX_LIMIT)).rows
        yield from rows
        offset += len(rows)
        if len(rows) < MAX_LIMIT:
            return
