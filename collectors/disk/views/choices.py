"""What a listing or a page of disk use is of: parameters of an address, flags of the command."""

from __future__ import annotations

from typing import Annotated

import msgspec

from dkumonitor.store.people import UID_MAX
from dkumonitor.views import Parameters

Name = Annotated[str, msgspec.Meta(max_length=100)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
User = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class TaskChoice(Parameters, frozen=True, kw_only=True):
    """Of a task; of all of them where none is named.

    Attributes:
        task: its name.
    """

    task: Name = ""


class HistoryChoice(TaskChoice, frozen=True, kw_only=True):
    """Runs of a task and of a kind.

    Attributes:
        kind: ``quick`` or ``full``; empty for both.
    """

    kind: Annotated[str, msgspec.Meta(pattern="^(|quick|full)$")] = ""


class RunChoice(TaskChoice, frozen=True, kw_only=True):
    """Of a full run: the one of that number, else the newest of that task, else the newest of all.

    Attributes:
        run: its number.
    """

    run: Number | None = None


class DirectoryChoice(RunChoice, frozen=True, kw_only=True):
    """What lies in a directory of a full run.

    Attributes:
        directory: its number there; the tree itself where it is left out.
    """

    directory: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None


class TreemapChoice(DirectoryChoice, frozen=True, kw_only=True):
    """The same as a picture.

    Attributes:
        by: what its colours tell: the share that is ``old``, or the ``owner``.
    """

    by: Annotated[str, msgspec.Meta(pattern="^(old|owner)$")] = "old"


class UserChoice(TaskChoice, frozen=True, kw_only=True):
    """Of a user.

    Attributes:
        user: its login, or its uid in digits.
    """

    user: User


class UserRunChoice(RunChoice, frozen=True, kw_only=True):
    """Of a user in one full run.

    Attributes:
        uid: its number.
    """

    uid: Annotated[int, msgspec.Meta(ge=0, le=UID_MAX)]


class PairChoice(TaskChoice, frozen=True, kw_only=True):
    """Of two full runs of a task, each by its number or by a date.

    A date means the newest run that had begun by then: ``2026-11-25`` by the end of that day, ``2026-11-25 14:30`` by
    that minute, UTC. Left out, ``after`` is the newest run and ``before`` the one a week before it.
    """

    before: Name = ""
    after: Name = ""


class DifferenceChoice(PairChoice, frozen=True, kw_only=True):
    """The same for users or for directories.

    Attributes:
        kind: ``user`` or ``directory``; empty for both.
    """

    kind: Annotated[str, msgspec.Meta(pattern="^(|user|directory)$")] = ""


class PlanChoice(Parameters, frozen=True, kw_only=True):
    """Of a plan.

    Attributes:
        plan: its name.
    """

    plan: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
