"""Units of values, as Grafana names them, and how a value is written for reading.

The table is the only one: the console's pages get it with each dashboard (console/static/format.js applies it), so
that a figure reads alike wherever it stands; tests/console/dashboards/test_format.py holds the two together.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

import msgspec

_KIBI, _KILO = 1024.0, 1000.0
_DIGITS = 3  # that a value has unless it says its decimals
_MAX_DECIMALS = 6
_TEN = 10
_PLAIN_BELOW = 1e21  # from there on JavaScript writes an exponent
_NO_VALUE = "-"


class Scale(msgspec.Struct, frozen=True):
    """From `factor` on a value is divided by it and followed by `suffix`."""

    factor: float
    suffix: str


class Unit(msgspec.Struct, frozen=True):
    """How values of a unit are written.

    Attributes:
        scales: ascending; a value below the first is written in the first.
        base: what the steps of an axis are made of: 1024 for bytes, 60 for times, else 10.
        age: whether the value is a moment (UTC milliseconds), of which the distance to now is written, in seconds.
    """

    scales: tuple[Scale, ...]
    base: int = 10
    age: bool = False


def _scaled(step: float, suffixes: str, rate: str = "") -> tuple[Scale, ...]:
    words = suffixes.split(" ")
    return tuple(Scale(step**power, f" {word}{rate}" if word or rate else "") for power, word in enumerate(words))


def _counted(rate: str) -> tuple[Scale, ...]:
    return tuple(
        Scale(_KILO**power, f" {word}{rate}" if word else f" {rate}")
        for power, word in enumerate(["", "K ", "M ", "G "])
    )


_TIMES = (
    Scale(1.0, " s"),
    Scale(60.0, " min"),
    Scale(3600.0, " h"),
    Scale(86400.0, " days"),
    Scale(604800.0, " weeks"),
    Scale(31536000.0, " years"),
)
_BYTES = "B KiB MiB GiB TiB PiB EiB"
UNITS: dict[str, Unit] = {
    "none": Unit((Scale(1.0, ""),)),
    "short": Unit(_scaled(_KILO, " K M G T")),
    "percent": Unit((Scale(1.0, "%"),)),
    "percentunit": Unit((Scale(0.01, "%"),)),
    "bytes": Unit(_scaled(_KIBI, _BYTES), base=1024),
    "binBps": Unit(_scaled(_KIBI, _BYTES, "/s"), base=1024),
    "s": Unit((Scale(1e-6, " µs"), Scale(1e-3, " ms"), *_TIMES), base=60),
    "ms": Unit((Scale(1e-3, " µs"), Scale(1.0, " ms"), *(Scale(one.factor * 1e3, one.suffix) for one in _TIMES))),
    "cps": Unit(_counted("c/s")),
    "iops": Unit(_counted("io/s")),
    "pps": Unit(_counted("p/s")),
    "reqps": Unit(_counted("req/s")),
    "dateTimeFromNow": Unit(_TIMES, age=True),
}


def write_value(
    value: float | None, unit: str, *, decimals: int | None = None, now_seconds: float | None = None
) -> str:
    """A value for reading: ``1.5 GiB``, ``12.3%``, ``3 min ago``; ``-`` where there is none.

    Args:
        value: None and NaN are no value.
        unit: a name of :data:`UNITS`; an unknown one is a KeyError.
        decimals: so many are written; without it three digits, no closing zeros.
        now_seconds: what a moment is compared with; needed by units with `age`.
    """
    spec = UNITS[unit]
    if value is None or math.isnan(value):
        return _NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if not spec.age:
        return _scaled_text(value, spec.scales, decimals)
    if now_seconds is None:
        raise ValueError(f"{unit} needs now_seconds")
    age_seconds = now_seconds - value / _KILO
    text = _scaled_text(abs(age_seconds), spec.scales, decimals)
    return f"{text} ago" if age_seconds >= 0 else f"in {text}"


def _scaled_text(value: float, scales: tuple[Scale, ...], decimals: int | None) -> str:
    scale = scales[0]
    for larger in scales[1:]:
        if abs(value) >= larger.factor:
            scale = larger
    if value == 0 and scale.factor < 1:  # 0 s, not 0 µs
        scale = next((one for one in scales if one.factor == 1), scale)
    number = value / scale.factor
    return f"{_rounded(number, decimals)}{scale.suffix}"


def _rounded(number: float, decimals: int | None) -> str:
    """Halves away from zero, as JavaScript's toFixed has it: the binary value decides, exactly."""
    places = _places(abs(number)) if decimals is None else decimals
    text = (
        str(Decimal(number).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))
        if abs(number) < _PLAIN_BELOW
        else repr(number)
    )
    if decimals is None and "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return text.removeprefix("-") if not text.strip("-0.") else text  # nothing is never less than nothing


def _places(size: float) -> int:
    places = _DIGITS - 1
    while size >= _TEN and places > 0:
        size, places = size / _TEN, places - 1
    while 0 < size < 1 and places < _MAX_DECIMALS:
        size, places = size * _TEN, places + 1
    return places
