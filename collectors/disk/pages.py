"""The pages of disk use: file systems, users, directories as a picture, runs, what differs, plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collectors.disk import tasks
from collectors.disk.drawing import bars, treemap
from collectors.disk.drawing.lines import HEIGHT, WIDTH, line
from collectors.disk.views import addresses, choices, contents, difference, directories, history, planned, users
from collectors.disk.views.card import CARD
from collectors.disk.views.listings import LISTINGS
from collectors.disk.views.selection import (
    DAY_SECONDS,
    Run,
    newest_runs,
    number_of,
    pair_of,
    recent,
    run_numbered,
    run_of,
    week_before,
)
from collectors.disk.views.systems import systems, use
from dkumonitor.cells import size
from dkumonitor.errors import NoSuchError
from dkumonitor.spark import spark
from dkumonitor.text import printable
from dkumonitor.views import Page, Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from collectors.disk.views.rows import SystemRow, UserRow
    from dkumonitor.spark import Spark
    from dkumonitor.views import Sources

OVERVIEW = (CARD,)
SINCE_SECONDS = 90 * DAY_SECONDS  # what lines show
MOST_USERS = 12
MOST_CHANGES = 8
MOST_RUNS = 60  # to choose two of
SPARK_WIDTH = 120
Content = dict[str, Any]


def _shared(connection: Connection, here: str) -> Content:
    """What every page is given: where the others are, and the tasks."""
    names = [task.name for task in tasks.every(connection)]
    return {"here": here, "at": addresses, "task_names": names, "line_width": WIDTH, "line_height": HEIGHT}


def show_systems(sources: Sources) -> Content:
    """Each file system, and the largest users of all of them."""
    with sources.store.reading() as connection:
        found = systems(connection, choices.TaskChoice(), sources.now_seconds)
        since = sources.now_seconds - SINCE_SECONDS
        return {
            **_shared(connection, "systems"),
            "systems": [(row, _use_line(connection, row, since)) for row in found],
            **_largest(connection, sources, choices.TaskChoice()),
        }


def _use_line(connection: Connection, row: SystemRow, since_seconds: float) -> Any:
    return line(use(connection, row.task, since_seconds), size)


def _largest(connection: Connection, sources: Sources, choice: choices.TaskChoice) -> Content:
    """The largest users of a task, or of all together, each with its line; and how long the bar of each is."""
    rows = users.users(connection, sources.viewer, choice)[:MOST_USERS]
    sparks: dict[tuple[str, int], Spark | None] = {}
    for task in {row.task for row in rows}:
        uids = [row.uid for row in rows if row.task == task]
        lines = users.trends(connection, task, uids, sources.now_seconds - SINCE_SECONDS)
        sparks |= {(task, uid): spark(lines[uid], size, SPARK_WIDTH) for uid in uids if uid in lines}
    return {"largest": _with_lengths(rows), "sparks": sparks}


def _with_lengths(rows: Sequence[UserRow]) -> list[tuple[UserRow, float, float]]:
    """Each row with the length of its bar and of the part of it that is old."""
    found = bars.lengths([row.allocated_bytes for row in rows])
    return [(row, length, round(length * row.old_percent / 100, 1)) for row, length in zip(rows, found, strict=True)]


def show_users(sources: Sources) -> Content:
    """The users of a task or of all."""
    choice = sources.of(choices.TaskChoice)
    with sources.store.reading() as connection:
        return {**_shared(connection, "users"), **_largest(connection, sources, choice)}


def show_user(sources: Sources) -> Content:
    """One user: what it takes of each tree now and took over time, where that lies, and what is planned with it."""
    choice = sources.of(choices.UserChoice)
    with sources.store.reading() as connection:
        rows = users.user_runs(connection, sources.viewer, choice)
        newest = {row.task: row for row in reversed(rows)}
        lines = {
            task: line(
                [(row.started_seconds, float(row.allocated_bytes)) for row in reversed(rows) if row.task == task], size
            )
            for task in newest
        }
        uids = {row.host: row.uid for row in rows}
        return {
            **_shared(connection, "users"),
            "title": printable(rows[0].login),
            "user": rows[0],
            "newest": sorted(newest.values(), key=lambda row: row.allocated_bytes, reverse=True),
            "lines": lines,
            "planned": planned.plans_of_users(connection, uids),
        }


def show_directories(sources: Sources) -> Content:
    """What lies in a directory, as a picture beside the table."""
    choice = sources.of(choices.TreemapChoice)
    with sources.store.reading() as connection:
        shared = _shared(connection, "directories")
        run = run_of(connection, choice)
        if run is None:
            return {**shared, "run": None}
        above = directories.find(connection, run, choice.directory)
        rows = directories.below(connection, sources.viewer, run, above)
        return {
            **shared,
            "run": run,
            "above": above,
            "trail": directories.trail(connection, run, above),
            "maps": treemap.treemaps(rows, above, choice.by),
            "legend": treemap.legend(rows, choice.by),
            "slash": b"/",
        }


def show_old(sources: Sources) -> Content:
    """Whose files are old, and where they lie."""
    with sources.store.reading() as connection:
        return _shared(connection, "old")


def show_runs(sources: Sources) -> Content:
    """The runs there were."""
    with sources.store.reading() as connection:
        return _shared(connection, "runs")


def show_run(sources: Sources) -> Content:
    """One run: its sums, files by age and by size, the largest, and what could not be read."""
    choice = sources.of(choices.RunChoice)
    with sources.store.reading() as connection:
        number = choice.run
        if number is None:
            newest = run_of(connection, choice)
            if newest is None:
                raise NoSuchError("no full run has come to its end yet", "Start one with `dkm disk run full`")
            number = newest.id
        row = history.one_run(connection, number)
        content = {**_shared(connection, "runs"), "title": f"Run {row.id} of {row.task}", "run": row}
        if row.kind != "full" or row.files is None or row.ended_seconds is None:
            return {**content, "whole": None}
        run = run_numbered(connection, number)
        return {
            **content,
            "whole": run,
            "before": week_before(connection, run),
            "ages": bars.of_ages(contents.ages(connection, sources.viewer, run)),
            "sizes": bars.of_sizes(contents.sizes(connection, sources.viewer, run)),
        }


def show_difference(sources: Sources) -> Content:
    """What differs between two full runs."""
    choice = sources.of(choices.DifferenceChoice)
    with sources.store.reading() as connection:
        shared = _shared(connection, "difference")
        task = _task_of(connection, choice)
        if task is None:
            return {**shared, "before": None, "after": None, "runs": []}
        meant = choices.PairChoice(task=choice.task or task, before=choice.before, after=choice.after)
        offered = recent(connection, task, MOST_RUNS)
        pair = pair_of(connection, meant)
        if pair is None:
            return {**shared, "before": None, "after": None, "runs": offered}
        before, after = pair
        rows = difference.difference(connection, sources.viewer, before, after, "user")
        most = [row for row in rows[:MOST_CHANGES] if row.growth_bytes > 0]
        least = [row for row in reversed(rows[-MOST_CHANGES:]) if row.growth_bytes < 0]
        found = [*most, *least]
        return {
            **shared,
            "before": before,
            "after": after,
            "runs": [run for run in (before, after) if run not in offered] + offered,
            "changes": list(zip(found, bars.lengths([row.growth_bytes for row in found]), strict=True)),
            "kind": choice.kind or "user",
        }


def _task_of(connection: Connection, choice: choices.DifferenceChoice) -> str | None:
    """The task whose runs are compared: the one that is named, that of a run that is, else the first with a run."""
    if choice.task:
        return choice.task
    for text in (choice.after, choice.before):
        if (number := number_of(text)) is not None:
            return run_numbered(connection, number).task
    found: list[Run] = newest_runs(connection, "")
    return found[0].task if found else None


def show_plans(sources: Sources) -> Content:
    """The plans there are."""
    with sources.store.reading() as connection:
        return _shared(connection, "plans")


def show_plan(sources: Sources) -> Content:
    """One plan: what it holds of whom, and how far it got."""
    with sources.store.reading() as connection:
        plan = planned.one_plan(connection, sources.of(choices.PlanChoice).plan)
        return {**_shared(connection, "plans"), "title": f"Plan {plan.id}", "plan": plan}


def _page(
    path: str, title: str, content: Any, parameters: type[Parameters] = Parameters, *, menu: bool = False
) -> Page:
    template = f"html/{path.rpartition('/')[2]}.html"
    return Page(
        path=path, title=title, template=template, content=content, parameters=parameters, in_menu=menu, order=15
    )


PAGES = (
    _page("disk", "Disk use", show_systems, menu=True),
    _page("disk/users", "Who fills the disks", show_users, choices.TaskChoice),
    _page("disk/user", "A user", show_user, choices.UserChoice),
    _page("disk/directories", "What fills the disks", show_directories, choices.TreemapChoice),
    _page("disk/old", "Old files", show_old, choices.TaskChoice),
    _page("disk/runs", "Runs", show_runs, choices.HistoryChoice),
    _page("disk/run", "A run", show_run, choices.RunChoice),
    _page("disk/difference", "What changed", show_difference, choices.DifferenceChoice),
    _page("disk/plans", "Plans", show_plans, choices.TaskChoice),
    _page("disk/plan", "A plan", show_plan, choices.PlanChoice),
)
__all__ = ["LISTINGS", "OVERVIEW", "PAGES"]
