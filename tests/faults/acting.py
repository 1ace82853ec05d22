"""`dkm-act` of the release on a tree of a test: plans as the product writes them, the program run from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from collectors.disk.act.journal import End, Journal
from collectors.disk.plan_file import Entry, Head, PlanReader, PlanWriter
from tests.faults.program import HOST, Code
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

DAY = 86400
OLD_DAYS = 400
RUN = """
import sys
sys.path.insert(0, {code!r})
{before}
from collectors.disk.act.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
STOPPED = """
import os, signal
import collectors.disk.act.__main__
os.kill(os.getpid(), signal.SIGSTOP)
"""
Action = Literal["delete", "move"]


def make_old(path: Path, days: float = OLD_DAYS) -> None:
    """Let a file or link have been used so long ago."""
    then = time.time() - days * DAY
    os.utime(path, (then, then), follow_symlinks=False)


def old_file(path: Path, content: bytes | str = b"content\n", days: float = OLD_DAYS) -> Path:
    """Make a file that was used so long ago, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    make_old(path, days)
    return path


def entry_of(tree: Path, path: Path) -> Entry:
    """A path as a scan finds it."""
    there = path.lstat()
    return Entry(
        path=os.fsencode(path.relative_to(tree)),
        type="l" if path.is_symlink() else "f",
        dev=there.st_dev,
        ino=there.st_ino,
        uid=there.st_uid,
        gid=there.st_gid,
        mode=there.st_mode,
        links=there.st_nlink,
        size_bytes=there.st_size,
        allocated_bytes=there.st_blocks * 512,
        atime_ns=there.st_atime_ns,
        mtime_ns=there.st_mtime_ns,
        ctime_ns=there.st_ctime_ns,
        reason="unused",
    )


class Acts(Code):
    """A tree, a relocation path, a policy and the program.

    Attributes:
        tree: where the files are.
        target: where they may be moved to.
    """

    def __init__(self, release: Path, folder: Path, tree: Path | None = None, target: Path | None = None) -> None:
        super().__init__(release, folder)
        self.folder = folder
        self.tree = tree or folder / "tree"
        self.target = target or folder / "target"
        for made in (self.tree, self.target):
            made.mkdir(mode=0o755, exist_ok=True)
        self.describe("127.0.0.1:1")
        self.allow()
        self._made = 0

    def allow(self, **values: Any) -> None:
        """Write the policy; the values are added to or replace those that fit the tests."""
        known: dict[str, Any] = {
            "task": "scratch",
            "path": str(self.tree),
            "actions": ["delete", "move"],
            "relocation": str(self.target),
            "min_old_days": 30,
            "max_share_percent": 100.0,
            "min_quarantine_days": 0,
            "min_uid": 0,
            **values,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in known.items() if value is not None]
        policy = self.dir / "conf/disk-acts.toml"
        policy.write_text("\n".join(["[[tree]]", *lines, ""]))
        policy.chmod(0o644)

    def plan(self, paths: Iterable[Path] | Sequence[Entry], action: Action = "delete", **values: Any) -> Path:
        """Write a plan of what lies there now."""
        entries = [path if isinstance(path, Entry) else entry_of(self.tree, path) for path in paths]
        self._made += 1
        root, now = self.tree.stat(), int(time.time())
        head: dict[str, Any] = {
            "id": f"scratch-{self._made:03}-{action}",
            "task": "scratch",
            "host": HOST,
            "action": action,
            "tree": os.fsencode(self.tree),
            "tree_dev": root.st_dev,
            "tree_ino": root.st_ino,
            "relocation": os.fsencode(self.target) if action == "move" else None,
            "age_by": "newest",
            "old_before_seconds": now - 90 * DAY,
            "quarantine_days": 14,
            "remove_empty_directories": False,
            "max_files": 100_000,
            "max_bytes": 2**40,
            "tree_bytes": 2**40,
            "max_share_percent": 100.0,
            "created_seconds": now,
        }
        path = self.folder / f"{head['id']}.plan"
        with path.open("wb") as file:
            writer = PlanWriter(file, Head(**(head | values)))
            writer.add(entries)
            writer.close()
        return path

    def rewritten(self, path: Path, **values: Any) -> Path:
        """The same plan with another head, which its writer would not write."""
        with PlanReader.open(path) as reader:
            head = msgspec.structs.replace(reader.head, **values)
            entries = [entry for block in reader.blocks() for entry in block]
        with path.open("wb") as file:
            writer = PlanWriter(file, head)
            writer.add(entries)
            writer.close()
        return path

    def plan_entry(self, path: Path, named: bytes) -> Entry:
        """A path as a scan would find it under another name."""
        return msgspec.structs.replace(entry_of(path.parent, path), path=named)

    def let_pass(self, plan: Path, days: float) -> None:
        """Let the act of a plan have ended so long ago."""
        descriptor = os.open(self.tree / ".dkumonitor/journal" / plan.stem, os.O_RDWR)
        with contextlib.closing(Journal(descriptor, plan.stem)) as journal:
            records = list(journal.records())
            os.ftruncate(descriptor, 0)
            journal.past.size_bytes = 0
            end = records.pop()
            assert isinstance(end, End)
            journal.write(*records, msgspec.structs.replace(end, ended_seconds=end.ended_seconds - days * DAY))

    def command(self, *arguments: str | Path, before: str = "") -> list[str]:
        """The command line, with what Python does before the program begins."""
        code = RUN.format(code=str(self.code), before=before)
        return [str(self.python), "-I", "-B", "-c", code, *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        """What the program sees."""
        return {"PATH": os.environ["PATH"], "DKM_DIR": str(self.dir)}

    def run(
        self, *arguments: str | Path, before: str = "", around: Sequence[str] = (), check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to its end."""
        ended = subprocess.run(
            [*around, *self.command(*arguments, before=before)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check and ended.returncode != 0:
            raise AssertionError(f"dkm-act {arguments} exited {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return ended

    def told(self, *arguments: str | Path, before: str = "", around: Sequence[str] = ()) -> dict[str, Any]:
        """Run it with --json, and return the last line, whatever the exit code."""
        ended = self.run(*arguments, "--json", before=before, around=around, check=False)
        lines = ended.stdout.splitlines()
        assert lines, ended.stderr
        outcome: dict[str, Any] = json.loads(lines[-1])
        return outcome

    def apply(self, plan: Path, *more: str, before: str = "") -> dict[str, Any]:
        """Apply a plan and return its outcome."""
        return self.told("apply", plan, "--yes", *more, before=before)

    @contextlib.contextmanager
    def traced(self, injections: Sequence[str], *arguments: str | Path) -> Any:
        """Run it under strace, which meddles with the calls that follow the start of Python alone."""
        process = subprocess.Popen(
            self.command(*arguments, before=STOPPED),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        status = Path(f"/proc/{process.pid}/status")
        trace = self.folder / "trace"
        try:
            wait_for("the program to stop", lambda: "State:\tT" in status.read_text(), pause_seconds=0.005)
            tracer = subprocess.Popen(["strace", "-f", "-qq", "-y", "-o", trace, *injections, "-p", str(process.pid)])
            wait_for("strace", lambda: "TracerPid:\t0" not in status.read_text(), pause_seconds=0.005)
            process.send_signal(signal.SIGCONT)
            yield process
            tracer.wait(60)
        finally:
            process.kill()
            process.wait()

    def trace(self, injections: Sequence[str], *arguments: str | Path) -> tuple[dict[str, Any], list[str]]:
        """The outcome ({} for none) and the traced calls of a run under strace."""
        with self.traced(injections, *arguments, "--json") as process:
            out, _err = process.communicate(timeout=120)
        lines = out.splitlines()
        return (json.loads(lines[-1]) if lines else {}), (self.folder / "trace").read_text().splitlines()


FORKS = """
import json, os, sys, traceback
sys.path.insert(0, {code!r})
from collectors.disk.act.__main__ import main
for line in sys.stdin:
    wanted = json.loads(line)
    child = os.fork()
    if child == 0:
        out = os.open(wanted["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
        left, inside, code = wanted["call"], False, 1
        def hook(event, arguments):
            global left, inside
            if inside or not event.startswith(("open", "os.", "safefs.", "fcntl.")):
                return
            left -= 1
            if left == 0:
                inside = True
                exec(wanted["meddle"])
                inside = False
        sys.addaudithook(hook)
        try:
            code = main(wanted["arguments"])
        except BaseException:
            traceback.print_exc()
        inside = True
        sys.stdout.flush()
        os._exit(77 if left > 0 else code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
NO_MORE_CALLS = 77


class Forks:
    """Runs the program again and again, each time in a process of its own that meddles before its Nth call.

    A call is an audit event of the file system's: what Python or safefs is about to ask the kernel for.
    """

    def __init__(self, acts: Acts) -> None:
        self._out = acts.folder / "out"
        self._process = subprocess.Popen(
            [acts.python, "-I", "-B", "-c", FORKS.format(code=str(acts.code))],
            env=acts.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, call: int, meddle: str, *arguments: str | Path) -> int:
        """One run; its exit code, NO_MORE_CALLS where it ended before that call, negative where a signal killed it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wanted = {"call": call, "meddle": meddle, "out": str(self._out), "arguments": [*map(str, arguments)]}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert "Traceback" not in self._out.read_text(), self._out.read_text()
        return code

    def told(self, *arguments: str | Path) -> dict[str, Any]:
        """The outcome of a run that nothing meddles with."""
        self.run(0, "", *arguments, "--json")
        outcome: dict[str, Any] = json.loads(self._out.read_text().splitlines()[-1])
        return outcome


def quietly(path: Path) -> bytes:
    """Read a file as a backup does: it is no use of it."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOATIME), "rb") as file:
        return file.read()


def content(folder: Path) -> dict[str, Any]:
    """Everything below a folder but our own: what it is, whose, how large, when written, what is in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if ".dkumonitor" in path.relative_to(folder).parts:
            continue
        there = path.lstat()
        inside: Any = None
        if path.is_symlink():
            inside = str(path.readlink())
        elif path.is_file():
            inside = quietly(path)
        times = there.st_mtime_ns if not path.is_dir() or path.is_symlink() else None
        found[str(path.relative_to(folder))] = (there.st_mode, there.st_uid, there.st_gid, times, inside)
    return found


def with_state(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder, ours included, by its path."""
    return {
        str(path.relative_to(folder)): quietly(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
