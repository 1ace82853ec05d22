"""The listings of disk use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collectors.disk.notices import LISTING as NOTICES
from collectors.disk.views import addresses, contents, rows
from collectors.disk.views.choices import (
    DifferenceChoice,
    DirectoryChoice,
    HistoryChoice,
    PlanChoice,
    RunChoice,
    TaskChoice,
    UserChoice,
    UserRunChoice,
)
from collectors.disk.views.difference import ask_difference
from collectors.disk.views.directories import ask_directories
from collectors.disk.views.history import ask_history
from collectors.disk.views.old import ask_old
from collectors.disk.views.planned import ask_plan_users, ask_plans
from collectors.disk.views.systems import ask_systems
from collectors.disk.views.users import ask_places, ask_user_runs, ask_users
from dkumonitor.views import Listing

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_RUN = "No full run has come to its end yet: start one with `dkm disk run full`."


def _user(row: Any) -> str:
    return addresses.user(row.uid)


def _run(row: Any) -> str | None:
    return None if row.run_id is None else addresses.run(row.run_id)


def _directory(row: Any) -> str | None:
    """A directory's own page; one without any listed below leads nowhere."""
    return addresses.directories(row.run_id, row.number) if getattr(row, "listed", 0) else None


def _old(row: rows.OldRow) -> str | None:
    return None if row.number is None else addresses.directories(row.run_id, row.number)


def _differing(row: rows.DifferenceRow) -> str | None:
    return addresses.user(row.uid) if row.kind == "user" else None


_OF_USER: dict[str, Callable[[Any], str | None]] = {"login": _user, "run_id": _run}

SYSTEMS = Listing(
    name="disk-systems",
    title="File systems of tasks",
    summary="A row is a task: how full its file system is, when it is full, and what its tree holds.",
    row_type=rows.SystemRow,
    ask=ask_systems,
    parameters=TaskChoice,
    empty="There is no task yet: make one with `dkm disk task create`.",
    links={
        "task": lambda row: addresses.users(row.task),
        "run_id": _run,
        "path": lambda row: None if row.run_id is None else addresses.directories(row.run_id),
    },
)
USERS = Listing(
    name="disk-users",
    title="Users",
    summary="A row is what a user owns in a task's tree, by its newest full run.",
    row_type=rows.UserRow,
    ask=ask_users,
    parameters=RunChoice,
    sort="allocated_bytes",
    descending=True,
    empty=_NO_RUN,
    links=_OF_USER,
)
USER = Listing(
    name="disk-user",
    title="A user over time",
    summary="A row is what one user owned in a task's tree, by one full run.",
    row_type=rows.UserRunRow,
    ask=ask_user_runs,
    parameters=UserChoice,
    sort="started_seconds",
    descending=True,
    links={"run_id": _run},
)
PLACES = Listing(
    name="disk-user-directories",
    title="Directories of a user",
    summary="A row is a directory in which a user owns something, with what is that user's of it.",
    row_type=rows.PlaceRow,
    ask=ask_places,
    parameters=UserRunChoice,
    sort="allocated_bytes",
    descending=True,
    empty="This user is not among the largest of any directory that is listed.",
    links={"path": lambda row: addresses.directories(row.run_id, row.number)},
)
DIRECTORIES = Listing(
    name="disk-directories",
    title="Directories",
    summary="A row is a directory with all that is below it, as a full run found it.",
    row_type=rows.DirectoryRow,
    ask=ask_directories,
    parameters=DirectoryChoice,
    sort="allocated_bytes",
    descending=True,
    empty="No directory below this one is listed: let the task look deeper with `dkm disk task edit TASK --depth N`.",
    links={"path": _directory, "login": _user},
)
OLD = Listing(
    name="disk-old",
    title="Old files",
    summary="A row is a user or a directory with what is old of it, by the newest full runs.",
    row_type=rows.OldRow,
    ask=ask_old,
    parameters=TaskChoice,
    sort="old_bytes",
    descending=True,
    empty="Nothing is old, or no full run has come to its end yet.",
    links={"login": _user, "path": _old, "run_id": _run},
)
RUNS = Listing(
    name="disk-runs",
    title="Runs",
    summary="A row is a run, quick or full, with what it found.",
    row_type=rows.RunRow,
    ask=ask_history,
    parameters=HistoryChoice,
    sort="started_seconds",
    descending=True,
    empty="There was no run yet: start one with `dkm disk run quick`.",
    links={"id": lambda row: addresses.run(row.id)},
)
DIFFERENCE = Listing(
    name="disk-difference",
    title="What differs",
    summary="A row is a user or a directory that differs between two full runs of a task.",
    row_type=rows.DifferenceRow,
    ask=ask_difference,
    parameters=DifferenceChoice,
    sort="growth_bytes",
    descending=True,
    empty="Nothing differs.",
    links={"login": _differing},
)
AGES = Listing(
    name="disk-ages",
    title="Files by age",
    summary="A row is how many files were used so many days ago, by a full run.",
    row_type=rows.AgeRow,
    ask=contents.asking(contents.ages),
    parameters=RunChoice,
    empty=_NO_RUN,
)
SIZES = Listing(
    name="disk-sizes",
    title="Files by size",
    summary="A row is how many files are of a size, by a full run.",
    row_type=rows.SizeRow,
    ask=contents.asking(contents.sizes),
    parameters=RunChoice,
    empty=_NO_RUN,
)
TOP_FILES = Listing(
    name="disk-top-files",
    title="Largest files",
    summary="A row is one of the largest files that a full run found.",
    row_type=rows.TopFileRow,
    ask=contents.asking(contents.top_files),
    parameters=RunChoice,
    sort="allocated_bytes",
    descending=True,
    empty=_NO_RUN,
    links={"login": _user},
)
ERRORS = Listing(
    name="disk-errors",
    title="What could not be read",
    summary="A row is a kind of error, how often it came, and one path where it did.",
    row_type=rows.ErrorRow,
    ask=contents.asking(contents.errors),
    parameters=RunChoice,
    empty="Everything could be read.",
)
PLANS = Listing(
    name="disk-plans",
    title="Plans",
    summary="A row is a plan: what of a tree is to be moved or deleted, and how far that got.",
    row_type=rows.PlanRow,
    ask=ask_plans,
    parameters=TaskChoice,
    sort="created_seconds",
    descending=True,
    empty="There is no plan: a full run makes one above the warning threshold where its task moves or deletes files.",
    links={"id": lambda row: addresses.plan(row.id), "run_id": _run},
)
PLAN_USERS = Listing(
    name="disk-plan-users",
    title="Users of a plan",
    summary="A row is what of one user a plan holds.",
    row_type=rows.PlanUserRow,
    ask=ask_plan_users,
    parameters=PlanChoice,
    sort="bytes",
    descending=True,
    links={"login": _user},
)
LISTINGS = (
    SYSTEMS, USERS, USER, PLACES, DIRECTORIES, OLD, RUNS, DIFFERENCE, AGES, SIZES, TOP_FILES, ERRORS, PLANS, PLAN_USERS,
    NOTICES,
)  # fmt: skip
