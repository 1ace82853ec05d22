"""What lies in a directory as a picture: a tile for each directory in it, as large as what it takes."""

from __future__ import annotations

import os
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from collectors.disk.drawing.squarify import Box, squarify
from collectors.disk.views import addresses
from dkumonitor.cells import size
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.disk.views.rows import DirectoryRow

OLD, OWNER = "old", "owner"
OLD_STEPS = (10, 25, 50, 75)  # percent
MOST_OWNERS = 7  # with a colour of their own
_LETTER, _LINE = 6.9, 16.0  # of a text of 12 units, at its widest on average
_INSET = 6.0


class Form(NamedTuple):
    """A picture's box, and how many tiles it has at most: text keeps its size, so that a phone gets one of its own."""

    name: str
    width: int
    height: int
    most: int


FORMS = (Form("desktop", 960, 460, 48), Form("phone", 360, 420, 20))


class Tile(msgspec.Struct, frozen=True):
    """One tile.

    Attributes:
        x, y, width, height: its box.
        colour: the class of its colour.
        href: what it leads to; None where nothing more is listed.
        words: all about it, for those who point at it or hear it.
        lines: what is written into it, as far as there is room.
    """

    x: float
    y: float
    width: float
    height: float
    colour: str
    href: str | None
    words: str
    lines: tuple[str, ...]


class Colour(msgspec.Struct, frozen=True):
    """A line of the legend."""

    name: str
    text: str


class Treemap(msgspec.Struct, frozen=True):
    """A picture."""

    form: str
    width: int
    height: int
    tiles: tuple[Tile, ...]


class _Part(NamedTuple):
    name: str
    size_bytes: int
    colour: str
    said: str
    href: str | None


def treemaps(rows: Sequence[DirectoryRow], above: DirectoryRow | None, by: str) -> list[Treemap]:
    """The pictures of what lies in a directory, one for each width of screen.

    Args:
        rows: the directories in it, the largest first.
        above: the directory itself, None where it is not listed; what of it is in no row is a tile, too.
        by: what colours tell.
    """
    colours = _owner_colours(rows)
    return [_treemap(rows, above, by, colours, form) for form in FORMS]


def legend(rows: Sequence[DirectoryRow], by: str) -> list[Colour]:
    """What the colours say."""
    if by == OWNER:
        owners = _owner_colours(rows)
        names = {row.uid: row.login for row in rows}
        return [Colour(name, printable(names[uid])) for uid, name in owners.items()] + [Colour("owner-other", "others")]
    bounds = (0, *OLD_STEPS, 100)
    return [Colour(f"old-{step}", f"{low} to {high} % old") for step, (low, high) in enumerate(pairwise(bounds))]


def _treemap(
    rows: Sequence[DirectoryRow], above: DirectoryRow | None, by: str, colours: dict[int, str], form: Form
) -> Treemap:
    sized = [row for row in rows if row.allocated_bytes > 0]
    parts = [_part(row, by, colours) for row in sized[: form.most]]
    rest = sized[form.most :]
    if rest:
        taken = sum(row.allocated_bytes for row in rest)
        parts.append(_Part(f"{len(rest)} more", taken, "rest", "smaller directories", None))
    own = 0 if above is None else above.allocated_bytes - sum(row.allocated_bytes for row in rows)
    if own > 0:
        parts.append(_Part("not listed", own, "rest", "files here and directories that are not listed", None))
    parts.sort(key=lambda part: part.size_bytes, reverse=True)
    boxes = squarify([part.size_bytes for part in parts], Box(0, 0, form.width, form.height))
    return Treemap(form.name, form.width, form.height, tuple(map(_tile, parts, boxes)))


def _part(row: DirectoryRow, by: str, colours: dict[int, str]) -> _Part:
    name = printable(os.fsdecode(row.path.rpartition(b"/")[2]))
    login = printable(row.login)
    said = f"{row.old_percent:.0f} % old" if by == OLD else login
    colour = f"old-{old_step(row.old_percent)}" if by == OLD else colours.get(row.uid, "owner-other")
    href = addresses.directories(row.run_id, row.number, by="" if by == OLD else by) if row.listed else None
    return _Part(name, row.allocated_bytes, colour, said, href)


def _tile(part: _Part, box: Box) -> Tile:
    taken = size(part.size_bytes)
    return Tile(
        x=round(box.x, 1),
        y=round(box.y, 1),
        width=round(max(0.0, box.width - 1), 1),  # the ground shows between them
        height=round(max(0.0, box.height - 1), 1),
        colour=part.colour,
        href=part.href,
        words=f"{part.name}: {taken}, {part.said}",
        lines=_fitted((part.name, f"{taken}, {part.said}", taken), box),
    )


def _fitted(lines: tuple[str, str, str], box: Box) -> tuple[str, ...]:
    """The lines that have room: the name cut to it, then the size with what is said of it, or the size alone."""
    name, long, short = lines
    letters = int((box.width - 2 * _INSET) / _LETTER)
    room = int((box.height - _INSET) / _LINE)
    if letters < 3 or room < 1:  # noqa: PLR2004  fewer letters say nothing
        return ()
    written = [name if len(name) <= letters else f"{name[: letters - 1]}…"]
    second = next((text for text in (long, short) if len(text) <= letters), None)
    if room > 1 and second is not None:
        written.append(second)
    return tuple(written)


def old_step(old_percent: float) -> int:
    """Which of the five colours a share has that is old."""
    return sum(old_percent >= step for step in OLD_STEPS)


def _owner_colours(rows: Sequence[DirectoryRow]) -> dict[int, str]:
    """A colour for each of the owners of most."""
    taken: Counter[int] = Counter()
    for row in rows:
        taken[row.uid] += row.allocated_bytes
    return {uid: f"owner-{number}" for number, (uid, _) in enumerate(taken.most_common(MOST_OWNERS))}
