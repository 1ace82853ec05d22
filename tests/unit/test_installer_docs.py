"""Every option, command and exit code of the installer is in its documentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from installer import errors
from installer.__main__ import main as installer
from installer.admin import main as dkmadmin
from installer.options import TYPES

if TYPE_CHECKING:
    import click

TEXT = (Path(__file__).resolve().parents[2] / "docs/installation.md").read_text()


@pytest.mark.parametrize("command", [installer, *dkmadmin.commands.values()], ids=lambda command: command.name or "")
def test_every_option_is_documented(command: click.Command) -> None:
    options = [option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)]
    undocumented = [option for option in options if option.startswith("-") and f"`{option}" not in TEXT]
    undocumented = [option for option in undocumented if f"[{option}" not in TEXT and f" {option}" not in TEXT]
    listing = {"--json", "--csv"}
    assert [option for option in undocumented if option not in listing] == []


def test_every_command_and_type_is_documented() -> None:
    for name, command in dkmadmin.commands.items():
        assert command.hidden or f"dkmadmin {name}" in TEXT
    for name in TYPES:
        assert f"`{name}`" in TEXT


def test_every_exit_code_is_documented() -> None:
    found = {
        value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.InstallError)
    }
    assert found == set(range(1, 10))
    for code in found:
        assert f"\n| {code} | " in TEXT
