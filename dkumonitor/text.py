"""How text that a stranger chose is shown."""

import unicodedata

_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Make text safe for a terminal and for one line of a log.

    Control, format (bidirectional overrides) and unassigned characters, line separators and bytes that are not UTF-8
    are written as ``\x1b``, ``\u202e`` or ``\U000e0001``; all else stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _HIDING else char for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  os.fsdecode's range for bytes that are not UTF-8
        code -= 0xDC00
    if code <= 0xFF:  # noqa: PLR2004  the largest code of two digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  the largest code of four digits
