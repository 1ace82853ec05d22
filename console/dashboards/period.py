"""Which time a chart shows: words such as ``now-6h`` and UTC seconds, made into two moments."""

from __future__ import annotations

import re

import msgspec

_DAY = 86400
MAX_SECONDS = 2 * 365 * _DAY  # as long as metrics are kept
_AHEAD_SECONDS = _DAY
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": _DAY, "w": 7 * _DAY, "M": 30 * _DAY, "y": 365 * _DAY}
_RELATIVE = re.compile(r"now(?:-([0-9]{1,6})([smhdwMy]))?\Z")
_ABSOLUTE = re.compile(r"[0-9]{1,10}\Z")


class PeriodError(ValueError):
    """That is no period; the text says why, for the person who asked."""


class Period(msgspec.Struct, frozen=True):
    """After `from_seconds`, up to `until_seconds`; UTC."""

    from_seconds: int
    until_seconds: int


def parse(from_: str, until: str, now_seconds: float, interval_seconds: int) -> Period:
    """The period between two moments.

    Args:
        from_: ``now-6h`` (of s m h d w M y) or UTC seconds.
        until: the same; ``now`` alone is now.
        now_seconds: the time, UTC seconds.
        interval_seconds: of the metrics. `from_` is moved up to a multiple of it, so that ``now-6h`` is still within
            the six hours whose every value is kept when carbon looks a moment later.

    Raises:
        PeriodError: not of that form, not in that order, longer than two years, or in the future.
    """
    first, last = _moment(from_, now_seconds), _moment(until, now_seconds)
    if last <= first:
        raise PeriodError(f"{from_} is not before {until}")
    if last - first > MAX_SECONDS:
        raise PeriodError("At most two years can be shown at once")
    if last > now_seconds + _AHEAD_SECONDS:
        raise PeriodError(f"{until} is in the future")
    aligned = -(-first // interval_seconds) * interval_seconds
    return Period(aligned if aligned < last else first, last)


def _moment(text: str, now_seconds: float) -> int:
    if _ABSOLUTE.match(text):
        return int(text)
    match = _RELATIVE.match(text)
    if match is None:
        raise PeriodError(f"{text[:40]!r} is no moment: write now-6h (of s m h d w M y) or UTC seconds")
    return int(now_seconds) - (int(match[1]) * _UNITS[match[2]] if match[1] else 0)
