"""How it stands with arrivals, in one sentence: said by the overview and by the doctor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from collectors import discover, load_settings
from collectors.arrivals.enablement import enabled
from collectors.arrivals.rows import MISSING, SILENT, DirectoryRow, directory_rows, is_stopped, told_of
from collectors.arrivals.settings import ArrivalsSettings
from dkumonitor.errors import DkmError
from dkumonitor.text import printable
from dkumonitor.views import Level

if TYPE_CHECKING:
    from collectors.arrivals.status import Status
    from dkumonitor.installation import Installation


class Judgement(NamedTuple):
    """The worst that is to be said.

    Attributes:
        level: how bad that is.
        sentence: it, without a full stop.
        do: the next step; empty where all is well, or the sentence says it.
        status: how the watcher is; None where that is not known, or is too old to count.
        rows: its directories.
    """

    level: Level
    sentence: str
    do: str
    status: Status | None = None
    rows: tuple[DirectoryRow, ...] = ()


def judge(installation: Installation, now_seconds: float) -> Judgement | None:
    """Whether files are announced and taken; None where no watcher is enabled.

    Args:
        installation: whose.
        now_seconds: UTC.
    """
    try:
        if enabled(installation) is None:
            return None
    except DkmError as error:
        return Judgement(Level.FAILED, error.what, error.do)
    status, wrong = told_of(installation)
    if wrong:
        return Judgement(Level.FAILED, wrong.removesuffix("."), "")
    if status is None:
        return Judgement(Level.FAILED, "The watcher has never run", "dkm start arrivals")
    if is_stopped(status, now_seconds):
        return Judgement(Level.FAILED, "The watcher does not run", "dkm start arrivals")
    rows = tuple(directory_rows(status, now_seconds))
    return Judgement(*_worst(installation, status, rows), status, rows)


def _worst(installation: Installation, status: Status, rows: tuple[DirectoryRow, ...]) -> tuple[Level, str, str]:
    if status.failure:
        said = f"Events wait, nothing is pushed: {printable(status.failure)}"
        return Level.FAILED, said, "mend the cause; the spool keeps them until then"
    missing = [row for row in rows if row.state == MISSING]
    if missing:
        said = f"{printable(missing[0].directory)} is not there{_and_more(missing)}"
        return Level.FAILED, said, "make it, or mend its access: it is looked for each second"
    late_seconds = _late_seconds(installation)
    late = [row for row in rows if (row.oldest_age_seconds or 0) >= late_seconds]
    if late:
        said = f"Nobody has taken what waits in {printable(late[0].queue)}{_and_more(late)} for long"
        return Level.WARNING, said, "do its consumers run? See `dkm arrivals status`"
    silent = [row for row in rows if row.state == SILENT]
    if silent:
        said = f"Nothing has arrived in {printable(silent[0].section)}{_and_more(silent)} for longer than usual"
        return Level.WARNING, said, "ask whoever delivers"
    return Level.OK, f"{len(rows)} {'directory is' if len(rows) == 1 else 'directories are'} watched", ""


def _and_more(rows: list[DirectoryRow]) -> str:
    return f" and {len(rows) - 1} more" if len(rows) > 1 else ""


def _late_seconds(installation: Installation) -> int:
    settings = load_settings(discover(), installation, os.environ).collectors.get("arrivals")
    return settings.late_seconds if isinstance(settings, ArrivalsSettings) else ArrivalsSettings().late_seconds
