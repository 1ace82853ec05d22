"""``dkm host``: who and what uses this machine now."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import msgspec

from collectors import discover, load_settings
from collectors.host.collector import Scan, scan
from collectors.host.proc import Proc
from collectors.host.usage import Usage
from dkumonitor.installation import current
from dkumonitor.render import Form, form_options, render

if TYPE_CHECKING:
    from collectors.host.settings import HostSettings

_APART_SECONDS = 1.0


class UserRow(msgspec.Struct, frozen=True):
    """One account; the columns after it are named as its metrics are, and None is what all of its processes hide."""

    user: str
    cpu_percent: float | None
    resident_bytes: int
    processes: int
    threads: int
    open_files: int | None
    read_bytes_per_second: float | None
    written_bytes_per_second: float | None
    hidden_processes: int


class PatternRow(msgspec.Struct, frozen=True):
    """One pattern, with the same columns."""

    pattern: str
    cpu_percent: float | None
    resident_bytes: int
    processes: int
    threads: int
    open_files: int | None
    read_bytes_per_second: float | None
    written_bytes_per_second: float | None
    hidden_processes: int


@click.group()
def cli() -> None:
    """Show who and what uses this machine now."""


@cli.command()
@form_options
def users(form: Form) -> None:
    """List every account that has a process, from two samples one second apart."""
    found = _look_twice({})
    rows = [UserRow(name, *_columns(usage, found.elapsed_seconds)) for name, usage in found.users.items()]
    rows.sort(key=lambda row: row.cpu_percent or 0, reverse=True)
    render(rows, UserRow, form, sys.stdout)


@cli.command()
@form_options
def patterns(form: Form) -> None:
    """List the configured patterns and what their processes use, from two samples one second apart."""
    settings = load_settings(discover(), current(), os.environ).collectors["host"]
    found = _look_twice(cast("HostSettings", settings).patterns)
    rows = [PatternRow(name, *_columns(usage, found.elapsed_seconds)) for name, usage in found.patterns.items()]
    render(rows, PatternRow, form, sys.stdout)


def _look_twice(patterns: Mapping[str, str]) -> Scan:
    proc = Proc(Path("/proc"))
    first = scan(proc, patterns, None, {})
    time.sleep(_APART_SECONDS)
    return scan(proc, patterns, first.sample, first.names)


def _columns(usage: Usage, elapsed_seconds: float | None) -> list[Any]:
    values = usage.values(elapsed_seconds)
    return [values.get(name) for name in UserRow.__struct_fields__[1:]]
