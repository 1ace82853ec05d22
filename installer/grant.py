"""Rights for two programs of DIR's, and no more of them: to read everything (dkm-scan), to act on files (dkm-act).

Only where DIR is root's. docs/disk-acts.md says what either can do.
"""

import json
import os
import stat
import struct
import subprocess
from pathlib import Path

from installer import apply, boot, checks, machine
from installer.apply import Owner
from installer.errors import DirectoryError, InstallError, MachineError, Refusal
from installer.installation import Installation
from installer.manifest import file_sha256
from installer.render import make_context, render_one

LIBEXEC = "libexec"
SCANNER = boot.GRANTED_SCANNER
ACTS = "acts"
_STAGED = ".dkm-scan."
_GROUPS_OF_MANY = frozenset({"nogroup", "nobody", "users"})  # daemons and people get them without being listed
_UNITS = ("service", "timer")
_SECONDS = 60
_CAP_DAC_READ_SEARCH = 2  # linux/capability.h
_VFS_CAP_REVISION_2, _VFS_CAP_FLAGS_EFFECTIVE = 0x02000000, 0x000001
_CAPABILITY = struct.pack("<IIIII", _VFS_CAP_REVISION_2 | _VFS_CAP_FLAGS_EFFECTIVE, 1 << _CAP_DAC_READ_SEARCH, 0, 0, 0)


def grant_scan(directory: Path, installation: Installation, *, any_group: bool = False) -> Path:
    """Lay a copy of the scanner that may read everything, and that only the account's group may run; its path.

    It is a copy so that an update leaves the right where it is; :func:`renew_scan` exchanges the copy then.

    Args:
        directory: DIR.
        installation: the one there.
        any_group: whether others may be in that group.

    Raises:
        InstallError: DIR is not root's, the caller is not root, others have the account's group, or the file system
            keeps no capabilities.
    """
    _check(directory)
    account = _account(installation)
    if not any_group:
        _check_group(account)
    return _lay_scanner(directory, account)


def _lay_scanner(directory: Path, account: machine.Account) -> Path:
    source = directory / "lib/bin/dkm-scan"
    if not source.is_file():
        raise DirectoryError(f"there is no {source}", "Update to a release that has it")
    if not (directory / LIBEXEC).is_dir():
        apply.make_folder(directory / LIBEXEC, 0o755, Owner(0, 0))
    remove_left_over(directory)
    path = directory / SCANNER
    staged = path.with_name(f"{_STAGED}{apply.token()}")
    apply.write_file(staged, source.read_bytes(), 0o750, Owner(0, account.gid))
    try:
        os.setxattr(staged, "security.capability", _CAPABILITY)
    except OSError as error:
        apply.unlink(staged)
        what = f"{directory} lies on a file system that keeps no capabilities: {error.strerror}"
        raise MachineError(what, "Choose a DIR on another file system, or let root scan") from None
    apply.move(staged, path)
    return path


def revoke_scan(directory: Path) -> Path:
    """Remove that copy; its path.

    Raises:
        InstallError: DIR is not root's, or the caller is not root.
    """
    _check(directory)
    remove_scan(directory)
    return directory / SCANNER


def remove_scan(directory: Path) -> None:
    """Remove that copy, and what was left of others."""
    remove_left_over(directory)
    apply.unlink(directory / SCANNER)
    apply.remove_if_empty(directory / LIBEXEC)


def remove_left_over(directory: Path) -> None:
    """Remove the copies that were not through: they may have their right already."""
    for path in (directory / LIBEXEC).glob(f"{_STAGED}*"):
        apply.unlink(path)


def renew_scan(directory: Path, account: machine.Account) -> str:
    """Exchange the copy, if there is one, for the release's own scanner; a warning where that fails, or nothing."""
    granted = directory / SCANNER
    if not granted.is_file() or file_sha256(granted) == file_sha256(directory / "lib/bin/dkm-scan"):
        return ""
    try:
        _check(directory)
        _lay_scanner(directory, account)
    except InstallError as error:
        return f"{granted} is still the old release's: {error}. "
    return ""


def render_units(directory: Path, installation: Installation, templates: Path, name: str | None) -> dict[str, str]:
    """The texts of the units that have root act, by their names.

    Raises:
        InstallError: the policy names no tree yet, or the caller may not read it.
    """
    trees = _trees(directory)
    names = {kind: unit_name(name, kind) for kind in _UNITS}
    in_tmp = any(tree.startswith(("/tmp/", "/var/tmp/")) for tree in (*trees, f"{directory}/"))  # noqa: S108  compared
    context = make_context(installation, directory)
    context = {**context, "trees": trees, "hides_tmp": not in_tmp, "service": names["service"]}
    return {unit: render_one(templates, f"systemd/dkumonitor-act.{kind}", context) for kind, unit in names.items()}


def unit_name(name: str | None, kind: str) -> str:
    """The file name of a unit: ``dkumonitor-act.service``, ``dkumonitor-act.NAME.timer``.

    Raises:
        UsageError: the name cannot be part of it.
    """
    return boot.unit_name(name).replace("dkumonitor", "dkumonitor-act", 1).removesuffix("service") + kind


def grant_act(directory: Path, installation: Installation, templates: Path, name: str | None) -> list[Path]:
    """Write the units and start the timer; their paths.

    Raises:
        InstallError: DIR is not root's, the caller is not root, this machine has no systemd, or a unit is another's.
    """
    _check(directory)
    if not boot.RUNNING_SYSTEMD.is_dir():
        cron = f"* * * * * '{directory}/bin/dkm-act' serve"
        raise MachineError("this machine is not run by systemd", f"Let root's cron do it: {cron}")
    texts = render_units(directory, installation, templates, name)
    make_answers(directory, installation)
    for unit, text in texts.items():
        boot.write_unit(unit, text, f" {directory} ")
    boot.systemctl("daemon-reload")
    boot.systemctl("enable", "--now", unit_name(name, "timer"))
    return [boot.UNITS / unit for unit in texts]


def revoke_act(directory: Path, name: str | None) -> list[Path]:
    """Stop the timer and remove the units; their paths.

    Raises:
        InstallError: DIR is not root's, the caller is not root, or there are no such units.
    """
    _check(directory)
    paths = [boot.UNITS / unit_name(name, kind) for kind in _UNITS]
    if not all(path.is_file() for path in paths):
        raise DirectoryError(f"there is no unit {paths[0]}", f"See which there are: ls {boot.UNITS}/dkumonitor-act*")
    boot.systemctl("disable", "--now", paths[1].name)
    for path in paths:
        apply.unlink(path)
    boot.systemctl("daemon-reload")
    return paths


def make_answers(directory: Path, installation: Installation) -> None:
    """Make the folder in which root answers, and which the account's group may read."""
    account = _account(installation)
    if not (directory / ACTS).is_dir():
        apply.make_folder(directory / ACTS, 0o750, Owner(0, account.gid))


def _account(installation: Installation) -> machine.Account:
    account = machine.account(installation.user)
    if account is None:
        raise MachineError(f"there is no account {installation.user} any more", "Create it again")
    return account


def _check_group(account: machine.Account) -> None:
    group, others = machine.group_name(account.gid), machine.others_in_group(account)
    if group in _GROUPS_OF_MANY:
        others = ("whoever has no other", *others)
    if others:
        shown = ", ".join(others[:5]) + (" and others" if len(others) > 5 else "")  # noqa: PLR2004  what a line holds
        raise MachineError(
            f"{account.name} shares its group {group} with {shown}, who could then list every file, too",
            f"Give {account.name} a group of its own, and install with it, or add --any-group",
        )


def _check(directory: Path) -> None:
    status = directory.stat()
    if status.st_uid != 0:
        owner = machine.account_name(status.st_uid)
        raise DirectoryError(
            f"{directory} belongs to {owner}, who may do with his own files what he wants without this",
            "Install as root, with --user NAME, to have the files of others scanned and acted on",
        )
    if apply.caller().uid != 0:
        raise MachineError("only root can give rights", f"sudo '{directory}/bin/dkmadmin' ...")
    unsafe = checks.above_problems(machine.ancestors(directory), 0)
    if unsafe:
        raise Refusal(unsafe)
    if directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DirectoryError(f"others than root may write in {directory}", f"chmod go-w '{directory}'")


def _trees(directory: Path) -> list[str]:
    """The trees and relocation paths of the policy, as dkm-act itself reads it."""
    try:
        said = subprocess.run(
            [directory / "bin/dkm-act", "check", "--json"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"dkm-act did not work: {error}", f"See: '{directory}/bin/dkm-act' check") from None
    if said.returncode != 0:
        raise InstallError(said.stderr.strip().removeprefix("dkm-act: "), f"See: '{directory}/bin/dkm-act' check")
    trees = json.loads(said.stdout)["tree"]
    if not trees:
        raise DirectoryError(
            f"{directory}/conf/disk-acts.toml names no tree yet", "Write a [[tree]] there, and call this again"
        )
    found = [path for tree in trees for path in (tree["path"], tree["relocation"]) if path]
    odd = [path for path in found if set(path) & set("\"'\\%$\n")]
    if odd:
        raise DirectoryError(f"a unit of systemd cannot hold the path {odd[0]!r}", "Let cron call `dkm-act serve`")
    return list(dict.fromkeys(found))
