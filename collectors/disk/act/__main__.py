"""The command `dkm-act`: arguments, then fewer rights, then the act."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collectors.disk.act import applying, kept, policy, purging, requests, restoring
from collectors.disk.act.confinement import confine
from collectors.disk.act.outcome import Outcome
from collectors.disk.act.output import Output
from collectors.disk.act.pacing import Pace
from collectors.disk.errors import ActError
from dkumonitor.errors import AccessError, DkmError
from dkumonitor.installation import Installation, current
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from collectors.disk.act.outcome import Confinement

_SYSTEM = (b"/etc", b"/usr", b"/lib", b"/lib64", b"/proc", b"/var/lib/sss")  # Python, and the machine's accounts
_STOPPED = 34  # ActError's
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\Z", re.IGNORECASE)
_EPILOG = """\
examples:
  dkm-act apply PLAN                      say what a plan would do; nothing is changed
  dkm-act apply PLAN --yes                do it
  dkm-act resume --yes                    go on with what was interrupted
  dkm-act list                            what waits in the quarantine, and until when
  dkm-act restore --user alice --yes      bring back what is hers
  dkm-act restore --path /scratch/alice/results --yes
  dkm-act purge --yes                     remove for good what has waited its days
  dkm-act purge --oldest-until-bytes 50G --yes
  dkm-act check                           is the policy sound, and what does it allow?

exit codes: 0 done, 2 wrong usage, 9 not yours to call, 33 a plan is damaged, 34 refused, stopped or not all of it done.
docs/disk-acts.md describes the policy, DIR/conf/disk-acts.toml.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dkm-act",
        description="Move, delete into a quarantine, and bring back, as the policy of this installation allows.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="write a line of JSON a second, and one at the end")
    acts = argparse.ArgumentParser(add_help=False, parents=[shared])
    acts.add_argument("--yes", action="store_true", help="do it; without it, only say what would be done")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    one = verbs.add_parser("apply", parents=[acts], help="do what a plan says")
    one.add_argument("plan", type=Path, metavar="PLAN", help="the plan's file")
    one.add_argument("--digest", help="refuse any other plan: its SHA-256, as `dkm disk plan show` has it")
    one = verbs.add_parser("resume", parents=[acts], help="go on with what was interrupted")
    one = verbs.add_parser("restore", parents=[acts], help="bring back what was deleted or moved")
    one.add_argument("--plan", metavar="NAME", help="what this plan has taken")
    one.add_argument("--user", metavar="NAME", help="what belongs to this account; a login or a number")
    one.add_argument("--path", metavar="PATH", help="what was there, or below it")
    one = verbs.add_parser("purge", parents=[acts], help="empty the quarantine of what has waited its days")
    one.add_argument("--task", help="only of this task")
    which = one.add_mutually_exclusive_group()
    which.add_argument("--before", metavar="DATE", type=_moment, help="of before YYYY-MM-DD[THH:MM:SS] (UTC)")
    which.add_argument(
        "--oldest-until-bytes", metavar="N", type=_bytes, help="the oldest first, until N (50G) are free"
    )
    verbs.add_parser("list", parents=[shared], help="what waits in the quarantine")
    verbs.add_parser("check", parents=[shared], help="check the policy and show it")
    verbs.add_parser("serve", parents=[shared], help="do what the service has asked for; its systemd unit calls this")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit code."""
    wanted = _parser().parse_args(arguments)
    output = Output(as_json=wanted.json)
    pace = Pace(output.progress)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pace.end)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # somebody waits for a file that is looked at
    try:
        installation = current()
        _check_caller(installation)
        return _run(wanted, installation, output, pace)
    except OSError as error:  # of no entry: these are told in the outcome
        where = os.fsdecode(error.filename) if error.filename else "the machine"
        return _failed(wanted, pace, output, ActError(f"{where}: {error.strerror}", "Nothing was left half done"))
    except DkmError as error:
        return _failed(wanted, pace, output, error)


def _failed(wanted: argparse.Namespace, pace: Pace, output: Output, error: DkmError) -> int:
    """Say why nothing was done, or nothing more."""
    if wanted.json and wanted.verb in {"apply", "restore", "purge", "resume"}:
        output.outcome(_refused(wanted, pace, error))
    sys.stderr.write(f"dkm-act: {printable(str(error))}\n")
    return error.exit_code


def _run(wanted: argparse.Namespace, installation: Installation, output: Output, pace: Pace) -> int:
    file = installation.conf / policy.FILE_NAME
    allowed = applying.Allowed(policy=policy.load(file, os.geteuid()), file=file, host=installation.host, pace=pace)
    if wanted.verb == "check":
        for tree in allowed.policy.tree:
            tree.exempt_uids()
        output.policy(allowed.policy)
        return 0
    descriptor = applying.open_plan(wanted.plan) if wanted.verb == "apply" else -1
    uid = _uid(wanted.user) if wanted.verb == "restore" and wanted.user is not None else None
    account = _account(installation) if wanted.verb == "serve" else (0, 0)
    confinement = _confine(wanted, installation, allowed.policy)
    if wanted.verb == "list":
        output.kept(kept.listing(allowed))
        return 0
    outcomes: Iterable[Outcome]
    if wanted.verb == "apply":
        name = printable(str(wanted.plan))
        outcomes = (applying.apply(allowed, descriptor, name, yes=wanted.yes, digest=wanted.digest),)
    elif wanted.verb == "restore":
        outcomes = (restoring.restore(allowed, _selection(wanted, uid), yes=wanted.yes),)
    elif wanted.verb == "purge":
        which = purging.Which(task=wanted.task, before_seconds=wanted.before, until_bytes=wanted.oldest_until_bytes)
        outcomes = (purging.purge(allowed, which, yes=wanted.yes),)
    elif wanted.verb == "resume":
        outcomes = applying.resume_all(allowed, yes=wanted.yes)
    else:
        outcomes = requests.serve(installation, allowed, account)
    return _told(outcomes, output, confinement)


def _told(outcomes: Iterable[Outcome], output: Output, confinement: Confinement) -> int:
    code = 0
    for outcome in outcomes:
        output.outcome(msgspec.structs.replace(outcome, confinement=confinement))
        code = code if outcome.state == "done" else _STOPPED
    return code


def _confine(wanted: argparse.Namespace, installation: Installation, allowed: policy.Policy) -> Confinement:
    """Keep only what this act needs. Without --yes nothing can be written at all."""
    trees = [tree.tree for tree in allowed.tree]
    trees += [os.fsencode(tree.relocation) for tree in allowed.tree if tree.relocation is not None]
    reads = [*_SYSTEM, os.fsencode(sys.prefix), os.fsencode(installation.conf)]
    if wanted.verb == "serve":
        answers = os.fsencode(requests.outcomes_folder(installation))
        asked = os.fsencode(requests.folder(installation))
        return confine([*trees, answers, asked], [*reads, os.fsencode(requests.disk_folder(installation))])
    if getattr(wanted, "yes", False):
        return confine(trees, reads)
    return confine([], [*reads, *trees])


def _check_caller(installation: Installation) -> None:
    owner = installation.dir.stat().st_uid
    if os.geteuid() == owner:
        return
    if owner == 0:
        raise AccessError("only root may act here", f"sudo '{installation.dir}/bin/dkm-act' ...")
    name = _name(owner)
    raise AccessError(f"{installation.dir} belongs to {name}", f"Call it as {name}: it acts with that account's rights")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _account(installation: Installation) -> tuple[int, int]:
    """The numbers of the account that the programs run as."""
    try:
        found = pwd.getpwnam(installation.user)
    except KeyError:
        if installation.user.isdigit():
            return int(installation.user), int(installation.user)
        raise AccessError(f"there is no account {installation.user}", "Create it again") from None
    return found.pw_uid, found.pw_gid


def _uid(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        if user.isdigit():
            return int(user)
        raise ActError(f"there is no account {printable(user)!r}", "Give its number") from None


def _selection(wanted: argparse.Namespace, uid: int | None) -> restoring.Selection:
    if wanted.plan is None and uid is None and wanted.path is None:
        raise ActError("nothing says what to bring back", "Add --plan NAME, --user NAME or --path PATH")
    path = None if wanted.path is None else os.fsencode(wanted.path)
    return restoring.Selection(plan=wanted.plan, uid=uid, path=path)


def _refused(wanted: argparse.Namespace, pace: Pace, error: DkmError) -> Outcome:
    plan = wanted.plan.stem if isinstance(getattr(wanted, "plan", None), Path) else getattr(wanted, "plan", None) or ""
    return Outcome(
        plan=printable(plan),
        act="apply" if wanted.verb == "resume" else wanted.verb,
        state="refused",
        dry_run=not wanted.yes,
        detail=printable(str(error)),
        started_seconds=pace.now_seconds,
        ended_seconds=time.time(),
    )


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _bytes(text: str) -> int:
    match = _SIZE.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
