"""Which of the wanted TCP sockets cannot be opened, and who has them; nothing here writes."""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from installer.address import ALL_ADDRESSES
from installer.installation import Socket

_LISTEN_STATE = "0A"
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True)
class Occupied:
    """A socket that cannot be opened.

    Attributes:
        owner: the process that has the port, such as ``python3 (pid 123: python3 -m http.server)``; empty if unknown.
        no_such_address: the address is not one of this machine's.
    """

    socket: Socket
    owner: str
    no_such_address: bool


def occupied(sockets: Iterable[Socket]) -> tuple[Occupied, ...]:
    """Those of the sockets that cannot be opened now, and who has them."""
    found = []
    for wanted in sockets:
        try:
            _listen(wanted.address, wanted.port)
        except PermissionError:
            continue  # a privileged port: the checks compare it with the account
        except OSError as error:
            no_such_address = error.errno in _NO_SUCH_ADDRESS
            found.append(Occupied(wanted, "" if no_such_address else port_owner(wanted.port), no_such_address))
    return tuple(found)


def _listen(address: str, port: int) -> None:
    """Listen for a moment, as the programs do: one that listens on all addresses does so for IPv4 and IPv6 at once."""
    everywhere = address in {ALL_ADDRESSES, "::"}
    family = socket.AF_INET6 if everywhere or ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what waits to be closed is no hindrance
            if everywhere:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind(("::" if everywhere else address, port))
            probe.listen(1)
    except OSError as error:
        if not (address == ALL_ADDRESSES and error.errno in _NO_SUCH_ADDRESS):
            raise
        with socket.create_server((address, port)):  # a kernel without IPv6
            pass


def port_owner(port: int) -> str:
    """The process that listens on a TCP port, as far as /proc shows it to this caller (proc(5)); else empty."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == _LISTEN_STATE and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _has_open(process, inodes):
            return _describe(process)
    return ""


def _has_open(process: Path, inodes: set[str]) -> bool:
    try:
        return any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir())
    except OSError:
        return False


def _describe(process: Path) -> str:
    try:
        name = (process / "comm").read_text(errors="replace").strip()
        line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return f"pid {process.name}"
    shown = "".join(
        character if character.isprintable() else "?" for character in f"{name} (pid {process.name}: {line}"
    )
    return shown[:120] + ")"
