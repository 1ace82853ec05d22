"""An installation whose store has the disk collector's tables, and a task in it."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

import collectors
from dkumonitor.store.engine import open_store
from dkumonitor.store.migrations import upgrade
from tests.installations import an_installation
from tests.store.conftest import mariadb_server, postgresql_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

__all__ = ["mariadb_server", "postgresql_server"]  # fixtures, here too


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = an_installation(tmp_path / "dkm", user=pwd.getpwuid(os.geteuid()).pw_name)
    for folder in (made.conf, made.run):
        folder.mkdir(parents=True)
    (made.conf / "dkumonitor.toml").touch()
    with open_store(made) as opened:
        upgrade(opened, collectors.components())
    return made


@pytest.fixture
def store(installation: Installation) -> Iterator[Store]:
    with open_store(installation) as opened:
        yield opened
