"""Who is logged in: from utmp(5), or from systemd's session files where a machine keeps no utmp any more."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from collectors.host.proc import Proc

_RECORD = struct.Struct("hi32s4s32s256shhiii4i20s")  # struct utmp of glibc on 64-bit Linux: 384 bytes
_USER_PROCESS = 7


class Login(NamedTuple):
    """One record of a user's session."""

    pid: int
    user: str


def parse_utmp(data: bytes) -> Iterator[Login]:
    """The users' sessions in utmp; a torn record at the end is left out."""
    whole = len(data) - len(data) % _RECORD.size
    for kind, pid, _, _, user, *_ in _RECORD.iter_unpack(data[:whole]):
        if kind == _USER_PROCESS:
            yield Login(pid, os.fsdecode(user.partition(b"\0")[0]))


def parse_session(text: str) -> str | None:
    """The user of a file in /run/systemd/sessions, or None where the session is no person's or is closing."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if values.get("CLASS") != "user" or values.get("STATE") == "closing":
        return None
    return values.get("USER")


def logged_in_users(root: Path, proc: Proc) -> int | None:
    """How many different users are logged in, or None where nothing on this machine says.

    Args:
        root: the root of the file system.
        proc: a record whose process is gone does not count.
    """
    try:
        logins = parse_utmp((root / "run/utmp").read_bytes())
        return len({login.user for login in logins if proc.exists(login.pid)})
    except OSError:
        pass
    try:
        files = list((root / "run/systemd/sessions").iterdir())
    except OSError:
        return None
    return len({_session_user(file) for file in files} - {None})


def _session_user(file: Path) -> str | None:
    try:
        return parse_session(file.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:  # ended meanwhile, or a FIFO beside the session that is not ours to read
        return None
