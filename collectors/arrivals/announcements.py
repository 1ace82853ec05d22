"""Which names are announced, and the JSON that announces one: the four keys of the earlier tool, more on request.

One event is encoded in a microsecond, since a hundred thousand files may arrive at once.
"""

from __future__ import annotations

import json.encoder
import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

CREATED = "created"
EXISTS = "exists"
WORKING = ".working"
_ANY = ("^.*$",)
_ALWAYS = r"^.*\.working$"
_STANDS_ALONE = re.compile(r"\(\?[aiLmsux]|\\[1-9]|\(\?P|\(\?\(")

quote: Callable[[str], str] = json.encoder.encode_basestring_ascii  # the C one where there is one; bytes come back


def decode(name: bytes) -> str:
    """A name as Python shows it: a byte that is not UTF-8 is a lone surrogate."""
    return name.decode("utf-8", "surrogateescape")


def filter_of(only: Sequence[str], ignore: Sequence[str]) -> Callable[[str], bool]:
    """What says whether a name is announced. Expressions match from the name's start, a dot also a newline."""
    wanted = None if tuple(only) == _ANY else _matcher(only)
    unwanted = _matcher([pattern for pattern in ignore if pattern != _ALWAYS])

    def accepts(name: str) -> bool:
        if name.endswith(WORKING):
            return False
        return not (unwanted and unwanted(name)) and (wanted is None or bool(wanted(name)))

    if wanted is None and unwanted is None:
        return lambda name: not name.endswith(WORKING)
    return accepts


def _matcher(patterns: Sequence[str]) -> Callable[[str], object] | None:
    """One match for all expressions where they can be joined: those with flags or groups that are named stay alone."""
    if not patterns:
        return None
    if not any(_STANDS_ALONE.search(pattern) for pattern in patterns):
        patterns = ["|".join(f"(?:{pattern})" for pattern in patterns)]
    compiled = [re.compile(pattern, re.DOTALL).match for pattern in patterns]
    return compiled[0] if len(compiled) == 1 else lambda name: any(match(name) for match in compiled)


class Wording:
    """Encodes the events of one directory.

    Args:
        path: the directory, as the configuration names it.
    """

    __slots__ = ("_head", "_path")

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._head = f'{{"directory": {quote(decode(path))}, "filename": '

    def event(self, name: str, kind: str, moment: str) -> str:
        """An event with the four keys.

        Args:
            name: the file, as :func:`decode` gives it.
            kind: ``created`` or ``exists``.
            moment: the time, UTC seconds, as JSON.
        """
        return f'{self._head}{quote(name)}, "event": "{kind}", "event_timestamp": {moment}}}'

    def detailed(self, name: str, kind: str, moment: str, status: os.stat_result | None, sequence: int) -> str:
        """An event with four keys more; those of a file that is gone already are null."""
        size, inode, known_by = "null", "null", "null"
        if status is not None:
            size, inode = str(status.st_size), str(status.st_ino)
            known_by = f'"{self._id(name, status)}"'
        more = f', "size": {size}, "inode": {inode}, "sequence": {sequence}, "id": {known_by}}}'
        return self.event(name, kind, moment)[:-1] + more

    def _id(self, name: str, status: os.stat_result) -> str:
        """The same for the same content under the same name, however often it is announced."""
        place = zlib.crc32(self._path + b"/" + name.encode("utf-8", "surrogateescape"))
        return f"{status.st_dev:x}-{status.st_ino:x}-{status.st_mtime_ns:x}-{place:08x}"
