"""A running console for each module of tests, and one of its own for tests that change much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console_app import running_console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.console_app import RunningConsole


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """A console that the tests of a module share."""
    with running_console(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture
def own_console(tmp_path: Path) -> Iterator[RunningConsole]:
    """A console for one test."""
    with running_console(tmp_path) as running:
        yield running
