"""Promise 20: install, update and uninstall are killed at every kind of step; DIR is absent, old or new, never between.

strace delivers SIGKILL at the Nth call of each system call that changes the file system. A call of which there are many
(the copy of the release) is tried at its beginning, its end and a sample between. All this is done with a type that has
no store; with one, at the steps around its set-up, which takes a second each time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import releases
from tests.releases import snapshot
from tests.stack import free_port_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Numbers = Callable[[str, int], list[int]]

CHANGING = (
    "chmod,chown,fchmod,fchmodat,fchown,fchownat,lchown,link,linkat,mkdir,mkdirat,rename,renameat,renameat2,rmdir,"
    "symlink,symlinkat,truncate,ftruncate,unlink,unlinkat"
)
ALL_UP_TO = 24
EDGES = {"mkdir": 1, "chmod": 1, "fchmod": 1}  # the copy of the release: each of them is like the others
BETWEEN = 3
ENOUGH_BYTES = 3 << 30
EDITED = "conf/go-carbon/storage-schemas.conf"
MINE = "# a line of the administrator\n"
POINT = "storage/whisper/collectd/one/load.wsp"


@dataclass(frozen=True)
class Scene:
    """A folder to install into, and the two releases."""

    directory: Path
    port: int
    old: Path
    new: Path
    kind: str

    @property
    def install(self) -> list[str]:
        return self.install_with(self.old)

    def install_with(self, release: Path) -> list[str]:
        who = ["--as-root"] if os.geteuid() == 0 else []
        options = ["-p", str(self.port), "--hostname", "one", "--type", self.kind]
        return [str(release / "installer"), "-d", str(self.directory), *options, *who]

    def update(self, release: Path | None = None) -> list[str]:
        return [str((release or self.new) / "installer"), "-d", str(self.directory), "--update"]

    @property
    def uninstall(self) -> list[str]:
        return [str(self.directory / "bin/dkmadmin"), "uninstall"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kill")


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory where there is enough of it: hundreds of installs sync their file system at their end."""
    room = Path("/dev/shm")
    usable = room.is_dir() and shutil.disk_usage(room).free > ENOUGH_BYTES
    usable = usable and not os.statvfs(room).f_flag & os.ST_NOEXEC
    folder = Path(tempfile.mkdtemp(prefix="dkm-kill-", dir=room if usable else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def scene(release: Path, folder: Path, memory: Path) -> Iterator[Scene]:
    old = releases.slim(release, folder / "old")
    with free_port_range() as port:
        yield Scene(memory / "parent/d m", port, old, releases.newer(old, folder / "new", "99.0.0"), "backend")


@pytest.fixture(scope="module")
def scene_with_store(release: Path, folder: Path, memory: Path) -> Iterator[Scene]:
    old = releases.slim(release, folder / "old-with-store", with_store=True)
    with free_port_range() as port:
        new = releases.newer(old, folder / "new-with-store", "99.0.0")
        yield Scene(memory / "with-store/d m", port, old, new, "all")


@pytest.fixture(scope="module")
def installed(scene: Scene, memory: Path) -> Path:
    return _installed(scene, memory / "saved")


@pytest.fixture(scope="module")
def installed_with_store(scene_with_store: Scene, memory: Path) -> Path:
    return _installed(scene_with_store, memory / "saved-with-store")


def _installed(scene: Scene, saved: Path) -> Path:
    """A copy of an installation with an edited file and a metric, to be put back before each kill."""
    _clear(scene)
    _run(scene.install)
    with (scene.directory / EDITED).open("a") as lines:
        lines.write(MINE)
    (scene.directory / POINT).parent.mkdir(parents=True)
    (scene.directory / POINT).write_text("points")
    subprocess.run(["cp", "-a", scene.directory, saved], check=True)
    return saved


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env={"PATH": _path()})


def _run(command: list[str]) -> str:
    done = _call(command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _path() -> str:
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _clear(scene: Scene) -> None:
    shutil.rmtree(scene.directory.parent, ignore_errors=True)
    scene.directory.parent.mkdir(mode=0o755)


def _put_back(scene: Scene, saved: Path) -> None:
    _clear(scene)
    subprocess.run(["cp", "-a", saved, scene.directory], check=True)


def _strace(command: list[str], *options: str) -> list[str]:
    """The command's own process alone is traced; what it starts (openssl, `dkm setup`) ends with it."""
    return ["strace", "-qq", "-e", "signal=none", *options, "--", *command]


def _steps(command: list[str], log: Path, numbers: Numbers | None = None) -> list[tuple[str, int]]:
    """Run the command to its end; the calls by which it changed something, each with the number at which to kill it."""
    _run(_strace(command, "-o", str(log), "-e", f"trace={CHANGING}"))
    counts = Counter(re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE))
    assert counts
    return [(call, number) for call, count in sorted(counts.items()) for number in (numbers or _numbers)(call, count)]


def _numbers(call: str, count: int) -> list[int]:
    edge = EDGES.get(call, ALL_UP_TO // 4)
    if count <= (ALL_UP_TO if call not in EDGES else 2 * edge + BETWEEN):
        return list(range(1, count + 1))
    between = range(edge + 1, count - edge, (count - 2 * edge) // BETWEEN)
    return sorted({*range(1, edge + 1), *between, *range(count - edge + 1, count + 1)})


def _around_setup(call: str, count: int) -> list[int]:
    """The ends of a command: an install sets the store up before its last rename, an update before its last but one."""
    if call not in {"rename", "unlink"}:
        return []
    return sorted({number for number in (1, 2, count - 2, count - 1, count) if 0 < number <= count})


def _kill_at(command: list[str], call: str, number: int) -> None:
    """Run the command and kill it as it enters that call for that time."""
    done = subprocess.run(
        _strace(command, "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": _path()},
    )
    assert done.returncode in {-9, 137}, f"not killed at {call} {number}: {done.stdout}{done.stderr}"


def _tree(directory: Path) -> Mapping[str, str]:
    """All of it but the log, which has times in it; of the store and the secrets, which differ, that they are there."""
    found = snapshot(directory, lambda name: name != "run/install.log")
    return {
        name: value.rpartition(" ")[0] if name.startswith(("conf/secrets/", "storage/store/")) else value
        for name, value in found.items()
    }


def _in_use(directory: Path) -> dict[str, str]:
    """What an installation is, besides releases that it does not use and what a killed installer left there."""
    tree = _tree(directory)
    used = str((directory / "lib").readlink())
    subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=directory / used, check=True)
    # A link that was about to take the place of `lib`.
    hidden = re.compile(r"\.(lib|static)\.[0-9a-f]{16}\Z")
    return {
        name: value
        for name, value in tree.items()
        if not hidden.match(name) and (not name.startswith("releases/") or name.startswith(f"{used}/") or name == used)
    }


def kill_install(scene: Scene, folder: Path, command: list[str], numbers: Numbers | None = None) -> Iterator[str]:
    """Whatever is wrong after a kill at each step of an install; empty where DIR is always absent or complete."""
    _clear(scene)
    steps = _steps(command, folder / "log", numbers)
    complete = _tree(scene.directory)
    for call, number in steps:
        _clear(scene)
        _kill_at(command, call, number)
        if scene.directory.exists():
            if _tree(scene.directory) != complete:
                yield f"{call} {number}: DIR is between"
            continue
        _run(command)
        if _tree(scene.directory) != complete or [p.name for p in scene.directory.parent.iterdir()] != ["d m"]:
            yield f"{call} {number}: the next install did not clean up"


def test_a_killed_install_leaves_dir_absent_or_complete(scene: Scene, folder: Path) -> None:
    assert list(kill_install(scene, folder, scene.install)) == []


def test_a_killed_install_of_a_type_with_a_store_leaves_dir_absent_or_complete(
    scene_with_store: Scene, folder: Path
) -> None:
    assert list(kill_install(scene_with_store, folder, scene_with_store.install, _around_setup)) == []


def test_an_install_that_builds_in_place_is_caught(scene: Scene, folder: Path) -> None:
    variant = releases.broken(scene.old, folder / "in-place", "install-in-place.patch")
    command = scene.install_with(variant)
    assert any("DIR is between" in wrong for wrong in kill_install(scene, folder, command))


def kill_update(
    scene: Scene, folder: Path, installed: Path, command: list[str], numbers: Numbers | None = None
) -> Iterator[str]:
    """Whatever is wrong after a kill at each step of an update; empty where DIR is always old or new."""
    _put_back(scene, installed)
    old = _in_use(scene.directory)
    steps = _steps(command, folder / "log", numbers)
    new, complete = _in_use(scene.directory), _tree(scene.directory)
    assert old != new
    for call, number in steps:
        _put_back(scene, installed)
        _kill_at(command, call, number)
        if not (scene.directory / EDITED).read_text().endswith(MINE):
            yield f"{call} {number}: the edited file is lost"
        # Any command of the installation completes what was decided.
        done = _call([str(scene.directory / "bin/dkmadmin"), "releases"])
        if done.returncode != 0 or _in_use(scene.directory) not in (old, new):
            yield f"{call} {number}: DIR is between: {done.stderr}"
        _run(command)
        if _tree(scene.directory) != complete:
            yield f"{call} {number}: the next update did not clean up"


def test_a_killed_update_leaves_dir_old_or_new(scene: Scene, folder: Path, installed: Path) -> None:
    assert list(kill_update(scene, folder, installed, scene.update())) == []


def test_a_killed_update_of_a_type_with_a_store_leaves_dir_old_or_new(
    scene_with_store: Scene, folder: Path, installed_with_store: Path
) -> None:
    scene = scene_with_store
    assert list(kill_update(scene, folder, installed_with_store, scene.update(), _around_setup)) == []


def test_an_update_without_a_journal_is_caught(scene: Scene, folder: Path, installed: Path) -> None:
    variant = releases.broken(scene.new, folder / "no-journal", "update-without-journal.patch")
    assert any("DIR is between" in wrong for wrong in kill_update(scene, folder, installed, scene.update(variant)))


def kill_uninstall(scene: Scene, folder: Path, installed: Path) -> Iterator[str]:
    """Whatever is wrong after a kill at each step of an uninstall, and a second call of it."""
    _put_back(scene, installed)
    old, kept = _tree(scene.directory), {"conf", "conf/go-carbon", EDITED, *_parents(POINT)}
    steps = _steps(scene.uninstall, folder / "log")
    left = _tree(scene.directory)
    assert kept <= left.keys()
    assert [name for name in left if name.startswith(("releases", "bin", "lib", "run"))] == []
    for call, number in steps:
        _put_back(scene, installed)
        _kill_at(scene.uninstall, call, number)
        now = _tree(scene.directory)
        if {name for name in kept if now.get(name) != old[name]}:
            yield f"{call} {number}: the edited file or a metric is lost"
        if (scene.directory / "bin/dkmadmin").exists():
            done = subprocess.run(scene.uninstall, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode:
                yield f"{call} {number}: the second call failed: {done.stderr}"
        files = {name: value for name, value in _tree(scene.directory).items() if "folder" not in value}
        if files != {name: value for name, value in left.items() if "folder" not in value}:
            yield f"{call} {number}: the second call did not finish: {sorted(files.keys() - left.keys())[:3]}"


def _parents(name: str) -> list[str]:
    return [name, *(str(parent) for parent in Path(name).parents if str(parent) != ".")]


def test_a_killed_uninstall_is_finished_by_the_next(scene: Scene, folder: Path, installed: Path) -> None:
    assert list(kill_uninstall(scene, folder, installed)) == []


def test_an_uninstall_that_removes_its_interpreter_late_is_caught(scene: Scene, folder: Path, memory: Path) -> None:
    variant = releases.broken(scene.old, folder / "late", "uninstall-interpreter-late.patch")
    _clear(scene)
    _run(scene.install_with(variant))
    with (scene.directory / EDITED).open("a") as lines:
        lines.write(MINE)
    (scene.directory / POINT).parent.mkdir(parents=True)
    (scene.directory / POINT).write_text("points")
    saved = memory / "late"
    subprocess.run(["cp", "-a", scene.directory, saved], check=True)

    assert any("the second call failed" in wrong for wrong in kill_uninstall(scene, folder, saved))


@pytest.fixture(autouse=True)
def _nothing_listens(scene: Scene) -> Iterator[None]:
    """The scene is cleared after each test, so that the next one finds none of it."""
    yield
    _clear(scene)


def test_strace_kills_where_it_is_told_to(tmp_path: Path) -> None:
    """The proof of the tool: the second of three folders is not made."""
    command = ["mkdir", *(f"{tmp_path}/{number}" for number in (1, 2, 3))]
    killing = _strace(command, "-o", "/dev/null", "-e", "trace=mkdir", "-e", "inject=mkdir:signal=KILL:when=2")
    subprocess.run(killing, check=False)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
