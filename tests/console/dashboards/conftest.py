"""A console before a real go-carbon and carbonapi, with metrics of known values and a dashboard of every panel."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dkumonitor.dashboards.model import load
from tests import dashboard_files
from tests.console_app import running_console
from tests.stack import running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store
    from tests.console_app import RunningConsole
    from tests.stack import Stack

HOSTS = ("alpha", "beta")
MANY = 230  # hosts below many.*
POINTS = 30
VARIABLES = {
    "host": "alpha",
    "user": "u1",
    "server": "s1",
    "instance": "i1",
    "prefix": "dss",
    "task": "t1",
    "section": "c1",
}


@dataclass(frozen=True)
class Metrics:
    """What was sent: names, each with `POINTS` values, 10 s apart; the newest at `newest_seconds`."""

    stack: Stack
    newest_seconds: int

    @property
    def oldest_seconds(self) -> int:
        return self.newest_seconds - 10 * (POINTS - 1)


def lay_dashboards(folder: Path) -> None:
    """The release's folder of dashboards, one of which cannot be drawn."""
    folder.mkdir()
    for path in dashboard_files.files():
        shutil.copy(path, folder / f"{path.parent.name}-{path.name}")
    every = dashboard_files.every_panel()
    (folder / "every.json").write_text(json.dumps(every))
    many = {**every, "uid": "dkm-many", "title": "Many", "templating": {"list": []}}
    many["panels"] = [
        dashboard_files.panel(1, "table", "aliasByNode(many.*.x,1)", {"showHeader": True},
                              transformations=every["panels"][3]["transformations"]),
        dashboard_files.panel(2, "timeseries", "aliasByNode(many.*.x,1)", every["panels"][4]["options"]),
    ]  # fmt: skip
    (folder / "many.json").write_text(json.dumps(many))
    (folder / "unknown.json").write_text(json.dumps({**every, "uid": "dkm-unknown", "links": []}))


def names() -> list[str]:
    """Every metric that the dashboards read."""
    found = {f"collectd.{host}.load.load.shortterm" for host in HOSTS}
    found |= {f"collectd.{host}.disk.sd{host[0]}.ops" for host in HOSTS}
    found |= {f"many.m{number:03}.x" for number in range(MANY)}
    found.add("collectd.alpha.load.load.=HYPERLINK")
    for path in dashboard_files.files():
        found |= dashboard_files.metrics_of(load(path), VARIABLES, "x1")
    return sorted(found)


@pytest.fixture(scope="session")
def metrics(release: Path) -> Iterator[Metrics]:
    folder = Path(tempfile.mkdtemp(prefix="dashboards-", dir=release.parent.parent))
    with running(release, folder / "dkm", "--type", "backend") as stack:
        newest = int(time.time()) // 10 * 10 - 10
        sent = names()
        lines = [
            f"{name} {number + age / 4} {newest - 10 * age}"
            for number, name in enumerate(sent)
            for age in range(POINTS)
        ]
        stack.send(*lines)
        wait_for("the last metric", lambda: stack.render(sent[-1], "-10min"), 120)
        wait_for("the many", lambda: len(stack.render("many.*.x", "-10min")) == MANY, 120)
        yield Metrics(stack, newest)


@pytest.fixture(scope="session")
def board_console(metrics: Metrics, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    def prepare(_: Store, installation: Installation) -> None:
        lay_dashboards(installation.lib / "dashboards")

    address = metrics.stack.carbonapi.removeprefix("http://")
    with running_console(tmp_path_factory.mktemp("board"), carbonapi=address, before_start=prepare) as console:
        yield console
