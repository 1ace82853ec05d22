"""One run of a task: look, scan, judge, plan. Facts become decisions here; nothing below a tree is changed here."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collectors.disk import exemptions, plans, runs
from collectors.disk.candidates import Candidates
from collectors.disk.errors import PlanError
from collectors.disk.runs import Level, State
from collectors.disk.scan import Wanted, program, scan
from dkumonitor.errors import DkmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from collectors.disk.facts import FileSystem, Scan
    from collectors.disk.plan_file import Entry, PlanReader
    from collectors.disk.plans import Owned, Plan
    from collectors.disk.scan import Progress
    from collectors.disk.tasks import Task
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

ALIVE_SECONDS = 60.0
SCAN_DEADLINE_SECONDS = 20 * 3600


@dataclass(frozen=True)
class Bench:
    """What a run works with.

    Attributes:
        installation: whose.
        store: its store.
        scanner: the program that scans.
        wall: UTC seconds.
        progress: is told how far a scan is.
    """

    installation: Installation
    store: Store
    scanner: Path
    wall: Callable[[], float] = time.time
    progress: Callable[[Progress], None] = field(default=lambda _: None)

    @classmethod
    def of(
        cls, installation: Installation, store: Store, progress: Callable[[Progress], None] = lambda _: None
    ) -> Bench:
        """The bench of an installation."""
        return cls(installation, store, program(installation), progress=progress)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run found.

    Attributes:
        task: the task.
        run_id: the run's number.
        kind: quick or full.
        level: how full the file system is.
        file_system: the same in bytes.
        scan: of a full run.
        plan: what would happen to old files; None where nothing would.
        owned: what of each owner is in it.
        detail: what a person should know of it, in words.
    """

    task: Task
    run_id: int
    kind: runs.Kind
    level: Level
    file_system: FileSystem
    scan: Scan | None = None
    plan: Plan | None = None
    owned: tuple[Owned, ...] = ()
    detail: str = ""


def quick(bench: Bench, task: Task) -> Outcome:
    """Look at the use of the file system, and at nothing else.

    Raises:
        ScanError: it cannot be asked, or a run is under way.
    """
    with runs.alone(bench.installation.run, task.name):
        run_id = runs.begin(bench.store, task, "quick", bench.wall())
        with _noted(bench, run_id):
            seen = runs.look(task.path)
            level = runs.level_of(task, seen.used_percent)
            values = runs.of_file_system(seen)
            runs.end(bench.store, run_id, State.DONE, bench.wall(), level=level, values=values)
    return Outcome(task=task, run_id=run_id, kind="quick", level=level, file_system=seen)


def full(bench: Bench, task: Task) -> Outcome:
    """Scan the tree, keep what was found, and make a plan where the task wants one and the file system is full enough.

    Raises:
        ScanError: the tree cannot be scanned, or a run is under way.
    """
    with runs.alone(bench.installation.run, task.name):
        run_id = runs.begin(bench.store, task, "full", bench.wall())
        with _noted(bench, run_id):
            return _full(bench, task, run_id)


def _full(bench: Bench, task: Task, run_id: int) -> Outcome:
    with bench.store.reading() as connection:
        exempt = exemptions.every(connection, task.name, bench.wall())
    level = runs.level_of(task, runs.look(task.path).used_percent)
    wants_plan = task.action is not None and level is not Level.OK
    candidates = None
    if wants_plan:
        folder = plans.folder(bench.installation)
        candidates = Candidates(folder, exemptions.exempter(exempt, task.path))
    try:
        found = _scan(bench, task, run_id, candidates)
        runs.keep(bench.store, run_id, found)
        plan, owned = _plan(bench, task, found, candidates, run_id)
    finally:
        if candidates is not None:
            candidates.close()
    level = runs.level_of(task, found.filesystem.used_percent)
    state = State.PARTIAL if found.partial else State.DONE
    unplanned = 0 if candidates is None else candidates.files
    left_files = unplanned if plan is None else plan.left_files
    bounds = f"{left_files:,} old files are left for later: max_files, max_bytes and max_share_percent are the bounds"
    detail = "; ".join(filter(None, (found.partial_reason, bounds if left_files else "")))
    values = {**runs.of_scan(found), "detail": detail}
    runs.end(bench.store, run_id, state, bench.wall(), level=level, values=values)
    return Outcome(
        task=task,
        run_id=run_id,
        kind="full",
        level=level,
        file_system=found.filesystem,
        scan=found,
        plan=plan,
        owned=owned,
        detail=detail,
    )


def _scan(bench: Bench, task: Task, run_id: int, candidates: Candidates | None) -> Scan:
    told_seconds = bench.wall()

    def on_progress(progress: Progress) -> None:
        nonlocal told_seconds
        bench.progress(progress)
        if abs(bench.wall() - told_seconds) >= ALIVE_SECONDS:
            told_seconds = bench.wall()
            runs.tell_alive(bench.store, run_id, told_seconds)

    wanted = Wanted(
        tree=task.path,
        old_days=task.old_file_days,
        age_by=task.age_by,
        depth=task.depth,
        threads=task.threads,
        max_rate=task.max_rate,
        deadline_seconds=SCAN_DEADLINE_SECONDS,
        list_old=candidates is not None,
        now_seconds=int(bench.wall()),
    )
    if candidates is None:
        return scan(bench.scanner, wanted, on_progress=on_progress)
    put_by = candidates
    return scan(
        bench.scanner,
        wanted,
        on_progress=on_progress,
        on_entries=lambda entries: put_by.add(entries, task.age_by),
    )


def _plan(
    bench: Bench, task: Task, found: Scan, candidates: Candidates | None, run_id: int
) -> tuple[Plan | None, tuple[Owned, ...]]:
    """The plan that is open, or a new one. One that waits for its day stays: its owners were told what is in it."""
    if candidates is None:
        return None, ()
    with bench.store.reading() as connection:
        earlier = plans.every(connection, task=task.name)
        waiting = next((plan for plan in earlier if plan.state in (plans.State.WAITING, plans.State.REQUESTED)), None)
        owned = [] if waiting is None else plans.owners(connection, waiting.id)
    if waiting is not None and not _is_outdated(bench, waiting, candidates):
        return waiting, tuple(owned)
    made = plans.make(bench.installation, task, next_action(task, earlier), found, candidates, run_id=run_id)
    if made is None:
        return None, ()
    plan, owned = made
    bench.store.write(lambda connection: plans.keep(connection, plan, owned))
    return plan, tuple(owned)


def _is_outdated(bench: Bench, waiting: Plan, candidates: Candidates) -> bool:
    """Whether a plan that waits holds what is exempt by now; it is discarded then, and a new one made and told of."""
    if waiting.state != plans.State.WAITING:
        return False
    try:
        with plans.opened(bench.installation, waiting) as reader:
            why = "" if not any(map(candidates.is_exempt, _entries(reader))) else "it held what is exempt by now"
    except PlanError as error:
        why = error.what
    if why:
        values = {"state": plans.State.DISCARDED.value, "ended_seconds": int(bench.wall()), "detail": why}
        bench.store.write(lambda connection: plans.change(connection, waiting.id, values))
    return bool(why)


def _entries(reader: PlanReader) -> Iterator[Entry]:
    for block in reader.blocks():
        yield from block


def next_action(task: Task, earlier: list[Plan]) -> str:
    """What the next plan does: a move that found its target full is followed by a deletion where the task says so."""
    last = next(
        (plan for plan in earlier if plan.state not in plans.OPEN and plan.state != plans.State.DISCARDED), None
    )
    was_full = last is not None and last.action == "move" and last.state == plans.State.FULL
    if task.action == "move" and not (was_full and task.delete_when_full):
        return "move"
    return "delete"


@contextmanager
def _noted(bench: Bench, run_id: int) -> Iterator[None]:
    """Note a run as failed or interrupted where an exception leaves the block."""
    try:
        yield
    except BaseException as error:
        state = State.FAILED if isinstance(error, Exception) else State.INTERRUPTED
        said = str(error) if isinstance(error, DkmError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, Exception):
            said = "interrupted by a person, or by the end of the program"
        runs.end(bench.store, run_id, state, bench.wall(), level=None, values={"detail": said})
        raise
