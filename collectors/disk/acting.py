"""Having `dkm-act` act: called here where this account may act itself, asked by a file where only root may.

Where the installation is an ordinary user's, the program is that user's, too. Where it is root's, the account of the
service may neither act nor see what is kept: it lays a request into a folder of its own, `dkm-act serve` (started by
root's systemd or cron) does what the policy lets be done without a person, and answers in DIR/acts.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from typing import TYPE_CHECKING

import msgspec

from collectors.disk.act.outcome import Kept, Outcome, Progress
from collectors.disk.act.requests import KEPT, Request, folder, outcomes_folder
from collectors.disk.errors import ActError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dkumonitor.installation import Installation

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
_DECODER = msgspec.json.Decoder(Progress | Outcome)


def is_direct(installation: Installation) -> bool:
    """Whether this process may act itself: the installation is its own account's."""
    return installation.dir.stat().st_uid == os.geteuid()


def apply(
    installation: Installation,
    plan_file: Path,
    *,
    yes: bool,
    digest: str | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Apply a plan, or only say what would be done; ends when that is done.

    Args:
        installation: whose.
        plan_file: the plan.
        yes: whether to act.
        digest: what its digest must be.
        progress: is told how far it is, once a second.

    Raises:
        ActError: only root may act here, or the program did not end as it should. That it refused is an outcome.
    """
    more = () if digest is None else ("--digest", digest)
    return _run(installation, ["apply", *_yes(yes), *more, "--", str(plan_file)], progress)


def resume(
    installation: Installation, *, yes: bool, progress: Callable[[Progress], None] = lambda _: None
) -> Outcome | None:
    """Go on with what was interrupted; the outcome of the last of them, None where there was none.

    Raises:
        ActError: as of :func:`apply`.
    """
    return _called(installation, ["resume", *_yes(yes)], progress)


def restore(
    installation: Installation,
    *,
    plan: str | None = None,
    uid: int | None = None,
    path: bytes | None = None,
    yes: bool,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Bring back what a plan took, what is a user's, or what was at a path; of several, what all hold for.

    Raises:
        ActError: as of :func:`apply`.
    """
    what = [] if plan is None else [f"--plan={plan}"]
    what += [] if uid is None else [f"--user={uid}"]
    what += [] if path is None else [f"--path={os.fsdecode(path)}"]
    return _run(installation, ["restore", *_yes(yes), *what], progress)


def purge(
    installation: Installation,
    *,
    task: str | None = None,
    oldest_until_bytes: int | None = None,
    yes: bool,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Remove for good what has waited its days in the quarantine, or the oldest until so much is free.

    Raises:
        ActError: as of :func:`apply`.
    """
    what = [] if task is None else [f"--task={task}"]
    what += [] if oldest_until_bytes is None else [f"--oldest-until-bytes={oldest_until_bytes}"]
    return _run(installation, ["purge", *_yes(yes), *what], progress)


def kept(installation: Installation) -> list[Kept]:
    """What waits in the quarantines, the oldest first; where only root may look, as of the last time that it served.

    Raises:
        ActError: the program did not end as it should.
    """
    if is_direct(installation):
        data = _output(installation, ["list", "--json"])
    else:
        try:
            data = (outcomes_folder(installation) / KEPT).read_bytes()
        except FileNotFoundError:
            return []
    return msgspec.json.decode(data, type=list[Kept])


def request(installation: Installation, wanted: Request) -> str:
    """Ask root's `dkm-act serve` for something; the request's name, by which :func:`outcome` knows the answer.

    The name of a plan's application is the plan's.
    """
    name = wanted.plan if wanted.act == "apply" and wanted.plan else f"{wanted.act}-{secrets.token_hex(8)}"
    if not _NAME.match(name):
        raise ActError(f"{name!r} is no name of a plan", "See `dkm disk plan list`")
    where = folder(installation)
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = where / f".{name}"
    staged.write_bytes(msgspec.json.encode(wanted))
    staged.replace(where / name)
    return name


def is_requested(installation: Installation, name: str) -> bool:
    """Whether a request waits to be served."""
    return (folder(installation) / name).exists()


def outcome(installation: Installation, name: str) -> Outcome | None:
    """The answer to a request; None where there is none yet."""
    try:
        data = (outcomes_folder(installation) / f"{name}.json").read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(data, type=Outcome)


def _yes(yes: bool) -> list[str]:  # noqa: FBT001  the caller's own keyword
    return ["--yes"] if yes else []


def _run(installation: Installation, arguments: Sequence[str], progress: Callable[[Progress], None]) -> Outcome:
    found = _called(installation, arguments, progress)
    if found is None:
        raise ActError("dkm-act said nothing", "Call it by hand, and see what it says")
    return found


def _called(
    installation: Installation, arguments: Sequence[str], progress: Callable[[Progress], None]
) -> Outcome | None:
    program = _program(installation)
    last: Outcome | None = None
    with subprocess.Popen(
        [program, arguments[0], "--json", *arguments[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        assert process.stderr is not None  # noqa: S101  the same
        try:
            for line in process.stdout:
                told = _DECODER.decode(line)
                if isinstance(told, Progress):
                    progress(told)
                else:
                    last = told
        except msgspec.MsgspecError:
            raise ActError("dkm-act said what cannot be read", "Is it of this release?") from None
        except BaseException:
            process.terminate()  # it ends the entry at hand, and stays whole
            raise
        said = process.stderr.read().strip()
    if last is None and process.returncode:
        raise ActError(f"dkm-act ended with {process.returncode}: {said[-500:]}", "Call it by hand")
    return last


def _output(installation: Installation, arguments: Sequence[str]) -> bytes:
    ended = subprocess.run([_program(installation), *arguments], capture_output=True, check=False)
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip()[-500:]
        raise ActError(f"dkm-act ended with {ended.returncode}: {said}", "Call it by hand")
    return ended.stdout


def _program(installation: Installation) -> Path:
    program = installation.dir / "bin" / "dkm-act"
    if not is_direct(installation):
        raise ActError("only root may act in this installation", f"sudo '{program}' ..., or ask for it")
    if not os.access(program, os.X_OK):
        raise ActError(f"{program} cannot be run", "Run the release's installer with --update")
    return program
