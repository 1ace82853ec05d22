"""Points and the segments of their names."""

import math
import re

import msgspec

SEGMENT_MAX_BYTES = 100
_ESCAPE = "-_"
_HASHED = "-_z"
_PREFIX_CHARS = 64
_HASH_BYTES = 16
_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]|-(?=_)")
_ESCAPED = re.compile(r"-_([0-9A-F]{2})")
_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{SEGMENT_MAX_BYTES}}}(?:\.[A-Za-z0-9_-]{{1,{SEGMENT_MAX_BYTES}}})*\Z")
_MAX_TIME_SECONDS = 2**32 - 1  # whisper stores times in 32 bits


class Point(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One value of one series at one time.

    Args:
        name: dotted name; each segment is 1 to 100 of ``[A-Za-z0-9_-]``.
        value: a finite number.
        time_seconds: UTC seconds, a multiple of the series' interval.

    Raises:
        ValueError: the name has another form, the value is not finite, the time is negative or too large.
    """

    name: str
    value: int | float
    time_seconds: int

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"{self.name[:200]!r} is not the name of a metric")
        try:
            finite = math.isfinite(self.value)
        except OverflowError:
            finite = False
        if not finite:
            raise ValueError(f"the value of {self.name} is not finite")
        if not 0 <= self.time_seconds <= _MAX_TIME_SECONDS:
            raise ValueError(f"the time of {self.name} is outside 0 to {_MAX_TIME_SECONDS}")


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"-_%02X" % match[0][0]


def segment(text: str) -> str:
    """Make one segment of a metric's name from any text; different texts give different segments.

    ``[A-Za-z0-9_-]`` stays, any other byte (and a ``-`` before a ``_``) becomes ``-_`` and two hexadecimal digits, and
    the empty text is ``-_`` alone. What would be longer than 100 bytes becomes its beginning, ``-_z`` and a hash.

    Args:
        text: as :func:`os.fsdecode` gives it: bytes that are not UTF-8 are lone surrogates.

    Raises:
        UnicodeEncodeError: the text holds a surrogate that stands for no byte.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if not raw:
        return _ESCAPE
    escaped = _UNSAFE.sub(_escaped, raw).decode("ascii")
    if len(escaped) <= SEGMENT_MAX_BYTES:
        return escaped
    import hashlib  # noqa: PLC0415  OpenSSL takes 3.5 MB, and few names are that long

    return escaped[:_PREFIX_CHARS] + _HASHED + hashlib.blake2b(raw, digest_size=_HASH_BYTES).hexdigest()


def unsegment(escaped: str) -> str | None:
    """The text that :func:`segment` made a segment from, or None where only a hash of it is left."""
    if escaped == _ESCAPE:
        return ""
    if _HASHED in escaped:
        return None
    raw = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), escaped).encode("latin-1")
    return raw.decode("utf-8", "surrogateescape")
