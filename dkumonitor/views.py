"""What a collector (or the console itself) shows: declared once, drawn as page, JSON, CSV and command.

A listing is rows of one type, sorted, searched and paged by whoever holds them: the database where they are in the
store, :func:`answer_rows` where they are in memory. A page is a template of the collector's own folder with listings in
it; a card is what the overview says of a collector. The console finds them in ``collectors/<name>/pages.py``
(``LISTINGS``, ``PAGES``, ``OVERVIEW``); nothing names a collector anywhere else.

What a listing or a page is of (a run, a user, a directory) is told by parameters: a struct that derives from
:class:`Parameters`. The console takes them from the address, checks them by their types, and puts them into every
address that it makes: the headings, the next rows, the CSV, the API; a command takes them from its flags.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import msgspec

from dkumonitor.accounts.roles import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dkumonitor.carbonapi import Carbonapi
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000
Moment = Annotated[float, msgspec.Meta(description="UTC seconds")]
"""The type of a column that is a point in time. Any other column whose name ends in ``_seconds`` is a duration."""
P = TypeVar("P", bound="Parameters")


class Level(StrEnum):
    """How well something is; the worst comes last."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    FAILED = "failed"


class Viewer(msgspec.Struct, frozen=True):
    """Who looks.

    Attributes:
        login: of the account.
        role: what it may do.
        sees_names: whether real names are unlocked at this moment; where not, no view may give one away.
    """

    login: str
    role: Role
    sees_names: bool = False


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a listing or a page is of; this one is of nothing in particular.

    The fields of one that derives from this are texts, numbers and booleans, or None where they may be left out. No
    field has a name of :class:`Question`'s.
    """


@dataclass(frozen=True)
class Sources:
    """What a view may read, and of what. A view never reads the machine: its facts come from the store and carbon.

    Attributes:
        installation: where the programs and folders are.
        store: the database.
        carbonapi: None where this installation reads no metrics.
        viewer: who looks.
        now_seconds: the time, UTC seconds.
        parameters: of the type that the listing or the page declares.
    """

    installation: Installation
    store: Store
    carbonapi: Carbonapi | None
    viewer: Viewer
    now_seconds: float
    parameters: Parameters = field(default_factory=Parameters)

    def of(self, _type: type[P]) -> P:
        """The parameters, as the type that the listing or the page declares."""
        return cast("P", self.parameters)


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked of a listing.

    Attributes:
        search: text that a row must contain in one of its text columns, without regard to case; empty for all rows.
        sort: a column's name; empty for the listing's own order.
        descending: whether the largest comes first.
        offset: rows to leave out.
        limit: rows to give, at most :data:`MAX_LIMIT`.
    """

    search: str = ""
    sort: str = ""
    descending: bool = False
    offset: int = 0
    limit: int = DEFAULT_LIMIT


class Answer(msgspec.Struct, frozen=True):
    """The rows of one page of a listing, and how many there are on all of its pages."""

    rows: Sequence[msgspec.Struct]
    total: int


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A table.

    Attributes:
        name: its segment in addresses and its path below ``/api/v1/``: ``host-users``.
        title: its heading.
        summary: one sentence on what a row is.
        row_type: its fields are the columns; units stand in their names (``_bytes``, ``_seconds``, ``_percent``).
        ask: answers a question; a column that it cannot sort by is no column of ``row_type``.
        role: who may see it.
        sort: the column that it is sorted by unless asked otherwise.
        descending: the direction of that.
        empty: what to do where there are no rows, one sentence.
        links: by column, what makes the address that a cell links to, from the row; None for no link.
        parameters: what it can be asked of.
    """

    name: str
    title: str
    summary: str
    row_type: type[msgspec.Struct]
    ask: Callable[[Sources, Question], Answer]
    parameters: type[Parameters] = Parameters
    role: Role = Role.VIEWER
    sort: str = ""
    descending: bool = False
    empty: str = ""
    links: Mapping[str, Callable[[Any], str | None]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return self.row_type.__struct_fields__

    def of(self, sources: Sources, question: Question) -> Answer:
        """The answer to a question whose blanks are filled with the listing's own order."""
        if not question.sort:
            question = msgspec.structs.replace(question, sort=self.sort, descending=self.descending)
        return self.ask(sources, question)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the console.

    Attributes:
        path: its address below ``/``: ``users``, or of more segments where it belongs to another page: ``disk/run``.
        title: its heading, and its word in the navigation; ``content`` may give another heading.
        template: the name of its html, which lies in the folder of the module that declares it.
        content: what the template is given, beside ``viewer``, ``title``, ``parameters`` and
            ``listing(name, **parameters)``.
        parameters: what it can be asked of.
        in_menu: whether it stands in the navigation.
        role: who may see it.
        order: its place in the navigation, the smallest first.
    """

    path: str
    title: str
    template: str
    content: Callable[[Sources], Mapping[str, Any]] = lambda _: {}
    parameters: type[Parameters] = Parameters
    in_menu: bool = True
    role: Role = Role.VIEWER
    order: int = 100


class Figure(msgspec.Struct, frozen=True):
    """A number or a text of a card; its unit stands in its name, as a column's does: ``waiting_bytes``."""

    name: str
    value: float | str | None


class Told(msgspec.Struct, frozen=True):
    """What a card says: how well that is, in a sentence, with some figures."""

    level: Level
    sentence: str
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Card:
    """A part of the overview: what a collector has to say to "is the machine well?".

    It stands in ``OVERVIEW`` of the collector's ``pages.py`` and is on the first page, in ``dkm overview`` and in
    ``/api/v1/overview``. Where its level is ``warning`` or ``failed``, its sentence is part of the verdict.

    Attributes:
        name: its key in JSON: ``arrivals``.
        title: its heading.
        tell: says how it is; None where there is nothing to say, and then no card is shown. Asked at each refresh of
            the page, so it takes milliseconds.
        path: the page that says more, empty for none.
        banner: whether its sentence stands on top of every page while its level is ``failed``.
        role: who may see it.
        order: its place, the smallest first.
    """

    name: str
    title: str
    tell: Callable[[Sources], Told | None]
    path: str = ""
    banner: bool = False
    role: Role = Role.VIEWER
    order: int = 100


def answer_rows(rows: Sequence[msgspec.Struct], question: Question) -> Answer:
    """Search, sort and page rows that are in memory. None sorts last in both directions."""
    if question.search:
        wanted = question.search.casefold()
        rows = [row for row in rows if any(wanted in text.casefold() for text in _texts(row))]
    if question.sort:
        there = [row for row in rows if getattr(row, question.sort) is not None]
        missing = [row for row in rows if getattr(row, question.sort) is None]
        there.sort(key=lambda row: _sort_key(getattr(row, question.sort)), reverse=question.descending)
        rows = [*there, *missing]
    return Answer(rows[question.offset : question.offset + question.limit], len(rows))


def _texts(row: msgspec.Struct) -> list[str]:
    cells = (getattr(row, name) for name in row.__struct_fields__)
    return [os.fsdecode(cell) if isinstance(cell, bytes) else cell for cell in cells if isinstance(cell, str | bytes)]


def _sort_key(cell: Any) -> Any:
    return cell.casefold() if isinstance(cell, str) else cell
