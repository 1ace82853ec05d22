"""How much goes on at each minute of a day, between 0 and 1: work at day, jobs at night, noise."""

from __future__ import annotations

import math
import random
from functools import cache
from typing import TYPE_CHECKING

from tests.history.series import DAY_MINUTES, MINUTE, Values

if TYPE_CHECKING:
    from collections.abc import Callable

Curve = list[float]


@cache
def office(seed: str, end: int) -> Curve:
    """People who come about nine, eat, and leave about six."""
    source = random.Random(seed)
    shift = source.gauss(0, 0.8)
    peaks = ((10.6 + shift, 1.6, 0.75), (15.2 + shift, 2.1, 0.65), (21.0 + shift, 1.2, source.random() * 0.25))

    def level(hour: float) -> float:
        return 0.04 + sum(high * math.exp(-(((hour - at) / width) ** 2)) for at, width, high in peaks)

    return _noisy(source, end, level)


@cache
def nightly(seed: str, end: int) -> Curve:
    """Jobs that start at one and take some hours, and little at day."""
    source = random.Random(seed)
    start, hours = 1 + source.random(), 2 + 3 * source.random()
    return _noisy(source, end, lambda hour: 0.85 if start <= hour < start + hours else 0.06)


@cache
def steady(seed: str, end: int) -> Curve:
    """A service that does the same all day."""
    source = random.Random(seed)
    level = 0.2 + 0.4 * source.random()
    return _noisy(source, end, lambda _: level)


def growing(first: float, a_minute: Curve) -> Values:
    """A counter that grew by so much in each minute."""
    total, values = first, []
    for grown in a_minute:
        total += grown
        values.append(total)
    return list(values)


def scaled(curve: Curve, base: float, height: float) -> Values:
    """From `base` where nothing goes on up to `height` more."""
    return [base + height * share for share in curve]


def whole(curve: Curve, base: float, height: float) -> Values:
    """The same in whole numbers."""
    return [float(round(base + height * share)) for share in curve]


def without(values: Values, first: int, count: int) -> Values:
    """The same with a gap of `count` minutes."""
    return [*values[:first], *([None] * len(values[first : first + count])), *values[first + count :]]


def _noisy(source: random.Random, end: int, level: Callable[[float], float]) -> Curve:
    first = end // MINUTE - DAY_MINUTES
    stray, curve = 0.0, []
    for minute in range(first, first + DAY_MINUTES):
        stray = 0.92 * stray + source.gauss(0, 0.035)
        burst = 0.3 * source.random() if source.random() < 0.01 else 0.0
        curve.append(min(1.0, max(0.005, level(minute % DAY_MINUTES / 60) * (1 + stray) + burst)))
    return curve
