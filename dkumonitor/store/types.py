"""Column types that keep every value on every server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import VARBINARY, BigInteger, LargeBinary, String
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

PATH_MAX_BYTES = 4096
# What no server keeps in a text, NUL and lone surrogates (a surrogate from U+DC80 on is a byte that is not UTF-8), is
# moved into the last plane of private use; a character that is there by itself is marked, so that nothing is mixed up.
_NUL, _MARK = "\U0010f000", "\U0010f001"
_SURROGATES = 0x100000  # U+D800 becomes U+10D800
_HARD = re.compile("[\0\ud800-\udfff\U0010d800-\U0010dfff\U0010f000\U0010f001]")
_SOFT = re.compile("\U0010f001(.)|[\U0010d800-\U0010dfff\U0010f000]", re.DOTALL)

UtcSeconds = BigInteger


class AnyText(TypeDecorator[str]):
    """Any text as :func:`os.fsdecode` gives it: with NUL, bytes that are not UTF-8, and blanks at its end.

    Args:
        length: the most characters; what is longer is refused by the servers, not by SQLite: check it before.

    Case and accents count in comparisons. An index needs a length of at most 768.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """On MySQL and MariaDB a collation in which no two texts are the same."""
        length = cast("String", self.impl_instance).length
        if dialect.name in ("mysql", "mariadb"):
            collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
            return dialect.type_descriptor(String(length, collation=collation))
        return dialect.type_descriptor(String(length))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy's
        """Escape what a server cannot keep."""
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy's
        """Give back what was stored."""
        return None if value is None else unescape(value)


def path_bytes(length: int = PATH_MAX_BYTES) -> LargeBinary:
    """A column of a path's or a name's bytes. An index over it needs a length of at most 3072."""
    return LargeBinary(length).with_variant(VARBINARY(length), "mysql", "mariadb")


def escape(text: str) -> str:
    """The text as it is stored."""
    return _HARD.sub(_escaped, text)


def unescape(stored: str) -> str:
    """The text that :func:`escape` was given."""
    return _SOFT.sub(_unescaped, stored)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    if char == "\0":
        return _NUL
    code = ord(char)
    return _MARK + char if code > 0xFFFF else chr(code + _SURROGATES)  # noqa: PLR2004  the basic plane's last


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    return "\0" if match[0] == _NUL else chr(ord(match[0]) - _SURROGATES)
