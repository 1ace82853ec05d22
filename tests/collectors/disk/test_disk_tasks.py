"""Tasks are kept as they were given, and impossible ones are refused with the value's name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner

from collectors.disk import tasks
from collectors.disk.cli import cli
from collectors.disk.errors import TaskError
from collectors.disk.questions import QUESTIONS
from collectors.disk.tasks import Task
from tests.collectors.disk.makers import NOW_SECONDS, a_task
from tests.corpus import NAMES as FILE_NAMES

if TYPE_CHECKING:
    from click.testing import Result

    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store


def dkm_disk(installation: Installation, *arguments: str, typed: str | None = None) -> Result:
    outcome = CliRunner().invoke(cli, arguments, obj=installation, input=typed, catch_exceptions=True)
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit | TaskError):
        raise outcome.exception
    return outcome


def test_a_task_is_kept_changed_and_forgotten(store: Store) -> None:
    task = a_task(relocation_path=b"/archive/\xff")
    store.write(lambda connection: tasks.add(connection, task, NOW_SECONDS))
    with pytest.raises(TaskError, match="already"):
        store.write(lambda connection: tasks.add(connection, task, NOW_SECONDS))
    with store.reading() as connection:
        assert tasks.find(connection, "scratch") == msgspec.structs.replace(task, changed_seconds=NOW_SECONDS)
        assert tasks.every(connection, "elsewhere") == []
    store.write(lambda connection: tasks.change(connection, "scratch", {"depth": 5}, NOW_SECONDS + 1))
    with store.reading() as connection:
        assert tasks.find(connection, "scratch").depth == 5
        assert tasks.find(connection, "scratch").relocation_path == b"/archive/\xff"
    store.write(lambda connection: tasks.remove(connection, "scratch"))
    with store.reading() as connection, pytest.raises(TaskError, match="no task 'scratch'"):
        tasks.find(connection, "scratch")


@pytest.mark.parametrize("name", [name.replace(b"/", b"_") for name in FILE_NAMES if name != b".."], ids=repr)
def test_any_path_is_kept(store: Store, name: bytes) -> None:
    store.write(lambda connection: tasks.add(connection, a_task(b"/scratch/" + name), NOW_SECONDS))
    with store.reading() as connection:
        assert tasks.find(connection, "scratch").path == b"/scratch/" + name


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": "a b"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "-x"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"path": b"scratch"}, "path"),
        ({"path": b"/"}, "path"),
        ({"path": b"/a/../b"}, "path"),
        ({"path": b"/a//b"}, "path"),
        ({"path": b"/a\0b"}, "path"),
        ({"relocation_path": b"/scratch/old"}, "lie in each other"),
        ({"relocation_path": b"/scratch"}, "lie in each other"),
        ({"path": b"/archive/scratch", "relocation_path": b"/archive"}, "lie in each other"),
        ({"relocation_path": b"/archive", "delete_old_files": True}, "exclude"),
        ({"delete_when_full": True}, "relocation_path"),
        ({"usage_warning_percent": 95.0}, "below"),
        ({"usage_warning_percent": 0.0}, "usage_warning_percent"),
        ({"usage_critical_percent": 101.0}, "usage_critical_percent"),
        ({"old_file_days": 0}, "old_file_days"),
        ({"full_hour": 24}, "full_hour"),
        ({"age_by": "ctime"}, "age_by"),
        ({"max_files": 0}, "max_files"),
        ({"max_bytes": 2**63}, "max_bytes"),
    ],
)
def test_an_impossible_task_is_refused_by_the_name_of_its_value(values: dict[str, Any], says: str) -> None:
    with pytest.raises(TaskError, match=says):
        tasks.make({"name": "scratch", "host": "example", "path": b"/scratch", **values})


def test_every_value_has_its_question_and_its_flag() -> None:
    asked = {question.field for question in QUESTIONS}
    assert asked == set(Task.__struct_fields__) - {"name", "host", "changed_seconds"}


def test_the_command_makes_lists_edits_and_removes(installation: Installation) -> None:
    flags = ("--path", "/scratch/", "--max-bytes", "1.5T", "--relocation-path", "/archive", "--no-email-usage-warnings")
    assert dkm_disk(installation, "task", "create", "scratch", *flags).exit_code == 0
    [shown] = json.loads(dkm_disk(installation, "task", "display", "--json").stdout)
    assert (shown["path"], shown["max_bytes"], shown["host"]) == ("/scratch", 3 * 2**39, "example")
    assert (shown["dry_run"], shown["enabled"], shown["email_usage_warnings"]) == (True, True, False)
    edit = dkm_disk(installation, "task", "edit", "scratch", "--relocation-path", "none", "--delete-old-files")
    assert edit.exit_code == 0
    assert dkm_disk(installation, "task", "disable", "scratch").exit_code == 0
    changed = json.loads(dkm_disk(installation, "task", "show", "scratch", "--json").stdout)
    assert (changed["relocation_path"], changed["delete_old_files"], changed["enabled"]) == (None, True, False)
    assert dkm_disk(installation, "task", "enable", "scratch").exit_code == 0
    assert "scratch" in dkm_disk(installation, "task", "list").stdout
    assert dkm_disk(installation, "task", "delete", "scratch").exit_code == 0
    assert json.loads(dkm_disk(installation, "task", "list", "--json").stdout) == []


def test_the_command_needs_a_name_a_path_and_something_to_change(installation: Installation) -> None:
    assert dkm_disk(installation, "task", "create", "scratch").exit_code == 2
    assert dkm_disk(installation, "task", "create", "--path", "/scratch").exit_code == 2
    assert dkm_disk(installation, "task", "create", "scratch", "--path", "/scratch").exit_code == 0
    assert dkm_disk(installation, "task", "edit", "scratch").exit_code == 2
    assert isinstance(dkm_disk(installation, "task", "edit", "scrath", "--depth", "2").exception, TaskError)


def test_questions_are_asked_one_by_one_and_again_where_an_answer_is_impossible(installation: Installation) -> None:
    answers = ["bad name", "scratch"]
    for question in QUESTIONS:
        answers += {
            "path": ["relative", "/scratch"],
            "usage_warning_percent": ["85"],
            "usage_critical_percent": ["70", "seventy", "95"],
            "relocation_path": ["/scratch/old", "/archive"],
            "delete_old_files": ["yes", "no"],
            "max_bytes": ["much", "2T"],
        }.get(question.field, [""])
    outcome = dkm_disk(installation, "task", "create", "--interactive", typed="\n".join(answers) + "\n")
    assert outcome.exit_code == 0, outcome.output
    made = json.loads(dkm_disk(installation, "task", "show", "scratch", "--json").stdout)
    assert (made["usage_warning_percent"], made["usage_critical_percent"]) == (85, 95)
    assert (made["relocation_path"], made["delete_old_files"], made["max_bytes"]) == ("/archive", False, 2**41)
    assert all(question.text in outcome.output for question in QUESTIONS)
