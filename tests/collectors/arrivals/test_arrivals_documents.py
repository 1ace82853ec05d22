"""What the README says is what the code does."""

from __future__ import annotations

from pathlib import Path

import msgspec

from collectors import arrivals
from collectors.arrivals.collector import METRICS
from collectors.arrivals.keys import DIRECTORY, SHARED, Key
from collectors.arrivals.settings import ArrivalsSettings
from tests.readme_tables import table

assert arrivals.__file__ is not None
README = (Path(arrivals.__file__).parent / "README.md").read_text()


def row(key: Key) -> list[str]:
    return [key.name, key.default or "none", key.summary.strip("`")]


def test_the_readme_lists_exactly_the_keys_with_their_defaults() -> None:
    assert table(README, "key of a section") == [row(key) for key in DIRECTORY]
    assert table(README, "key that all sections share") == [row(key) for key in SHARED]


def test_every_default_can_be_read() -> None:
    for key in (*DIRECTORY, *SHARED):
        key.read(key.default)


def test_the_readme_lists_exactly_the_declared_metrics() -> None:
    assert table(README, "metric") == [[metric.name, metric.unit, metric.summary] for metric in METRICS]


def test_the_readme_lists_exactly_the_settings_with_their_defaults() -> None:
    rows = {name: default for name, default, _ in table(README, "key of `[collectors.arrivals]`")}
    defaults = msgspec.to_builtins(ArrivalsSettings())
    assert set(rows) == set(ArrivalsSettings.__struct_fields__)
    assert rows["late_seconds"] == str(defaults["late_seconds"])
