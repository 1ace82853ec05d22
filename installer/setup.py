"""The release's ``dkm setup``, run as the account of the programs: the store's tables and its first admin."""

import os
import subprocess
from pathlib import Path
from typing import Any

from installer.errors import SetupError
from installer.machine import Account

SECONDS = 900  # a migration of large tables takes minutes
_SHOWN_LINES = 12


def run_setup(directory: Path, account: Account) -> None:
    """Make or migrate the store of the installation in ``directory``, which may still have another name than DIR.

    Doing it again changes nothing.

    Raises:
        SetupError: it did not work; the text is what it said.
    """
    python = os.path.join(os.path.realpath(directory / "lib"), "python/bin/python3")  # noqa: PTH118  its real place
    # The kernel ends it with this process: a killed installer leaves nobody at work in what the next one removes.
    launch = [python, "-I", "-B", "-m", "dkumonitor.launch", "--parent-death", "KILL", "--"]
    try:
        done = subprocess.run(
            [*launch, python, "-I", "-B", "-m", "dkm", "setup"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "DKM_DIR": str(directory)},
            umask=0o077,
            start_new_session=True,  # or the account could type into root's terminal
            **_as(account),
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"it did not end within {SECONDS} s", "Is the database server well?") from None
    if done.returncode != 0:
        lines = done.stdout.decode("utf-8", "replace").strip().splitlines()[-_SHOWN_LINES:]
        said = "\n".join(map(_plain, lines)).removeprefix("dkm: ").rstrip(".")
        raise SetupError(said or f"it ended with {done.returncode}", "Mend the cause, and try again")


def _plain(line: str) -> str:
    """The line without what would act on root's terminal."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in line)


def _as(account: Account) -> dict[str, Any]:
    if os.geteuid() != 0 or account.uid == 0:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": sorted(account.groups)}
