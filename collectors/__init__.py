"""Collectors, each a folder here. They are found by looking, not by a list.

A folder with ``collector.py`` is a collector; the module defines ``COLLECTOR``. A folder with ``cli.py`` gives the
command ``dkm NAME``; the module defines ``cli``, a click group. One with ``earlier.py`` answers to the names of earlier
tools; the module defines ``COMMANDS``, click commands by name. One with ``doctor.py`` has checks of its own for the
doctor; the module defines ``CHECKS``. One with ``tables.py`` keeps records in the store; the module defines
``COMPONENT``. docs/collectors.md shows how one is made.
"""

import logging
import os
from collections.abc import Mapping
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dkumonitor.collector import Collector
from dkumonitor.errors import CollectorError
from dkumonitor.installation import Installation
from dkumonitor.settings import Settings, settings_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    import click

    from dkumonitor.doctor.findings import Finding
    from dkumonitor.mail.settings import MailSettings
    from dkumonitor.store.migrations import Component
    from dkumonitor.views import Card

_FOLDER = Path(__file__).parent
_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """What lies in the folder.

    Attributes:
        collectors: the collectors that could be loaded, by name.
        broken: why each of the others could not, by name.
    """

    collectors: dict[str, Collector]
    broken: dict[str, CollectorError]


def discover() -> Found:
    """Load every collector. One that cannot be loaded does not keep the others from it."""
    found = Found({}, {})
    for name in _folders_with("collector.py"):
        try:
            found.collectors[name] = _load(name)
        except CollectorError as error:
            found.broken[name] = error
    return found


def load_settings(found: Found, installation: Installation, environment: Mapping[str, str]) -> Settings:
    """The settings of an installation, checked against the collectors that were found.

    Raises:
        SettingsError: see :meth:`dkumonitor.settings.Settings.load`.
    """
    known = {name: collector.settings for name, collector in found.collectors.items()} | dict.fromkeys(found.broken)
    return Settings.load(settings_file(installation, environment), known, installation.interval_seconds)


def names() -> list[str]:
    """The names of the collectors; loads none of them."""
    return _folders_with("collector.py")


def pages() -> "dict[str, ModuleType]":
    """The ``pages.py`` of every collector that has one and can be loaded, by name; one that cannot is logged."""
    found = {}
    for name in _folders_with("pages.py"):
        try:
            found[name] = import_module(f"{__name__}.{name}.pages")
        except Exception:  # noqa: BLE001  a collector stops no other
            _log.exception("collectors/%s/pages.py cannot be loaded; its pages are not shown", name)
    return found


def cards() -> "list[Card]":
    """What every collector has to say to the overview."""
    return [card for module in pages().values() for card in getattr(module, "OVERVIEW", ())]


def page_folders() -> dict[str, Path]:
    """Where the html of each collector with pages lies, by name."""
    return {name: _FOLDER / name for name in _folders_with("pages.py")}


def command_names() -> list[str]:
    """The names of the collectors with a command of their own; loads none of them."""
    return _folders_with("cli.py")


def command(name: str) -> "click.Group":
    """The click group of one collector.

    Raises:
        CollectorError: its cli.py cannot be imported or defines no group.
    """
    group: click.Group = _attribute(name, "cli", "cli")
    return group


def earlier_commands() -> "dict[str, click.Command]":
    """The commands that earlier tools had, by their names in ``DIR/bin``; one whose module is broken stops no other."""
    found: dict[str, click.Command] = {}
    for commands in _each("earlier", "COMMANDS"):
        found.update(commands)
    return found


def components() -> "list[Component]":
    """Everything that has tables in the store: the core, and every collector whose folder has ``tables.py``.

    Raises:
        CollectorError: a ``tables.py`` cannot be imported or defines no ``COMPONENT``.
    """
    from dkumonitor.store.components import core_components  # noqa: PLC0415  only those who write need the database

    return [*core_components(), *(_attribute(name, "tables", "COMPONENT") for name in _folders_with("tables.py"))]


def checks(*, connects: bool) -> "tuple[Callable[[Installation], Iterator[Finding]], ...]":
    """The doctor's checks that need to know what collectors there are, and the collectors' own.

    Args:
        connects: whether to sign in at the mail server, which nobody should do every few seconds.
    """
    from dkumonitor.doctor.mail import mail_check  # noqa: PLC0415  only who examines needs them
    from dkumonitor.doctor.store import store_check  # noqa: PLC0415  the same

    def mail_settings(installation: Installation) -> "MailSettings":
        return load_settings(discover(), installation, os.environ).mail

    own = chain.from_iterable(_each("doctor", "CHECKS"))
    return store_check(components), mail_check(mail_settings, connects=connects), *own


def _folders_with(file_name: str) -> list[str]:
    return sorted(path.parent.name for path in _FOLDER.glob(f"*/{file_name}"))


def _load(name: str) -> Collector:
    collector = _attribute(name, "collector", "COLLECTOR")
    if not isinstance(collector, Collector) or collector.name != name:
        raise CollectorError(f"COLLECTOR of collectors/{name}/collector.py is not a Collector named {name!r}")
    return collector


def _each(module: str, attribute: str) -> "Iterator[Any]":
    """What every collector with that module defines there; one whose module is broken is logged and stops no other."""
    for name in _folders_with(f"{module}.py"):
        try:
            found = _attribute(name, module, attribute)
        except CollectorError as error:
            _log.warning("%s", error)
        else:
            yield found


def _attribute(name: str, module: str, attribute: str) -> Any:
    try:
        return getattr(import_module(f"{__name__}.{name}.{module}"), attribute)
    except Exception as error:
        raise CollectorError(
            f"collectors/{name}/{module}.py cannot be loaded: {type(error).__name__}: {error}",
            "Repair that folder or remove it",
        ) from error
