from pathlib import Path

from collectors import disk
from collectors.disk.collector import METRICS, SCANS, DiskSettings
from tests.readme_tables import table

assert disk.__file__ is not None
README = (Path(disk.__file__).parent / "README.md").read_text()


def test_the_readme_lists_exactly_the_declared_metrics() -> None:
    assert table(README, "metric") == [[metric.name, metric.unit, metric.summary] for metric in METRICS]
    scans = [[metric.name, metric.unit, metric.summary] for metric in SCANS.metrics]
    assert table(README, "metric of `disk_scan`") == scans


def test_the_readme_lists_exactly_the_settings() -> None:
    rows = {name: default for name, default, _ in table(README, "key of `[collectors.disk]`")}
    assert set(rows) == set(DiskSettings.__struct_fields__)
    assert rows["top_users"] == str(DiskSettings().top_users)
