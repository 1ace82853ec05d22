"""What stands against installing here: facts and wishes in, problems out, all of them at once. Pure."""

import stat
from collections.abc import Sequence

from installer.errors import DirectoryError, InstallError, MachineError, UsageError
from installer.machine import Account, Ancestor, DirectoryState, Facts
from installer.options import Options
from installer.ports import Occupied
from installer.release import Release

MIN_GLIBC = (2, 17)
MIN_COLLECTD = (5, 5)
# Room for the first metrics, the logs, and the next update's configuration.
RESERVE_BYTES = 256 << 20
RESERVE_FILES = 2000


def problems(options: Options, release: Release, facts: Facts) -> list[InstallError]:
    """All that stands against a new installation."""
    return [
        *_glibc_problems(facts),
        *_account_problems(options, facts),
        *_directory_problems(options, facts),
        *_above_problems(options, facts),
        *room_problems(release, facts.free_bytes, facts.free_files),
        *privileged_port_problems(options, facts),
        *_collectd_problems(options, facts),
    ]


def room_problems(release: Release, free_bytes: int, free_files: int | None) -> list[InstallError]:
    """Whether the release and what follows it have room."""
    found: list[InstallError] = []
    needed_bytes = release.size_bytes + RESERVE_BYTES
    if free_bytes < needed_bytes:
        found.append(
            MachineError(
                f"there is too little room: {needed_bytes >> 20} MiB are needed and {free_bytes >> 20} MiB are free",
                "Free some room, or choose a DIR on another file system",
            )
        )
    needed_files = len(release.entries) + RESERVE_FILES
    if free_files is not None and free_files < needed_files:
        found.append(
            MachineError(
                f"the file system has room for {free_files} more files and {needed_files} are needed",
                "Delete some files, or choose a DIR on another file system",
            )
        )
    return found


def above_problems(ancestors: tuple[Ancestor, ...], caller_uid: int) -> list[InstallError]:
    """Who, besides the caller and root, could replace DIR by another: root must not run what others can exchange.

    A folder with the sticky bit, such as /tmp, lets nobody rename what belongs to someone else.
    """
    found: list[InstallError] = []
    for above in ancestors:
        others_write = above.mode & (stat.S_IWGRP | stat.S_IWOTH) and not above.mode & stat.S_ISVTX
        if caller_uid == 0 and (above.uid != 0 or others_write):
            who = f"user {above.uid}" if above.uid != 0 else "others than root"
            found.append(
                DirectoryError(
                    f"{who} can write in {above.path} and so replace DIR by programs that root would then run",
                    "Choose a DIR in folders that belong to root alone, such as /opt, or install as an ordinary user",
                )
            )
    return found


def _glibc_problems(facts: Facts) -> list[InstallError]:
    if facts.glibc is not None and facts.glibc >= MIN_GLIBC:
        return []
    have = "another C library" if facts.glibc is None else f"glibc {'.'.join(map(str, facts.glibc))}"
    return [
        MachineError(f"glibc 2.17 or newer is needed and this machine has {have}", "Use a machine with a newer system")
    ]


def _account_problems(options: Options, facts: Facts) -> list[InstallError]:
    if facts.account is None:
        return [
            MachineError(f"there is no account {options.user!r} on this machine", "Create it, or name another --user")
        ]
    if facts.caller_uid == 0 and options.user is None and not options.as_root:
        return [
            UsageError(
                "root is installing, and nothing says who shall run the programs",
                "Add --user NAME (an ordinary account, the safe choice), or --as-root, or install as an ordinary user",
            )
        ]
    if facts.caller_uid == 0 and facts.account.uid == 0 and not options.as_root:
        return [UsageError(f"--user {options.user} is root", "Say --as-root where the programs shall run as root")]
    if facts.caller_uid != 0 and options.as_root:
        return [UsageError("--as-root is for root alone", "Leave it out: the programs will run as you")]
    if facts.caller_uid not in {0, facts.account.uid}:
        return [UsageError(f"only root can install for {facts.account.name}", "Leave --user out, or install as root")]
    return []


def _directory_problems(options: Options, facts: Facts) -> list[InstallError]:
    if not facts.ancestors:
        return []  # the root folder: the layout refuses it
    directory = options.directory
    what, do = {
        DirectoryState.ABSENT: ("", ""),
        DirectoryState.EMPTY: ("", ""),
        DirectoryState.INSTALLED: (
            f"{directory} holds an installation already",
            f"Update it: installer -d '{directory}' --update",
        ),
        DirectoryState.UNINSTALLING: (
            f"{directory} was left by an uninstall that was interrupted",
            f"Finish it first: '{directory}/bin/dkmadmin' uninstall",
        ),
        DirectoryState.LEFT_BY_UNINSTALL: (
            f"{directory} holds what an earlier uninstall kept",
            "Rename it, install, and move its storage/ and conf/secrets/ into the new DIR before the first start",
        ),
        DirectoryState.FOREIGN: (
            f"{directory} is not empty and is no installation of ours",
            f"Choose another DIR, such as '{directory}/dkumonitor'",
        ),
        DirectoryState.NO_DIRECTORY: (f"{directory} or something above it is no directory", "Choose another DIR"),
        DirectoryState.CLOSED: (
            f"you may not pass through {facts.closed or directory}",
            "Choose a DIR in a folder that belongs to you, or have its owner let you pass",
        ),
    }[facts.directory]
    found: list[InstallError] = [DirectoryError(what, do)] if what else []
    if not what and not facts.nearest_writable:
        found.append(
            DirectoryError(
                f"you may not write in {facts.ancestors[-1].path}, where DIR is made under another name first",
                "Choose a DIR in a folder that belongs to you",
            )
        )
    return found


def _above_problems(options: Options, facts: Facts) -> list[InstallError]:
    found = above_problems(facts.ancestors, facts.caller_uid)
    if facts.account is None or facts.account.uid == facts.caller_uid:
        return found
    closed = next((above for above in facts.ancestors if not _may_pass(facts.account, above)), None)
    if closed:
        found.append(
            DirectoryError(
                f"{facts.account.name} may not pass through {closed.path} to reach {options.directory}",
                f"Choose another DIR, or let it pass: chmod a+x '{closed.path}'",
            )
        )
    return found


def _may_pass(account: Account, above: Ancestor) -> bool:
    if account.uid in {0, above.uid}:
        return account.uid == 0 or bool(above.mode & stat.S_IXUSR)
    return bool(above.mode & (stat.S_IXGRP if above.gid in account.groups else stat.S_IXOTH))


def port_problems(occupied: Sequence[Occupied]) -> list[InstallError]:
    """Sockets that cannot be opened, each with its owner."""
    found: list[InstallError] = []
    for taken in occupied:
        wanted = taken.socket
        if taken.no_such_address:
            found.append(
                MachineError(
                    f"{wanted.address} for {wanted.purpose} is not an address of this machine",
                    "Choose one that `ip address` shows, or 0.0.0.0 for all",
                )
            )
            continue
        owner = taken.owner or "a process that only root can see"
        found.append(
            MachineError(
                f"port {wanted.port} ({wanted.purpose}) on {wanted.address} is in use by {owner}",
                "Choose another -p PORT, or end that process",
            )
        )
    return found


def privileged_port_problems(options: Options, facts: Facts) -> list[InstallError]:
    """Ports that the account may not listen on."""
    first = facts.unprivileged_port
    if options.port is None or facts.account is None or facts.account.uid == 0 or options.port >= first:
        return []
    return [
        MachineError(
            f"{facts.account.name} may not listen on port {options.port}: those below {first} are root's",
            f"Choose -p {first} or above",
        )
    ]


def _collectd_problems(options: Options, facts: Facts) -> list[InstallError]:
    if not options.system_collectd:
        return []
    if facts.collectd is None:
        return [
            MachineError(
                "--system-collectd: there is no collectd on PATH that runs",
                "Install collectd, or leave the option out and use the bundled one",
            )
        ]
    path, version = facts.collectd
    if version < MIN_COLLECTD:
        return [
            MachineError(
                f"--system-collectd: {path} is version {'.'.join(map(str, version))}; 5.5 or newer is needed",
                "Update collectd, or leave the option out and use the bundled one",
            )
        ]
    return []
