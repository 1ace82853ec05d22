"""The admin's settings: DIR/conf/dkumonitor.toml as frozen structs. What is not known is an error, never ignored."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from dkumonitor.address import Address
from dkumonitor.collector import MIB, CollectorSettings
from dkumonitor.errors import AddressError, SettingsError
from dkumonitor.installation import Installation
from dkumonitor.mail.settings import MailSettings
from dkumonitor.store.settings import PeopleSettings, StoreSettings

FILE_NAME = "dkumonitor.toml"
_PLACE = re.compile(r" - at `(?:key` in `)?\$\.?(?P<place>.*)`\Z")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`\Z")
S = TypeVar("S", bound=msgspec.Struct)


class CarbonSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[carbon]``: where the points of our collectors go.

    Attributes:
        server: ``HOST:PORT`` in place of the installation's.
        spool_max_bytes: what may wait on disk while the server cannot be reached; the oldest is dropped first.
        replay_seconds: how far back points are sent again after a connection broke.
        timeout_seconds: how long one step (resolve, connect, send) may take.
    """

    server: str | None = None
    spool_max_bytes: Annotated[int, msgspec.Meta(ge=64 * 1024)] = 64 * MIB
    replay_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 60
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5

    def __post_init__(self) -> None:
        if self.server is not None:
            try:
                Address.parse(self.server)
            except AddressError as error:
                raise ValueError(error.what) from None


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[console]``: the web pages.

    Attributes:
        allowed_hosts: names that browsers may call the console by, beside this machine's own.
        session_idle_seconds: how long a sign-in lasts without a request.
        session_seconds: how long it lasts in all.
        max_body_bytes: the largest request.
        request_seconds: how long a request may take to arrive.
        max_connections: how many browsers and programs may be connected at once.
    """

    allowed_hosts: tuple[Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:\[\]-]+$")], ...] = ()
    session_idle_seconds: Annotated[int, msgspec.Meta(ge=60, le=30 * 86400)] = 8 * 3600
    session_seconds: Annotated[int, msgspec.Meta(ge=60, le=90 * 86400)] = 7 * 86400
    max_body_bytes: Annotated[int, msgspec.Meta(ge=4096, le=64 * MIB)] = 64 * 1024
    request_seconds: Annotated[int, msgspec.Meta(ge=1, le=600)] = 20
    max_connections: Annotated[int, msgspec.Meta(ge=4, le=10_000)] = 200


class _Scheduling(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    interval_seconds: Annotated[int, msgspec.Meta(ge=1, le=86400)] | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings.

    Attributes:
        carbon: ``[carbon]``.
        interval_seconds: the interval of collectors that name none, from ``[collectors]`` or the installation.
        collectors: each collector's own struct, by its name.
        console: ``[console]``.
        mail: ``[mail]``.
        store: ``[store]``.
        people: ``[people]``.
    """

    carbon: CarbonSettings
    interval_seconds: int
    collectors: Mapping[str, CollectorSettings]
    console: ConsoleSettings = ConsoleSettings()
    mail: MailSettings = MailSettings()
    store: StoreSettings = StoreSettings()
    people: PeopleSettings = PeopleSettings()

    @classmethod
    def load(
        cls, path: Path, collectors: Mapping[str, type[CollectorSettings] | None], interval_seconds: int
    ) -> "Settings":
        """Read the settings file.

        Args:
            path: the file.
            collectors: the settings struct of each collector there is, by name; None for one that cannot be loaded,
                whose table is not looked into.
            interval_seconds: the installation's interval.

        Raises:
            SettingsError: the file is missing or not TOML, or a key or value is not known. Names the file and the key.
        """
        tables = _tables(path)
        _known("", tables, ["carbon", "collectors", "console", "mail", "people", "store"], path)
        carbon = _convert(_table("carbon", tables, path), CarbonSettings, "carbon", path)
        below = _table("collectors", tables, path)
        _known("collectors", below, [*_Scheduling.__struct_fields__, *collectors], path)
        own = {key: value for key, value in below.items() if key not in collectors}
        scheduling = _convert(own, _Scheduling, "collectors", path)
        return cls(
            carbon=carbon,
            console=_convert(_table("console", tables, path), ConsoleSettings, "console", path),
            interval_seconds=scheduling.interval_seconds or interval_seconds,
            collectors={
                name: _convert(_table(name, below, path, "collectors."), struct, f"collectors.{name}", path)
                for name, struct in collectors.items()
                if struct is not None
            },
            mail=_convert(_table("mail", tables, path), MailSettings, "mail", path),
            store=_convert(_table("store", tables, path), StoreSettings, "store", path),
            people=_convert(_table("people", tables, path), PeopleSettings, "people", path),
        )


def settings_file(installation: Installation, environment: Mapping[str, str]) -> Path:
    """The settings file: $DKM_CONF, else the one in DIR/conf."""
    return Path(environment.get("DKM_CONF") or installation.conf / FILE_NAME)


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"cannot read the settings file {path}: {error.strerror}", "An empty file there means all defaults"
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 at byte {error.start}", "Save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}", "Correct that line") from None


def _known(place: str, table: Mapping[str, Any], known: list[str], path: Path) -> None:
    for key in table:
        if key not in known:
            raise _unknown(f"{place}.{key}" if place else key, key, known, path)


def _unknown(place: str, key: str, known: list[str], path: Path) -> SettingsError:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    do = f"Did you mean {near[0]!r}?" if near else f"Known there: {', '.join(sorted(known))}"
    return SettingsError(f"{path}: there is no setting {place!r}", do.removesuffix("?"))


def _table(key: str, tables: Mapping[str, Any], path: Path, above: str = "") -> dict[str, Any]:
    table = tables.get(key, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {above + key!r} is not a table", f"Write [{above}{key}] and its settings below")
    return table


def _convert(table: dict[str, Any], struct: type[S], place: str, path: Path) -> S:
    _known(place, table, list(struct.__struct_fields__), path)
    try:
        return msgspec.convert(table, struct)
    except msgspec.ValidationError as error:
        text = str(error)
        where = _PLACE.search(text)
        text = text[: where.start()] if where else text
        place = f"{place}.{where['place']}" if where and where["place"] else place
        unknown = _UNKNOWN.match(text)
        if unknown:
            raise _unknown(f"{place}.{unknown['key']}", unknown["key"], [], path) from None
        raise SettingsError(f"{path}: {place}: {text}", "Correct that value") from None
