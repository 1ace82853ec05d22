"""`dkm disk task`: which trees are watched, and how."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from collectors.disk import tasks
from collectors.disk.errors import TaskError
from collectors.disk.questions import QUESTIONS, flags
from collectors.disk.tables import COMPONENT
from collectors.disk.views.listings import SYSTEMS
from dkumonitor.render import Form, form_options, render, render_one
from dkumonitor.store.migrations import open_checked
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.disk.questions import Question
    from collectors.disk.tasks import Task
    from dkumonitor.installation import Installation


class TaskLine(msgspec.Struct, frozen=True):
    """A task in one line."""

    name: str
    host: str
    path: bytes
    enabled: bool
    usage_warning_percent: float
    usage_critical_percent: float
    old_file_days: int
    action: str
    dry_run: bool


class Aliases(click.Group):
    """A group whose verbs have second names."""

    second_names: Mapping[str, str] = {"display": "list", "delete": "remove"}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, by either of its names."""
        return super().get_command(ctx, self.second_names.get(cmd_name, cmd_name))


@click.group("task", cls=Aliases)
def task() -> None:
    """Say which trees are watched, when they are too full, and what happens then.

    A host runs only its own tasks. `display` is `list`, `delete` is `remove`.

    \b
    Examples:
      dkm disk task create scratch --path /scratch
      dkm disk task list
    """  # noqa: D301  \b is click's


@task.command("create")
@click.argument("name", required=False)
@click.option("--host", help="The machine that scans it, as metrics name it; this one unless given.")
@click.option("--interactive", is_flag=True, help="Ask for one value after the other, with explanations.")
@flags(is_new=True)
@click.pass_obj
def create(
    installation: Installation, /, name: str | None, host: str | None, *, interactive: bool, **given: Any
) -> None:
    """Make a task. Plans are only made, never applied by themselves, unless --no-dry-run is said.

    \b
    Examples:
      dkm disk task create scratch --path /scratch
      dkm disk task create scratch --path /scratch --old-file-days 60 --relocation-path /archive/scratch
      dkm disk task create --interactive
    """  # noqa: D301  \b is click's
    values = {field: value for field, value in given.items() if value is not None}
    values["host"] = host or installation.host
    if interactive:
        values = ask(values, name)
    elif name is None or "path" not in values:
        raise click.UsageError("a task needs a NAME and --path; --interactive asks for them")
    else:
        values["name"] = name
    made = tasks.make(values)
    _warn_of_path(made, installation)
    with open_checked(installation, [COMPONENT]) as store:
        store.write(lambda connection: tasks.add(connection, made, time.time()))
    click.echo(
        f"The task {made.name} is made. `dkm disk run full {made.name}` scans it now; else it is scanned when due."
    )


@task.command("list")
@form_options
@click.pass_obj
def list_tasks(installation: Installation, form: Form) -> None:
    """List all tasks, of all hosts that share this store.

    \b
    Example:
      dkm disk task list --json
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store, store.reading() as connection:
        found = tasks.every(connection)
    if form is Form.JSON:
        render(found, tasks.Task, form, sys.stdout)
    else:
        render([_line(one) for one in found], TaskLine, form, sys.stdout, SYSTEMS.empty)


@task.command("show")
@click.argument("name")
@form_options
@click.pass_obj
def show(installation: Installation, name: str, form: Form) -> None:
    """Show every value of a task.

    \b
    Example:
      dkm disk task show scratch
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store, store.reading() as connection:
        render_one(tasks.find(connection, name), form, sys.stdout)


@task.command("edit")
@click.argument("name")
@click.option("--host", help="The machine that scans it.")
@flags(is_new=False)
@click.pass_obj
def edit(installation: Installation, /, name: str, **given: Any) -> None:
    """Change values of a task; what is not named stays.

    \b
    Examples:
      dkm disk task edit scratch --usage-warning-percent 75
      dkm disk task edit scratch --relocation-path none --delete-old-files
    """  # noqa: D301  \b is click's
    context = click.get_current_context()
    values = {
        field: value
        for field, value in given.items()
        if context.get_parameter_source(field) is not click.core.ParameterSource.DEFAULT
    }
    if not values:
        raise click.UsageError("nothing was said to change; see `dkm disk task edit --help`")
    with open_checked(installation, [COMPONENT]) as store:
        changed = store.write(lambda connection: tasks.change(connection, name, values, time.time()))
    _warn_of_path(changed, installation)
    click.echo(f"The task {name} is changed.")


def _switch(verb: str, *, enabled: bool) -> click.Command:
    @click.argument("name")
    @click.pass_obj
    def switch(installation: Installation, name: str) -> None:
        with open_checked(installation, [COMPONENT]) as store:
            store.write(lambda connection: tasks.change(connection, name, {"enabled": enabled}, time.time()))
        click.echo(f"The task {name} is {verb}d.")

    what = "Have a task run again when it is due." if enabled else "Keep a task and what it found, but do not run it."
    return click.command(verb, help=f"{what}\n\n\b\nExample:\n  dkm disk task {verb} scratch")(switch)


task.add_command(_switch("enable", enabled=True))
task.add_command(_switch("disable", enabled=False))


@task.command("remove")
@click.argument("name")
@click.pass_obj
def remove(installation: Installation, name: str) -> None:
    """Forget a task. What its runs found is kept until it is too old; no file is touched.

    \b
    Example:
      dkm disk task remove scratch
    """  # noqa: D301  \b is click's
    with open_checked(installation, [COMPONENT]) as store:
        store.write(lambda connection: tasks.remove(connection, name))
    click.echo(f"The task {name} is removed.")


def ask(values: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """Ask a person for every value, one after the other; each is checked before the next one is asked for.

    Args:
        values: what is known already, and offered.
        name: the task's name where it is known.
    """
    click.echo("Press return to take what stands in brackets.\n")
    told: dict[str, Any] = {"host": values["host"], "path": b"/tree"}
    click.echo("What the task is called: letters, digits, _ and -.")
    told = _checked(told, "name", lambda: click.prompt("name", default=name))
    for question in QUESTIONS:
        click.echo(f"\n{question.text}")
        told = _checked(told, question.field, lambda question=question: _one(question, values))
    return told


def _one(question: Question, values: Mapping[str, Any]) -> Any:
    offered = values.get(question.field, question.default)
    default = None if offered is msgspec.NODEFAULT else question.shown(offered)
    typed = click.prompt(question.field, default=default, value_proc=lambda text: text)
    return question.type.convert(typed, None, None)


def _checked(told: dict[str, Any], field: str, prompt: Any) -> dict[str, Any]:
    """Ask until what is said goes together with what was said before."""
    while True:
        try:
            wanted = {**told, field: prompt()}
            tasks.make({"name": "new", **wanted, **_ORDER.get(field, {})})
        except (TaskError, click.BadParameter) as error:
            what = error.what if isinstance(error, TaskError) else error.message
            click.echo(f"  {printable(what)}")
        else:
            return wanted


# while the warning threshold is asked for, the critical one is not known yet
_ORDER: Mapping[str, Mapping[str, Any]] = {"usage_warning_percent": {"usage_critical_percent": 100.0}}


def _line(one: Task) -> TaskLine:
    action = one.action or "-"
    return msgspec.convert({**msgspec.structs.asdict(one), "action": action}, TaskLine, builtin_types=(bytes,))


def _warn_of_path(made: Task, installation: Installation) -> None:
    if made.host == installation.host and not Path(os.fsdecode(made.path)).is_dir():
        shown = printable(os.fsdecode(made.path))
        click.echo(f"Note: {shown} is no directory that can be seen here; the task's runs will say so.", err=True)
