"""The programs of one installation, asked of supervisord over its socket: how they are, start, stop, restart, logs.

What supervisorctl does on a command line, and starting supervisord itself, is `dkm`'s (dkm/supervision.py).
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import xmlrpc.client
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dkumonitor.errors import ServiceError
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.installation import Installation

ANSWER_SECONDS = 5.0
CHANGE_SECONDS = 90.0  # go-carbon alone may take 60 to end
TAIL_BYTES = 64 * 1024
BAD_NAME, NOT_RUNNING, ALREADY_STARTED, ALREADY_ADDED = 10, 70, 60, 90  # supervisor.xmlrpc.Faults


class State(Enum):
    """How supervisord stands."""

    ABSENT = "absent"
    UP = "up"
    ENDING = "ending"


class ProgramState(msgspec.Struct, frozen=True):
    """What supervisord knows of one program; `state` in its words (RUNNING, BACKOFF, ...), `pid` 0 where none runs."""

    name: str
    state: str
    pid: int
    up_seconds: int
    reason: str
    log_file: str


class UnknownProgramError(ServiceError):
    """supervisord has no program of this name."""


class Supervision:
    """supervisord and its programs. Every call ends within a bounded time.

    The source for calls and states is supervisor's own manual: https://supervisord.org/api.html
    """

    def __init__(self, installation: Installation, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._installation = installation
        self._answer_seconds = answer_seconds
        self._socket = installation.run / "supervisord.sock"

    def state(self) -> State:
        """Whether supervisord is there, and whether it takes orders."""
        try:
            self._call("getState")
        except xmlrpc.client.Fault:  # SHUTDOWN_STATE: it answers nothing else from then on
            return State.ENDING
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return State.ABSENT
        return State.UP

    def programs(self) -> list[ProgramState]:
        """The state of every program, in supervisord's order.

        Raises:
            ServiceError: supervisord does not answer.
        """
        with self._telling():
            answer: list[dict[str, Any]] = self._call("getAllProcessInfo")
        return [
            ProgramState(
                name=program["name"],
                state=program["statename"],
                pid=program["pid"],
                up_seconds=max(0, program["now"] - program["start"]) if program["pid"] else 0,
                reason=program["spawnerr"] or program["description"],
                log_file=program["stdout_logfile"],
            )
            for program in answer
        ]

    def program(self, name: str) -> ProgramState:
        """One program's state.

        Raises:
            UnknownProgramError: there is no such program.
            ServiceError: supervisord does not answer.
        """
        programs = self.programs()
        for program in programs:
            if program.name == name:
                return program
        known = ", ".join(program.name for program in programs)
        raise UnknownProgramError(f"there is no program {name!r}", f"The programs here are: {known}")

    def start(self, name: str) -> None:
        """Start one program and wait until it is up. One that runs already goes on.

        Raises:
            UnknownProgramError: there is no such program.
            ServiceError: supervisord does not answer, or the program does not stay up.
        """
        self._change("startProcess", self.program(name).name, but=ALREADY_STARTED)

    def stop(self, name: str) -> None:
        """Stop one program and wait until it has ended; at most :data:`CHANGE_SECONDS`.

        Raises:
            UnknownProgramError: there is no such program.
            ServiceError: supervisord does not answer, or the program does not end.
        """
        self._change("stopProcess", self.program(name).name, but=NOT_RUNNING)

    def restart(self, name: str) -> None:
        """Stop one program and start it. The caller's own is told to end, and supervisord starts it again.

        Raises:
            UnknownProgramError: there is no such program.
            ServiceError: supervisord does not answer, or the program does not stay up.
        """
        if self.program(name).pid == os.getpid():  # whoever stops itself starts nothing afterwards
            with self._telling():
                self._call("signalProcess", name, "TERM")
            return
        self.stop(name)
        self.start(name)

    def take_in(self, name: str) -> None:
        """Have supervisord read its configuration again and know a program that is new in it.

        Raises:
            ServiceError: supervisord does not answer, or cannot read its configuration.
        """
        with self._telling():
            self._call("reloadConfig")
            self._unless("addProcessGroup", name, fault=ALREADY_ADDED)

    def leave_out(self, name: str) -> None:
        """Stop a program and have supervisord forget it. One that it does not know is no error.

        Raises:
            ServiceError: supervisord does not answer, or the program does not end.
        """
        with self._telling():
            self._call("reloadConfig")
        if name in {program.name for program in self.programs()}:
            self.stop(name)
            with self._telling():
                self._unless("removeProcessGroup", name, fault=BAD_NAME)

    def tail(self, name: str, lines: int) -> list[str]:
        """The last lines of a program's log, safe to be shown; none where it has not written any.

        The file is read here, since supervisord's answers cannot carry control characters.

        Raises:
            UnknownProgramError: there is no such program.
            ServiceError: supervisord does not answer.
        """
        return last_lines(Path(self.program(name).log_file), lines)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what goes wrong on the way into a ServiceError."""
        try:
            yield
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise ServiceError(
                f"supervisord does not answer on {self._socket}: {error}", f"{self._installation.dir}/bin/dkm start"
            ) from error

    def _unless(self, method: str, name: str, *, fault: int) -> None:
        """Call, and take one fault for done."""
        try:
            self._call(method, name)
        except xmlrpc.client.Fault as told:
            if told.faultCode != fault:
                raise

    def _change(self, method: str, name: str, *, but: int) -> None:
        with self._telling():
            try:
                self._call(method, name, timeout_seconds=CHANGE_SECONDS)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode == but:
                    return
                act = method.removesuffix("Process")
                log = self._installation.run / f"{name}.log"
                raise ServiceError(f"cannot {act} {name}: {fault.faultString}", f"Read {log}") from fault

    def _call(self, method: str, *arguments: str, timeout_seconds: float | None = None) -> Any:
        transport = _SocketTransport(str(self._socket), timeout_seconds or self._answer_seconds)
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)  # the socket is what is used
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()


def last_lines(path: Path, lines: int) -> list[str]:
    """The last lines of a log, at most :data:`TAIL_BYTES` of it, with what a terminal would obey made visible."""
    try:
        with path.open("rb") as log:
            size_bytes = log.seek(0, os.SEEK_END)
            log.seek(max(0, size_bytes - TAIL_BYTES))
            text = log.read(TAIL_BYTES)
    except OSError:  # not written yet, or just being rotated
        return []
    found = text.splitlines()
    if size_bytes > TAIL_BYTES:
        found = found[1:]  # it was cut somewhere
    return [printable(os.fsdecode(line).replace("\t", "    ")) for line in found[-lines:]]


class _SocketTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket, with a deadline on each step, which supervisor's own transport lacks."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_seconds = timeout_seconds

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """A connection to the socket, whatever the host's name."""
        del host
        connection = _SocketConnection("localhost", timeout=self._timeout_seconds)
        connection.path = self._path
        self._connection = "localhost", connection  # Transport.close() ends it
        return connection


class _SocketConnection(http.client.HTTPConnection):
    path = ""

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)
