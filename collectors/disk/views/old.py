"""What is old: whose it is, and in which directories it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.disk.views.choices import TaskChoice
from collectors.disk.views.directories import largest_old
from collectors.disk.views.rows import OldRow
from collectors.disk.views.selection import newest_runs
from collectors.disk.views.users import users
from dkumonitor.views import answer_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from dkumonitor.views import Answer, Question, Sources, Viewer

MOST_DIRECTORIES = 200  # of each task


def old(connection: Connection, viewer: Viewer, choice: TaskChoice) -> list[OldRow]:
    """Users and directories with what is old of them, by the newest full runs; the largest first."""
    rows = [*_of_users(connection, viewer, choice), *_of_directories(connection, viewer, choice)]
    return sorted(rows, key=lambda row: row.old_bytes, reverse=True)


def _of_users(connection: Connection, viewer: Viewer, choice: TaskChoice) -> Iterator[OldRow]:
    for row in users(connection, viewer, choice):
        if row.old_bytes:
            yield OldRow(
                run_id=row.run_id,
                task=row.task,
                host=row.host,
                kind="user",
                uid=row.uid,
                login=row.login,
                path=None,
                number=None,
                files=row.files,
                apparent_bytes=row.apparent_bytes,
                old_files=row.old_files,
                old_bytes=row.old_bytes,
                old_percent=row.old_percent,
            )


def _of_directories(connection: Connection, viewer: Viewer, choice: TaskChoice) -> Iterator[OldRow]:
    for run in newest_runs(connection, choice.task):
        for row in largest_old(connection, viewer, run, MOST_DIRECTORIES):
            yield OldRow(
                run_id=run.id,
                task=run.task,
                host=run.host,
                kind="directory",
                uid=row.uid,
                login=row.login,
                path=row.path,
                number=row.number,
                files=row.files,
                apparent_bytes=row.apparent_bytes,
                old_files=row.old_files,
                old_bytes=row.old_bytes,
                old_percent=row.old_percent,
            )


def ask_old(sources: Sources, question: Question) -> Answer:
    """The listing of what is old."""
    with sources.store.reading() as connection:
        return answer_rows(old(connection, sources.viewer, sources.of(TaskChoice)), question)
