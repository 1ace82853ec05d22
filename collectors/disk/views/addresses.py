"""Where the pages of disk use are."""

from __future__ import annotations

from urllib.parse import urlencode

SYSTEMS = "/disk"


def _address(path: str, **given: str | int | None) -> str:
    query = {name: value for name, value in given.items() if value not in (None, "")}
    return f"/disk/{path}?{urlencode(query)}" if query else f"/disk/{path}"


def users(task: str = "") -> str:
    """The page of a task's users, or of all."""
    return _address("users", task=task)


def user(uid: int) -> str:
    """The page of a user."""
    return _address("user", user=uid)


def directories(run: int | None = None, directory: int | None = None, *, task: str = "", by: str = "") -> str:
    """The page of what lies in a directory of a run."""
    return _address("directories", task=task, run=run, directory=directory, by=by)


def old(task: str = "") -> str:
    """The page of what is old."""
    return _address("old", task=task)


def runs(task: str = "", kind: str = "") -> str:
    """The page of runs."""
    return _address("runs", task=task, kind=kind)


def run(number: int) -> str:
    """The page of a run."""
    return _address("run", run=number)


def difference(before: str | int = "", after: str | int = "", *, task: str = "", kind: str = "") -> str:
    """The page of what differs between two runs."""
    return _address("difference", task=task, before=before, after=after, kind=kind)


def plans(task: str = "") -> str:
    """The page of plans."""
    return _address("plans", task=task)


def plan(name: str) -> str:
    """The page of a plan."""
    return _address("plan", plan=name)
