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
from installer.render import make_context, render_one

LIBEXEC = "libexec"
SCANNER = boot.GRANTED_SCANNER
ACTS = "acts"
_UNITS = ("service", "timer")
_SECONDS = 60
_CAP_DAC_READ_SEARCH = 2  # linux/capability.h
_VFS_CAP_REVISION_2, _VFS_CAP_FLAGS_EFFECTIVE = 0x02000000, 0x000001
_CAPABILITY = struct.pack("<IIIII", _VFS_CAP_REVISION_2 | _VFS_CAP_FLAGS_EFFECTIVE, 1 << _CAP_DAC_READ_SEARCH, 0, 0, 0)


def grant_scan(directory: Path, installation: Installation) -> Path:
    """Lay a copy of the scanner that may read everything, and that only the account's group may run; its path.

    It is a copy so that an update leaves the right where it is; :func:`renew_scan` exchanges the copy then.

    Raises:
        InstallError: DIR is not root's, the caller is not root, or the file system keeps no capabilities.
    """
    _check(directory)
    account = machine.account(installation.user)
    if account is None:
        raise MachineError(f"there is no account {installation.user} any more", "Create it again")
    source = directory / "lib/bin/dkm-scan"
    if not source.is_file():
        raise DirectoryError(f"there is no {source}", "Update to a release that has it")
    if not (directory / LIBEXEC).is_dir():
        apply.make_folder(directory / LIBEXEC, 0o755, Owner(0, 0))
    path = directory / SCANNER
    staged = path.with_name(f".dkm-scan.{apply.token()}")
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
    apply.unlink(directory / SCANNER)
    apply.remove_if_empty(directory / LIBEXEC)
    return directory / SCANNER


def renew_scan(directory: Path, installation: Installation) -> None:
    """After an update: exchange the copy, if there is one, for the release's own scanner."""
    if (directory / SCANNER).is_file():
        grant_scan(directory, installation)


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
    account = machine.account(installation.user)
    if account is None:
        raise MachineError(f"there is no account {installation.user} any more", "Create it again")
    if not (directory / ACTS).is_dir():
        apply.make_folder(directory / ACTS, 0o750, Owner(0, account.gid))


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
