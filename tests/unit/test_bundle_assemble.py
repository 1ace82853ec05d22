"""Trees and archives: the same bytes from the same content, wherever and however it lies."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from bundle import assemble
from bundle.archive import write_archive
from bundle.errors import BuildError
from bundle.files import copy_tree, publish
from bundle.hashes import tree_hashes

BYTECODE = Path(assemble.__file__).with_name("bytecode.py")
EPOCH = 1767225600
SOURCE = '''"""A module."""
import os
NAMES = frozenset({"alpha", "beta", "gamma", "delta"})
def f(x, *, y=("a", 1.5, "alpha")):
    if x in {"one", "two", "three"}:
        return [y for y in x if y]
    return f"{x!r} {os.sep} {y}"
class C:
    """A class."""
    alpha = "alpha"
'''


def toy_tree(root: Path, umask: int, order: int) -> Path:
    previous = os.umask(umask)
    try:
        for name in ("b/z", "b/a", "a", "c/d/e", "b-a")[::order]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
        (root / "b/a").chmod(0o700)
        (root / "link").symlink_to("b/a")
    finally:
        os.umask(previous)
    os.utime(root / "a", (order + 10, order + 10))
    return root


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_place_umask_time_zone_order_and_time_do_not_get_into_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    digests = []
    for index, (umask, order, zone) in enumerate([(0o022, 1, "UTC"), (0o077, -1, "Asia/Kathmandu")]):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        output = tmp_path / f"out{index}{suffix}"
        write_archive(toy_tree(tmp_path / f"tree {index}", umask, order), "top", EPOCH, output)
        digests.append(hashlib.sha256(output.read_bytes()).hexdigest())
    monkeypatch.undo()
    time.tzset()
    assert digests[0] == digests[1]


def test_an_archive_holds_modes_owner_and_time_that_mean_nothing_of_this_machine(tmp_path: Path) -> None:
    output = tmp_path / "out.tar.gz"
    write_archive(toy_tree(tmp_path / "tree", 0o077, 1), "top", EPOCH, output)
    with tarfile.open(output) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in members} == {
        (0, 0, "root", "root", EPOCH)
    }
    modes = {member.name: member.mode for member in members}
    assert (modes["top/b"], modes["top/b/a"], modes["top/b/z"]) == (0o755, 0o755, 0o644)
    assert {member.linkname for member in members if member.issym()} == {"b/a"}


def test_an_archive_that_fails_leaves_no_file(tmp_path: Path) -> None:
    tree = toy_tree(tmp_path / "tree", 0o022, 1)
    os.mkfifo(tree / "fifo")
    with pytest.raises(SystemExit, match="fifo is no file"):
        write_archive(tree, "top", EPOCH, tmp_path / "out.tar.gz")
    assert {path.name for path in tmp_path.iterdir()} == {"tree"}


def test_compiled_modules_are_the_same_bytes_everywhere_and_name_no_folder_of_this_machine(tmp_path: Path) -> None:
    compiled = []
    for name in ("here", "some where/else"):
        package = tmp_path / name / "lib/package"
        package.mkdir(parents=True)
        for module in ("__init__", "other") if name == "here" else ("other", "__init__"):
            (package / f"{module}.py").write_text(SOURCE)
        subprocess.run([sys.executable, "-I", BYTECODE, tmp_path / name, "lib"], check=True)
        compiled.append({path.name: path.read_bytes() for path in package.glob("__pycache__/*.pyc")})
    assert len(compiled[0]) == 2
    assert compiled[0] == compiled[1]
    assert not any(os.fsencode(tmp_path) in data for data in compiled[0].values())


def test_a_compiled_module_is_used_whatever_its_source_says_and_tells_its_real_place(tmp_path: Path) -> None:
    (tmp_path / "thing.py").write_text("def where():\n    return where.__code__.co_filename\n")
    subprocess.run([sys.executable, "-I", BYTECODE, tmp_path, "."], check=True)
    (tmp_path / "thing.py").write_text("# edited afterwards: not looked at\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import thing; print(thing.where())"
    said = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True).stdout
    assert said.strip() == str(tmp_path / "thing.py")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cli.py", True),
        ("host/collector.py", True),
        ("host/README.md", True),
        ("host/dashboard.json", False),
        ("host/users.html", True),
        ("templates/base.html", True),
        ("static", False),
        ("launcher.sh", False),
        ("host/__pycache__", False),
        ("cli.cpython-313.pyc", False),
        ("host/tests", False),
        (".cache", False),
        ("cli.py~", False),
    ],
)
def test_what_goes_into_a_package_of_the_release(name: str, expected: bool) -> None:
    assert assemble.shipped(name) is expected


def test_dashboards_of_collectors_lie_beside_the_others_and_no_two_share_a_name(tmp_path: Path) -> None:
    for name in ("dashboards/system.json", "collectors/host/dashboard.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assemble._lay_dashboards(tmp_path, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["host.json", "system.json"]
    (tmp_path / "dashboards/host.json").write_text("{}")
    with pytest.raises(BuildError, match=r"host\.json"):
        assemble._lay_dashboards(tmp_path, tmp_path / "again")


def test_a_copied_tree_has_the_modes_of_a_release(tmp_path: Path) -> None:
    toy_tree(tmp_path / "tree", 0o077, 1)
    copy_tree(tmp_path / "tree", tmp_path / "copy", lambda name: name != "c")
    assert tree_hashes(tmp_path / "copy").keys() == {"a", "b/a", "b/z", "b-a", "link"}
    modes = {name: (tmp_path / "copy" / name).stat().st_mode & 0o777 for name in ("a", "b/a")}
    assert modes == {"a": 0o644, "b/a": 0o755}


def test_publishing_over_an_equal_folder_keeps_the_one_that_is_there(tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    publish(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old/who").read_text() == "old"
    assert not (tmp_path / "new").exists()
