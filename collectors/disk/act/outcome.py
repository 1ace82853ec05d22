"""What an act says of itself: a line of JSON a second while it lasts, and one at its end."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collectors.disk.plan_file import Entry

MAX_ERRORS = 20


class Reason(StrEnum):
    """Why an entry was left alone. The journal numbers them in this order: new ones come last."""

    GONE = "gone"  # nothing has this name any more
    REPLACED = "replaced"  # something else has it
    CHANGED = "changed"  # its size, time or owner is another
    USED = "used"  # it is not old any more
    IN_USE = "in_use"  # somebody has it open
    FUTURE = "future"  # its times lie in the future
    IMPLAUSIBLE = "implausible"  # its times cannot be
    EXEMPT = "exempt"  # the policy exempts its path or its owner
    OWNER = "owner"  # its owner's number is below the policy's
    OUTSIDE = "outside"  # the way to it leads through a link or onto another mount
    TYPE = "type"  # neither a file nor a link
    TAKEN = "taken"  # where it should go, something is already
    CAPS = "caps"  # the bounds of the plan and the policy are reached
    FULL = "full"  # there is no more room where it should go
    KEPT = "kept"  # it changed while it was taken, its place was taken too: it waits in the quarantine
    ERROR = "error"  # it failed
    QUOTA = "quota"  # its owner may not have more where it should go


REASONS = tuple(Reason)


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="progress"):
    """How far an act is.

    Attributes:
        plan: which.
        entries: looked at so far.
        of: how many there are.
        files, bytes: done so far.
    """

    plan: str
    entries: int
    of: int
    files: int
    bytes: int
    state: Literal["running"] = "running"


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """What the program could still do while it acted.

    Attributes:
        capabilities: all that it had.
        no_new_privileges: whether it could get none back.
        bounding: whether the bounding set holds no others.
        landlock: the version of the kernel's Landlock that kept it to its folders; 0 where there was none.
    """

    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = False
    bounding: bool = False
    landlock: int = 0


class Owner(msgspec.Struct, frozen=True):
    """What of one owner was done."""

    uid: int
    files: int
    bytes: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="outcome"):
    """What an act has done.

    Attributes:
        plan: which, or what else was asked.
        act: what was asked: apply, restore, purge.
        state: ``done``: everything was looked at, and what was to be done is done; ``partial``: some of it failed, or
            did not fit; ``refused``: nothing was done; ``stopped``: ended before its end, can go on.
        dry_run: whether this is only what would be done.
        files: done, links included.
        bytes: their apparent sizes.
        freed_bytes: what became free by it on the tree's file system; a file with other links frees nothing.
        directories: that became empty and were removed.
        owners: whose the files were, the largest first.
        skipped: entries that were left alone, by :class:`Reason`.
        errors: what failed, with names escaped; the first 20.
        error_count: how many failed.
        full: whether there was no more room where files should go.
        detail: in words, why it was refused or stopped.
        digest: of the plan.
        started_seconds, ended_seconds: when, UTC.
        confinement: what the program could do meanwhile.
    """

    plan: str
    act: str
    state: Literal["done", "partial", "refused", "stopped"]
    dry_run: bool
    files: int = 0
    bytes: int = 0
    freed_bytes: int = 0
    directories: int = 0
    owners: tuple[Owner, ...] = ()
    skipped: dict[str, int] = {}
    errors: tuple[str, ...] = ()
    error_count: int = 0
    full: bool = False
    detail: str = ""
    digest: str = ""
    started_seconds: float = 0.0
    ended_seconds: float = 0.0
    confinement: Confinement = Confinement()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that something is left of.

    Attributes:
        plan, task, tree, action: which.
        state: how it ended; ``unfinished`` where it did not, which ``dkm-act resume`` does.
        acted_seconds: when it was last worked on, UTC.
        expires_seconds: when its quarantine may be removed; None for a move, which leaves none.
        files, size_bytes: what waits in the quarantine.
    """

    plan: str
    task: str
    tree: str
    action: str
    state: str
    acted_seconds: float
    expires_seconds: float | None
    files: int
    size_bytes: int


class Tally:
    """Counts of what was done, added up while it is done."""

    def __init__(self) -> None:
        self.files = self.bytes = self.freed_bytes = self.directories = 0
        self.skipped: dict[Reason, int] = {}
        self.errors: list[str] = []
        self.error_count = 0
        self.full = False
        self._owners: dict[int, tuple[int, int]] = {}

    @property
    def tried(self) -> int:
        """All that was looked at."""
        return self.files + sum(self.skipped.values())

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Whose the files were that were done, the largest first."""
        found = [Owner(uid, files, size_bytes) for uid, (files, size_bytes) in self._owners.items()]
        return tuple(sorted(found, key=lambda owner: owner.bytes, reverse=True))

    def own(self, entry: Entry) -> None:
        """Count an entry for its owner alone."""
        files, size_bytes = self._owners.get(entry.uid, (0, 0))
        self._owners[entry.uid] = (files + 1, size_bytes + entry.size_bytes)

    def add(self, entry: Entry) -> None:
        """Count what was done."""
        self.files += 1
        self.bytes += entry.size_bytes
        self.own(entry)

    def skip(self, reason: Reason, count: int = 1) -> None:
        """Count what was left alone."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count
        self.full = self.full or reason is Reason.FULL

    def fail(self, text: str) -> None:
        """Count what failed; it is left alone, too."""
        self.skip(Reason.ERROR)
        self.note(text)

    def note(self, text: str) -> None:
        """Note what failed beside the entries."""
        self.error_count += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(text)
