"""`dkm setup`: brings the store to this release. The installer runs it, at install and at update."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

import collectors
from dkumonitor.accounts import accounts
from dkumonitor.accounts.first_password import SECRET
from dkumonitor.accounts.passwords import Hashing
from dkumonitor.errors import InstallationError
from dkumonitor.store.engine import open_store
from dkumonitor.store.migrations import upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store


@click.command("setup", hidden=True)
@click.pass_obj
def setup(installation: Installation) -> None:
    """Make or update the tables of the store, and the first account. Doing it again changes nothing."""
    if not installation.has_store:
        click.echo(f"An installation of type {installation.type} keeps no store: there is nothing to do.")
        return
    with open_store(installation) as store:
        click.echo(f"The {store.address}")
        for done in upgrade(store, collectors.components()):
            what = "is up to date" if done.before == done.after else f"{done.before or 'new'} -> {done.after}"
            click.echo(f"  {done.component}: {what}")
        if "console" in installation.programs:
            _first_admin(installation, store)


def _first_admin(installation: Installation, store: Store) -> None:
    path = installation.secret(SECRET)
    password = _password(path)
    if password is None:
        return
    if accounts.ensure_first_admin(store, Hashing(), password, int(time.time())):
        click.echo(f"  the first account is {accounts.FIRST_ADMIN}, its password is in {path}")
    elif not installation.grafana and not accounts.opens(store, Hashing(), accounts.FIRST_ADMIN, password):
        # Grafana reads the file at every start; elsewhere a password that opens nothing only misleads
        try:
            path.unlink()
        except OSError as error:
            click.echo(f"{path} holds a password that is no longer right; remove it ({error.strerror}).", err=True)
        else:
            click.echo(f"  {path} held a password that is no longer right, and is removed")


def _password(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InstallationError(f"cannot read {path}: {error}", "Correct that file or remove it") from None
