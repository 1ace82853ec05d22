"""The console's socket: kept while it is started again, let go when it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dkumonitor.listener import KEPT_SECONDS, Keeper, open_listener
from tests.stack import free_port_range, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
# It takes a while to be ready, and answers with its process id.
PROGRAM = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
time.sleep(0.5)
listener = socket.socket(fileno=0)
while True:
    client, _ = listener.accept()
    client.recv(100)
    client.sendall(b"%d" % os.getpid())
    client.close()
"""
CONFIGURATION = """
[unix_http_server]
file={folder}/supervisord.sock
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/supervisord.sock
[rpcinterface:console]
supervisor.rpcinterface_factory=dkumonitor.listener:keep
program=console
address={address}
port={port}
[program:console]
command={python} {folder}/program.py
startsecs=1
startretries=1000
redirect_stderr=true
stdout_logfile={folder}/console.log
"""


class Supervised:
    """supervisord with one program, whose port is `port`."""

    def __init__(self, folder: Path, port: int, address: str = "127.0.0.1") -> None:
        self.folder, self.address, self.port = folder, address, port
        (folder / "program.py").write_text(PROGRAM)
        self.configuration = folder / "supervisord.conf"
        self.configuration.write_text(
            CONFIGURATION.format(folder=folder, address=address, port=port, python=sys.executable)
        )
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration)]
        subprocess.run(command, env=self.environment, cwd=folder, check=True)
        self.pid = int(wait_for("supervisord", lambda: self._text("supervisord.pid")))

    def _text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def ctl(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self.configuration), *arguments]
        said = subprocess.run(
            command, env=self.environment, cwd=self.folder, check=False, capture_output=True, text=True
        )
        return said.stdout

    def first_answer(self) -> str:
        """Empty where supervisord has not opened the port yet."""
        try:
            return self.answer()
        except OSError:
            return ""

    def answer(self) -> str:
        host = "::1" if ":" in self.address else "127.0.0.1"
        with socket.create_connection((host, self.port), timeout=30) as client:
            client.sendall(b"who?")
            return client.recv(100).decode()

    def end(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        wait_for("supervisord to end", lambda: not Path(f"/proc/{self.pid}").exists())


@pytest.fixture
def port() -> Iterator[int]:
    with free_port_range() as first:
        yield first


@contextlib.contextmanager
def supervised(folder: Path, port: int, address: str = "127.0.0.1") -> Iterator[Supervised]:
    started = Supervised(folder, port, address)
    try:
        yield started
    finally:
        started.end()


@pytest.fixture(params=["127.0.0.1", "::1", "0.0.0.0"])
def running(request: pytest.FixtureRequest, tmp_path: Path, port: int) -> Iterator[Supervised]:
    with supervised(tmp_path, port, request.param) as started:
        yield started


def test_nobody_is_refused_while_the_program_is_restarted_killed_and_crashes(running: Supervised) -> None:
    first = wait_for("the first answer", running.first_answer)
    answers: Counter[str] = Counter()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answers[running.answer() or "nothing"] += 1
            except OSError as error:
                answers[str(error)] += 1
            time.sleep(0.005)

    def others() -> list[str]:
        return [answer for answer in list(answers) if answer.isdigit() and answer != first]

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        running.ctl("restart", "console")
        (second,) = wait_for("another process", others)
        os.kill(int(second), signal.SIGKILL)
        wait_for("a third process", lambda: len(others()) > 1)
    finally:
        stop.set()
        asking.join()
    refused = {answer: count for answer, count in answers.items() if not answer.isdigit()}
    # The one that each of the two processes was about to answer may be lost with it; no other.
    assert sum(refused.values()) <= 2
    assert not any("refused" in answer for answer in refused)


def test_a_program_that_is_stopped_for_good_listens_no_longer_and_can_be_started_again(
    tmp_path: Path, port: int
) -> None:
    with supervised(tmp_path, port) as running:
        wait_for("the first answer", running.first_answer)
        running.ctl("stop", "console")
        wait_for("the port to be free", lambda: _is_free(port), 60)
        running.ctl("start", "console")
        assert wait_for("an answer", running.first_answer).isdigit()


def test_a_port_that_is_taken_keeps_nothing_else_from_starting(tmp_path: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), supervised(tmp_path, port) as running:
        wait_for("the program to fail", lambda: "BACKOFF" in running.ctl("status"), 60)
        assert "Socket operation on non-socket" in (tmp_path / "console.log").read_text()


def _is_free(port: int) -> bool:
    try:
        open_listener("127.0.0.1", port).close()
    except OSError:
        return False
    return True


def test_the_socket_is_let_go_some_seconds_after_the_stop_and_not_before(port: int) -> None:
    now, stopped = 0.0, False
    keeper = Keeper("127.0.0.1", port, lambda: stopped, lambda: now)
    kept = keeper.get_socket()
    keeper.look()
    stopped = True
    keeper.look()
    now = KEPT_SECONDS - 0.1
    keeper.look()
    assert keeper.get_socket() is kept, "a restart comes in time, and begins the wait anew"
    now = KEPT_SECONDS
    keeper.look()
    assert not _is_free(port)
    now = 2 * KEPT_SECONDS
    keeper.look()
    assert _is_free(port)
    keeper.release()


def test_all_addresses_are_those_of_both_families(port: int) -> None:
    for number, address in enumerate(("0.0.0.0", "::")):
        with open_listener(address, port + number):
            for host in ("127.0.0.1", "::1"):
                socket.create_connection((host, port + number), timeout=10).close()
