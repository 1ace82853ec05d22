"""Requests: what the account of the service asks for, in a folder of its own, which root reads with care."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from collectors.disk.act import applying, kept, purging, restoring
from collectors.disk.act.policy import Policy
from collectors.disk.act.state import is_plan_name
from collectors.disk.errors import ActError
from dkumonitor.safefs import places
from dkumonitor.safefs.tree import Tree
from dkumonitor.text import printable, unprintable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.disk.act.applying import Allowed
    from collectors.disk.act.journal import Past
    from collectors.disk.act.outcome import Kept, Outcome
    from collectors.disk.plan_file import Head
    from dkumonitor.installation import Installation

REQUESTS = b"requests"
PLANS = b"plans"
_MAX_BYTES = 64 * 1024
_MAX_REQUESTS = 100
_MAX_OUTCOMES = 1000
_RESUME_SECONDS = 3600.0  # what was cut off is left for so long to the request that lies there, or to a person
_NEW = b".new"
KEPT = "quarantine"


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked for.

    Attributes:
        act: what to do.
        plan: the plan to apply, or to bring back.
        digest: what the plan's digest must be.
        uid, path: what to bring back, see restoring.Selection; the path as :func:`dkumonitor.text.printable` writes it.
        task, until_bytes: what to purge, see purging.Which.
    """

    act: Literal["apply", "restore", "purge"]
    plan: str | None = None
    digest: str | None = None
    uid: int | None = None
    path: str | None = None
    task: str | None = None
    until_bytes: Annotated[int, msgspec.Meta(ge=1)] | None = None


def disk_folder(installation: Installation) -> Path:
    """What the account keeps of its disk tasks."""
    return installation.storage / "disk"


def folder(installation: Installation) -> Path:
    """Where requests lie: the account's own."""
    return disk_folder(installation) / os.fsdecode(REQUESTS)


def outcomes_folder(installation: Installation) -> Path:
    """Where answers lie: root's, readable by the account's group."""
    return installation.dir / "acts"


def serve(installation: Installation, allowed: Allowed, account: tuple[int, int]) -> Iterator[Outcome]:
    """Do what is asked for, as far as the policy lets it be done without a person, and answer.

    Args:
        installation: whose requests.
        allowed: the policy and the rest; only trees with ``automatic`` count.
        account: the numbers of the account and its group, which alone may ask.
    """
    automatic = Policy(tuple(tree for tree in allowed.policy.tree if tree.automatic))
    narrowed = replace(allowed, policy=automatic)

    def is_left(head: Head, past: Past) -> bool:
        idle = allowed.pace.now_seconds - past.changed_seconds
        return automatic.find(head.task, head.tree) is not None and idle >= _RESUME_SECONDS

    for outcome in applying.resume_all(narrowed, yes=True, wanted=is_left):
        if outcome.plan:
            _tell(installation, outcome.plan, outcome, account[1])
        yield outcome
    if disk_folder(installation).is_dir():
        with Tree.open(os.fsencode(disk_folder(installation))) as disk:
            for name, outcome in _served(disk, narrowed, account[0]):
                _tell(installation, name, outcome, account[1])
                yield outcome
    _tell_kept(installation, kept.listing(allowed), account[1])


def _served(disk: Tree, allowed: Allowed, account: int) -> Iterator[tuple[str, Outcome]]:
    """Each request's name and outcome; it is removed once its answer was told."""
    try:
        requests = disk.directory(REQUESTS, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        names = sorted(name for name in os.listdir(requests) if is_plan_name(name))  # noqa: PTH208  of a descriptor
        laid = (name for name in names if _is_request(places.status(requests, os.fsencode(name)), account))
        for name in itertools.islice(laid, _MAX_REQUESTS):
            try:
                handle = disk.entry(requests, os.fsencode(name))
            except OSError:
                continue  # it is gone again
            try:
                if not _is_request(os.fstat(handle), account):
                    continue
                yield name, _answered(disk, allowed, handle)
            finally:
                os.close(handle)
            with contextlib.suppress(OSError):  # gone, or no file any more: the folder is the account's
                places.remove(requests, os.fsencode(name))
    finally:
        os.close(requests)


def _is_request(there: os.stat_result | None, account: int) -> bool:
    """Whether one who may ask has laid it."""
    return there is not None and there.st_uid == account and stat.S_ISREG(there.st_mode)


def _answered(disk: Tree, allowed: Allowed, handle: int) -> Outcome:
    act = "apply"
    plan = ""
    try:
        request = _request(handle)
        act, plan = request.act, request.plan or ""
        return _do(disk, allowed, request)
    except Exception as error:  # noqa: BLE001  whatever one request does to us, it is answered and removed
        return applying.refused(allowed, act, plan, error)


def _request(handle: int) -> Request:
    descriptor = places.opened(handle)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ActError("a request is too long", "Ask again")
    try:
        return msgspec.json.decode(data, type=Request)
    except ValueError as error:
        raise ActError(f"a request cannot be read: {error}", "Ask again") from None


def _do(disk: Tree, allowed: Allowed, request: Request) -> Outcome:
    if request.act == "purge":
        which = purging.Which(task=request.task, until_bytes=request.until_bytes)
        return purging.purge(allowed, which, yes=True)
    if request.act == "restore":
        path = None if request.path is None else os.fsencode(unprintable(request.path))
        selection = restoring.Selection(plan=request.plan, uid=request.uid, path=path)
        return restoring.restore(allowed, selection, yes=True)
    plan = request.plan or ""
    if not is_plan_name(plan):
        raise ActError(f"{printable(plan)!r} is no name of a plan", "Ask for a plan of `dkm disk plan list`")
    plans = disk.directory(PLANS)
    try:
        handle = disk.entry(plans, plan.encode() + b".plan")
    finally:
        os.close(plans)
    try:
        descriptor = applying.check_plan_file(places.opened(handle), Path(plan))
    finally:
        os.close(handle)
    try:
        return applying.apply(allowed, descriptor, plan, yes=True, digest=request.digest)
    finally:
        os.close(descriptor)


def _tell(installation: Installation, name: str, outcome: Outcome, group: int) -> None:
    """Write an answer where only root writes."""
    _write(installation, f"{name}.json".encode(), msgspec.json.encode(outcome), group)
    answers = sorted(outcomes_folder(installation).glob("*.json"), key=lambda path: path.stat().st_mtime)
    with Tree.open(os.fsencode(outcomes_folder(installation))) as answered:
        for path in answers[:-_MAX_OUTCOMES]:
            places.discard(answered.descriptor, os.fsencode(path.name))


def _tell_kept(installation: Installation, rows: list[Kept], group: int) -> None:
    _write(installation, KEPT.encode(), msgspec.json.encode(rows), group)


def _write(installation: Installation, name: bytes, data: bytes, group: int) -> None:
    with Tree.open(os.fsencode(outcomes_folder(installation))) as answers:
        if answers.status.st_uid != os.geteuid() or answers.status.st_mode & 0o022:
            where = os.fsdecode(answers.path)
            raise ActError(f"others could write in {where}", f"chmod go-w '{where}', and make it root's")
        places.discard(answers.descriptor, _NEW)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(_NEW, flags, 0o600, dir_fd=answers.descriptor), "wb") as file:
            os.fchown(file.fileno(), -1, group)
            os.fchmod(file.fileno(), 0o640)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(_NEW, name, src_dir_fd=answers.descriptor, dst_dir_fd=answers.descriptor)
