"""A kill while people are told: a message without a notice is possible, a notice without a message is not."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from collectors.disk import tables
from collectors.disk.notices import Reference
from dkumonitor.installation import Description
from dkumonitor.mail.spool import spool_of
from dkumonitor.store import people
from dkumonitor.store.people import Entry
from tests.broken import broken_tree
from tests.collectors.disk.mail_occasion import DAY_SECONDS, NOW_SECONDS
from tests.conftest import ROOT

if TYPE_CHECKING:
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

VARIANTS = Path(__file__).parent / "variants"
DURABLE = ("fdatasync", "fsync", "rename")  # what makes something last: SQLite's, and the spool's
KILLS_MAX = 20


def tell(installation: Installation, tree: Path, run_id: int, *, kill_at: str = "") -> str:
    """Tell of one run a day; empty where strace has killed it, at `CALL:when=N`."""
    call, _, when = kill_at.partition(":")
    strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:signal=KILL:{when}",
    ]
    module = ["-B", "-m", "tests.collectors.disk.notify_worker"]
    arguments = [str(installation.dir), str(run_id), str(NOW_SECONDS + run_id * DAY_SECONDS)]
    outcome = subprocess.run(
        [*(strace if kill_at else ()), sys.executable, *module, *arguments],
        cwd=tree,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome.returncode in (0, -9, 137), outcome.stderr
    return outcome.stdout.strip()


def of_runs(store: Store, installation: Installation) -> tuple[set[int], set[int]]:
    """When there was a notice, and when a message that waits."""
    spool = spool_of(installation, 2**28)
    waiting = {msgspec.json.decode(one.reference, type=Reference).created_seconds for one in spool.envelopes()}
    with store.reading() as connection:
        told = set(connection.scalars(sa.select(tables.notices.c.created_seconds)))
    return told, waiting


def kill_everywhere(store: Store, installation: Installation, tree: Path) -> set[int]:
    """Kill at each call in turn until one run gets through; the notices that have no message."""
    description = {name: getattr(installation, name) for name in Description.__struct_fields__}
    (installation.conf / "installation.json").write_bytes(msgspec.json.encode(description))
    people.replace(store, people.CSV, "", [Entry(login="ann", uid=1001, mail="ann@example.org")], NOW_SECONDS)
    run_ids = itertools.count(1)
    for call in DURABLE:
        for number in range(1, KILLS_MAX):
            if tell(installation, tree, next(run_ids), kill_at=f"{call}:when={number}"):
                break
        assert 1 < number < KILLS_MAX, f"{call} was never killed, or always"
    told, waiting = of_runs(store, installation)
    return told - waiting


def test_a_kill_anywhere_leaves_no_notice_without_its_message(store: Store, installation: Installation) -> None:
    assert kill_everywhere(store, installation, ROOT) == set()
    assert tell(installation, ROOT, run_id=1) == "spooled"
    told, waiting = of_runs(store, installation)
    assert NOW_SECONDS + DAY_SECONDS in told & waiting


def test_that_test_notices_a_notice_that_comes_before_its_message(
    store: Store, installation: Installation, tmp_path: Path
) -> None:
    tests = ("__init__.py", "installations.py", "collectors/disk/notify_worker.py", "collectors/disk/mail_occasion.py")
    patch = VARIANTS / "notice-before-message.patch"
    tree = broken_tree(tmp_path, patch, "dkumonitor", "collectors", *(f"tests/{name}" for name in tests))
    assert kill_everywhere(store, installation, tree) != set()
