"""The release's watcher of directories, from a copy of its code; writers of files and a consumer of its queue."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from tests.faults.program import Program
from tests.stack import wait_for

if TYPE_CHECKING:
    from tests.redis_server import RedisServer

INI = """
[common]
redis_server=127.0.0.1
redis_port={port}
timeout=5
spool={spool}
{common}

[files:common]
active=true
directory={directory}
queue=files
counter=counted
{own}
"""


class Observer(Program):
    """The watcher with one directory, `files`, whose queue is `files` too."""

    module = "collectors.arrivals"

    def __init__(self, release: Path, folder: Path, server: RedisServer, own: str = "", common: str = "") -> None:
        super().__init__(release, folder, ("127.0.0.1", 1))
        self.files = folder / "files"
        self.files.mkdir()
        self.ini = folder / "observer.ini"
        self.spool = folder / "spool"
        text = INI.format(port=server.port, spool=self.spool, directory=self.files, own=own, common=common)
        self.ini.write_text(text)
        self.arguments = ("--config", str(self.ini))
        self.log = folder / "observer.log"

    def start_and_wait(self) -> None:
        """Start it, and wait until it watches and has listed."""
        with contextlib.suppress(FileNotFoundError):
            (self.spool / "status.json").unlink()
        self.start()
        wait_for("the watcher to have listed", self._has_listed, 60)

    def pause(self) -> None:
        """Stop it, and wait until it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        state = Path(f"/proc/{self.pid}/stat")
        wait_for("it to stand still", lambda: state.read_text().rpartition(")")[2].split()[0] == "T")

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _has_listed(self) -> bool:
        try:
            status = json.loads((self.spool / "status.json").read_text())
        except FileNotFoundError:
            return False
        return bool(status["listings"]) and not status["listings_waiting"]


def content_of(name: str) -> bytes:
    """What a file of this name holds when it is complete."""
    return (name * 20).encode()


def write_file(folder: Path, name: str) -> None:
    """Write a file in two steps, as programs do."""
    data = content_of(name)
    with (folder / name).open("wb", buffering=0) as file:
        file.write(data[: len(data) // 2])
        file.write(data[len(data) // 2 :])


class Consumer(threading.Thread):
    """Takes events by LMOVE, looks whether the file is complete, deletes it. It survives Redis' restarts.

    Attributes:
        seen: how often each name was announced.
        incomplete: names that were announced before they were complete.
    """

    def __init__(self, server: RedisServer, folder: Path) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._folder = folder
        self._ended = threading.Event()
        self._taken = False  # what is in the second list has been dealt with, and only not been removed yet
        self.seen: Counter[str] = Counter()
        self.incomplete: list[str] = []

    def run(self) -> None:
        """Consume until told to stop."""
        client = self._server.client(socket_timeout=5)
        while not self._ended.is_set():
            try:
                if not self._consume(client):
                    time.sleep(0.01)
            except (redis.exceptions.RedisError, OSError):
                time.sleep(0.05)

    def _consume(self, client: redis.Redis) -> int:
        if self._taken:
            client.delete("taken")
            self._taken = False
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(200):
                pipeline.lmove("files", "taken", "RIGHT", "LEFT")
            pipeline.execute()
        taken = client.lrange("taken", 0, -1)
        assert isinstance(taken, list)
        for event in reversed(taken):
            self._deal_with(json.loads(event))
        self._taken = True
        client.delete("taken")
        self._taken = False
        return len(taken)

    def _deal_with(self, event: dict[str, str]) -> None:
        name = event["filename"]
        self.seen[name] += 1
        with contextlib.suppress(FileNotFoundError):
            if (self._folder / name).read_bytes() != content_of(name):
                self.incomplete.append(name)
            (self._folder / name).unlink()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self.join(30)

    def missing(self, names: set[str]) -> set[str]:
        """Names that were never announced."""
        return names - set(self.seen)

    @property
    def repeated(self) -> int:
        """Announcements beyond the first of each name."""
        return sum(self.seen.values()) - len(self.seen)
