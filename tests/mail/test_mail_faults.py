"""Mail is never lost, and sent twice only where a kill leaves no choice. Tests prove themselves on broken variants."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.broken import broken_tree
from tests.conftest import ROOT
from tests.mail.conftest import spooled
from tests.mail_server import mail_server, misbehaving_server
from tests.stack import wait_for

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

VARIANTS = Path(__file__).parent / "variants"
MESSAGES = 12
WORKER_SECONDS = 60


def broken(tmp_path: Path, variant: str) -> Path:
    tests = ("tests/__init__.py", "tests/installations.py", "tests/mail/worker.py")
    return broken_tree(tmp_path, VARIANTS / f"{variant}.patch", "dkumonitor", *tests)


def worker(installation: Installation, port: int, tree: Path, timeout_seconds: float = 30) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.mail.worker", str(installation.dir), str(port), str(timeout_seconds)],
        cwd=tree,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_over_and_over(installation: Installation, port: int, tree: Path) -> Counter[str]:
    """Send while the sender is killed four times, each time over a message; how often each message was taken."""
    for number in range(MESSAGES):
        spooled(installation, f"m{number}", f"u{number}@x.org")
    with mail_server(port) as server:
        for hold in ("before", "after", "before", "after"):
            goal = len(server.received) + 2
            server.held.clear()
            server.release.clear()
            server.hold_after(goal, hold)
            with worker(installation, port, tree) as process:
                wait_for("a message to be held", server.held.is_set, 60)
                process.kill()
            server.release.set()
        with worker(installation, port, tree) as process:
            _, err = process.communicate(timeout=WORKER_SECONDS)
            assert process.returncode == 0, err
    return Counter(received.recipient for received in server.received)


def faults(taken: Counter[str]) -> str:
    """What is wrong with how often each message was taken: all once, but for two that were taken when the kill came."""
    lost = MESSAGES - len(taken)
    again = sum(taken.values()) - len(taken)
    return f"{lost} lost" if lost else f"{again} sent again" if again > 2 else ""


def test_kills_lose_no_mail_and_write_again_only_what_was_under_way(installation: Installation, port: int) -> None:
    taken = kill_over_and_over(installation, port, ROOT)
    assert faults(taken) == ""
    assert max(taken.values()) == 2  # the two that the server had taken and had not yet said so


def test_that_test_notices_a_sender_that_marks_before_it_sends(
    installation: Installation, port: int, tmp_path: Path
) -> None:
    tree = broken(tmp_path, "marked-before-it-is-sent")
    assert faults(kill_over_and_over(installation, port, tree)) == "2 lost"


def test_that_test_notices_a_sender_that_marks_at_the_end(
    installation: Installation, port: int, tmp_path: Path
) -> None:
    tree = broken(tmp_path, "marked-at-the-end")
    assert "sent again" in faults(kill_over_and_over(installation, port, tree))


def survives(installation: Installation, port: int, tree: Path, misbehaviour: str) -> bool:
    """Whether the sender ends by itself, within its memory, with the message still waiting."""
    spool = spooled(installation, "m", "ann@x.org")
    with misbehaving_server(port, misbehaviour), worker(installation, port, tree, 2) as process:
        try:
            out, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    return process.returncode == 0 and "waiting=1" in out and spool.waiting().messages == 1


def test_a_reply_without_an_end_takes_neither_memory_nor_time(installation: Installation, port: int) -> None:
    assert survives(installation, port, ROOT, "endless reply")
    assert survives(installation, port, ROOT, "drip")


def test_that_test_notices_replies_without_bounds(installation: Installation, port: int, tmp_path: Path) -> None:
    assert not survives(installation, port, broken(tmp_path, "replies-without-bounds"), "endless reply")
