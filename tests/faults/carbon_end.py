"""The far end for fault tests: a real go-carbon that keeps every second, and a proxy before it that misbehaves."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Literal

from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Mode = Literal["pass", "refuse", "reset", "stall", "cut"]

CONFIGURATION = """
[common]
user = ""
metric-endpoint = "local"
metric-interval = "1h0m0s"
[whisper]
data-dir = "{folder}/whisper"
schemas-file = "{folder}/schemas.conf"
workers = 2
max-updates-per-second = 0
sparse-create = true
enabled = true
[udp]
enabled = false
[tcp]
listen = "127.0.0.1:{carbon}"
enabled = true
[pickle]
enabled = false
[carbonlink]
enabled = false
[grpc]
enabled = false
[carbonserver]
listen = "127.0.0.1:{server}"
enabled = true
query-cache-enabled = false
find-cache-enabled = false
glob-cache-enabled = false
trigram-index = false
trie-index = true
concurrent-index = true
realtime-index = 100000
scan-frequency = "1m0s"
empty-result-ok = true
[[logging]]
logger = ""
file = "stdout"
level = "info"
"""


class GoCarbon:
    """go-carbon in a folder of its own, on two ports, keeping an hour of every second."""

    def __init__(self, program: Path, folder: Path, port: int) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.carbon = ("127.0.0.1", port)
        self._server = ("127.0.0.1", port + 1)
        (folder / "whisper").mkdir(parents=True)
        (folder / "schemas.conf").write_text("[all]\npattern = .*\nretentions = 1s:2h\n")
        (folder / "go-carbon.conf").write_text(CONFIGURATION.format(folder=folder, carbon=port, server=self._server[1]))

    def start(self) -> GoCarbon:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-config", self._folder / "go-carbon.conf"], stdout=log, stderr=log
            )
        wait_for("go-carbon to listen", lambda: _listens(self.carbon) and _listens(self._server))
        return self

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def close(self) -> None:
        if self._process is not None:
            self.kill()

    def values(self, name: str, seconds: int = 3600) -> dict[int, float]:
        """What is kept of a series, by time; empty where it is unknown."""
        now = int(time.time())
        query = {"target": name, "from": now - seconds, "until": now + seconds, "format": "json"}
        address = f"http://127.0.0.1:{self._server[1]}/render/?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                body = json.loads(answer.read())
        except urllib.error.HTTPError:
            return {}
        return {
            series["startTime"] + number * series["stepTime"]: value
            for series in body.get("metrics", ())
            for number, (value, is_absent) in enumerate(zip(series["values"], series["isAbsent"], strict=True))
            if not is_absent
        }


class Proxy:
    """A TCP proxy whose behaviour is changed while it runs.

    pass: hands on. refuse: does not listen. reset: resets each connection after some bytes. stall: takes connections
    and reads nothing. cut: hands on the first half of what it gets, ends it within a line, and resets.
    """

    def __init__(self, target: tuple[str, int], port: int) -> None:
        self._target = target
        self.address = ("127.0.0.1", port)
        self._mode: Mode = "refuse"
        self._listening: socket.socket | None = None
        self._held: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def become(self, mode: Mode) -> None:
        """End every connection by a reset, and behave so from now on."""
        with self._lock:
            self._mode = mode
            if mode == "refuse" and self._listening is not None:
                self._listening.shutdown(socket.SHUT_RDWR)
                self._listening.close()
                self._listening = None
            for held in self._held:
                _reset(held)
            self._held.clear()
            if mode != "refuse" and self._listening is None:
                self._listening = socket.create_server(self.address)
                self._start(self._accept, self._listening)

    def close(self) -> None:
        self.become("refuse")
        for thread in self._threads:
            thread.join(30)

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                self._held.append(client)
                mode = self._mode
            if mode != "stall":
                self._start(self._serve, client, mode)

    def _serve(self, client: socket.socket, mode: Mode) -> None:
        with contextlib.suppress(OSError), socket.create_connection(self._target, timeout=30) as server:
            if mode == "pass":
                while data := client.recv(65536):
                    server.sendall(data)
                server.shutdown(socket.SHUT_WR)
                server.recv(1)
                client.shutdown(socket.SHUT_RDWR)
            else:
                data = client.recv(65536)
                middle = len(data) // 2
                server.sendall(data[: middle if mode == "reset" else _inside_a_line(data, middle)])
                _reset(server)
                _reset(client)


def _inside_a_line(data: bytes, place: int) -> int:
    """The first place after ``place`` that is neither before nor behind a newline."""
    while data[place - 1 : place] == b"\n" or data[place : place + 1] == b"\n":
        place += 1
    return place


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)  # wakes a thread that reads it
    connection.close()


def _listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0
