"""What disk use says to the overview: the worst file system, and a banner while one is critical."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.disk.runs import Level as Full
from collectors.disk.views import addresses
from collectors.disk.views.choices import TaskChoice
from collectors.disk.views.systems import systems
from dkumonitor.views import Card, Figure, Level, Sources, Told

if TYPE_CHECKING:
    from collectors.disk.views.rows import SystemRow

_LEVELS = {Full.OK.value: Level.OK, Full.WARNING.value: Level.WARNING, Full.CRITICAL.value: Level.FAILED}


def tell(sources: Sources) -> Told | None:
    """The worst of the file systems of enabled tasks; nothing where there is none."""
    with sources.store.reading() as connection:
        found = [row for row in systems(connection, TaskChoice(), sources.now_seconds) if row.enabled]
    if not found:
        return None
    worst = found[0]
    if worst.used_percent is None:
        return Told(Level.UNKNOWN, f"No run of {worst.task} has come to its end yet")
    over = [row for row in found if row.level in (Full.WARNING.value, Full.CRITICAL.value)]
    sentence = f"{worst.task} on {worst.host} is {worst.used_percent:.1f} % full"
    if worst.level != Full.OK.value:
        sentence += f", {worst.level} from {_threshold(worst):g} % on"
    if len(over) > 1:
        sentence += f"; {len(over) - 1} more {'is' if len(over) == 2 else 'are'} above the warning"  # noqa: PLR2004  one more
    figures = [Figure("available_bytes", worst.available_bytes)]
    if worst.full_in_seconds is not None:
        figures.append(Figure("full_in_seconds", worst.full_in_seconds))
    figures += [
        Figure("old_bytes", sum(row.old_bytes or 0 for row in found)),
        Figure("file_systems", len(found)),
    ]
    return Told(_LEVELS.get(worst.level, Level.UNKNOWN), sentence, tuple(figures))


def _threshold(row: SystemRow) -> float:
    critical = row.level == Full.CRITICAL.value
    return row.usage_critical_percent if critical else row.usage_warning_percent


CARD = Card(name="disk", title="Disk use", tell=tell, path=addresses.SYSTEMS, banner=True, order=10)
