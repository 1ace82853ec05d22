"""The walker reports every kind of fault that a page can have, and none that it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.faulty_site import FAULTS, POLICY, faulty_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.chromium import Chromium

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def walked(chromium: Chromium) -> Iterator[dict[str, dict[str, Any]]]:
    with faulty_site() as base:
        pages = chromium.act(
            "walk", base=base, login="", theme="light", width=390, focus=True, policy=POLICY, missing=["/lost"]
        )
        yield {page["path"]: page for page in pages}


def test_every_page_that_is_linked_is_walked(walked: dict[str, dict[str, Any]]) -> None:
    assert set(walked) == {"/", "/good", "/lost", *FAULTS}


@pytest.mark.parametrize("path", FAULTS)
def test_a_fault_is_reported(walked: dict[str, dict[str, Any]], path: str) -> None:
    kind, _ = FAULTS[path]

    assert any(problem["kind"].startswith(kind) for problem in walked[path]["problems"]), walked[path]["problems"]


@pytest.mark.parametrize("path", ["/", "/good", "/lost"])
def test_a_page_without_fault_is_reported_as_one(walked: dict[str, dict[str, Any]], path: str) -> None:
    assert walked[path]["problems"] == []
