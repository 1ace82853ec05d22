"""DSS can report here: proven with the very client library it reports with (docs/dss.md)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.dss_client import HELD_OPEN, MINUTE, ONE_EACH, DssClient, Report, dss_client
from tests.stack import running, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Held
    from tests.stack import Stack

IDLE_SECONDS = 300
DEEPEST = 12  # segments below the prefix


def kept(stack: Stack, prefix: str, slot: int) -> dict[str, float]:
    """Every value below a prefix that is kept for a minute, by name."""
    found: dict[str, float] = {}
    for depth in range(1, DEEPEST):
        target = prefix + ".*" * depth
        for name, points in stack.render(target, str(slot - MINUTE), until=str(slot + MINUTE)).items():
            found.update((name, value) for value, at in points if at == slot)
    return found


def assert_arrives(stack: Stack, prefix: str, report: Report) -> None:
    """Every number of the report, and nothing else, is what carbonapi answers for that minute."""
    assert not report.failures
    wait_for(f"the report below {prefix}", lambda: kept(stack, prefix, report.slot) == report.numbers)


def connections(client: DssClient, stack: Stack) -> set[int]:
    """Local ports of the client's connections to carbon."""
    return {
        connection.laddr.port
        for connection in psutil.Process(client.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED
        and connection.raddr
        and connection.raddr.port == stack.carbon[1]
    }


@pytest.mark.parametrize("version", [ONE_EACH, HELD_OPEN])
@pytest.mark.parametrize("prefix", ["contract.dataiku.dss.first", "contract.dss.first"])
def test_every_number_arrives_exactly_and_a_nan_is_left_out_alone(stack: Stack, version: str, prefix: str) -> None:
    below = f"{prefix}-{version.replace('.', '-')}"
    with dss_client(version, stack.carbon, below) as client:
        report = client.report(7)

        assert f"{below}.backend.server.probe.notANumber" in report.sent.keys() - report.numbers.keys()
        assert report.numbers[f"{below}.backend.server.dku.collaboration.activeUsers"] == 10
        assert_arrives(stack, below, report)


def test_the_new_library_connects_for_each_report_and_the_old_one_keeps_its_connection(stack: Stack) -> None:
    with (
        dss_client(ONE_EACH, stack.carbon, "contract.dss.each") as each,
        dss_client(HELD_OPEN, stack.carbon, "contract.dss.keeps") as keeps,
    ):
        each.report(1)
        keeps.report(1)
        before = connections(keeps, stack)
        keeps.report(2)

        assert connections(each, stack) == set()
        assert len(before) == 1
        assert connections(keeps, stack) == before


@pytest.mark.idle_minutes
def test_a_connection_that_idled_for_five_minutes_is_still_served(stack: Stack, held: Held) -> None:
    before = connections(held.client, stack)
    time.sleep(max(0.0, held.since + IDLE_SECONDS - time.monotonic()))  # the idle time is what is tested

    second = held.client.report(2)

    assert len(before) == 1
    assert connections(held.client, stack) == before
    assert_arrives(stack, "contract.dss.held", held.first)
    assert_arrives(stack, "contract.dss.held", second)


def test_both_libraries_go_on_after_go_carbon_was_restarted(release: Path, workspace: Path) -> None:
    with (
        running(release, workspace / "dkm") as stack,
        dss_client(ONE_EACH, stack.carbon, "contract.dss.each") as each,
        dss_client(HELD_OPEN, stack.carbon, "contract.dss.held") as held,
    ):
        before = [each.report(1), held.report(1)]
        stack.dkm("restart", "go-carbon")
        wait_for("go-carbon to listen", lambda: stack.get("/metrics/find", query="contract.dss.*"))

        assert_arrives(stack, "contract.dss.each", next_minute(each, 2, before[0]))
        # What the old library writes into the broken connection is lost; at its second write it notices, and connects.
        next_minute(held, 2, before[1])
        held.report(3)
        assert_arrives(stack, "contract.dss.held", held.report(4))


def next_minute(client: DssClient, number: int, before: Report) -> Report:
    """Report once the minute of an earlier report is over, so that both are kept."""
    wait_for("the next minute", lambda: time.time() >= before.slot + MINUTE, MINUTE + 1)
    return client.report(number)
