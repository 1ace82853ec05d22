"""Promise 23: a collector that hangs, raises, eats memory, talks rubbish or lets processes loose stops no other."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.program import HOST, Program
from tests.proc import descendants
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.carbon_end import GoCarbon

HEAD = """
import os, signal, subprocess, sys, time
from dkumonitor.collector import Collector, Facts, MIB

def collect(run):
    {body}
    return Facts(points=(run.point("value", 1),))

COLLECTOR = Collector(
    name="{name}", summary="bad", collect=collect, metrics=(),
    interval_seconds=2, deadline_seconds=2.5, memory_bytes=64 * MIB,
)
"""
MARK = f"dkumonitor-fault-{os.getpid()}"
SLEEPER = f'[sys.executable, "-c", "import time; time.sleep(600)", "{MARK}"]'

# What each does, and what the log says of it.
FAULTS = {
    "hangs": ("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); time.sleep(600)", "killed after its deadline"),
    "spins": ("\n    while True: pass", "killed after its deadline"),
    "raises": ("raise ValueError('no \\x1b[31m good\\nline')", r"ValueError: no \x1b[31m good\x0aline"),
    "exits": ("os._exit(3)", "ended with code 3"),
    "asks_to_exit": ("sys.exit(4)", "SystemExit: 4"),
    "is_killed": ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal 11"),
    "eats_memory": ("x = [bytes(MIB) for _ in range(100_000)]", "MemoryError"),
    "answers_rubbish": (
        "[os.write(fd, bytes(256)) for fd in range(3, 60) if os.path.exists(f'/proc/self/fd/{fd}')]; os._exit(0)",
        "answered what cannot be read",
    ),
    "answers_for_others": (
        f"run = __import__('msgspec').structs.replace(run, prefix='dkm.{HOST}.steady')",
        "a point that is not its own",
    ),
    "answers_nan": ("return Facts(points=(run.point('value', float('nan')),))", "is not finite"),
    "answers_too_much": ("return Facts(state='x' * 20 * MIB)", "too long"),
    "returns_nothing": ("return None", "AttributeError"),
    "fills_the_pipe": ("\n    while True: os.write(1, b'\\x1b]0;title\\x07' * 5000)", "killed after its deadline"),
    "forks": (f"[subprocess.Popen({SLEEPER}) for _ in range(5)]; time.sleep(600)", "killed after its deadline"),
}
# Those that end well, and leave something behind.
LEAVERS = {
    "leaves_children": f"[subprocess.Popen({SLEEPER}) for _ in range(3)]",
    "leaves_daemons": f"[subprocess.Popen({SLEEPER}, start_new_session=True) for _ in range(3)]",
}


def value(go_carbon: GoCarbon, name: str) -> dict[int, float]:
    return go_carbon.values(f"dkm.{HOST}.{name}")


def marked() -> list[int]:
    """Processes that a fault let loose."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if MARK.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def collector(name: str, body: str) -> str:
    return HEAD.format(name=name, body=body)


def gaps(go_carbon: GoCarbon, seconds: int) -> list[int]:
    """Let some seconds pass; those without a point of the steady collector."""
    first = max(wait_for("a first point", lambda: value(go_carbon, "steady.value")))
    wait_for("more points", lambda: max(value(go_carbon, "steady.value")) >= first + seconds, seconds + 60)
    values = value(go_carbon, "steady.value")
    return [at for at in range(first, first + seconds) if values.get(at) != at % 1000]


@pytest.fixture
def faulty(go_carbon: GoCarbon, programs: Callable[..., Program]) -> Iterator[Program]:
    """The program with every fault at once."""
    program = programs(go_carbon.start().carbon)
    for name, (body, _) in FAULTS.items():
        program.add(name, collector(name, body))
    for name, body in LEAVERS.items():
        program.add(name, collector(name, body))
    program.add("cannot_be_loaded", "import no_such_module")
    program.add("declares_nothing", "")
    yield program
    program.close()
    for pid in marked():
        os.kill(pid, signal.SIGKILL)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_faulty_collectors_stop_no_other_and_each_is_reported(faulty: Program, go_carbon: GoCarbon) -> None:
    faulty.start()
    assert len(gaps(go_carbon, 20)) <= 2  # a loaded machine may reach a second late
    for name in [*FAULTS, "cannot_be_loaded", "declares_nothing"]:
        assert set(value(go_carbon, f"{name}.run.success").values()) == {0}, name
        assert not value(go_carbon, f"{name}.run.last_success_seconds"), name
    for name in LEAVERS:
        assert 1 in value(go_carbon, f"{name}.run.success").values(), name
    assert max(value(go_carbon, "hangs.run.skipped_total").values()) >= 3
    assert max(value(go_carbon, "steady.run.skipped_total").values()) <= 2
    assert resident_bytes(faulty.pid) < 120 * 1024 * 1024
    own = {pid for pid, name in descendants(faulty.pid).items() if pid != faulty.pid}
    assert len(own) < 3 * (len(FAULTS) + len(LEAVERS)) + 10

    log = faulty.log.read_text(errors="surrogateescape")
    assert all(line.isprintable() for line in log.splitlines())
    for name, (_, says) in FAULTS.items():
        told = [line for line in log.splitlines() if f"collector {name}: failed" in line]
        assert told, name
        assert any(says in line for line in told), told
        assert len(told) <= 6, told  # on a loaded machine some runs end at their deadline instead
    assert "no_such_module" in log
    assert log.count("Traceback") <= len(FAULTS) + 2
    assert faulty.end() == 0
    wait_for("all that was let loose to end", lambda: not marked())


def test_nothing_is_left_of_runs_when_the_program_is_killed(faulty: Program, go_carbon: GoCarbon) -> None:
    faulty.start()
    gaps(go_carbon, 3)
    runs = wait_for("runs", lambda: {*descendants(faulty.pid)} - {faulty.pid})
    faulty.close()
    # What had left its run's group is nobody's now, and outside this promise.
    wait_for("them to end", lambda: not runs & {*running()} - {*marked()})


def running() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def hung_is_reported(program: Program, go_carbon: GoCarbon) -> bool:
    program.add("hangs", collector("hangs", FAULTS["hangs"][0]))
    program.start()
    gaps(go_carbon, 6)
    return bool(value(go_carbon, "hangs.run.success"))


def test_a_run_that_hangs_is_reported_at_its_deadline(go_carbon: GoCarbon, programs: Callable[..., Program]) -> None:
    assert hung_is_reported(programs(go_carbon.start().carbon), go_carbon)


def test_that_test_notices_a_scheduler_without_deadlines(go_carbon: GoCarbon, programs: Callable[..., Program]) -> None:
    program = programs(go_carbon.start().carbon)
    program.break_with("scheduler-without-deadline.patch")
    assert not hung_is_reported(program, go_carbon)


def test_the_end_is_quick_while_runs_hang(go_carbon: GoCarbon, programs: Callable[..., Program]) -> None:
    program = programs(go_carbon.start().carbon)
    program.add("hangs", collector("hangs", FAULTS["hangs"][0]))
    program.start()
    wait_for("a first point", lambda: value(go_carbon, "steady.value"))
    before = time.monotonic()
    assert program.end() == 0  # Program.end waits half the time that supervisord gives
    assert time.monotonic() - before < 30
