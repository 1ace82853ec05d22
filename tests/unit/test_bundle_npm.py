"""The npm packages: pinned by hash alone, and nothing of them but what pages load."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bundle import npm
from bundle.errors import BuildError, FetchError, HashError, RecipeError

GOOD: dict[str, Any] = {"version": "1.6.32", "integrity": "sha512-AA==", "license": "MIT"}


def lock(name: str = "uplot", **package: Any) -> str:
    return json.dumps({"packages": {"": {}, f"node_modules/{name}": {**GOOD, **package}}})


def test_the_projects_own_lock_pins_every_package_by_a_hash() -> None:
    text = (npm.FOLDER / "package-lock.json").read_text()
    wanted = json.loads((npm.FOLDER / "package.json").read_text())["dependencies"]
    assert {name: version for name, version, _integrity in npm.packages_of(text)} == wanted


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lock(integrity=""), "not pinned"),
        (lock(integrity="sha1-AA=="), "not pinned"),
        (lock(resolved="https://example.org/uplot.tgz"), "not pinned"),
        (lock(name="left-pad"), "left-pad"),
    ],
)
def test_a_lock_that_says_less_or_more_is_refused(text: str, says: str) -> None:
    assert npm.packages_of(lock()) == [("uplot", "1.6.32", "sha512-AA==")]
    with pytest.raises(BuildError, match=says):
        npm.packages_of(text)


@pytest.mark.parametrize(
    ("said", "kind"),
    [("npm error code EINTEGRITY", HashError), ("npm error code ENOTFOUND", FetchError), ("no", RecipeError)],
)
def test_a_wrong_package_and_one_that_cannot_be_had_are_told_apart(said: str, kind: type[BuildError]) -> None:
    assert type(npm._explained(RecipeError(said, "Read the log"))) is kind
