import re
from pathlib import Path

import msgspec

from collectors import host
from collectors.host.collector import METRICS
from collectors.host.settings import DEFAULT_PATTERNS, HostSettings
from dkumonitor.settings import Settings
from tests.readme_tables import table

assert host.__file__ is not None
README = (Path(host.__file__).parent / "README.md").read_text()


def test_the_readme_lists_exactly_the_declared_metrics() -> None:
    assert table(README, "metric") == [[metric.name, metric.unit, metric.summary] for metric in METRICS]


def test_the_readme_lists_exactly_the_settings_with_their_defaults() -> None:
    rows = {name: default for name, default, _ in table(README, "key of `[collectors.host]`")}
    assert set(rows) == set(HostSettings.__struct_fields__)
    defaults = msgspec.to_builtins(HostSettings())
    assert (rows["enabled"], rows["top_users"]) == (str(defaults["enabled"]).lower(), str(defaults["top_users"]))
    assert defaults["interval_seconds"] is None


def test_the_readme_lists_exactly_the_default_patterns() -> None:
    assert [row[0] for row in table(README, "name")] == list(DEFAULT_PATTERNS)


def test_the_readmes_example_can_be_used(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "dkumonitor.toml"
    file.write_text(example)
    read = Settings.load(file, {"host": HostSettings}, 10).collectors["host"]
    assert isinstance(read, HostSettings)
    assert list(read.patterns) == ["dss_jek", "postgres"]
