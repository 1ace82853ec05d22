"""The settings.cfg of the earlier disk monitor: what of it has a place here, and where."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectors.disk.errors import DiskError
from dkumonitor.text import printable

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1024 * 1024
_SCHEMES = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mariadb", "mariadb": "mariadb"}
_YES = frozenset({"yes", "true", "1", "on"})


@dataclass(frozen=True)
class OldSettings:
    """What an old settings.cfg says. None is what it leaves out.

    Attributes:
        postfix: what follows the login in mail addresses.
        keep_days: how long records were kept; None where they were never purged.
        threads: how many threads scanned.
        database_url: its database as ``--database`` takes it; None for SQLite.
        database: its database in words.
        unknown: keys that have no meaning here, as ``Section.key``.
    """

    postfix: str | None
    keep_days: int | None
    threads: int | None
    database_url: str | None
    database: str | None
    unknown: tuple[str, ...]


class _Parsed:
    """A parsed file that remembers which of its keys were asked for; case is of no account in names."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = configparser.ConfigParser(interpolation=None, strict=False)
        self._taken: set[tuple[str, str]] = set()
        try:
            with path.open(encoding="utf-8") as file:
                self._parser.read_string(file.read(MAX_BYTES), str(path))
        except OSError as error:
            do = "Name the settings.cfg of the earlier tool"
            raise DiskError(f"cannot read {path}: {error.strerror}", do) from None
        except (configparser.Error, UnicodeDecodeError) as error:
            raise DiskError(f"{path} is no settings file: {printable(str(error))}", "Correct that line") from None

    def text(self, section: str, key: str) -> str | None:
        """A value without its quotes; None where it is empty or not there."""
        for name in self._parser.sections():
            if name.casefold() == section.casefold() and self._parser.has_option(name, key):
                self._taken.add((name, key.casefold()))
                return self._parser.get(name, key).strip().strip("\"'") or None
        return None

    def number(self, section: str, key: str) -> int | None:
        """A value that is a number."""
        text = self.text(section, key)
        if text is not None and not text.isdecimal():
            raise DiskError(f"{self._path}: {section}.{key} is {text!r}, which is no number", "Correct that line")
        return None if text is None else int(text)

    def threads(self) -> int | None:
        """The number of threads, in whatever section it stands."""
        found = [self.number(section, "threads") for section in self._parser.sections()]
        return next(filter(None, found), None)

    def rest(self) -> tuple[str, ...]:
        """The keys that nobody asked for."""
        every = ((name, key) for name in self._parser.sections() for key in self._parser.options(name))
        return tuple(f"{name}.{key}" for name, key in every if (name, key.casefold()) not in self._taken)


def read(path: Path) -> OldSettings:
    """Read a settings.cfg.

    Raises:
        DiskError: it cannot be read, or a value is impossible; the text names file, section and key.
    """
    parsed = _Parsed(path)
    days = parsed.number("Cleaning", "purge_after_day_number")
    purges = (parsed.text("Cleaning", "purge_database") or "").casefold() in _YES
    threads, postfix = parsed.threads(), parsed.text("Email_Settings", "user_postfix")
    parsed.text("Database_Settings", "password")  # known, and never repeated
    url, database = _database(parsed)
    return OldSettings(
        postfix=postfix,
        keep_days=days if purges else None,
        threads=threads,
        database_url=url,
        database=database,
        unknown=parsed.rest(),
    )


def _database(parsed: _Parsed) -> tuple[str | None, str | None]:
    """The database as ``--database`` takes it, and in words."""
    keys = ("db_type", "username", "hostname", "database")
    kind, user, host, name = (parsed.text("Database_Settings", key) for key in keys)
    if kind is None:
        return None, None
    scheme = _SCHEMES.get(kind.casefold())
    url = f"{scheme}://{user}@{host or 'localhost'}/{name}" if scheme and user and name else None
    return url, f"{kind} database {name or '?'}" + (f" on {host}" if host else "")


def as_toml(old: OldSettings) -> str:
    """What belongs into dkumonitor.toml."""
    lines: list[str] = []
    if old.postfix is not None:
        lines += ["[mail]", f'postfix = "{_quoted(old.postfix)}"', ""]
    if old.keep_days is not None:
        lines += ["[store.retention_days]"]
        lines += [f"{key} = {old.keep_days}" for key in ("disk_runs", "disk_notices", "disk_plans")]
        lines += [""]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" if char in '"\\' or not char.isprintable() else char for char in text)
