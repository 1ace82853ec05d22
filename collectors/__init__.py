"""Collectors, each a folder here. They are found by looking, not by a list.

A folder with ``collector.py`` is a collector; the module defines ``COLLECTOR``. A folder with ``cli.py`` gives the
command ``dkm NAME``; the module defines ``cli``, a click group. docs/collectors.md shows how one is made.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dkumonitor.collector import Collector
from dkumonitor.errors import CollectorError
from dkumonitor.installation import Installation
from dkumonitor.settings import Settings, settings_file

if TYPE_CHECKING:
    import click

_FOLDER = Path(__file__).parent


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


def _folders_with(file_name: str) -> list[str]:
    return sorted(path.parent.name for path in _FOLDER.glob(f"*/{file_name}"))


def _load(name: str) -> Collector:
    collector = _attribute(name, "collector", "COLLECTOR")
    if not isinstance(collector, Collector) or collector.name != name:
        raise CollectorError(f"COLLECTOR of collectors/{name}/collector.py is not a Collector named {name!r}")
    return collector


def _attribute(name: str, module: str, attribute: str) -> Any:
    try:
        return getattr(import_module(f"{__name__}.{name}.{module}"), attribute)
    except Exception as error:
        raise CollectorError(
            f"collectors/{name}/{module}.py cannot be loaded: {type(error).__name__}: {error}",
            "Repair that folder or remove it",
        ) from error
