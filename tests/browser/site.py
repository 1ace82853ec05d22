"""An installation with its console, as the browser tests visit it: a day of three hosts, 300 people, three accounts."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dkumonitor.accounts import accounts
from dkumonitor.accounts.audit import Actor
from dkumonitor.accounts.passwords import Hashing
from dkumonitor.accounts.roles import Role
from dkumonitor.installation import Installation
from dkumonitor.store.engine import open_store
from tests.history.arrivals import lay_arrivals
from tests.history.disk import lay_disk
from tests.history.feed import going_on
from tests.history.load import History, lay
from tests.history.records import fill
from tests.stack import Stack, free_port_range, install, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"
HOST = "atlas"


@dataclass(frozen=True)
class Site:
    """A running installation; `base` is the console's address, `now_seconds` when its records were made."""

    stack: Stack
    history: History
    base: str
    passwords: dict[Role, str]
    now_seconds: int

    def account(self, role: Role) -> dict[str, Any]:
        """What an act of the browser needs to sign in."""
        return {"base": self.base, "login": role.value, "password": self.passwords[role]}


def screenshots() -> str:
    """Where the screenshots are kept: DKM_SCREENSHOTS, or build/screenshots."""
    return os.environ.get("DKM_SCREENSHOTS", str(ROOT / "build/screenshots"))


@contextlib.contextmanager
def running_site(release: Path, folder: Path, *options: str) -> Iterator[Site]:
    """Install, lay the day, make the accounts, start everything."""
    with free_port_range() as port:
        stack = install(release, folder, port, "--hostname", HOST, *options)
        try:
            history = lay(stack)
            now = int(time.time())
            passwords = _fill(stack, history, now)
            stack.start()
            scheme = "https" if stack.installation["tls"] else "http"
            base = f"{scheme}://127.0.0.1:{stack.installation['ports']['console']}"
            wait_for("the console to answer", lambda: answers(base), 60)
            wait_for("the day to be known", lambda: stack.render("collectd.*.uptime.uptime", "-1d"), 60)
            with going_on(stack, history):
                yield Site(stack, history, base, passwords, now)
        finally:
            stack.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _fill(stack: Stack, history: History, now_seconds: int) -> dict[Role, str]:
    """The records, and an account named for each role; the admin is the one that the installer made."""
    installation = Installation.load(stack.dir)
    store = open_store(installation)
    try:
        fill(store, history.logins, now_seconds)
        lay_disk(store, history.disk)
        lay_arrivals(installation, now_seconds)
        for role in (Role.VIEWER, Role.OPERATOR):
            accounts.add(store, Hashing(), Actor("tests", "command", now_seconds), role.value, PASSWORD, role=role)
        change = accounts.Change(real_names=True)
        accounts.change(store, Actor("tests", "command", now_seconds), Role.ADMIN.value, change)
    finally:
        store.close()
    admin = installation.secret("admin_password").read_text().strip()
    return {Role.VIEWER: PASSWORD, Role.OPERATOR: PASSWORD, Role.ADMIN: admin}


def answers(base: str) -> bool:
    """Whether the console says that it is well."""
    trusting = ssl._create_unverified_context()  # a certificate of its own
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=10, context=trusting) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
