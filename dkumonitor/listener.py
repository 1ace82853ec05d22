"""A program's listening socket, which supervisord keeps while the program is started again.

Between the end of a program and its next start, connections then wait in the socket's queue instead of being refused.
supervisord's own way to that, ``[fcgi-program:x]``, closes the socket whenever the program ends, does not start at all
where the port is taken, and knows no IPv6. So the configuration names :func:`keep` as an RPC interface, which is how
supervisord loads what extends it (https://supervisord.org/api.html). ``FastCGISubprocess``, which gives a socket to a
program as its standard input, is supervisord's own.
"""

from __future__ import annotations

import errno
import socket
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104  compared with, and bound where the administrator asked for it
BACKLOG = 128
KEPT_SECONDS = 5.0  # after the program was stopped for good; supervisord looks every 5 seconds


class _Descriptor(Protocol):
    def fileno(self) -> int: ...


def open_listener(address: str, port: int) -> socket.socket:
    """Listen on a TCP port of an IP address; of all IPv4 and IPv6 addresses for ``0.0.0.0`` and ``::``.

    Raises:
        OSError: the port is taken, or the address is none of this machine's.
    """
    if address in ALL_ADDRESSES:
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        except OSError as error:
            if address == "::" or error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                raise  # on a kernel without IPv6, 0.0.0.0 is still there
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)


class Keeper:
    """The socket of one program, in supervisord.

    It is opened when the program is first started, and closed some seconds after it was stopped: a restart is a stop
    and a start.
    """

    def __init__(
        self, address: str, port: int, is_stopped: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep nothing yet.

        Args:
            address: to listen on.
            port: to listen on.
            is_stopped: whether the program neither runs nor will be started by itself.
            clock: seconds.
        """
        self._address, self._port = address, port
        self._is_stopped, self._clock = is_stopped, clock
        self._socket: socket.socket | None = None
        self._stopped_since: float | None = None

    def get_socket(self) -> _Descriptor:
        """What the program gets as its standard input: the socket.

        Where it cannot be opened, it is /dev/null. The program then tries for itself, fails for the same reason, says
        so in its own log, and is started again after a while.
        """
        self._stopped_since = None
        try:
            self._socket = self._socket or open_listener(self._address, self._port)
        except OSError:
            return open("/dev/null", "rb")  # noqa: PTH123  closed with the last reference, as a socket is
        return self._socket

    def look(self, _event: object = None) -> None:
        """Close the socket where the program has been stopped for long enough; called every few seconds."""
        if not self._is_stopped():
            self._stopped_since = None
        elif self._stopped_since is None:
            self._stopped_since = self._clock()
        elif self._clock() - self._stopped_since >= KEPT_SECONDS:
            self.release()

    def release(self, _event: object = None) -> None:
        """Close the socket; a program that runs has its own copy."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Nothing:
    """The RPC interface that supervisord expects to get: it has no methods."""


def keep(supervisord: Any, program: str, address: str, port: str) -> Nothing:
    """Keep a program's socket; supervisord calls this at its start with what stands in the section.

    Args:
        supervisord: supervisor.supervisord.Supervisor.
        program: the name of the program.
        address: to listen on.
        port: to listen on.
    """
    from supervisor import events  # noqa: PLC0415  only supervisord has a use for them
    from supervisor.process import FastCGISubprocess  # noqa: PLC0415
    from supervisor.states import STOPPED_STATES, ProcessStates  # noqa: PLC0415

    group = supervisord.process_groups.get(program)
    if group is None:  # the administrator has taken the program out
        return Nothing()
    process = FastCGISubprocess(group.processes[program].config)
    process.group = group
    group.processes[program] = process

    def is_stopped() -> bool:
        current = supervisord.process_groups.get(program)
        replaced = current is None or current.processes.get(program) is not process  # by `dkm update`
        return replaced or (process.get_state() in STOPPED_STATES and process.get_state() != ProcessStates.EXITED)

    keeper = Keeper(address, int(port), is_stopped)
    group.socket_manager = keeper
    events.subscribe(events.Tick5Event, keeper.look)
    events.subscribe(events.SupervisorStoppingEvent, keeper.release)
    return Nothing()
