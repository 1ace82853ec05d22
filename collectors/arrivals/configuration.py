"""The INI file of the watcher, as the earlier ``directory_observer`` has it: sections that inherit, ``[name:parent]``.

``[common]`` is what every section falls back to. A key that is not known is an error, never ignored.
"""

from __future__ import annotations

import configparser
import difflib
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from collectors.arrivals.errors import ConfigurationError
from collectors.arrivals.keys import DIRECTORY, KEYS, SHARED

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMON = "common"
_MAX_BYTES = 16 * 1024 * 1024


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where Redis is, and how to sign in; the fields are the keys of the same names."""

    redis_server: str
    redis_port: int
    redis_unix_socket: str
    timeout: float
    redis_db: int
    redis_username: str
    redis_password_file: str
    redis_tls: bool
    redis_tls_ca: str
    redis_tls_certificate: str
    redis_tls_key: str
    sentinels: tuple[tuple[str, int], ...]
    sentinel_master: str
    sentinel_password_file: str

    def __str__(self) -> str:
        if self.sentinels:
            return f"{self.sentinel_master} of {len(self.sentinels)} Sentinels"
        return self.redis_unix_socket or f"{self.redis_server}:{self.redis_port}"


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """One active section; the fields are the keys of the same names.

    Attributes:
        section: its name without its parents.
        path: the directory, as bytes.
    """

    section: str
    path: bytes
    queue: str
    counter: str
    forced_poll: float
    poll_queue_limit: int
    only: tuple[str, ...]
    ignore: tuple[str, ...]
    trigger: str
    settle: float
    directories: bool
    recursive: bool
    details: bool
    output: str
    stream_maxlen: int
    poll_interval: float


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file.

    Attributes:
        file: where it was read.
        server: Redis.
        directories: the active sections, in the file's order.
        monitor_inactivitytimeout, position_key, spool_max, spool_keep, spool_sync: the keys of these names.
        spool: the spool's folder.
    """

    file: Path
    server: Server
    directories: tuple[Watched, ...]
    monitor_inactivitytimeout: float
    position_key: str
    spool: Path
    spool_max: int
    spool_keep: int
    spool_sync: float


def load(file: Path, spools: Path | None) -> Configuration:
    """Read the INI file.

    Args:
        file: its path.
        spools: the folder that holds the spools of configurations that name none; None where there is no installation.

    Raises:
        ConfigurationError: names file, section and key.
    """
    sections = _sections(file)
    active: dict[str, dict[str, Any]] = {}
    parents = {parent for header in sections for parent in header.split(":")[1:]}
    for header in sections:
        name = header.split(":")[0].strip()
        values = _values(file, header, _inherited(file, sections, header))
        is_template = name == COMMON or (name in parents and not values["directory"])
        if values["active"] and not is_template:
            if name in active:
                raise _error(file, name, "", "the section is there twice", "Give one of them another name")
            active[name] = values
    if not active:
        raise ConfigurationError(f"{file}: no section has active=true", "Set it for the directories to be watched")
    shared = _agreed(file, active)
    server_keys = {name: shared[name] for name in Server.__struct_fields__}
    return Configuration(
        file=file,
        server=Server(**server_keys | {"redis_port": _port(file, shared)}),
        directories=tuple(_watched(file, name, values) for name, values in active.items()),
        spool=_spool(file, shared["spool"], spools),
        **{key: shared[key] for key in ("monitor_inactivitytimeout", "position_key", "spool_max", "spool_keep")},
        spool_sync=shared["spool_sync"],
    )


def _sections(file: Path) -> dict[str, dict[str, str]]:
    """The file's sections by their whole header, each key in lower case."""
    parser = configparser.RawConfigParser(default_section="", empty_lines_in_values=False)
    try:
        with file.open(encoding="utf-8", errors="surrogateescape") as lines:
            text = lines.read(_MAX_BYTES)
        parser.read_string(text, str(file))
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {file}: {error.strerror}", "Name a file that this account may read"
        ) from None
    except configparser.Error as error:
        what = str(error).replace("\n", " ")
        raise ConfigurationError(f"{file} is not an INI file: {what}", "Correct that line") from None
    return {header: dict(parser.items(header)) for header in parser.sections()}


def _inherited(file: Path, sections: Mapping[str, Mapping[str, str]], header: str) -> dict[str, str]:
    """A section's texts: its own, then its parents' in the order in which it names them, then those of [common]."""
    by_name = {known.split(":")[0].strip(): known for known in sections}
    texts: dict[str, str] = {}
    waiting, seen = [header], []
    while waiting:
        current = waiting.pop(0)
        seen.append(current)
        for key, text in sections[current].items():
            texts.setdefault(key, text)
        for parent in (name.strip() for name in current.split(":")[1:]):
            if parent not in by_name:
                near = difflib.get_close_matches(parent, by_name, 1)
                do = f"Did you mean [{near[0]}]" if near else f"The sections are: {', '.join(sorted(by_name))}"
                raise _error(file, current, "", f"its parent [{parent}] is not there", do)
            if by_name[parent] not in (*seen, *waiting):
                waiting.append(by_name[parent])
    if COMMON in by_name and by_name[COMMON] not in seen:
        texts = {**sections[by_name[COMMON]], **texts}
    return texts


def _values(file: Path, section: str, texts: Mapping[str, str]) -> dict[str, Any]:
    for name in texts:
        if name not in KEYS:
            near = difflib.get_close_matches(name, KEYS, 1, 0.5)
            do = f"Did you mean {near[0]}" if near else f"The keys are: {', '.join(sorted(KEYS))}"
            raise _error(file, section, name, "there is no such key", do)
    values = {}
    for name, key in KEYS.items():
        text = texts.get(name, key.default).strip()
        try:
            values[name] = key.read(text)
        except ValueError as error:
            raise _error(file, section, name, f"{text!r} cannot be: {error}", "Correct that value") from None
    return values


def _agreed(file: Path, active: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The keys that all active sections share."""
    (first, agreed), *others = active.items()
    for name, values in others:
        for key in SHARED:
            if values[key.name] != agreed[key.name]:
                what = f"it differs from that of [{first}]; all directories share one Redis and one spool"
                raise _error(file, name, key.name, what, f"Say it once, in [{COMMON}]")
    return {key.name: agreed[key.name] for key in SHARED}


def _port(file: Path, shared: Mapping[str, Any]) -> int:
    """The port of Redis, once it is clear where Redis is."""
    if shared["sentinels"]:
        if not shared["sentinel_master"]:
            raise _error(file, COMMON, "sentinel_master", "it is missing", "Name the master that Sentinels know")
        return 0
    if shared["redis_unix_socket"]:
        return 0
    if not shared["redis_server"]:
        raise _error(file, COMMON, "redis_server", "it is missing", "Name the Redis server")
    if not shared["redis_port"]:
        raise _error(file, COMMON, "redis_port", "it is missing", "Name the port of the Redis server")
    return int(shared["redis_port"])


def _watched(file: Path, section: str, values: Mapping[str, Any]) -> Watched:
    for key in ("directory", "queue"):
        if not values[key]:
            raise _error(file, section, key, "it is missing", "Name it, or set active=false")
    own = {key.name: values[key.name] for key in DIRECTORY if key.name in Watched.__struct_fields__}
    return Watched(section=section, path=os.fsencode(values["directory"]), **own)


def _spool(file: Path, named: str, spools: Path | None) -> Path:
    if named:
        return Path(named)
    if spools is None:
        raise _error(
            file, COMMON, "spool", "it is missing", "Name a folder for the spool, or call DIR/bin/directory_observer"
        )
    whole = os.fsencode(file.absolute())
    return spools / f"{file.stem}-{zlib.crc32(whole):08x}"


def _error(file: Path, section: str, key: str, what: str, do: str) -> ConfigurationError:
    place = f"[{section}] {key}" if key else f"[{section}]"
    return ConfigurationError(f"{file}: {place}: {what}", do)
