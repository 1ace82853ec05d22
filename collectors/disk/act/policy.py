"""What the admin allows: DIR/conf/disk-acts.toml. Nothing that it does not name is done."""

from __future__ import annotations

import itertools
import os
import pwd
import re
import stat
import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from collectors.disk.errors import ActError
from collectors.disk.patterns import below

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.disk.plan_file import Head

FILE_NAME = "disk-acts.toml"
GIB = 1024**3
DAY_SECONDS = 86400
_MAX_DAYS = 36500
_MAX_BYTES = 1024 * 1024
Count = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Days = Annotated[int, msgspec.Meta(ge=0, le=_MAX_DAYS)]
Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]


class TreePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[[tree]]``: what may be done in one tree for one task.

    Attributes:
        task: the task's name.
        path: the tree: absolute, its real path without links.
        actions: what may be done: move, delete.
        relocation: where files may be moved to, as ``path``.
        min_old_days: nothing is touched that was used within so many days.
        max_files: the most that one plan may take.
        max_bytes: the same in bytes.
        max_share_percent: the same as a share of the tree's bytes.
        relocation_is_mount: whether the relocation path must be a mount of its own: else nothing is moved there.
        min_quarantine_days: how long deleted files can be brought back, at least.
        automatic: whether plans are applied that the account of the service asks for.
        min_uid: nobody's files are touched whose number is smaller.
        exempt_users: logins or numbers whose files are never touched.
        exempt_paths: patterns of paths that are never touched, as ``dkm disk exempt`` has them.
        max_errors: a run with more failures ends, if they are more than ``max_errors_percent`` too.
        max_errors_percent: the share of the entries tried.
    """

    task: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    path: str
    actions: tuple[Literal["move", "delete"], ...]
    relocation: str | None = None
    relocation_is_mount: bool = False
    min_old_days: Annotated[int, msgspec.Meta(ge=1, le=_MAX_DAYS)] = 30
    max_files: Count = 100_000
    max_bytes: Count = 1024 * GIB
    max_share_percent: Percent = 25.0
    min_quarantine_days: Days = 7
    automatic: bool = False
    min_uid: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 1000
    exempt_users: tuple[str | int, ...] = ()
    exempt_paths: tuple[str, ...] = ()
    max_errors: Annotated[int, msgspec.Meta(ge=0)] = 20
    max_errors_percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 5.0

    def __post_init__(self) -> None:
        for name, path in (("path", self.path), ("relocation", self.relocation)):
            if path is not None and (os.path.normpath(path) != path or not path.startswith("/") or path == "/"):
                raise ValueError(f"{name} {path!r} is no absolute path, or holds '.', '..' or doubled or last slashes")
        if ("move" in self.actions) != (self.relocation is not None):
            raise ValueError("actions has 'move' where there is a relocation, and only there")
        if self.relocation is not None and _overlap(self.path, self.relocation):
            raise ValueError("path and relocation lie in each other")
        if self.relocation_is_mount and self.relocation is None:
            raise ValueError("relocation_is_mount is set, and there is no relocation")

    @property
    def tree(self) -> bytes:
        """The tree's path."""
        return os.fsencode(self.path)

    def exempt_uids(self) -> frozenset[int]:
        """The numbers of the exempt users.

        Raises:
            ActError: this machine does not know one of them.
        """
        found = set()
        for user in self.exempt_users:
            try:
                found.add(user if isinstance(user, int) else pwd.getpwnam(user).pw_uid)
            except KeyError:
                what = f"exempt_users of {self.task} names {user!r}, whom this machine does not know"
                raise ActError(what, "Write the number, without quotes") from None
        return frozenset(found)

    def exempt(self) -> re.Pattern[bytes] | None:
        """What matches the exempt paths, relative to the tree; None for none."""
        found = [below(os.fsencode(pattern), self.tree) for pattern in self.exempt_paths]
        return re.compile(b"|".join(b"(?:" + pattern + b")" for pattern in found), re.DOTALL) if found else None


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is allowed.

    Attributes:
        tree: the trees.
    """

    tree: tuple[TreePolicy, ...] = ()

    def find(self, task: str, tree: bytes) -> TreePolicy | None:
        """What is allowed for a task in a tree."""
        return next((one for one in self.tree if (one.task, one.tree) == (task, tree)), None)


def load(path: Path, owner: int) -> Policy:
    """Read the policy.

    Args:
        path: the file.
        owner: who may own it, beside root: the one who acts.

    Raises:
        ActError: it is missing or no such TOML, or somebody else could have written it. Names the file and the key.
    """
    descriptor = _opened(path, owner)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    try:
        return _policy(data)
    except ValueError as error:  # UnicodeDecodeError, TOMLDecodeError and msgspec's are such
        raise ActError(f"{path}: {error}", "Correct that, and look at it: `dkm-act check`") from None


def permit(policy: Policy, head: Head, host: str, file: Path) -> TreePolicy:
    """What is allowed for a plan.

    Raises:
        ActError: the plan goes beyond the policy.
    """

    def refuse(what: str, do: str) -> ActError:
        return ActError(f"the plan {head.id} {what}", f"{do} in {file}, or make another plan")

    allowed = policy.find(head.task, head.tree)
    if allowed is None:
        tree = os.fsdecode(head.tree)
        raise refuse(f"is of the task {head.task} in {tree}, which is not allowed", "Allow it by a [[tree]]")
    if head.host != host:
        raise ActError(f"the plan {head.id} is of the host {head.host}, and this is {host}", "Apply it there")
    if head.action not in allowed.actions:
        raise refuse(f"is to {head.action}, which is not allowed", f"Add {head.action!r} to its actions")
    if head.action == "move" and head.relocation != os.fsencode(allowed.relocation or ""):
        raise refuse(f"moves to {os.fsdecode(head.relocation or b'')}, which is not allowed", "Allow its relocation")
    if head.created_seconds - head.old_before_seconds < allowed.min_old_days * DAY_SECONDS:
        raise refuse(f"takes what is younger than {allowed.min_old_days} days", "Lower min_old_days")
    for name in ("max_files", "max_bytes", "max_share_percent"):
        if not 0 <= getattr(head, name) <= getattr(allowed, name):  # which NaN is not, either
            raise refuse(f"has {name} {getattr(head, name)}, not at most {getattr(allowed, name)}", f"Raise {name}")
    least = allowed.min_quarantine_days
    if head.action == "delete" and not least <= head.quarantine_days <= _MAX_DAYS:
        what = f"keeps what it deletes for {head.quarantine_days} days, not for {least} to {_MAX_DAYS}"
        raise refuse(what, "Lower min_quarantine_days")
    return allowed


def _policy(data: bytes) -> Policy:
    if len(data) > _MAX_BYTES:
        raise ValueError("it is larger than 1 MiB")
    policy = msgspec.convert(tomllib.loads(data.decode("utf-8")), Policy)
    keys = [(one.task, one.path) for one in policy.tree]
    if len(set(keys)) != len(keys):
        raise ValueError("two [[tree]] have the same task and path")
    _check_apart(
        {(one.path, False) for one in policy.tree} | {(r, True) for one in policy.tree if (r := one.relocation)}
    )
    return policy


def _check_apart(paths: set[tuple[str, bool]]) -> None:
    """Let no tree or relocation path lie in another one: an act in one would find what is kept in the other."""
    ordered = sorted(paths, key=lambda one: one[0].split("/"))  # what lies in a path follows it
    for (above, _), (path, _) in itertools.pairwise(ordered):
        if _overlap(above, path):
            raise ValueError(f"{above!r} and {path!r} of two [[tree]] lie in each other")


def _opened(path: Path, owner: int) -> int:
    """Open the file by steps, each of which only root and the owner could have laid."""
    descriptor = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    here = "/"
    names = path.absolute().parts[1:]
    try:
        for number, name in enumerate(("", *names)):
            last = number == len(names)
            flags = os.O_RDONLY | os.O_NONBLOCK if last else os.O_PATH | os.O_DIRECTORY
            above, here = descriptor, os.path.join(here, name)  # noqa: PTH118  shown, and nothing is reached by it
            descriptor = os.open(name or ".", flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
            os.close(above)
            _check_owner(descriptor, here, owner)
    except FileNotFoundError:
        os.close(descriptor)
        raise ActError(f"there is no {path}", "Write it: docs/disk-acts.md shows how") from None
    except OSError as error:
        os.close(descriptor)
        raise ActError(f"cannot read {path}: {here}: {error.strerror}", "See that no part of it is a link") from None
    except ActError:
        os.close(descriptor)
        raise
    return descriptor


def _check_owner(descriptor: int, path: str, owner: int) -> None:
    there = os.fstat(descriptor)
    if there.st_uid not in {0, owner}:
        raise ActError(f"{path} belongs to user {there.st_uid}, who could change the policy", f"chown root '{path}'")
    sticky = stat.S_ISDIR(there.st_mode) and there.st_mode & stat.S_ISVTX
    if there.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
        raise ActError(f"others may write in {path}, and could change the policy", f"chmod go-w '{path}'")
    if not (stat.S_ISDIR(there.st_mode) or stat.S_ISREG(there.st_mode)):
        raise ActError(f"{path} is no file", "Put the policy there")


def _overlap(one: str, other: str) -> bool:
    return (one + "/").startswith(other + "/") or (other + "/").startswith(one + "/")
