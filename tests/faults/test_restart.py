"""What is killed comes back, what must end ends, and a restart loses no point that go-carbon had read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import socket
import struct
import tempfile
import termios
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import RUN_FOLDER
from tests.proc import children
from tests.stack import break_configuration, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stack import Stack

VARIANTS = Path(__file__).parent / "variants"
PROGRAMS = ("go-carbon", "carbonapi", "console", "collectd", "collectors")
BACK_SECONDS = 5
INTERVAL_SECONDS = 2
GROUPS, SERIES, BATCHES_A_SECOND = 10, 100, 100  # a batch is a point of each series of a group: 10,000 points a second
PAST_SECONDS = 4 * 3600  # within the finest archive, which holds six hours
OUTAGE_SECONDS = int(os.environ.get("DKM_OUTAGE_SECONDS", "60"))


@contextlib.contextmanager
def started(release: Path, variant: str | None = None) -> Iterator[Stack]:
    """A running installation of type all, with a broken variant of its configuration where one is named."""
    folder = Path(tempfile.mkdtemp(prefix="restart-", dir=os.environ[RUN_FOLDER]))
    with running(
        release,
        folder / "dkm",
        "--interval",
        str(INTERVAL_SECONDS),
        prepare=lambda stack: break_configuration(stack, VARIANTS / variant) if variant else None,
    ) as stack:
        yield stack
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def stack(release: Path) -> Iterator[Stack]:
    with started(release) as stack:
        yield stack


def supervisord(stack: Stack) -> int:
    return int((stack.dir / "run/supervisord.pid").read_text())


def all_running(stack: Stack) -> dict[str, int]:
    """Wait until every program is RUNNING; their process ids."""
    wait_for("every program to run", lambda: set(PROGRAMS) == set(stack.pids()))
    return stack.pids()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_program_is_started_again(stack: Stack, program: str) -> None:
    kill(stack, program)


def test_a_program_that_stays_dead_is_caught(release: Path) -> None:
    with started(release, "console-stays-dead.patch") as stack, pytest.raises(AssertionError, match="started again"):
        kill(stack, "console")


def kill(stack: Stack, program: str) -> None:
    """Kill a program, and expect another process in its place, all others as they were, and new points."""
    before = all_running(stack)
    parent = supervisord(stack)
    os.kill(before[program], signal.SIGKILL)
    wait_for(
        f"{program} to be started again",
        # not all below it: runs of collectors come and go
        lambda: len(there := children(parent)) == len(PROGRAMS) and before[program] not in there,
        BACK_SECONDS,
    )
    after = all_running(stack)
    assert after.pop(program) != before.pop(program)
    assert after == before
    seen = int(time.time())
    wait_for("new points", lambda: newest_time(stack, f"dkm.{stack.host}.host.run.success") > seen)


def newest_time(stack: Stack, target: str) -> int:
    return max((at for points in stack.render(target).values() for _, at in points), default=0)


@pytest.mark.parametrize("wait_until_all_have_ended", [True, False])
def test_programs_end_with_a_killed_supervisord_and_start_works_after_it(
    stack: Stack, wait_until_all_have_ended: bool
) -> None:
    before = all_running(stack)
    os.kill(supervisord(stack), signal.SIGKILL)

    def left() -> list[str]:
        return [name for name, pid in before.items() if Path(f"/proc/{pid}").exists()]

    if wait_until_all_have_ended:
        wait_for("every program to end", lambda: not left())
    stack.start()
    wait_for("every old program to end", lambda: not left())
    assert not set(all_running(stack).values()) & set(before.values())
    seen = int(time.time())
    wait_for("new points", lambda: newest_time(stack, f"dkm.{stack.host}.host.run.success") > seen)


class Burst:
    """Sends 10,000 points a second in a known order, over one connection, and knows what the other end's kernel has.

    The points are of the past, a whole interval of every series after the other, so that few series carry many points.
    """

    def __init__(self, stack: Stack, name: str) -> None:
        self._stack = stack
        self._name = name
        self._first = (int(time.time()) - PAST_SECONDS) // INTERVAL_SECONDS * INTERVAL_SECONDS
        self.sent = 0
        self.received = 0
        self.was_reset = False

    def _batch(self, number: int) -> tuple[int, int]:
        """The group and the time of a batch."""
        return number % GROUPS, self._first + number // GROUPS * INTERVAL_SECONDS

    def send(self, seconds: float) -> None:
        """Send batches at an even pace until the other end closes the connection, or for so long."""
        start = time.monotonic()
        with socket.create_connection(self._stack.carbon, timeout=10) as connection:
            try:
                while time.monotonic() < start + seconds and self._send_batch(connection):
                    time.sleep(max(0.0, start + self.sent / BATCHES_A_SECOND - time.monotonic()))
            except ConnectionError:
                self.was_reset = True

    def _send_batch(self, connection: socket.socket) -> bool:
        """Send one and wait until the other end's kernel has it; whether the connection is still open."""
        if _is_closed(connection):  # it was, while this end slept
            return False
        group, at = self._batch(self.sent)
        prefix = f"collectd.{self._name}.g{group}"
        self.sent += 1
        connection.sendall("".join(f"{prefix}.s{i} {group + i} {at}\n" for i in range(SERIES)).encode())
        while _unacknowledged_bytes(connection):
            if _is_closed(connection):
                return False
        self.received = self.sent
        return not _is_closed(connection)

    def stored(self) -> list[bool]:
        """For each batch, in order, whether every point of it is read back."""
        found: Counter[tuple[int, int]] = Counter()
        for group in range(GROUPS):
            prefix = f"collectd.{self._name}.g{group}"
            series = self._stack.render(f"{prefix}.*", str(self._first - 1), until=str(self._batch(self.sent)[1] + 1))
            for name, points in series.items():
                expected = group + int(name.removeprefix(f"{prefix}.s"))
                found.update((group, at) for value, at in points if value == expected)
        return [found[self._batch(number)] == SERIES for number in range(self.sent)]

    def check(self) -> None:
        """Wait until everything that the other end had read is stored.

        An end of file says that it had read all that its kernel had; it resets the connection where it had not. How
        much it had read is then not known, but it read in order: what is stored has no hole.
        """
        at_least = 1 if self.was_reset else self.received

        def is_whole() -> bool:
            stored = self.stored()
            return sum(stored) >= at_least and stored == sorted(stored, reverse=True)

        wait_for(f"{at_least} batches of {self.sent} to be stored, without a hole", is_whole)


def _unacknowledged_bytes(connection: socket.socket) -> int:
    """Bytes that the other end's kernel does not have yet (tcp(7), SIOCOUTQ, which is TIOCOUTQ)."""
    (count,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0"))
    return int(count)


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other end has closed. It resets instead where it closes with bytes unread: ConnectionError."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1)


def slots_without_a_point(stack: Stack, first: int, last: int) -> list[int]:
    """Times at which the collectors' program had something to send that is not there.

    run.skipped_total has a point for every interval, also for those in which a slow machine left a run out.
    """
    target = f"dkm.{stack.host}.host.run.skipped_total"
    found = {at for points in stack.render(target, str(first - 1)).values() for _, at in points}
    return [at for at in range(first, last + 1, INTERVAL_SECONDS) if at not in found]


def next_slot() -> int:
    return int(time.time()) // INTERVAL_SECONDS * INTERVAL_SECONDS + INTERVAL_SECONDS


def burst_through_restart(stack: Stack, name: str) -> Burst:
    """Restart go-carbon in the midst of a burst; the burst, checked."""
    burst = Burst(stack, name)
    sender = threading.Thread(target=burst.send, args=(60,))
    sender.start()
    wait_for("the burst to be under way", lambda: burst.sent > 3 * BATCHES_A_SECOND)
    stack.dkm("restart", "go-carbon")
    sender.join(70)
    assert burst.sent < 60 * BATCHES_A_SECOND, "go-carbon did not close the connection"
    all_running(stack)
    burst.check()
    return burst


def restart_under_load(stack: Stack) -> None:
    """Restart go-carbon under 10,000 points a second: none that it had read is lost, and none of our collectors'."""
    all_running(stack)
    warm = Burst(stack, "warm")
    warm.send(1)
    warm.check()
    first = next_slot()
    known = any(not burst_through_restart(stack, f"burst{i}").was_reset for i in range(5))
    assert known, "every restart reset the connection, so that it is not known what go-carbon had read"
    last = next_slot()
    wait_for("a point after it", lambda: newest_time(stack, f"dkm.{stack.host}.host.run.skipped_total") > last)
    wait_for("all points of the collectors", lambda: not slots_without_a_point(stack, first, last))


def test_a_restart_under_ten_thousand_points_a_second_loses_none_that_was_read(stack: Stack) -> None:
    restart_under_load(stack)


def test_a_stop_signal_that_does_not_dump_the_cache_is_caught(release: Path) -> None:
    with started(release, "go-carbon-stopped-by-term.patch") as stack, pytest.raises(AssertionError):
        restart_under_load(stack)


def test_an_outage_of_go_carbon_loses_no_point_of_the_collectors(stack: Stack) -> None:
    all_running(stack)
    first = next_slot()
    wait_for("a point before it", lambda: newest_time(stack, f"dkm.{stack.host}.host.run.skipped_total") > first)
    stack.dkm("stop", "go-carbon")
    time.sleep(OUTAGE_SECONDS)
    stack.dkm("start", "go-carbon")
    last = next_slot()
    wait_for("a point after it", lambda: newest_time(stack, f"dkm.{stack.host}.host.run.skipped_total") > last, 180)
    wait_for("all points of the collectors", lambda: not slots_without_a_point(stack, first, last), 60)
