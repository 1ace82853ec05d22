"""A real Redis, and the watcher as a process of its own on folders of a test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT
from tests.redis_server import RedisServer, redis_server
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Watch:
    """A watcher with an INI file in `folder`."""

    folder: Path
    server: RedisServer
    common: str = ""
    sections: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    before: tuple[str, ...] = ()

    @property
    def ini(self) -> Path:
        return self.folder / "observer.ini"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def directory(self, section: str) -> Path:
        return self.folder / section

    def write(self) -> None:
        """Write the INI file: each section watches the folder of its name, into the queue of its name."""
        text = f"[common]\nactive=true\nspool={self.folder}/spool\n{self.common}\n"
        if "redis_" not in self.common and "sentinels" not in self.common:
            text += f"redis_server=127.0.0.1\nredis_port={self.server.port}\n"
        for section, own in self.sections.items():
            self.directory(section).mkdir(exist_ok=True)
            where = "" if "directory=" in own else f"directory={self.directory(section)}\n"
            text += f"\n[{section}:common]\n{where}queue={section}\n{own}\n"
        self.ini.write_text(text)

    def start(self, *, listed: bool = True) -> Watch:
        """Start it, and wait until it watches, and has listed what is there."""
        self.write()
        (self.folder / "spool/status.json").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            command = [*self.before, sys.executable, "-m", "collectors.arrivals", "--config", str(self.ini)]
            environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
        wait_for("a status, which is first told when all is watched", lambda: self.status is not None, 60)
        if listed:
            wait_for("a listing", lambda: self.status["listings"], 60)
            wait_for("the listings", lambda: self.status["listings_waiting"] == 0, 60)
        return self

    @property
    def status(self) -> Any:
        """What it tells of itself, as it sees its files: it may have a mount of its own."""
        assert self.process is not None
        try:
            return json.loads(Path(f"/proc/{self.process.pid}/root{self.folder}/spool/status.json").read_text())
        except FileNotFoundError:
            return None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            self.process = None

    def events(self, queue: str) -> list[dict[str, Any]]:
        """What is in a list, in the order in which RPOP gives it."""
        values = self.server.client().lrange(queue, 0, -1)
        assert isinstance(values, list)
        return [json.loads(value) for value in reversed(values)]

    def names(self, queue: str) -> list[str]:
        return [event["filename"] for event in self.events(queue)]

    def wait_for_names(self, queue: str, *names: str) -> list[str]:
        wait_for(f"{names} in {queue}", lambda: set(names) <= set(self.names(queue)), 30)
        return self.names(queue)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    with redis_server() as started:
        yield started


@pytest.fixture
def server(shared_server: RedisServer) -> RedisServer:
    """A Redis that is empty, shared by a module's tests."""
    shared_server.client().flushall()
    return shared_server


@pytest.fixture
def watches(tmp_path: Path, server: RedisServer) -> Iterator[Callable[..., Watch]]:
    """Makes watchers, each with sections of its own; they are ended with the test."""
    made: list[Watch] = []

    def make(common: str = "", on: RedisServer | None = None, **sections: str) -> Watch:
        folder = tmp_path / f"watch{len(made)}"
        folder.mkdir()
        made.append(Watch(folder, on or server, common, sections))
        return made[-1]

    yield make
    for watch in made:
        if watch.process is not None:
            with contextlib.suppress(ProcessLookupError):
                watch.end(signal.SIGKILL)
