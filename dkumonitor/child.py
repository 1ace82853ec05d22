"""One run of a collector in a process of its own: born with limits, answering by a pipe, killed with all it started."""

import contextlib
import ctypes
import logging
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from dkumonitor.collector import Collector, Run
from dkumonitor.errors import DkmError
from dkumonitor.launch import die_with_parent
from dkumonitor.metrics import Point

ANSWER_MAX_BYTES = 16 * 1024 * 1024
_NICENESS = 5
_READ_BYTES = 65536
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What a child says at its end.

    Attributes:
        points: what it found.
        state: MessagePack of what the next run is given; empty for nothing.
        no_data: why there is nothing to say, where that is no failure.
        error: why it failed; empty where it did not.
        traceback: of the error.
    """

    points: tuple[Point, ...] = ()
    state: bytes = b""
    no_data: str = ""
    error: str = ""
    traceback: str = ""


@dataclass
class Child:
    """A run under way, as its parent sees it.

    Attributes:
        pid: the process, and the group that it leads.
        answer: descriptor that the answer is read from, not blocking.
        output: the same for what it writes to its standard output and error.
        answered: what has been read of the answer.
    """

    pid: int
    answer: int
    output: int
    answered: bytearray

    @classmethod
    def start(cls, collector: Collector, run: Run, state: bytes) -> "Child":
        """Fork a child that does one run.

        Args:
            collector: what runs.
            run: what it is given, its ``state`` still None.
            state: MessagePack of the state, decoded in the child.

        Raises:
            OSError: no process or no descriptors left.
        """
        answer, answer_end = os.pipe()
        output, output_end = os.pipe()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            for descriptor in (answer, output, answer_end, output_end):
                os.close(descriptor)
            raise
        if pid == 0:
            _live(collector, run, state, parent=parent, answer=answer_end, output=output_end)
        with contextlib.suppress(OSError):  # both do it, so that it is done whoever comes first
            os.setpgid(pid, pid)
        os.close(answer_end)
        os.close(output_end)
        os.set_blocking(answer, False)
        os.set_blocking(output, False)
        return cls(pid, answer, output, bytearray())

    def read_answer(self) -> bool:
        """Take what there is of the answer; False where it has become longer than any answer may be."""
        self.answered += _read_all(self.answer, ANSWER_MAX_BYTES + 1 - len(self.answered))
        return len(self.answered) <= ANSWER_MAX_BYTES

    def read_output(self) -> bytes:
        """Take what it wrote, at most a pipe full."""
        return _read_all(self.output, _READ_BYTES)

    def has_ended(self) -> bool:
        """Whether the process has ended; it stays a zombie, which keeps its number from being given away."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def kill(self) -> None:
        """Kill the process and all of its group. One that waits for a dead disk ends when the kernel lets it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def bury(self) -> int:
        """Kill what is left of the group of an ended child, give everything back, and return its wait status."""
        self.kill()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.answer)
        os.close(self.output)
        return status


def verdict(answered: bytes, status: int, prefix: str) -> Answer:
    """Read the answer of a child that has ended. Nothing that a child can write makes this fail.

    Args:
        answered: all that it wrote.
        status: its wait status.
        prefix: what every name must begin with.
    """
    if not answered:
        if os.WIFSIGNALED(status):
            return Answer(error=f"ended by signal {os.WTERMSIG(status)} ({signal.strsignal(os.WTERMSIG(status))})")
        return Answer(error=f"ended with code {os.waitstatus_to_exitcode(status)} and no answer")
    try:
        answer = msgspec.msgpack.decode(answered, type=Answer)
    except msgspec.MsgspecError as error:
        return Answer(error=f"answered what cannot be read: {error}")
    for point in answer.points:
        if not point.name.startswith(f"{prefix}."):
            return Answer(error=f"answered a point that is not its own: {point.name}")
    return answer


def adopt_orphans() -> None:
    """Make this process the parent of what its children leave behind (prctl(2), PR_SET_CHILD_SUBREAPER; Linux 3.4)."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans(known: set[int]) -> int:
    """Kill and bury every child of this process that is not ``known``: what a run started and let loose.

    Returns:
        How many there were; one that does not end at once is there again the next time.
    """
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN: then they live on, as anywhere
        return 0
    orphans = set(map(int, text.split())) - known
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, os.WNOHANG)
    return len(orphans)


def _read_all(descriptor: int, most_bytes: int) -> bytes:
    data = bytearray()
    while len(data) < most_bytes:
        try:
            part = os.read(descriptor, min(_READ_BYTES, most_bytes - len(data)))
        except BlockingIOError:
            break
        if not part:
            break
        data += part
    return bytes(data)


def _live(collector: Collector, run: Run, state: bytes, *, parent: int, answer: int, output: int) -> NoReturn:
    """The child's whole life."""
    try:
        encoded = msgspec.msgpack.encode(
            _run(collector, run, state, lambda: _settle(collector, parent, answer, output))
        )
        if len(encoded) > ANSWER_MAX_BYTES:
            error = f"its answer is too long: {len(encoded)} bytes, {ANSWER_MAX_BYTES} is the most"
            encoded = msgspec.msgpack.encode(Answer(error=error))
        sys.stdout.flush()
        sys.stderr.flush()
        while encoded:
            encoded = encoded[os.write(answer, encoded) :]
    finally:
        os._exit(0)  # nothing of the parent's (handlers, buffers, locks) may be run down here


def _settle(collector: Collector, parent: int, answer: int, output: int) -> None:
    """Take limits, streams and signals of its own."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    die_with_parent(signal.SIGKILL, parent)
    os.nice(_NICENESS)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  names are all that is wanted
        if descriptor not in {0, 1, 2, answer}:
            with contextlib.suppress(OSError):  # the listing's own is closed already
                os.close(descriptor)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s", force=True)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + collector.memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)


def _limit(which: int, wanted: int) -> None:
    """Set a soft limit, as far as the hard one lets it."""
    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _run(collector: Collector, run: Run, state: bytes, settle: Callable[[], None]) -> Answer:
    try:
        settle()
        given = msgspec.msgpack.decode(state, type=collector.state) if state else None
        facts = collector.collect(msgspec.structs.replace(run, state=given))
        left = b"" if facts.state is None else msgspec.msgpack.encode(facts.state)
        return Answer(points=facts.points, state=left, no_data=facts.no_data)
    except DkmError as error:  # expected, and said in full: a trace would only hide it
        return Answer(error=str(error)[:1000])
    except BaseException as error:  # noqa: BLE001  the boundary of a run: whatever it is, the parent hears of it
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))  # room to tell it
        text = "".join(traceback.format_exception(error, limit=-20))
        return Answer(error=f"{type(error).__name__}: {error}"[:1000], traceback=text[:10000])
