"""Who is told what after a scan, or after files were moved or deleted. Pure: no store, no machine, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from collectors.disk.facts import User
from collectors.disk.runs import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from collectors.disk.facts import Scan
    from collectors.disk.tasks import Task

Action = Literal["move", "delete"]


class Section(StrEnum):
    """A part of a mail, in the order in which they stand in it."""

    MOVE_NOTICE = "move_notice"
    DELETION_NOTICE = "deletion_notice"
    MOVE_WARNING = "move_warning"
    DELETION_WARNING = "deletion_warning"
    TOP_SPACE = "top_space"
    TOP_OLD = "top_old"
    GENERAL = "general"


NOTICES: Mapping[Action, Section] = {"move": Section.MOVE_NOTICE, "delete": Section.DELETION_NOTICE}
WARNINGS: Mapping[Action, Section] = {"move": Section.MOVE_WARNING, "delete": Section.DELETION_WARNING}


class Share(NamedTuple):
    """What of one user is meant: files and their apparent bytes."""

    files: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What will be moved or deleted.

    Attributes:
        action: which of the two.
        users: each owner's share, by uid.
        due_seconds: when that may happen by itself; None where a person decides.
    """

    action: Action
    users: Mapping[int, tuple[int, int]]
    due_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    """What was moved or deleted.

    Attributes:
        action: which of the two.
        users: each owner's share, by uid.
    """

    action: Action
    users: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """Why people may have to be told something: a scan, or an act.

    Attributes:
        task: the task.
        run_id: the run; None where an act belongs to none.
        scan: what was found.
        level: how full the file system is.
        planned: what will be moved or deleted. Give it in each run until it is done: who was told nothing today because
            of the bound of one mail a day is told tomorrow.
        done: what was moved or deleted just now.
    """

    task: Task
    run_id: int | None
    scan: Scan
    level: Level
    planned: tuple[Planned, ...] = ()
    done: tuple[Done, ...] = ()


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What happens, or happened, to the files of one user.

    Attributes:
        section: which part of the mail says so.
        files: how many.
        bytes: their apparent sizes.
        due_seconds: when; None for not known.
        is_planned: whether a plan names the files; else they are all old files, once it is critical.
    """

    section: Section
    files: int
    bytes: int
    due_seconds: float | None = None
    is_planned: bool = True


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one user is told, all in one mail.

    Attributes:
        uid: who.
        sections: the parts of the mail, in their order, at least one.
        own: what the user owns in the tree.
        acts: one for each part about files that are moved or deleted.
    """

    uid: int
    sections: tuple[Section, ...]
    own: User
    acts: tuple[Act, ...] = ()

    @property
    def is_notice(self) -> bool:
        """Whether something was moved or deleted already."""
        return not set(NOTICES.values()).isdisjoint(self.sections)


def decide(occasion: Occasion, people: Container[int]) -> list[Told]:
    """Who is told what.

    - Owners of what was moved or deleted get a notice, owners of what is planned a warning, whatever the level.
    - From the warning level on, the top ``email_top_percent`` of the people by space and by old bytes get the warning
      that fits, with the general one, and are told what will be moved or deleted when it is critical.

    ``email_usage_warnings`` and ``email_data_alterations`` of the task turn the second and the first off.

    Args:
        occasion: what there is to tell.
        people: the uids that belong to persons; nobody else is told anything, or counted.

    Returns:
        One entry a person, by uid.
    """
    owned = {user.uid: user for user in occasion.scan.users}
    acts: dict[int, list[Act]] = {}
    if occasion.task.email_data_alterations:
        _gather_acts(occasion, acts)
    usage = _usage_sections(occasion, people)
    told = []
    for uid in sorted({*acts, *usage}):
        if uid not in people:
            continue
        own = owned.get(uid, User(uid=uid))
        mine = acts.get(uid, [])
        if uid in usage:
            mine = [*mine, *_foreseen(occasion.task, own, mine)]
        sections = {*usage.get(uid, ()), *(act.section for act in mine)}
        ordered = tuple(section for section in Section if section in sections)
        told.append(Told(uid=uid, sections=ordered, own=own, acts=tuple(mine)))
    return told


def _gather_acts(occasion: Occasion, acts: dict[int, list[Act]]) -> None:
    for done in occasion.done:
        for uid, (files, size_bytes) in done.users.items():
            if files:
                acts.setdefault(uid, []).append(Act(section=NOTICES[done.action], files=files, bytes=size_bytes))
    for planned in occasion.planned:
        for uid, (files, size_bytes) in planned.users.items():
            if files:
                act = Act(
                    section=WARNINGS[planned.action], files=files, bytes=size_bytes, due_seconds=planned.due_seconds
                )
                acts.setdefault(uid, []).append(act)


def _foreseen(task: Task, own: User, known: list[Act]) -> list[Act]:
    """What the task will do to a warned user's old files, where no plan says it already."""
    action = task.action
    if action is None or not task.email_data_alterations or not own.old_files:
        return []
    if any(act.section is WARNINGS[action] for act in known):
        return []
    return [Act(section=WARNINGS[action], files=own.old_files, bytes=own.old_bytes, is_planned=False)]


def _usage_sections(occasion: Occasion, people: Container[int]) -> dict[int, set[Section]]:
    task = occasion.task
    if occasion.level == Level.OK or not task.email_usage_warnings:
        return {}
    candidates = [user for user in occasion.scan.users if user.uid in people]
    found: dict[int, set[Section]] = {}
    sizes: tuple[tuple[Section, Callable[[User], int]], ...] = (
        (Section.TOP_SPACE, lambda user: user.allocated_bytes),
        (Section.TOP_OLD, lambda user: user.old_bytes),
    )
    for section, size_bytes in sizes:
        for uid in top(candidates, size_bytes, task.email_top_percent):
            found.setdefault(uid, {Section.GENERAL}).add(section)
    return found


def top(users: Iterable[User], size_bytes: Callable[[User], int], percent: float) -> list[int]:
    """The largest share of the users that have anything: ``percent`` of them, rounded up, the largest first."""
    ranked = sorted((user for user in users if size_bytes(user) > 0), key=lambda user: (-size_bytes(user), user.uid))
    count = math.ceil(round(len(ranked) * percent / 100, 9))  # 7 % of 100 is 7.000000000000001
    return [user.uid for user in ranked[:count]]
