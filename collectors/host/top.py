"""Which users have series of their own: the largest, and they keep their place until another one is clearly larger."""

from collections.abc import Mapping

import msgspec

HALF_LIFE_SECONDS = 300.0
MARGIN = 1.25
_NEGLIGIBLE = 1e-6
_AHEAD = 1e-3  # of the machine: beyond the margin, so that two idle users do not take turns


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """How large each user is, and who has a place.

    Attributes:
        scores: each user's share of the machine's processors and memory (0 to 2), smoothed over some minutes.
        placed: the users with series of their own.
    """

    scores: dict[str, float] = {}
    placed: tuple[str, ...] = ()


def place(before: Standing, shares: Mapping[str, float], places: int, elapsed_seconds: float) -> Standing:
    """Decide who has a place after a sample.

    Free places are filled at once, the largest first. A full house changes by at most one user a sample, and only where
    the largest without a place is ``MARGIN`` times the smallest with one.

    Args:
        before: the standing after the sample before.
        shares: each user's share of the machine now.
        places: how many users have series of their own.
        elapsed_seconds: the time since the sample before.
    """
    keep = 0.5 ** (elapsed_seconds / HALF_LIFE_SECONDS)
    scores = {}
    for user in before.scores.keys() | shares.keys():
        old = before.scores.get(user, shares.get(user, 0.0))
        scores[user] = keep * old + (1 - keep) * shares.get(user, 0.0)

    def largest_first(user: str) -> tuple[float, str]:
        return -scores.get(user, 0.0), user

    placed = list(before.placed[:places])
    waiting = sorted((user for user in shares if user not in placed), key=largest_first)
    free = places - len(placed)
    placed += waiting[:free]
    rest = waiting[free:]
    if rest and placed:
        smallest = max(placed, key=largest_first)
        if scores[rest[0]] > MARGIN * scores.get(smallest, 0.0) + _AHEAD:
            placed[placed.index(smallest)] = rest[0]
    kept = {user: score for user, score in scores.items() if score > _NEGLIGIBLE or user in placed}
    return Standing(kept, tuple(placed))
