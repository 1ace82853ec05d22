"""Whether a secret is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkumonitor.doctor.findings import Finding, failed, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.installation import Installation

OTHERS = 0o077


def secrets(installation: Installation) -> Iterator[Finding]:
    """No one else can read a secret."""
    needed = {"grafana_secret_key": installation.grafana, "tls_key.pem": installation.tls}
    may_be_there = ("admin_password", "database_password", "mail_password")
    names = [name for name, is_needed in needed.items() if is_needed]
    # By name: with --user the folder is root's, and lets its account pass but not look around.
    names += [name for name in may_be_there if installation.secret(name).exists()]
    for name in names:
        path = installation.secret(name)
        mode = path.stat().st_mode & 0o777
        if mode & OTHERS:
            yield failed("secrets", name, f"mode {mode:04o}: others can read it", f"chmod 600 {path}")
        else:
            yield ok("secrets", name, "readable by its owner alone")
