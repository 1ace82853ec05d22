"""What a person is told, written as a mail: text and HTML from templates, which the administrator may change.

The templates lie in the folder ``letters`` beside this module; one of the same name in DIR/conf/disk/letters takes its
place. letters/README.md says what they may use.
"""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import msgspec
from markupsafe import Markup

from collectors.disk.errors import LetterError
from collectors.disk.largest import Largest
from dkumonitor.cells import size
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.disk.warnings import Act, Occasion, Told

BUILT_IN = Path(__file__).parent / "letters"
FRAME = "letter"
SUBJECT = "subject.txt"
_AGE_WORDS = {"newest": "read or changed", "atime": "read", "mtime": "changed"}


class Written(msgspec.Struct, frozen=True):
    """A mail's subject and its two forms."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All that the templates may use: text for reading in which every name is printable, and numbers.

    Attributes:
        name: the person's real name, else the login.
        login: of the person.
        host: the machine.
        path: the tree.
        used, total, used_percent: how full the file system is.
        warning_percent, critical_percent: the task's thresholds.
        is_critical: whether the second is reached.
        old_days: a file is old when nobody has used it for so many days.
        age_words: what counts as use: "read or changed".
        scanned: when this was found.
        is_partial: whether something could not be read, so that figures may be too small.
        files, size: the person's files, and their sizes.
        disk_use, disk_percent: what they take on disk, and as a share of the disk.
        old_files, old_size: the old ones among them.
        top_percent: the share of the people that counts as the largest.
        action: what happens to old files when it is critical: ``move``, ``delete`` or empty.
        relocation_path: where they are moved to; empty for nowhere.
        quarantine_days: how long deleted files can be brought back; 0 for not at all.
        sections: the names of the parts that the mail has.
        directories, largest_files: where most of the person's files lie, and the largest of them, as far as known.
    """

    name: str
    login: str
    host: str
    path: str
    used: str
    total: str
    used_percent: str
    warning_percent: str
    critical_percent: str
    is_critical: bool
    old_days: int
    age_words: str
    scanned: str
    is_partial: bool
    files: str
    size: str
    disk_use: str
    disk_percent: str
    old_files: str
    old_size: str
    top_percent: str
    action: str
    relocation_path: str
    quarantine_days: int
    sections: tuple[str, ...]
    directories: tuple[Mapping[str, str], ...]
    largest_files: tuple[Mapping[str, str], ...]


class Letters:
    """Writes mails about one occasion.

    Args:
        occasion: what they are about.
        folder: the administrator's templates; need not be there.
    """

    def __init__(self, occasion: Occasion, folder: Path) -> None:
        self._occasion = occasion
        self._folder = folder
        self._built_in = _environment(BUILT_IN)
        self._own = _environment(folder)
        self._largest = Largest(occasion.scan)
        self.errors: dict[str, LetterError] = {}
        """What is wrong with the administrator's templates, by their names."""

    def write(self, told: Told, login: str, real_name: str | None) -> Written:
        """The mail that says what a person is told."""
        figures = self._figures(told, login, real_name)
        values = asdict(figures)
        subject = " ".join(self._render(SUBJECT, values).split())
        text, html = (self._write_form(ending, told, values) for ending in ("txt", "html"))
        return Written(subject, text, html)

    def _write_form(self, ending: str, told: Told, values: Mapping[str, Any]) -> str:
        parts = []
        for section in told.sections:
            acts = [{"act": _act_values(act)} for act in told.acts if act.section == section]
            for act in acts or [{}]:
                own = {**values, **act}
                part = self._render(f"{section.value}.{ending}", own).strip("\n")
                parts.append(Markup(part) if ending == "html" else part)  # noqa: S704  a template has escaped it
        return self._render(f"{FRAME}.{ending}", {**values, "parts": parts}).strip("\n") + "\n"

    def _render(self, name: str, values: Mapping[str, Any]) -> str:
        """The administrator's template, or the built-in one where there is none or it does not work."""
        if name not in self.errors and (self._folder / name).is_file():
            try:
                return self._own.get_template(name).render(values)
            except Exception as error:  # noqa: BLE001  whatever an own template does, the mail goes out
                self.errors[name] = _error(self._folder / name, error)
        return self._built_in.get_template(name).render(values)

    def _figures(self, told: Told, login: str, real_name: str | None) -> Figures:
        task, scan, own = self._occasion.task, self._occasion.scan, told.own
        total_bytes = scan.filesystem.total_bytes
        share_percent = 100 * own.allocated_bytes / total_bytes if total_bytes else 0.0
        return Figures(
            name=printable(real_name or login),
            login=printable(login),
            host=printable(task.host),
            path=_shown(task.path),
            used=size(scan.filesystem.used_bytes),
            total=size(total_bytes),
            used_percent=f"{scan.filesystem.used_percent:.1f} %",
            warning_percent=f"{task.usage_warning_percent:g} %",
            critical_percent=f"{task.usage_critical_percent:g} %",
            is_critical=scan.filesystem.used_percent >= task.usage_critical_percent,
            old_days=task.old_file_days,
            age_words=_AGE_WORDS[task.age_by],
            scanned=_moment(scan.now_seconds),
            is_partial=scan.partial,
            files=f"{own.files:,}",
            size=size(own.apparent_bytes),
            disk_use=size(own.allocated_bytes),
            disk_percent=f"{share_percent:.1f} %",
            old_files=f"{own.old_files:,}",
            old_size=size(own.old_bytes),
            top_percent=f"{task.email_top_percent:g} %",
            action=task.action or "",
            relocation_path=_shown(task.relocation_path) if task.relocation_path else "",
            quarantine_days=task.quarantine_days,
            sections=tuple(section.value for section in told.sections),
            directories=tuple(
                {"path": _below(task.path, one.path), "files": f"{one.files:,}", "size": size(one.size_bytes)}
                for one in self._largest.directories(told.uid)
            ),
            largest_files=tuple(
                {"path": _below(task.path, one.path), "size": size(one.size_bytes), "used": _day(one.used_seconds)}
                for one in self._largest.files(told.uid)
            ),
        )


def _act_values(act: Act) -> dict[str, Any]:
    """What a part about an act has beside the figures; docs in letters/README.md."""
    return {
        "files": f"{act.files:,}",
        "size": size(act.bytes),
        "due": "" if act.due_seconds is None else _moment(act.due_seconds),
        "is_planned": act.is_planned,
    }


def _environment(folder: Path) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(["html"], default=False),
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _error(path: Path, error: Exception) -> LetterError:
    line = getattr(error, "lineno", None)
    if line is None:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = lines[-1] if lines else None
    where = f"{path}, line {line}" if line else str(path)
    why = printable(str(error)) or type(error).__name__
    return LetterError(f"the template {where} cannot be used: {why}", "Correct it; the built-in one was used instead")


def _shown(path: bytes) -> str:
    return printable(os.fsdecode(path))


def _below(tree: bytes, path: bytes) -> str:
    return _shown(os.path.join(tree, path) if path else tree)  # noqa: PTH118  bytes


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
