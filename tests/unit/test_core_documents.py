from pathlib import Path

from dkumonitor.carbon import METRICS
from dkumonitor.collector import RUN_METRICS, Collector
from dkumonitor.settings import CarbonSettings

TEXT = (Path(__file__).parents[2] / "docs/collectors.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The rows of every table whose first column is headed so."""
    found: list[list[str]] = []
    for table in TEXT.split("\n\n"):
        head, *lines = table.strip().splitlines()
        if head.startswith(f"| {heading} |"):
            found += [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[1:]]
    return found


def test_the_metrics_of_every_run_and_of_the_sender_are_listed_as_declared() -> None:
    assert rows("metric") == [[one.name, one.unit, one.summary] for one in (*RUN_METRICS, *METRICS)]


def test_every_field_of_a_collector_is_explained() -> None:
    assert [row[0] for row in rows("field")] == list(Collector.__dataclass_fields__)


def test_every_setting_is_explained_with_its_default() -> None:
    told = {key: default for key, default, _ in rows("key of `[carbon]`")}
    defaults = CarbonSettings()
    assert list(told) == list(CarbonSettings.__struct_fields__)
    assert [told[key] for key in ("spool_max_bytes", "replay_seconds", "timeout_seconds")] == [
        str(getattr(defaults, key)) for key in ("spool_max_bytes", "replay_seconds", "timeout_seconds")
    ]
