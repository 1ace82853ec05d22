"""Source files: where they come from, and what is said when one is wrong or cannot be had."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
from typing import TYPE_CHECKING

import pytest

from bundle.archives import unpack_tarball
from bundle.cache import Cache
from bundle.commands import Commands
from bundle.components import Part, Source
from bundle.debian import DebianArchive, matching_revisions, source_entries
from bundle.errors import BuildError, FetchError, HashError
from bundle.progress import BuildLog
from bundle.sources import Sources, download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = b"the source"
PINNED = Source("1.0", hashlib.sha256(CONTENT).hexdigest(), ("thing-1.0.tar.gz", "thing_1.0.orig.tar.gz"))
PART = Part("thing", "library", "MIT", "https://example.org/", sources=(PINNED,))


@pytest.fixture
def sources_in(tmp_path: Path) -> Iterator[Callable[..., Sources]]:
    """Makes the finder of source files, given the user's folders; all of them share one cache."""
    log = BuildLog(tmp_path / "build.log")

    def make(*folders: Path) -> Sources:
        cache = Cache(tmp_path / "cache")
        return Sources(cache, folders, DebianArchive(cache.root / "apt", Commands(log)), log.write)

    yield make
    log.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "sources"
    path.mkdir()
    return path


@pytest.mark.parametrize("name", PINNED.files)
def test_a_file_of_the_users_folder_is_taken_and_kept(
    sources_in: Callable[..., Sources], folder: Path, name: str
) -> None:
    (folder / name).write_bytes(CONTENT)
    path = sources_in(folder).get(PART, PINNED)
    (folder / name).write_bytes(b"")
    assert sources_in().get(PART, PINNED) == path
    assert path.read_bytes() == CONTENT


def test_a_wrong_file_stops_the_build_and_names_part_hashes_and_way_out(
    sources_in: Callable[..., Sources], tmp_path: Path, folder: Path
) -> None:
    (folder / PINNED.files[0]).write_bytes(b"the sourcf")
    with pytest.raises(HashError) as caught:
        sources_in(folder).get(PART, PINNED)
    for words in ("thing 1.0", str(folder), PINNED.sha256, hashlib.sha256(b"the sourcf").hexdigest()):
        assert words in caught.value.what
    assert "publisher" in caught.value.do
    assert not list((tmp_path / "cache/sources").glob("*/*"))
    assert not list((tmp_path / "cache/work").iterdir())


def test_a_file_damaged_in_the_cache_stops_the_build(sources_in: Callable[..., Sources], folder: Path) -> None:
    (folder / PINNED.files[0]).write_bytes(CONTENT)
    path = sources_in(folder).get(PART, PINNED)
    path.write_bytes(b"the sourcf")
    with pytest.raises(HashError, match=r"thing 1\.0") as caught:
        sources_in().get(PART, PINNED)
    assert f"rm '{path}'" in caught.value.do


def test_a_file_that_cannot_be_had_is_told_how_to_bring_it(sources_in: Callable[..., Sources]) -> None:
    with pytest.raises(FetchError) as caught:
        sources_in().get(PART, PINNED)
    assert "thing 1.0" in caught.value.what
    assert "--sources-dir" in caught.value.do
    assert PINNED.files[0] in caught.value.do


def test_an_address_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{unused.getsockname()[1]}/thing"
        with pytest.raises(FetchError, match="cannot be downloaded"):
            download(url, tmp_path / "thing")


def test_an_address_without_encryption_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no https address"):
        download("http://127.0.0.1/thing", tmp_path / "thing")


DEB822 = """
Types: deb
# a comment
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://other.example/apt
Suites: nodistro
Components: main
"""
ONE_LINE = """# a comment
deb [arch=amd64 signed-by=/k.gpg] http://archive.example/debian bookworm main contrib # more
deb http://security.example/debian-security bookworm-security main
deb http://other.example/apt stable main
"""


def test_deb822_sources_become_source_entries_of_the_wanted_suite() -> None:
    assert source_entries([("debian.sources", DEB822)], "bookworm", "trixie") == (
        "Types: deb-src\nURIs: http://archive.example/debian\nSuites: trixie trixie-updates\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian.gpg\n"
    )


def test_one_line_sources_become_source_entries_too() -> None:
    entries = source_entries([("sources.list", ONE_LINE)], "bookworm", "forky").split("\n\n")
    assert len(entries) == 2
    assert "Suites: forky\nComponents: main contrib\nSigned-By: /k.gpg\nTypes: deb-src" in entries[0]
    assert "Suites: forky-security" in entries[1]
    assert "other.example" not in "".join(entries)


def test_revisions_of_one_upstream_version_are_found_newest_listing_last() -> None:
    listed = "Version: 1:1.3.1-1\n\nVersion: 1:1.3.1-1+deb13u1\nVersion: 1.3.11-1\nVersion: 1.3.1~rc1-1\n"
    assert matching_revisions(listed, "1.3.1") == ["1:1.3.1-1+deb13u1", "1:1.3.1-1"]


def tarball(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    return path


def test_unpacking_leaves_out_the_top_folder(tmp_path: Path, folder: Path) -> None:
    unpack_tarball(tarball(tmp_path / "t.tar.gz", "./top/a", "./top/b/c"), folder)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == ["a", "b", "b/c"]


@pytest.mark.parametrize("name", ["other/a", "top/../../a", "/top/a", "../a"])
def test_an_entry_outside_of_the_top_folder_is_refused(tmp_path: Path, folder: Path, name: str) -> None:
    with pytest.raises(BuildError, match="outside"):
        unpack_tarball(tarball(tmp_path / "t.tar.gz", "top/a", name), folder)
    assert [path.name for path in tmp_path.rglob("a")] == ["a"]


def test_a_tarball_cut_short_is_named(tmp_path: Path, folder: Path) -> None:
    path = tarball(tmp_path / "t.tar.gz", "top/a")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BuildError, match=r"t\.tar\.gz cannot be unpacked"):
        unpack_tarball(path, folder)
