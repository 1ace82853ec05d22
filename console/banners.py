"""What is critical stands on top of every page: the cards of the overview that ask for it and say that it failed."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec

from console.overview.watch import Kept
from dkumonitor.overview.survey import told
from dkumonitor.text import printable
from dkumonitor.views import Card, Level, Viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dkumonitor.accounts.roles import Role
    from dkumonitor.views import Sources, Told

KEPT_SECONDS = 15.0


class Banner(msgspec.Struct, frozen=True):
    """One of them: whose card, what it says, and the page that says more (empty for none)."""

    title: str
    sentence: str
    path: str


class Banners:
    """The banners of one console, each asked anew after some seconds, however many pages are looked at.

    Args:
        sources: what a view may read for a viewer; no viewer here may see real names.
        asked: the cards.
    """

    def __init__(self, sources: Callable[[Viewer], Sources], asked: Iterable[Card]) -> None:
        self._kept = [
            (card, Kept(functools.partial(_tell, sources, card), KEPT_SECONDS)) for card in asked if card.banner
        ]

    def of(self, role: Role) -> list[Banner]:
        """Those that a role may see, now."""
        found = [(card, kept.get()) for card, kept in self._kept if role.may(card.role)]
        return [
            Banner(card.title, printable(said.sentence), card.path)
            for card, said in found
            if said is not None and said.level is Level.FAILED
        ]


def _tell(sources: Callable[[Viewer], Sources], card: Card) -> Told | None:
    return told(sources(Viewer("", card.role)), card)
