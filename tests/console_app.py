"""A running console for tests: a real uvicorn on a free port of loopback, with an account of each role.

::

    with running_console(tmp_path) as console:
        answer = console.client(Role.VIEWER).get("/")

The clients are signed in by sessions that are put into the store (a sign-in by form hashes a password, which takes a
third of a second).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

import collectors
from dkumonitor.accounts import accounts, sessions, tokens
from dkumonitor.accounts.audit import Actor
from dkumonitor.accounts.passwords import Hashing
from dkumonitor.accounts.roles import Role
from dkumonitor.installation import Installation
from dkumonitor.store.engine import Store, open_store
from dkumonitor.store.migrations import Component, upgrade
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery staple"
_CSRF = re.compile(r'<meta name="csrf" content="([^"]+)">')


@dataclass
class RunningConsole:
    """A console that answers at `url`. `log` is what it wrote."""

    url: str
    installation: Installation
    store: Store
    log: Path
    process: subprocess.Popen[bytes]
    listening: socket.socket
    _clients: list[httpx.Client] = field(default_factory=list)
    _signed_in: dict[Role, httpx.Client] = field(default_factory=dict)

    def stranger(self, **options: Any) -> httpx.Client:
        """A client without a session."""
        limits = httpx.Limits(max_keepalive_connections=0)  # hundreds of clients hold no connection
        client = httpx.Client(base_url=self.url, timeout=60, limits=limits, **options)
        self._clients.append(client)
        return client

    def client(self, role: Role) -> httpx.Client:
        """A client that is signed in as the account named for its role; always the same one."""
        if role not in self._signed_in:
            self._signed_in[role] = self.sign_in(role.value)
        return self._signed_in[role]

    def sign_in(self, login: str, **options: Any) -> httpx.Client:
        """A new client with a session of its own."""
        client = self.stranger(**options)
        client.cookies.set("dkm_session", self.session(login))
        return client

    def session(self, login: str) -> str:
        """A session's cookie, put into the store."""
        with self.store.writing() as connection:
            account = accounts.find(connection, login)
            return sessions.start(connection, account.id, int(time.time()), "127.0.0.1", "tests")

    def start_session(self, connection: Connection, account_id: int, address: str, browser: str) -> None:
        """A session that came from anywhere with anything."""
        sessions.start(connection, account_id, int(time.time()), address, browser)

    def token(self, role: Role, scope: tokens.Scope, days: int | None = None) -> str:
        """A token of the account named for its role."""
        with self.store.writing() as connection:
            account = accounts.find(connection, role.value)
            return tokens.create(connection, account.id, "tests", scope, days=days, now_seconds=int(time.time()))[1]

    def bearer(self, role: Role, scope: tokens.Scope) -> httpx.Client:
        """A client that sends a token."""
        return self.stranger(headers={"Authorization": f"Bearer {self.token(role, scope)}"})

    def csrf(self, client: httpx.Client, path: str = "/account") -> str:
        """The CSRF token that the client's pages carry."""
        found = _CSRF.search(client.get(path).text)
        assert found is not None
        return found[1]

    def post(self, client: httpx.Client, path: str, **fields: str) -> httpx.Response:
        """Send a form as its page does."""
        return client.post(path, data={"csrf": self.csrf(client), **fields}, headers={"Origin": self.url})

    def restart(self) -> None:
        """End the program and start it anew on the same socket, as supervisord does."""
        self.stop()
        self.process = _start(self.installation.dir, self.listening, self.log)

    def wait(self) -> None:
        """Wait until it answers."""
        wait_for("the console's answer", lambda: _answers(self), 60)

    def stop(self) -> None:
        """End the program."""
        self.process.terminate()
        self.process.wait(30)

    def close(self) -> None:
        """Let go of everything."""
        for client in self._clients:
            client.close()
        self.store.close()
        self.listening.close()


@contextlib.contextmanager
def running_console(
    folder: Path,
    *,
    carbonapi: str | None = None,
    components: Sequence[Component] = (),
    settings: str = "",
    before_start: Any = None,
    **description: Any,
) -> Iterator[RunningConsole]:
    """Run a console in `folder`.

    Args:
        folder: becomes DIR.
        carbonapi: ``HOST:PORT`` of a carbonapi.
        components: tables to make beside those of the core and of the collectors.
        settings: the text of dkumonitor.toml.
        before_start: called with the store and the installation, to fill them.
        description: keys of installation.json that differ.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    installation = write_installation(folder, port, carbonapi, settings, description)
    if installation.tls:
        make_certificate(installation)
    store = open_store(installation)
    upgrade(store, [*collectors.components(), *components])
    make_accounts(store)
    if before_start is not None:
        before_start(store, installation)
    log = folder / "run" / "console.log"
    scheme = "https" if installation.tls else "http"
    console = RunningConsole(
        f"{scheme}://127.0.0.1:{port}", installation, store, log, _start(folder, listening, log), listening
    )
    try:
        console.wait()
        yield console
    finally:
        console.stop()
        console.close()


def write_installation(
    folder: Path, port: int, carbonapi: str | None = None, settings: str = "", description: dict[str, Any] | None = None
) -> Installation:
    """Make the folders of an installation with a console and nothing else in them."""
    for name in ("conf/secrets", "storage/store", "run", "lib"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "lib" / "web").symlink_to(ROOT / "console" / "static")
    found = {
        "version": "0.0.1",
        "type": "all",
        "host": "testhost",
        "user": "nobody",
        "interval_seconds": 10,
        "programs": ["console", "collectors"],  # the daily upkeep is the collectors', not ours
        "listen": "127.0.0.1",
        "carbon_listen": "127.0.0.1",
        "carbonapi_listen": "127.0.0.1",
        "ports": {
            "web": port, "carbon": None, "carbonapi": None, "carbonserver": None, "pickle": None, "console": port
        },
        "carbon_server": None,
        "carbonapi_server": carbonapi,
        "grafana": False,
        "system_collectd": None,
        "tls": False,
        "database": None,
        **(description or {}),
    }  # fmt: skip
    (folder / "conf" / "installation.json").write_text(json.dumps(found))
    (folder / "conf" / "dkumonitor.toml").write_text(settings)
    return Installation.load(folder)


def make_certificate(installation: Installation) -> None:
    """A certificate for 127.0.0.1 that nobody else trusts."""
    installation.certificate.parent.mkdir()
    key = installation.secret("tls_key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
         "-out", installation.certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o600)


_HASHED: list[str] = []


def make_accounts(store: Store) -> None:
    """An account of each role, named for it, with :data:`PASSWORD` (hashed once), without the right to real names."""
    if not _HASHED:
        _HASHED.append(Hashing().hash(PASSWORD))

    class OneHash(Hashing):
        def hash(self, password: str) -> str:  # noqa: ARG002
            return _HASHED[0]

    for role in Role:
        accounts.add(store, OneHash(), Actor("tests", "command", int(time.time())), role.value, PASSWORD, role=role)


def _start(folder: Path, listening: socket.socket, log: Path) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ["PATH"], "DKM_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "console"],
            stdin=listening.fileno(),
            stdout=out,
            stderr=out,
            env=environment,
            cwd=folder,
        )


def _answers(console: RunningConsole) -> bool:
    if console.process.poll() is not None:
        raise AssertionError(f"the console ended: {console.log.read_text()}")
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{console.url}/health", timeout=10, verify=False).status_code == 200
    return False
