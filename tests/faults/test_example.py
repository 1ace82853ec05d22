"""The collector that docs/collectors.md shows, put into the release as a reader would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.program import HOST, Program
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.carbon_end import GoCarbon

DOCUMENT = (Path(__file__).parents[2] / "docs/collectors.md").read_text()


def test_the_documented_collector_works_as_the_document_says(
    go_carbon: GoCarbon, programs: Callable[..., Program]
) -> None:
    code, *_ = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    [settings] = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    program = programs(go_carbon.start().carbon, settings.replace("interval_seconds = 60", "interval_seconds = 1"))
    program.add("uptime", code)
    program.start()
    name = f"dkm.{HOST}.uptime.uptime_seconds"
    values = wait_for("three points", lambda: len(found := go_carbon.values(name)) >= 3 and found)
    assert values
    assert list(values.values()) == sorted(values.values())
    assert max(values.values()) <= float(Path("/proc/uptime").read_text().split()[0])
    assert set(go_carbon.values(f"dkm.{HOST}.uptime.restarted").values()) == {0}
    assert set(go_carbon.values(f"dkm.{HOST}.uptime.run.success").values()) == {1}
    assert program.end() == 0
