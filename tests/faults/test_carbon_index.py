"""A new metric that can be found stays to be found, also where it came just before go-carbon's scan of its files."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from tests.stack import Stack, running, wait_for

if TYPE_CHECKING:
    from pathlib import Path

BURSTS = 12
NAMES = 400


def scan_each_second(stack: Stack) -> None:
    conf = stack.dir / "conf/go-carbon/go-carbon.conf"
    text = conf.read_text()
    assert 'scan-frequency = "1m0s"' in text
    conf.write_text(text.replace('scan-frequency = "1m0s"', 'scan-frequency = "1s"'))


def found(stack: Stack, burst: int) -> int:
    return len(stack.get("/metrics/find", query=f"index.b{burst:02}.*", format="json") or [])


def all_are_found(stack: Stack, burst: int) -> bool:
    return found(stack, burst) == NAMES


def test_a_scan_takes_no_new_metric_out_of_the_index(release: Path, workspace: Path) -> None:
    with running(release, workspace / "dkm", "--type", "backend", prepare=scan_each_second) as stack:
        for burst in range(BURSTS):
            now = int(time.time())
            stack.send(*(f"index.b{burst:02}.m{number:03} {number} {now}" for number in range(NAMES)))

            wait_for("every metric of a burst", partial(all_are_found, stack, burst), 60, 0.02)
            until = time.monotonic() + 1.3  # a scan and a bit
            seen = [found(stack, burst)]
            while time.monotonic() < until:
                seen.append(found(stack, burst))
            assert set(seen) == {NAMES}, f"burst {burst}: {min(seen)} of {NAMES} at the least"
