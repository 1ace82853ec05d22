"""Promise 12: with carbon down, points wait in a bounded spool, are sent later, and what is dropped is counted."""

from __future__ import annotations

import signal
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dkumonitor.address import Address
from dkumonitor.carbon import CarbonSender
from dkumonitor.metrics import Point
from dkumonitor.spool import Spool
from tests.faults.program import HOST, Program
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.carbon_end import GoCarbon, Mode, Proxy

STEADY = f"dkm.{HOST}.steady.value"
QUICK = "[carbon]\ntimeout_seconds = 1\nreplay_seconds = 4\n"


def newest(go_carbon: GoCarbon) -> int:
    return max(go_carbon.values(STEADY), default=0)


def newer(go_carbon: GoCarbon, than: float) -> bool:
    return newest(go_carbon) > than


def has(go_carbon: GoCarbon, name: str, points: int) -> bool:
    return len(go_carbon.values(name)) == points


def missing(go_carbon: GoCarbon, first: int, last: int) -> list[int]:
    """Times between the two, both included, of which go-carbon has no point or a wrong one."""
    values = go_carbon.values(STEADY)
    return [at for at in range(first, last + 1) if values.get(at) != at % 1000]


def misbehave(go_carbon: GoCarbon, proxy: Proxy, program: Program) -> list[int]:
    """Send through every fault, then without; the times of which a point was lost."""
    go_carbon.start()
    proxy.become("pass")
    program.start()
    first = wait_for("a first point", lambda: newest(go_carbon))
    modes: list[Mode] = ["reset", "pass", "cut", "stall", "pass", "refuse", "cut"]
    for mode in modes:
        proxy.become(mode)
        time.sleep(7)  # long enough for a connection's whole life and its receipt
    proxy.become("pass")
    last = int(time.time())
    try:
        wait_for("a point after the faults", lambda: newest(go_carbon) > last, 60)
        wait_for("all points", lambda: not missing(go_carbon, first, last), 30)
    except AssertionError:
        return missing(go_carbon, first, last)
    return []


def test_no_point_is_lost_through_resets_stalls_and_cut_lines(
    go_carbon: GoCarbon, proxy: Proxy, programs: Callable[..., Program]
) -> None:
    assert misbehave(go_carbon, proxy, programs(proxy.address, QUICK)) == []


def test_that_test_notices_a_sender_that_trusts_the_kernel(
    go_carbon: GoCarbon, proxy: Proxy, programs: Callable[..., Program]
) -> None:
    program = programs(proxy.address, QUICK)
    program.break_with("sender-trusts-the-kernel.patch")
    assert misbehave(go_carbon, proxy, program) != []


def test_no_point_is_lost_when_carbon_and_the_collectors_are_killed(
    go_carbon: GoCarbon, programs: Callable[..., Program]
) -> None:
    program = programs(go_carbon.carbon, QUICK)
    go_carbon.start()
    program.start()
    first = wait_for("a first point", lambda: newest(go_carbon))
    for _ in range(3):
        wait_for("points", partial(newer, go_carbon, newest(go_carbon)))
        go_carbon.kill()
        spooled = wait_for("the spool", lambda: list((program.dir / "storage/spool/carbon").glob("*.lines")))
        size = sum(path.stat().st_size for path in spooled)
        wait_for("more in the spool", partial(waits_more, program, size))
        ended = time.time()
        program.end(signal.SIGKILL)
        program.start()
        go_carbon.start()
        wait_for("points", partial(newer, go_carbon, ended), 90)
    last = newest(go_carbon)
    wait_for("the spool to be empty", lambda: waiting(program) == 0, 90)
    gaps = missing(go_carbon, first, last)
    assert len(gaps) <= 3, gaps  # seconds in which there was no program, one for each kill
    assert program.end() == 0


def waiting(program: Program) -> int:
    """Bytes in the spool's folder."""
    return sum(path.stat().st_size for path in (program.dir / "storage/spool/carbon").glob("*.lines"))


def waits_more(program: Program, size_bytes: int) -> bool:
    return waiting(program) > size_bytes


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def deliver(sender: CarbonSender, clock: Clock) -> None:
    """Let the clock go on until nothing waits."""
    deadline = time.monotonic() + 60
    while sender.is_busy and time.monotonic() < deadline:
        sender.tick()
        clock.now += 1
        time.sleep(0.02)
    assert not sender.is_busy


def test_ten_minutes_without_carbon_lose_nothing(go_carbon: GoCarbon, tmp_path: Path) -> None:
    clock, spool = Clock(), Spool(tmp_path / "spool", 64 * 1024 * 1024)
    sender = CarbonSender(Address(*go_carbon.carbon), spool, timeout_seconds=5, replay_seconds=60, monotonic=clock)
    names = [f"dkm.{HOST}.series{number}.value" for number in range(100)]
    start = int(time.time()) - 600
    for at in range(start, start + 600, 10):
        sender.send([Point(name, at % 1000, at) for name in names])
        clock.now += 10
    go_carbon.start()
    deliver(sender, clock)
    sender.close()
    for name in names:
        wait_for(name, partial(has, go_carbon, name, 60))
    assert spool.dropped_total == 0


def flood(go_carbon: GoCarbon, folder: Path) -> tuple[int, int]:
    """Let more wait than the bound allows; the count of what was dropped, and what came later."""
    clock, spool = Clock(), Spool(folder, 64 * 1024)
    sender = CarbonSender(Address(*go_carbon.carbon), spool, timeout_seconds=5, replay_seconds=60, monotonic=clock)
    start = int(time.time()) - 3000
    for at in range(start, start + 3000):
        sender.send([Point(STEADY, at % 1000, at)])
        clock.now += 1
        assert sum(path.stat().st_size for path in folder.glob("*.lines")) <= 64 * 1024
    reported = {point.name: point.value for point in sender.points(HOST, start)}[f"dkm.{HOST}.carbon.dropped_total"]
    go_carbon.start()
    deliver(sender, clock)
    sender.close()
    wait_for("points", lambda: newest(go_carbon) == start + 2999)
    assert missing(go_carbon, start + int(reported), start + 2999) == []
    return int(reported), len(go_carbon.values(STEADY))


def test_the_bound_drops_the_oldest_and_every_drop_is_reported(go_carbon: GoCarbon, tmp_path: Path) -> None:
    dropped, arrived = flood(go_carbon, tmp_path / "spool")
    assert dropped > 0
    assert dropped + arrived == 3000


FULL_DISK = """
import os, sys
sys.path.insert(0, {code!r})
from pathlib import Path
from dkumonitor.spool import Spool
folder = Path({folder!r})
lines = [b"a.b %d 1700000000\\n" % number for number in range(3000)]
spool = Spool(folder, 2**20)
spool.append(lines[:1000])
with open(folder / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(512))
    except OSError:
        pass
for first in range(1000, 3000, 10):
    spool.append(lines[first:first + 10])
waits = spool.size_bytes
(folder / "filler").unlink()
spool.append([b"last 1 1700000000\\n"])
spool.close()
spool = Spool(folder, 2**20)
found = []
while portion := spool.oldest():
    found += portion.lines
    spool.remove(portion)
assert found == [*lines, b"last 1 1700000000\\n"], len(found)
assert spool.dropped_total == 0, spool.dropped_total
print("whole")
"""


def test_a_full_disk_loses_nothing_that_memory_can_hold(release: Path, tmp_path: Path) -> None:
    program = Program(release, tmp_path / "program", ("127.0.0.1", 1))
    folder = tmp_path / "disk"
    folder.mkdir()
    script = FULL_DISK.format(code=str(program.code), folder=str(folder))
    ended = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
            'mount -t tmpfs -o size=256k none "$1" && exec "$2" -I -B -c "$3"',
            *("sh", folder, program.python, script),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "whole\n", ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_unsent_at_the_end_stays_in_the_spool(
    go_carbon: GoCarbon, proxy: Proxy, programs: Callable[..., Program], number: signal.Signals
) -> None:
    go_carbon.start()
    proxy.become("pass")
    program = programs(proxy.address, QUICK)
    program.start()
    first = wait_for("a first point", lambda: newest(go_carbon))
    proxy.become("stall")
    time.sleep(3)
    assert program.end(number) == 0
    last = int(time.time()) - 1
    assert waiting(program) > 0
    proxy.become("pass")
    program.start()
    wait_for("points", lambda: newest(go_carbon) > last)
    wait_for("all points", lambda: len(missing(go_carbon, first, last)) <= 1)
    assert program.end() == 0
