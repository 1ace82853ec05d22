"""Whatever is done in whatever order, every file is in exactly one place, and only a purge removes one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from collectors.disk.act import purging, restoring
from collectors.disk.act.applying import Allowed, apply, open_plan, resume_all
from collectors.disk.act.pacing import Pace
from collectors.disk.act.policy import Policy, TreePolicy
from collectors.disk.plan_file import Entry, Head, PlanWriter
from tests.faults.acting import entry_of, quietly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.disk.act.outcome import Outcome

NAMES = ("a", "b", "u/a", "u/b", "u/deep/a", "\udcff\n")
DAY = 86400


class Cut(BaseException):
    """The machine loses its power: nothing is tidied up."""


class Power:
    """Goes away before the Nth call of the file system's, and stays away until it is given back."""

    left: int | None = None

    def watch(self, event: str, _arguments: object) -> None:
        if self.left is not None and event.startswith(("open", "os.", "safefs.")):
            self.left -= 1
            if self.left < 0:
                raise Cut

    @contextlib.contextmanager
    def for_calls(self, calls: int | None) -> Iterator[None]:
        self.left = calls
        try:
            yield
        finally:
            self.left = None


POWER = Power()
sys.addaudithook(POWER.watch)
signal.signal(signal.SIGIO, signal.SIG_IGN)  # as the program does
CALLS = st.one_of(st.integers(0, 60), st.integers(0, 150), st.none())


class Files(RuleBasedStateMachine):
    """A tree, users who make, write and remove files, and acts that are cut off; the model knows where each text is."""

    plans = Bundle("plans")

    @initialize()
    def begin(self) -> None:
        shared = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="dkumonitor-", dir=shared if shared.is_dir() else None))
        self.tree, self.target = self.folder / "tree", self.folder / "target"
        for made in (self.tree, self.target):
            made.mkdir(mode=0o755)
        self.texts: set[str] = set()  # of all files that nobody has removed
        self.count = 0
        for name in NAMES:
            self.make(name, 400)

    def allowed(self) -> Allowed:
        tree = TreePolicy(
            task="scratch",
            path=str(self.tree),
            actions=("delete", "move"),
            relocation=str(self.target),
            min_old_days=1,
            max_share_percent=100.0,
            min_quarantine_days=0,
            min_uid=0,
        )
        return Allowed(policy=Policy((tree,)), file=self.folder / "policy", host="here", pace=Pace())

    @rule(name=st.sampled_from(NAMES), days=st.sampled_from([400, 400, 0]))
    def make(self, name: str, days: int) -> None:
        path = self.tree / name
        if path.exists():
            self.texts.discard(quietly(path).decode())
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.count += 1
        text = f"text {self.count}"
        path.write_text(text)
        self.texts.add(text)
        then = time.time() - days * DAY
        os.utime(path, (then, then))

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: str) -> None:
        if (self.tree / name).exists():
            self.texts.discard(quietly(self.tree / name).decode())
            (self.tree / name).unlink()

    @rule(target=plans, action=st.sampled_from(["delete", "move"]), empties=st.booleans(), reverse=st.booleans())
    def plan(self, action: str, *, empties: bool, reverse: bool) -> Path:
        entries = [
            entry_of(self.tree, self.tree / name)
            for name in sorted(NAMES, reverse=reverse)
            if (self.tree / name).is_file()
        ]
        self.count += 1
        return self.written(f"scratch-{self.count}-{action}", entries, action, empties=empties)

    def written(self, name: str, entries: list[Entry], action: str, *, empties: bool) -> Path:
        root, now, path = self.tree.stat(), int(time.time()), self.folder / f"{name}.plan"
        head = Head(
            id=name,
            task="scratch",
            host="here",
            action="move" if action == "move" else "delete",
            tree=os.fsencode(self.tree),
            tree_dev=root.st_dev,
            tree_ino=root.st_ino,
            relocation=os.fsencode(self.target) if action == "move" else None,
            age_by="mtime",
            old_before_seconds=now - 30 * DAY,
            quarantine_days=0,
            remove_empty_directories=empties,
            max_files=1000,
            max_bytes=10**9,
            tree_bytes=10**9,
            max_share_percent=100.0,
            created_seconds=now,
        )
        with path.open("wb") as file:
            writer = PlanWriter(file, head)
            writer.add(entries)
            writer.close()
        return path

    def act(self, path: Path, calls: int | None) -> Outcome | None:
        descriptor = open_plan(path)
        try:
            with POWER.for_calls(calls):
                return apply(self.allowed(), descriptor, path.name, yes=True, digest=None)
        except Cut:
            return None
        finally:
            os.close(descriptor)

    @rule(path=plans, calls=CALLS)
    def apply(self, path: Path, calls: int | None) -> None:
        if self.act(path, calls) is None:
            assert set(self.everywhere()) >= self.texts
            self.resume()

    @rule(path=consumes(plans))
    def apply_twice(self, path: Path) -> None:
        first = self.act(path, None)
        before = self.where()
        second = self.act(path, None)
        assert first is not None
        assert second is not None
        assert (first.files, first.skipped, first.owners) == (second.files, second.skipped, second.owners)
        assert self.where() == before

    @rule()
    def resume(self) -> None:
        for _outcome in resume_all(self.allowed(), yes=True):
            pass
        assert list(resume_all(self.allowed(), yes=True)) == []

    @rule(name=st.sampled_from(["a", "u", "u/deep"]), calls=CALLS)
    def restore(self, name: str, calls: int | None) -> None:
        selection = restoring.Selection(path=os.fsencode(name))
        if (self.tree / ".dkumonitor/journal").is_dir() and any((self.tree / ".dkumonitor/journal").iterdir()):
            try:
                with POWER.for_calls(calls):
                    restoring.restore(self.allowed(), selection, yes=True)
            except Cut:
                assert set(self.everywhere()) >= self.texts
                restoring.restore(self.allowed(), selection, yes=True)

    @rule()
    def restore_all(self) -> None:
        if (self.tree / ".dkumonitor/journal").is_dir() and any((self.tree / ".dkumonitor/journal").iterdir()):
            restoring.restore(self.allowed(), restoring.Selection(), yes=True)

    @rule()
    def purge(self) -> None:
        before = self.quarantined()
        purging.purge(self.allowed(), purging.Which(), yes=True)
        self.texts -= {text for text in before if text not in self.everywhere()}

    def quarantined(self) -> list[str]:
        return [quietly(path).decode() for path in (self.tree / ".dkumonitor").glob("quarantine/*/*/*")]

    def everywhere(self) -> list[str]:
        found = self.quarantined() + [
            quietly(path).decode() for path in (self.target / ".dkumonitor").glob("quarantine/*/*/*")
        ]
        for top in (self.tree, self.target):
            for path in top.rglob("*"):
                if ".dkumonitor" not in path.relative_to(top).parts and path.is_file():
                    found.append(quietly(path).decode())
        return found

    def where(self) -> dict[str, bytes]:
        return {str(path): quietly(path) for path in self.folder.rglob("*") if path.is_file()}

    @invariant()
    def every_text_is_somewhere_and_none_twice_once_all_is_through(self) -> None:
        if hasattr(self, "tree"):
            assert set(self.everywhere()) >= self.texts

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.resume()
            self.restore_all()  # what was cut off is completed by doing it again
            found = self.everywhere()
            assert sorted(text for text in found if text in self.texts) == sorted(self.texts)
            shutil.rmtree(self.folder)


Files.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestFiles = Files.TestCase
