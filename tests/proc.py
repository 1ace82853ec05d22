"""What the kernel says of processes: their descendants, their sockets, their memory. Independent of the product."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

TCP_LISTEN = "0A"
UNIX_ACCEPTING = 0x10000  # __SO_ACCEPTCON of linux/net.h


def descendants(pid: int) -> dict[int, str]:
    """The process and all below it: command name by process id."""
    names, below = _family()
    found, waiting = {}, [pid]
    while waiting:
        one = waiting.pop()
        if one in names:
            found[one] = names[one]
            waiting += below.get(one, [])
    return found


def children(pid: int) -> set[int]:
    """The processes that it is the parent of."""
    return set(_family()[1].get(pid, []))


def _family() -> tuple[dict[int, str], dict[int, list[int]]]:
    """All processes: command name by process id, and the children of each."""
    names: dict[int, str] = {}
    below: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(errors="replace")
        except OSError:
            continue
        name, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
        names[int(folder.name)] = name
        below.setdefault(int(rest[1]), []).append(int(folder.name))
    return names, below


def listening(pids: list[int]) -> set[str]:
    """Sockets on which these processes take connections or datagrams: "tcp 127.0.0.1:2003", "unix /path"."""
    inodes = {inode for pid in pids for inode in _socket_inodes(pid)}
    found = set()
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes and (protocol.startswith("udp") or words[3] == TCP_LISTEN):
                found.add(f"{protocol} {_address(words[1])}")
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        if words[6] in inodes and int(words[3], 16) & UNIX_ACCEPTING:
            found.add(f"unix {' '.join(words[7:])}")
    return found


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


def _address(text: str) -> str:
    host, port = text.split(":")
    words = struct.pack(f"={len(host) // 8}I", *(int(host[i : i + 8], 16) for i in range(0, len(host), 8)))
    family = socket.AF_INET if len(words) == 4 else socket.AF_INET6
    return f"{socket.inet_ntop(family, words)}:{int(port, 16)}"


def pss_bytes(pid: int) -> int:
    """Proportional set size: shared pages counted by share (proc(5), smaps_rollup)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no Pss of process {pid}")
