"""Fixtures of the fault tests: a go-carbon, a proxy before it, and the collectors program that sends through it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.carbon_end import GoCarbon, Proxy
from tests.faults.program import STEADY, Program
from tests.stack import free_port_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def in_memory(workspace: Path) -> Iterator[Path]:
    """A folder that other accounts may enter, in memory where this machine has such a place: syncing takes no time."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="dkumonitor-", dir=shared if shared.is_dir() else workspace))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def port() -> Iterator[int]:
    with free_port_range() as first:
        yield first


@pytest.fixture
def go_carbon(release: Path, tmp_path: Path, port: int) -> Iterator[GoCarbon]:
    """A real go-carbon, not started."""
    with contextlib.closing(GoCarbon(release / "bin/go-carbon", tmp_path / "go-carbon", port)) as made:
        yield made


@pytest.fixture
def proxy(go_carbon: GoCarbon, port: int) -> Iterator[Proxy]:
    """A proxy before it that does not listen yet."""
    with contextlib.closing(Proxy(go_carbon.carbon, port + 5)) as made:
        yield made


@pytest.fixture
def programs(release: Path, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Makes the collectors program with a steady collector, sending to the address that it is given."""
    with contextlib.ExitStack() as stack:

        def make(carbon: tuple[str, int], settings: str = "") -> Program:
            program = Program(release, tmp_path / "program", carbon, settings)
            program.add("steady", STEADY)
            stack.enter_context(contextlib.closing(program))
            return program

        yield make
