"""The cache: keys, entries that are whole or absent, and damage that is seen."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from bundle.cache import Cache, default_root, key_of
from bundle.errors import DiskFullError, HashError

if TYPE_CHECKING:
    from pathlib import Path

INGREDIENTS: dict[str, Any] = {
    "source": "ab",
    "options": ["-O2"],
    "compiler": "zig 1",
    "target": "t",
    "recipe": {"a": "1"},
}


def fill(entry: Path, _scratch: Path) -> None:
    (entry / "tree/bin").mkdir()
    (entry / "tree/bin/thing").write_text("#!/bin/sh\n")
    (entry / "tree/bin/thing").chmod(0o755)
    (entry / "tree/bin/other").symlink_to("thing")
    (entry / "licences/thing").mkdir()
    (entry / "licences/thing/LICENSE").write_text("MIT\n")


@pytest.mark.parametrize("name", INGREDIENTS)
def test_every_ingredient_changes_the_key(name: str) -> None:
    assert key_of(**INGREDIENTS) == key_of(**dict(reversed(INGREDIENTS.items())))
    assert key_of(**INGREDIENTS) != key_of(**{**INGREDIENTS, name: "another"})


def test_the_cache_lies_where_the_user_says() -> None:
    assert str(default_root({"XDG_CACHE_HOME": "/elsewhere"})) == "/elsewhere/dkumonitor"
    assert default_root({"XDG_CACHE_HOME": "relative"}) == default_root({})


def test_a_kept_part_is_found_again_with_all_that_was_said_about_it(tmp_path: Path) -> None:
    Cache(tmp_path).keep("thing", "k", {"version": "1.0"}, fill)
    part = Cache(tmp_path).part("thing", "k")
    assert part is not None
    assert (part.tree / "bin/thing").read_text() == "#!/bin/sh\n"
    assert (part.key, part.about["version"]) == ("k", "1.0")
    assert not list((tmp_path / "work").iterdir())
    assert Cache(tmp_path).part("thing", "another") is None


def test_a_recipe_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(entry: Path, scratch: Path) -> None:
        fill(entry, scratch)
        raise RuntimeError("the compiler said no")

    cache = Cache(tmp_path)
    with pytest.raises(RuntimeError, match="the compiler said no"):
        cache.keep("thing", "k", {}, fail)
    assert cache.part("thing", "k") is None
    assert not list((tmp_path / "work").iterdir())
    assert not list((tmp_path / "parts").iterdir())


def test_a_full_disk_is_said_with_its_place(tmp_path: Path) -> None:
    def fail(_entry: Path, _scratch: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFullError) as caught:
        Cache(tmp_path).keep("thing", "k", {}, fail)
    assert str(tmp_path) in caught.value.what
    assert "XDG_CACHE_HOME" in caught.value.do


def be_killed(root: Path) -> None:
    def die(entry: Path, scratch: Path) -> None:
        fill(entry, scratch)
        os.kill(os.getpid(), signal.SIGKILL)

    Cache(root).keep("thing", "k", {}, die)


def test_what_a_killed_build_left_is_swept_by_the_next(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=be_killed, args=(tmp_path,))
    child.start()
    child.join(30)
    assert child.exitcode == -9
    cache = Cache(tmp_path)
    assert cache.part("thing", "k") is None
    assert len(list((tmp_path / "work").iterdir())) == 1
    with cache.workplace("another") as place:
        assert list((tmp_path / "work").iterdir()) == [place]


def change(tree: Path) -> None:
    (tree / "bin/thing").write_text("#!/bin/sj\n")


def add(tree: Path) -> None:
    (tree / "bin/new").write_text("")


def lose(tree: Path) -> None:
    (tree / "bin/other").unlink()


def forbid(tree: Path) -> None:
    (tree / "bin/thing").chmod(0o644)


@pytest.mark.parametrize(
    ("damage", "file"), [(change, "bin/thing"), (add, "bin/new"), (lose, "bin/other"), (forbid, "bin/thing")]
)
def test_damage_to_a_kept_part_stops_the_build_and_names_part_and_file(tmp_path: Path, damage: Any, file: str) -> None:
    cache = Cache(tmp_path)
    part = cache.keep("thing", "k", {}, fill)
    damage(part.tree)
    with pytest.raises(HashError, match=rf"(?s)thing: .*tree/{file}.*expected.*found") as caught:
        cache.part("thing", "k")
    assert f"rm -r '{part.path}'" in caught.value.do


def test_a_second_build_of_one_key_waits_for_the_first(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, release, told = context.Event(), context.Event(), context.Event()

    def hold() -> None:
        with Cache(tmp_path).lock("thing", "k"):
            held.set()
            release.wait(30)

    def want() -> None:
        with Cache(tmp_path).lock("thing", "k", waiting=told.set):
            pass

    first, second = context.Process(target=hold), context.Process(target=want)
    first.start()
    assert held.wait(30)
    second.start()
    assert told.wait(30)
    assert second.is_alive()
    release.set()
    first.join(30)
    second.join(30)
    assert (first.exitcode, second.exitcode) == (0, 0)
