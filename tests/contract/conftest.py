"""The five idle minutes of a DSS connection pass beside the other tests instead of after them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.dss_client import HELD_OPEN, DssClient, Report, dss_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stack import Stack

MARK = "idle_minutes"


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}: waits for minutes; first on a worker of pytest-xdist, else last")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One worker waits while the others work; without workers the connection idles while the other tests run."""
    idle = [item for item in items if item.get_closest_marker(MARK)]
    rest = [item for item in items if not item.get_closest_marker(MARK)]
    items[:] = idle + rest if _is_worker(config) else rest + idle


@dataclass(frozen=True)
class Held:
    """A client of the library that holds its connection, and the report after which it idles."""

    client: DssClient
    first: Report
    since: float  # monotonic


@pytest.fixture(scope="session")
def held(stack: Stack) -> Iterator[Held]:
    with dss_client(HELD_OPEN, stack.carbon, "contract.dss.held") as client:
        yield Held(client, client.report(1), time.monotonic())


@pytest.fixture(scope="session", autouse=True)
def _held_early(request: pytest.FixtureRequest) -> None:
    """Without workers: begin to idle with the first test of this folder."""
    if not _is_worker(request.config) and any(item.get_closest_marker(MARK) for item in request.session.items):
        request.getfixturevalue("held")
