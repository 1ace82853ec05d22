"""A systemd unit that starts the installation at boot."""

import re
import subprocess
from pathlib import Path
from typing import Any

from installer import apply, checks, machine
from installer.apply import Owner
from installer.errors import DirectoryError, InstallError, MachineError, Refusal, UsageError
from installer.installation import Installation
from installer.render import make_context, render_one

UNITS = Path("/etc/systemd/system")
GRANTED_SCANNER = "libexec/dkm-scan"  # see installer.grant
RUNNING_SYSTEMD = Path("/run/systemd/system")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SECONDS = 60


def unit_name(name: str | None) -> str:
    """The unit's file name.

    Raises:
        UsageError: the name cannot be part of it.
    """
    if name is not None and not _NAME.match(name):
        raise UsageError(f"--name {name!r} cannot be part of a unit's name", "Use letters, digits, - and _")
    return f"dkumonitor.{name}.service" if name else "dkumonitor.service"


def render_unit(directory: Path, installation: Installation, templates: Path) -> str:
    """The unit's text, which gives root's rights to nothing that somebody else could exchange.

    The paths of DIR hold no character but the space that systemd.syntax(7) gives a meaning to.
    """
    context: dict[str, Any] = make_context(installation, directory)
    account = machine.account(installation.user)
    if account is None:
        raise MachineError(f"there is no account {installation.user} any more", "Create it again")
    of_root = directory.stat().st_uid == 0 and not checks.above_problems(machine.ancestors(directory), 0)
    scans = account.uid != 0 and (directory / GRANTED_SCANNER).is_file()
    rights = {"as_root": account.uid == 0, "of_root": of_root, "scans": scans}
    return render_one(templates, "systemd/dkumonitor.service", {**context, **rights})


def units_of(directory: Path) -> list[str]:
    """The names of the units that start the installation in ``directory``, or act for it."""
    found = [path for path in UNITS.glob("dkumonitor*.service") if _starts(path, directory)]
    timers = [path.with_suffix(".timer") for path in found if path.with_suffix(".timer").is_file()]
    return sorted(path.name for path in (*found, *timers))


def placing(name: str | None) -> str:
    """What root does with a unit that its user has printed."""
    unit = unit_name(name)
    return (
        f"Save this as {unit}. Root then places it, reads it where it lies, and enables it:\n"
        f"  install -m 644 {unit} {UNITS}/{unit}\n"
        f"  systemctl enable {unit}"
    )


def removing(units: list[str]) -> str:
    """What root does to remove units without calling anything of DIR's."""
    return f"As root: systemctl disable {' '.join(units)} && rm {' '.join(str(UNITS / unit) for unit in units)}"


def install_boot(directory: Path, installation: Installation, templates: Path, name: str | None) -> Path:
    """Write the unit and enable it; returns its path.

    Raises:
        InstallError: this machine has no systemd, DIR is not root's, the caller is not root, or the unit is another
            installation's.
    """
    path = UNITS / unit_name(name)
    print_it = f"As its owner, call '{directory}/bin/dkmadmin' install-boot --print, which says what root then does"
    _check(directory, installation, f"{print_it}; or let cron start it: {_cron(directory, installation)}")
    unsafe = checks.above_problems(machine.ancestors(directory), 0)
    if unsafe:
        raise Refusal(unsafe)
    text = render_unit(directory, installation, templates)
    write_unit(path.name, text, f'"{directory}/bin/dkm" start')
    systemctl("daemon-reload")
    systemctl("enable", path.name)
    return path


def write_unit(name: str, text: str, mark: str) -> None:
    """Write a unit, unless one of that name is there that lacks ``mark`` and so is another installation's.

    Raises:
        DirectoryError: it is.
    """
    path = UNITS / name
    if path.exists() and mark not in path.read_text(encoding="utf-8", errors="replace"):
        raise DirectoryError(f"{path} starts something else", "Add --name NAME")
    staged = path.with_name(f".{path.name}.{apply.token()}")
    apply.write_file(staged, text.encode(), 0o644, Owner(0, 0))
    apply.move(staged, path)


def remove_boot(directory: Path, installation: Installation, name: str | None) -> Path:
    """Disable the unit and remove it; returns its path.

    Raises:
        InstallError: there is no such unit, it is another installation's, or the caller may not.
    """
    path = UNITS / unit_name(name)
    _check(directory, installation, removing([path.name]))
    if not path.exists():
        raise DirectoryError(f"there is no unit {path}", f"See which there are: ls {UNITS}/dkumonitor*")
    _check_ours(path, directory)
    systemctl("disable", path.name)
    apply.unlink(path)
    systemctl("daemon-reload")
    return path


def _cron(directory: Path, installation: Installation) -> str:
    return f"`crontab -e` as {installation.user}, with: @reboot '{directory}/bin/dkm' start"


def _check(directory: Path, installation: Installation, instead: str) -> None:
    """Refuse where systemd is not at work or root must not act; ``instead`` is what to do where DIR is not root's."""
    if not RUNNING_SYSTEMD.is_dir():
        raise MachineError("this machine is not run by systemd", f"Let cron start it: {_cron(directory, installation)}")
    status = directory.stat()
    if status.st_uid != 0:
        owner = machine.account_name(status.st_uid)
        raise DirectoryError(f"{directory} belongs to {owner}, and root must not run what {owner} can change", instead)
    if apply.caller().uid != 0:
        raise MachineError("only root can install a service", f"sudo '{directory}/bin/dkmadmin' install-boot")


def _check_ours(path: Path, directory: Path) -> None:
    if path.exists() and not _starts(path, directory):
        raise DirectoryError(f"{path} starts something else", "Add --name NAME")


def _starts(path: Path, directory: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return f'"{directory}/bin/dkm" start' in text or f'"{directory}/bin/dkm-act" serve' in text


def systemctl(*arguments: str) -> None:
    """Have systemd do something.

    Raises:
        InstallError: it did not.
    """
    try:
        done = subprocess.run(
            ["systemctl", *arguments],  # noqa: S607  systemd's own command, on root's PATH
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"systemctl {' '.join(arguments)} did not work: {error}", "See: systemctl status") from None
    if done.returncode != 0:
        raise InstallError(
            f"systemctl {' '.join(arguments)} did not work: {done.stderr.strip()}", "See: systemctl status"
        )
