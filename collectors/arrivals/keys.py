"""The keys of the INI file: what each may hold, its default, what it says. The README is checked against them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUE = frozenset({"1", "yes", "true", "on"})
_FALSE = frozenset({"0", "no", "false", "off", ""})
_MAX_PORT = 65535
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


class Key(NamedTuple):
    """One key.

    Attributes:
        name: in lower case; the file may write it in any.
        default: as the file would write it.
        read: makes a value of a text; raises ValueError, whose text says what is wanted.
        summary: what it says.
        old: whether the earlier tool's text has it.
    """

    name: str
    default: str
    read: Callable[[str], Any]
    summary: str
    old: bool = False


def _boolean(text: str) -> bool:
    word = text.lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError("true or false is wanted")


def _number(text: str) -> float:
    number = float(text) if re.fullmatch(r"-?\d+(\.\d*)?", text) else None
    if number is None:
        raise ValueError("a number is wanted")
    return number


def _not_negative(text: str) -> float:
    number = _number(text)
    if number < 0:
        raise ValueError("a number from 0 is wanted")
    return number


def _positive(text: str) -> float:
    number = _number(text)
    if number <= 0:
        raise ValueError("a number above 0 is wanted")
    return number


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a whole number from 0 is wanted")
    return int(text)


def _port_or_none(text: str) -> int:
    return _port(text) if text else 0


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MAX_PORT:
        raise ValueError(f"a port from 1 to {_MAX_PORT} is wanted")
    return int(text)


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kmg]?)", text.lower())
    if match is None:
        raise ValueError("a size is wanted: a number, with k, m or g for KiB, MiB or GiB")
    return int(match[1]) * _UNITS[match[2]]


def _text(text: str) -> str:
    return text


def _path(text: str) -> str:
    return "" if text.lower() == "null" else text


def _word_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"{' or '.join(words)} is wanted")
        return text.lower()

    return read


def _patterns(text: str) -> tuple[str, ...]:
    found = tuple(pattern for pattern in text.split(";") if pattern)
    for pattern in found:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return found


def _addresses(text: str) -> tuple[tuple[str, int], ...]:
    found = []
    for address in filter(None, (part.strip() for part in text.split(";"))):
        host, _, port = address.rpartition(":")
        if not host:
            raise ValueError(f"HOST:PORT is wanted, not {address!r}")
        found.append((host.strip("[]"), _port(port)))
    return tuple(found)


# What each directory has of its own.
DIRECTORY = (
    Key("active", "false", _boolean, "whether the directory is watched", old=True),
    Key("directory", "", _text, "the directory; must be given where it is active", old=True),
    Key("queue", "", _text, "the Redis list (or stream) that events go to; must be given", old=True),
    Key("counter", "", _text, "a Redis key that counts the events pushed to the queue; none without it", old=True),
    Key("forced_poll", "0", _not_negative, "seconds between two listings of what is there; 0 for none", old=True),
    Key("poll_queue_limit", "10000", _count, "a listing waits while the queue is this long; 0 for no limit", old=True),
    Key("only", "^.*$", _patterns, "expressions parted by `;`: a name must match one, from its start", old=True),
    Key(
        "ignore",
        r"^.*\.working$",
        _patterns,
        r"expressions parted by `;`: a name that matches one is left out; `^.*\.working$` always is",
        old=True,
    ),
    Key("trigger", "created", _word_of("created", "complete"), "what is announced: see below"),
    Key("settle", "0.5", _not_negative, "`complete`: seconds that a closed file must stay closed and unchanged"),
    Key("directories", "false", _boolean, "whether sub-directories are announced too"),
    Key("recursive", "false", _boolean, "whether what is below sub-directories is announced"),
    Key("details", "false", _boolean, "whether events have the keys size, inode, sequence and id as well"),
    Key("output", "list", _word_of("list", "stream"), "what the queue is: a Redis list or a Redis stream"),
    Key("stream_maxlen", "0", _count, "`stream`: about how many entries the stream keeps; 0 for all"),
    Key("poll_interval", "10", _positive, "seconds between two looks at a directory that inotify cannot watch"),
)
# What all active directories share, and must agree on.
SHARED = (
    Key(
        "redis_server",
        "",
        _text,
        "the name or address of Redis; must be given unless one of the two below is",
        old=True,
    ),
    Key("redis_port", "", _port_or_none, "its port; must be given with `redis_server`", old=True),
    Key("redis_unix_socket", "null", _path, "the path of its Unix socket in place of an address", old=True),
    Key("timeout", "10", _not_negative, "seconds that Redis may take to answer; 0 for ever", old=True),
    Key(
        "monitor_inactivitytimeout",
        "300",
        _number,
        "after so many seconds without any event all is watched anew and listed; 0 or less for never",
        old=True,
    ),
    Key("redis_db", "0", _count, "the number of the database"),
    Key("redis_username", "", _text, "the account to sign in as; none for the default one"),
    Key("redis_password_file", "", _path, "a file that holds the password alone; none for no password"),
    Key("redis_tls", "false", _boolean, "whether the connection is encrypted, the server's certificate checked"),
    Key("redis_tls_ca", "", _path, "a file of authorities to trust in place of the machine's"),
    Key("redis_tls_certificate", "", _path, "our certificate, where the server asks for one"),
    Key("redis_tls_key", "", _path, "its key"),
    Key("sentinels", "", _addresses, "`HOST:PORT` parted by `;`: Sentinels that know where Redis is"),
    Key("sentinel_master", "", _text, "the name of the master that they are asked for"),
    Key("sentinel_password_file", "", _path, "a file that holds the Sentinels' password alone"),
    Key("position_key", "", _text, "the Redis key of what has been pushed; `dkm:arrivals:ID` without it"),
    Key("spool", "", _path, "the folder of the spool; one in `DIR/storage/spool/arrivals` without it"),
    Key("spool_max", "1g", _size, "what may wait in it; beyond that, new events stay with the kernel and listings"),
    Key("spool_keep", "8m", _size, "what is kept of events that were pushed, for a Redis that forgets and for replay"),
    Key("spool_sync", "1", _not_negative, "seconds until the spool is forced to disk; 0 for before each push"),
)
KEYS = {key.name: key for key in (*DIRECTORY, *SHARED)}
