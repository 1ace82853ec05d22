"""One browser and one installation for all tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import Chromium
from tests.browser.site import Site, running_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Debian's Chromium, started once."""
    browser = Chromium(tmp_path_factory.mktemp("browser") / "driver.log")
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def site(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The installation that is visited."""
    with running_site(release, tmp_path_factory.mktemp("site") / "dkm") as started:
        yield started
