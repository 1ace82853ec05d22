"""Facts about the machine, read once before anything is decided; nothing here writes."""

import errno
import grp
import os
import platform
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from installer.installation import RELATIVE_PATH

_RESOLVER_SECONDS = 3.0
_COLLECTD_SECONDS = 10.0


class DirectoryState(Enum):
    """What is at DIR."""

    ABSENT = "absent"
    EMPTY = "empty"
    INSTALLED = "installed"
    UNINSTALLING = "uninstalling"
    LEFT_BY_UNINSTALL = "left by uninstall"
    FOREIGN = "foreign"
    NO_DIRECTORY = "no directory"
    CLOSED = "closed"


@dataclass(frozen=True)
class Account:
    """An account of this machine."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int]


@dataclass(frozen=True)
class Ancestor:
    """A folder above DIR."""

    path: Path
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True)
class Facts:
    """What the checks need to know.

    Attributes:
        glibc: its version, or None where the C library is another.
        account: the account that the programs will run as, or None where ``--user`` names none.
        closed: the folder that keeps the caller from DIR, or DIR itself where the caller may not look into it.
        ancestors: the folders above DIR that exist, as far as the caller sees, the root first; none above the root.
        nearest_writable: whether the caller may create an entry beside DIR.
        free_bytes: room for the caller on DIR's file system.
        free_files: how many files may still be made there; None where the file system has no such limit.
        collectd: the machine's own collectd on PATH and its version, where it was asked for and found.
        unprivileged_port: the first port that an ordinary account may listen on.
    """

    caller_uid: int
    account: Account | None
    glibc: tuple[int, ...] | None
    hostname: str
    directory: DirectoryState
    closed: Path | None
    ancestors: tuple[Ancestor, ...]
    nearest_writable: bool
    free_bytes: int
    free_files: int | None
    collectd: tuple[Path, tuple[int, ...]] | None
    unprivileged_port: int


def account(name: str | None) -> Account | None:
    """The account of that name or number, the caller's for None; None where there is no such account."""
    wanted = str(os.geteuid()) if name is None else name
    try:
        entry = pwd.getpwnam(wanted)
    except KeyError:
        return _account_of_number(int(wanted)) if wanted.isascii() and wanted.isdigit() else None
    return _account_of(entry)


def _account_of_number(uid: int) -> Account | None:
    try:
        return _account_of(pwd.getpwuid(uid))
    except (KeyError, OverflowError):
        if uid != os.geteuid():
            return None
        # A container may run as a number that has no name.
        return Account(str(uid), uid, os.getegid(), frozenset(os.getgroups()))


def _account_of(entry: pwd.struct_passwd) -> Account:
    groups = {entry.pw_gid} | {group.gr_gid for group in grp.getgrall() if entry.pw_name in group.gr_mem}
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, frozenset(groups))


def account_name(uid: int) -> str:
    """An account's name, or a text with its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def others_in_group(account: Account) -> tuple[str, ...]:
    """Who else has an account's group, as far as this machine lists them; root does not count."""
    try:
        members = set(grp.getgrgid(account.gid).gr_mem)
    except KeyError:
        members = set()
    members |= {
        entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == account.gid and entry.pw_uid != account.uid
    }
    return tuple(sorted(members - {account.name, account_name(0)}))


def group_name(gid: int) -> str:
    """A group's name, or its number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def hostname() -> str:
    """The full host name, or the short one where the resolver does not answer within 3 seconds."""
    short = socket.gethostname()
    if "." in short:
        return short
    answers: list[str] = []
    asker = threading.Thread(target=lambda: answers.append(socket.getfqdn(short)), daemon=True)
    asker.start()
    asker.join(_RESOLVER_SECONDS)
    full = answers[0] if answers else short
    return short if full.startswith("localhost") or full.replace(".", "").isdigit() or ":" in full else full


def glibc_version() -> tuple[int, ...] | None:
    """The version of the running glibc, or None where the C library is another."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return None
    return _version(text)


def system_collectd() -> tuple[Path, tuple[int, ...]] | None:
    """The collectd on PATH, links kept, and its version; None where there is none that runs."""
    found = shutil.which("collectd")
    if not found:
        return None
    try:
        said = subprocess.run(
            [found, "-h"],
            capture_output=True,
            text=True,
            timeout=_COLLECTD_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"collectd (\d+(?:\.\d+)+)", said.stdout + said.stderr)
    return (Path(found).absolute(), _version(match.group()) or ()) if match else None


def directory_state(directory: Path) -> DirectoryState:
    """What is at DIR."""
    try:
        names = {path.name for path in directory.iterdir()}
    except OSError as error:
        states = {
            errno.ENOENT: DirectoryState.ABSENT,
            errno.ENOTDIR: DirectoryState.NO_DIRECTORY,
            errno.EACCES: DirectoryState.CLOSED,
        }
        return states.get(error.errno or 0, DirectoryState.FOREIGN)
    if not names:
        return DirectoryState.EMPTY
    if not _may(directory, os.X_OK):
        return DirectoryState.CLOSED
    if (directory / RELATIVE_PATH).is_file():
        return DirectoryState.INSTALLED
    if (directory / "conf/uninstalling.json").is_file():
        return DirectoryState.UNINSTALLING
    return DirectoryState.LEFT_BY_UNINSTALL if names <= {"storage", "conf", "run"} else DirectoryState.FOREIGN


def closed_folder(directory: Path) -> Path | None:
    """The first folder on the way that the caller may not pass, or DIR where the caller may not look into it."""
    for path in reversed(directory.parents):
        if path.is_dir() and not _may(path, os.X_OK):
            return path
    return directory if directory.is_dir() and not _may(directory, os.R_OK | os.X_OK) else None


def ancestors(directory: Path) -> tuple[Ancestor, ...]:
    """The folders above DIR that exist, as far as the caller sees, the root first."""
    found = []
    for path in reversed(directory.parents):
        try:
            status = path.stat()
        except OSError:
            break
        found.append(Ancestor(path, status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)))
    return tuple(found)


def room(directory: Path) -> tuple[int, int | None]:
    """Free bytes, and free files or None without such a limit, on the file system that DIR is or will be on."""
    nearest = next(path for path in (directory, *directory.parents) if _may(path, os.F_OK))
    status = os.statvfs(nearest)
    return status.f_bavail * status.f_frsize, status.f_favail if status.f_files else None


def look(directory: Path, *, account_name: str | None, wants_collectd: bool, name: str | None) -> Facts:
    """Read the facts.

    Args:
        directory: DIR, absolute.
        account_name: what ``--user`` names; None means the caller.
        wants_collectd: whether the machine's own collectd is asked for.
        name: what ``--hostname`` says; None means the machine's own.
    """
    above = ancestors(directory)
    free_bytes, free_files = room(directory)
    return Facts(
        caller_uid=os.geteuid(),
        account=account(account_name),
        glibc=glibc_version(),
        hostname=name or hostname(),
        directory=directory_state(directory),
        closed=closed_folder(directory),
        ancestors=above,
        nearest_writable=bool(above) and _may(above[-1].path, os.W_OK | os.X_OK),
        free_bytes=free_bytes,
        free_files=free_files,
        collectd=system_collectd() if wants_collectd else None,
        unprivileged_port=_unprivileged_port(),
    )


def describe() -> str:
    """One line about the machine for install.log."""
    return f"{platform.system()} {platform.release()} {platform.machine()}, Python {sys.version.split()[0]}"


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)


def _version(text: str) -> tuple[int, ...] | None:
    match = re.search(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else None


def _unprivileged_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1024
