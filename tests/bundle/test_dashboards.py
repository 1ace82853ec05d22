"""Every panel of every dashboard shows what an independent reading of the same minutes says (tests/readings).

The dashboards are read as Grafana reads them: the variables' values put into the targets, which carbonapi renders.
Nothing here writes a name that a dashboard reads but the client library of DSS.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from dkumonitor.dashboards.model import CustomVariable, Dashboard, load
from dkumonitor.dashboards.targets import choose, expand
from tests import dashboard_files, machine
from tests.dss_client import HELD_OPEN, MINUTE, ONE_EACH, Report, dss_client
from tests.readings import PANELS
from tests.readings.arriving import STEADY, arriving
from tests.readings.disk import TASK, scanned
from tests.readings.observation import Observation, Reader, Service, look_at_service, points_by_slot
from tests.readings.stack import RARE, RARE_SECONDS
from tests.readings.users import PROGRAMS
from tests.sampling import AtLeast, Passing, Sampler, is_change
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dkumonitor.dashboards.panels import QueryPanel
    from tests.readings.observation import Series
    from tests.stack import Stack

pytestmark = pytest.mark.xdist_group("dashboards")  # one look at the machine serves all of them
SECONDS = 250  # two reports of go-carbon and carbonapi on themselves, wherever the minutes begin
LEAST = {10: 15, MINUTE: 2}  # values to compare, by the length of a slot
BOARDS = {board.uid: board for board in map(load, dashboard_files.files())}
DSS_CLIENTS = {"dataiku.dss.design": ONE_EACH, "dss.automation": HELD_OPEN}
WORKER = Path(__file__).with_name("busy_process.py")


def prefixes_of(board: Dashboard) -> list[str]:
    return list(DSS_CLIENTS) if board.uid.startswith("dkm-dss") else [""]


CASES = [
    pytest.param(board, panel, prefix, id=f"{board.uid}: {panel.title} {prefix}".strip())
    for board in BOARDS.values()
    for panel in board.queries()
    for prefix in prefixes_of(board)
]


def quiet_account() -> pwd.struct_passwd:
    """An account that has no process, so that all that is shown of it is known; root alone can borrow one."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    taken = {process.uids().effective for process in psutil.process_iter()}
    return random.choice(
        [one for one in {one.pw_uid: one for one in pwd.getpwall()}.values() if one.pw_uid not in taken]
    )


@contextlib.contextmanager
def busy_processes(folder: Path, uid: int) -> Iterator[None]:
    """One process for each pattern of the host collector, which computes, writes and holds threads and files."""
    started = []
    try:
        for word in PROGRAMS.values():
            started.append(subprocess.Popen([sys.executable, str(WORKER), str(folder), str(uid), word]))  # noqa: PERF401  ended below
        wait_for("the busy processes", lambda: all(psutil.Process(one.pid).uids().real == uid for one in started), 30)
        yield
    finally:
        for process in started:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def seen(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Observation:
    reader = Reader(stack.carbonapi)
    host = stack.host
    for root in ("collectd", "dkm"):
        wait_for(f"the metrics of {root}", lambda root=root: reader.names(f"{root}.{host}"), 60)  # type: ignore[misc]
    disk = scanned(stack, tmp_path_factory.mktemp("tree"))
    wait_for("the figures of the tree", lambda: reader.names(f"dkm.{host}.disk.{TASK}.level"), 60)
    pids = stack.pids()
    account = quiet_account()
    with contextlib.ExitStack() as open_:
        clients = {
            prefix: open_.enter_context(dss_client(version, stack.carbon, prefix))
            for prefix, version in DSS_CLIENTS.items()
        }
        open_.enter_context(busy_processes(tmp_path_factory.mktemp("busy"), account.pw_uid))
        arrivals = open_.enter_context(arriving(stack, tmp_path_factory.mktemp("arrivals")))
        fast = open_.enter_context(Sampler(machine.look, 0.25))
        slow = open_.enter_context(Sampler(machine.look_at_processes, 0.75))
        service = open_.enter_context(Sampler[Service](lambda: look_at_service(stack, reader, pids), 0.5))
        start, round_ = int(time.time()), 0
        sent: dict[str, list[Report]] = {prefix: [] for prefix in clients}
        while time.time() < start + SECONDS:
            if time.time() % MINUTE > MINUTE / 4 and len(sent["dss.automation"]) <= (time.time() - start) // MINUTE:
                round_ += 1
                for prefix, client in clients.items():
                    sent[prefix].append(client.report(round_))
            reader.names("*")
            arrivals.arrive()
            time.sleep(0.5)  # the pace of the reader's requests, and of arrivals
    end = int(time.time())
    first = (start - MINUTE) // MINUTE * MINUTE
    stored = {
        root: points_by_slot(reader, root, first, end) for root in ("collectd", "dkm", "carbon.api", "carbon.agents")
    }
    # its first run may have an older slot
    stored[RARE] = points_by_slot(reader, RARE, first - 2 * RARE_SECONDS, end)
    return Observation(
        stack,
        reader,
        fast.samples,
        slow.samples,
        service.samples,
        sent,
        stored,
        disk,
        arrivals,
        account.pw_name,
        start=start,
        end=end,
    )


def chosen(board: Dashboard, prefix: str) -> dict[str, list[str]]:
    """The values that Grafana starts with: All, and the prefix of DSS."""
    prefixes = {
        one.name: [prefix.rpartition(".")[0]] for one in board.templating.variables if isinstance(one, CustomVariable)
    }
    return choose(board, prefixes)


def test_the_release_has_these_dashboards_and_no_others(release: Path) -> None:
    shipped = sorted(path.read_bytes() for path in (release / "dashboards").iterdir())

    assert shipped == sorted(path.read_bytes() for path in dashboard_files.files())


def test_there_is_a_reading_for_every_panel_and_a_panel_for_every_reading() -> None:
    assert set(PANELS) == {(board.uid, panel.title) for board in BOARDS.values() for panel in board.queries()}


def test_what_is_shown_of_an_account_is_compared_from_both_sides(seen: Observation) -> None:
    reading = PANELS["dkm-users", "Memory by user"](seen)[f"{seen.host}.{seen.quiet_account}"]

    assert isinstance(reading, AtLeast | Passing) == (seen.quiet_account == seen.service_user)


@pytest.mark.parametrize(("board", "panel", "prefix"), CASES)
def test_a_panel_shows_what_was_read_independently(
    seen: Observation, board: Dashboard, panel: QueryPanel, prefix: str
) -> None:
    readings = PANELS[board.uid, panel.title](seen.of_dss(prefix) if prefix else seen)
    shown: dict[str, Series] = {}
    for target in panel.targets:
        expression = expand(target.target, chosen(board, prefix))
        shown |= seen.reader.series(expression, seen.start - 2 * MINUTE, seen.end)
    shown = {legend: series for legend, series in shown.items() if max(series.values, default=0) >= seen.start}

    assert shown.keys() <= readings.keys()
    assert shown.keys() >= {legend for legend, reading in readings.items() if not isinstance(reading, Passing)}
    for legend, series in shown.items():
        reading, compared, outside = readings[legend], 0, []
        for slot, value in series.values.items():
            if is_change(reading) and series.step < MINUTE and slot - series.step not in series.values:
                continue  # collectd and our collectors missed an interval: a change over a longer time
            bounds = reading.bounds(slot, series.step)
            if bounds is not None:
                compared += 1
                if not bounds.holds(value):
                    outside.append(f"{legend} at {slot}: {value} is not in {bounds}")
        assert len(outside) <= reading.strays, outside
        if not isinstance(reading, Passing):
            assert compared >= LEAST[series.step], f"{legend}: only {compared} of {len(series.values)} were compared"


@pytest.mark.parametrize("prefix", DSS_CLIENTS)
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_the_variables_offer_what_there_is(seen: Observation, board: Dashboard, prefix: str) -> None:
    there = {
        "host": seen.host,
        "server": seen.host,
        "instance": prefix.rpartition(".")[2],
        "user": seen.service_user,
        "task": TASK,
        "section": STEADY,
    }
    for variable in board.templating.variables:
        if not isinstance(variable, CustomVariable):
            offered = seen.reader.names(expand(variable.query, chosen(board, prefix)))
            assert there[variable.name] in {name.rpartition(".")[2] for name in offered}
