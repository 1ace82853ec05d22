"""The file with the first admin's password: there until the password is another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkumonitor.accounts.accounts import FIRST_ADMIN

if TYPE_CHECKING:
    from pathlib import Path

    from dkumonitor.installation import Installation

SECRET = "admin_password"  # noqa: S105  the name of a file


def remove_stale(installation: Installation, login: str, password: str) -> Path | None:
    """Remove the file after an account got a password, where it is the first admin's and says another.

    Grafana reads the file whenever it starts, and does not start without: where there is Grafana, the file stays.

    Returns:
        The file, where it says something wrong and is still there (for Grafana, or as its folder belongs to root).
    """
    path = installation.secret(SECRET)
    try:
        if login != FIRST_ADMIN or path.read_text(encoding="utf-8").strip() == password:
            return None
        if installation.grafana:
            return path
        path.unlink()
    except FileNotFoundError:
        return None
    except OSError:
        return path
    return None
