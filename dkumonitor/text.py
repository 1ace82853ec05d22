"""How text that a stranger chose is shown, and how what is shown is read again."""

import re
import unicodedata

_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LOOKS_ESCAPED = re.compile(r"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_BYTES = range(0xDC80, 0xDD00)  # what os.fsdecode makes of bytes that are not UTF-8


def printable(text: str) -> str:
    r"""Make text safe for a terminal, for one line of a log and for a cell of CSV. Different texts stay different.

    Control, format (bidirectional overrides) and unassigned characters and line separators are written as ``\x1b``,
    ``\u202e`` or ``\U000e0001``, a byte that is not UTF-8 as ``\xff``; all else stays as it is. Only a backslash that
    would look like one of these is written ``\x5c``. :func:`unprintable` gives back the text.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    marked = _LOOKS_ESCAPED.sub(r"\\x5c", text)
    return "".join(_escape(char) if unicodedata.category(char) in _HIDING else char for char in marked)


def unprintable(shown: str) -> str:
    """The text that :func:`printable` was given."""
    return _ESCAPED.sub(_unescape, shown) if "\\" in shown else shown


def _escape(char: str) -> str:
    code = ord(char)
    if code in _BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:  # noqa: PLR2004  those above are bytes
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  the largest code of four digits


def _unescape(match: re.Match[str]) -> str:
    code = int(match[1] or match[2] or match[3], 16)
    if match[1] and code >= 0x80:  # noqa: PLR2004  a byte that is not UTF-8
        return chr(code + 0xDC00)
    return chr(code) if code <= 0x10FFFF else match[0]  # noqa: PLR2004  the last character there is
