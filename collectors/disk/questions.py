"""The values of a task as a person gives them: what each means, its flag, and how a text becomes it."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import msgspec

from collectors.disk.tasks import Task
from dkumonitor.cells import size
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

_SIZE_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}


class SizeType(click.ParamType[int]):
    """A size: a number of bytes, or one with K, M, G, T or P (of 1,024)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        if isinstance(value, int):
            return value
        text = str(value).strip().upper().removesuffix("B").removesuffix("I")
        unit = text[-1:] if text[-1:] in _SIZE_UNITS else ""
        try:
            return int(float(text.removesuffix(unit)) * _SIZE_UNITS[unit])
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no size; write 500G or 1.5T", param, ctx)


class PathType(click.ParamType[bytes | None]):
    """An absolute path as bytes; empty or ``none`` is None."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes | None:  # noqa: ARG002  click's
        """Bytes, without a last slash."""
        if isinstance(value, bytes):
            return value
        if value in ("", "none"):
            return None
        path = os.fsencode(value)
        return path.rstrip(b"/") or b"/"


class UidType(click.ParamType[int]):
    """An account of this machine: a login, or a uid in digits."""

    name = "user"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The uid."""
        text = str(value)
        if text.isdecimal():
            return int(text)
        try:
            return pwd.getpwnam(text).pw_uid
        except KeyError:
            self.fail(f"this machine knows no account {text!r}; give its uid", param, ctx)


@dataclass(frozen=True)
class Question:
    """One value of a task.

    Attributes:
        field: its name in :class:`Task`.
        type: how a text becomes the value.
        text: what it means, a sentence.
    """

    field: str
    type: click.ParamType[Any]
    text: str

    @property
    def flag(self) -> str:
        """Its flag."""
        return "--" + self.field.replace("_", "-")

    @property
    def default(self) -> Any:
        """Its value where nobody says another; msgspec.NODEFAULT where one must be given."""
        return next(field.default for field in msgspec.structs.fields(Task) if field.name == self.field)

    def shown(self, value: Any) -> str:
        """A value for reading, as it may be typed in."""
        if value is None:
            return "none"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, bytes):
            return printable(os.fsdecode(value))
        return (
            size(value) if self.field.endswith("_bytes") else f"{value:g}" if isinstance(value, float) else str(value)
        )


_PATH, _SIZE = PathType(), SizeType()
QUESTIONS = (
    Question("path", _PATH, "The directory to watch, and all below it."),
    Question("usage_warning_percent", click.FLOAT, "From this use of the file system on, people are warned."),
    Question("usage_critical_percent", click.FLOAT, "From this use on, old files are moved or deleted, if wanted."),
    Question("old_file_days", click.INT, "A file is old when it was not used for so many days."),
    Question(
        "age_by",
        click.Choice(["newest", "atime", "mtime"]),
        "What use is: the newer of the last read (atime) and the last change (mtime), or one of them.",
    ),
    Question("relocation_path", _PATH, "Where old files are moved to; none moves nothing."),
    Question("delete_old_files", click.BOOL, "Whether old files are deleted (they wait in quarantine first)."),
    Question(
        "delete_when_full",
        click.BOOL,
        "Whether files that found no room at the relocation path become a plan of deletion, with its own warning.",
    ),
    Question("email_usage_warnings", click.BOOL, "Whether the largest users are written to when it is too full."),
    Question(
        "email_data_alterations", click.BOOL, "Whether owners are written to before and after their files are touched."
    ),
    Question("email_top_percent", click.FLOAT, "The share of the users, the largest first, that is written to."),
    Question("dry_run", click.BOOL, "Whether plans are only made, and a person applies them."),
    Question("warning_days", click.INT, "How many days pass between the warning and an act that comes by itself."),
    Question("quarantine_days", click.INT, "How many days deleted files can be brought back."),
    Question("remove_empty_directories", click.BOOL, "Whether directories that an act leaves empty are removed."),
    Question("max_files", click.INT, "The most files that one plan takes."),
    Question("max_bytes", _SIZE, "The most bytes that one plan takes, such as 500G."),
    Question("max_share_percent", click.FLOAT, "The largest share of the tree's bytes that one plan takes."),
    Question("quick_minutes", click.INT, "How often the use of the file system is looked at; 0 for never."),
    Question("full_hour", click.INT, "The hour of local time at which the tree is scanned each day; -1 for never."),
    Question("depth", click.INT, "How many levels of directories are told apart."),
    Question("threads", click.INT, "How many threads scan; 0 chooses by the kind of file system."),
    Question("max_rate", click.INT, "How many entries a second are looked at, to spare a busy server; 0 for no bound."),
    Question("enabled", click.BOOL, "Whether the task runs at all."),
)


def flags(*, is_new: bool) -> Callable[[Any], Any]:
    """Give a click command a flag for each value; it receives those that were given, by name."""

    def decorate(command: Any) -> Any:
        for question in reversed(QUESTIONS):
            default = question.default
            known = is_new and default is not msgspec.NODEFAULT
            text = f"{question.text} [default: {question.shown(default)}]" if known else question.text
            if isinstance(question.type, click.types.BoolParamType):
                flag = f"{question.flag}/--no-{question.field.replace('_', '-')}"
                option = click.option(flag, question.field, default=None, help=text)
            else:
                option = click.option(question.flag, question.field, type=question.type, help=text)
            command = option(command)
        return command

    return decorate
