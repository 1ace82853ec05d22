"""Grafana's own admin password, set by Grafana's own command."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from dkumonitor.errors import ServiceError

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

_CHANGED = "changed successfully"
_DEADLINE_SECONDS = 120


def set_admin_password(installation: Installation, password: str) -> None:
    """Give Grafana's admin a password; it goes by standard input, never by an argument.

    Raises:
        ServiceError: Grafana's command failed.
    """
    home = installation.lib / "grafana"
    command = [
        str(home / "bin" / "grafana"), "cli", f"--homepath={home}", f"--config={installation.conf}/grafana/grafana.ini",
        "admin", "reset-admin-password", "--password-from-stdin",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            input=password + "\n",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DEADLINE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(str(error)) from error
    if done.returncode or _CHANGED not in done.stdout + done.stderr:
        raise _failed((done.stderr or done.stdout).strip()[-500:])


def _failed(why: str) -> ServiceError:
    return ServiceError(
        f"the console's password is changed, but Grafana's is not: {why}", "See `dkm status`, and run it again"
    )
