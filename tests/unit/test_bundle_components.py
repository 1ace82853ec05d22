"""components.toml: what it must say, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.components import WITHOUT_SOURCE, DebianSource, load
from bundle.errors import BuildError

BUNDLE = Path(__file__).resolve().parents[2] / "bundle"
GOOD = """
epoch = 1767225600

[[part]]
name = "zlib"
kind = "library"
licence = "Zlib"
homepage = "https://zlib.net/"

[[part.source]]
version = "1.3.2"
sha256 = "bb329a0a2cd0274d05519d61c667c062e06990d72e125ee2dfa8de64f0119d16"
files = ["zlib-1.3.2.tar.gz"]
debian = { package = "zlib", version = "1.3.2", suite = "trixie" }

[[part.source]]
version = "1.3.1"
sha256 = "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb"
files = ["zlib-1.3.1.tar.gz"]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "components.toml"
    path.write_text(text)
    return path


def test_the_projects_own_file_is_valid_and_every_part_has_a_licence() -> None:
    components = load(BUNDLE / "components.toml")
    assert {"go-carbon", "carbonapi", "collectd", "cpython", "openssl", "sqlite", "grafana"} <= components.parts.keys()
    assert all(part.licence and (part.homepage or part.folder) for part in components.parts.values())
    assert all(part.licence_files for part in components.parts.values() if part.kind not in WITHOUT_SOURCE)


def test_sources_keep_their_order_and_the_first_gives_the_version(tmp_path: Path) -> None:
    zlib = load(written(tmp_path, GOOD))["zlib"]
    assert [source.version for source in zlib.sources] == ["1.3.2", "1.3.1"]
    assert zlib.version == "1.3.2"
    assert zlib.sources[0].debian == DebianSource("zlib", "1.3.2", "trixie")


def test_a_part_of_our_own_has_the_version_of_the_product() -> None:
    version = (BUNDLE.parent / "VERSION").read_text().strip()
    scanner = load(BUNDLE / "components.toml")["dkm-scan"]
    assert scanner.version == version
    assert any(f"main.version={version}" in option for option in scanner.options)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('licence = "Zlib"', 'license = "Zlib"', "unknown key 'license'"),
        ('licence = "Zlib"\n', "", "'licence' is missing"),
        ('kind = "library"', 'kind = "rust"', "'rust'"),
        ('sha256 = "bb', 'sha256 = "b', "64 hexadecimal digits"),
        ('suite = "trixie"', 'suit = "trixie"', "unknown key 'suit'"),
        ('files = ["zlib-1.3.2.tar.gz"]', "files = []", "`files` is empty"),
        ('kind = "library"', 'kind = "library"\nneeds = ["libz"]', "needs libz"),
        ("epoch = 1767225600", "", "epoch"),
        ("epoch = 1767225600", "epoch = ", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    with pytest.raises(BuildError) as caught:
        load(written(tmp_path, GOOD.replace(old, new, 1)))
    assert named in caught.value.what
    assert "components.toml" in caught.value.what
    assert caught.value.do
