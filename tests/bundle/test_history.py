"""The day that the console is shown and measured on is there, whole, as carbonapi reads it."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dkumonitor.metrics import segment
from tests.history.load import History, lay
from tests.history.machines import FILLING, FILLING_FROM_PERCENT, FILLING_TO_PERCENT
from tests.stack import Stack, free_port_range, install, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ("dashboards/system.json", "dashboards/stack.json", "collectors/host/dashboard.json")
TARGETS = sorted(
    {
        target["target"]
        for board in BOARDS
        for panel in json.loads((ROOT / board).read_text())["panels"]
        for target in panel.get("targets", [])
    }
)


@pytest.fixture(scope="module")
def laid(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, History]]:
    folder = tmp_path_factory.mktemp("history") / "dkm"
    with free_port_range() as port:
        options = ("--type", "backend", "--carbon-listen", "127.0.0.1", "--hostname", "atlas")
        stack = install(release, folder, port, *options)
        try:
            history = lay(stack)
            stack.start()
            wait_for("go-carbon to know the files", lambda: stack.render("collectd.*.uptime.uptime", "-1d"), 60)
            yield stack, history
        finally:
            stack.stop()


def test_every_panel_of_the_dashboards_reads_something_of_the_day(laid: tuple[Stack, History]) -> None:
    stack, history = laid

    empty = [
        target
        for target in TARGETS
        if not any(stack.render(re.sub(r"\$\w+", "*", target), str(history.end - 3600), maxDataPoints="50").values())
    ]

    assert len(TARGETS) > 50
    assert empty == []


def test_three_hosts_and_three_hundred_people_are_there(laid: tuple[Stack, History]) -> None:
    stack, history = laid
    hosts = stack.get("/metrics/find", query="collectd.*", format="json")
    people = stack.get("/metrics/find", query=f"dkm.{history.machines[0].host}.host.users.*", format="json")

    assert sorted(host["text"] for host in hosts) == sorted(machine.host for machine in history.machines)
    assert sorted(one["text"] for one in people) == sorted(map(segment, history.logins))
    assert len(people) == 300


def test_a_day_at_a_minute_is_what_was_laid_and_its_last_hours_are_finer(laid: tuple[Stack, History]) -> None:
    stack, history = laid
    names = (f"collectd.atlas.df.{FILLING}.percent_bytes.used", "dkm.atlas.host.users.root.cpu_percent")
    days = {day.name: day for day in itertools.islice(history.days(), 2000) if day.name in names}

    for name in names:
        (whole,) = stack.render(name, str(history.end - 86400), until=str(history.end)).values()
        (fine,) = stack.render(name, str(history.end - 3600), until=str(history.end)).values()
        wanted = dict(zip(range(history.end - 86400, history.end, 60), days[name].values, strict=True))

        sent = {at: value for at, value in wanted.items() if value is not None}
        assert {at: pytest.approx(value) for value, at in whole} == {at: sent[at] for _, at in whole}
        assert len(whole) >= len(sent) - 2
        assert len(fine) >= 355
        for minute in range(history.end - 3540, history.end - 60, 60):
            inside = [value for value, at in fine if minute <= at < minute + 60]
            assert sum(inside) / 6 == pytest.approx(wanted[minute])


def test_a_disk_fills(laid: tuple[Stack, History]) -> None:
    stack, history = laid
    (points,) = stack.render(f"collectd.atlas.df.{FILLING}.percent_bytes.used", str(history.end - 86400)).values()

    assert points[0][0] == pytest.approx(FILLING_FROM_PERCENT, abs=0.2)
    assert points[-1][0] == pytest.approx(FILLING_TO_PERCENT, abs=0.2)
