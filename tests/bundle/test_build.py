"""make-package on the real thing: what is in a release, that it is the same bytes each time, and what stops a build.

Parts come from the cache that `make dist` has filled; nothing is compiled and nothing is downloaded here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundle import elf
from bundle.cache import default_root
from bundle.commands import Commands
from bundle.errors import VerifyError
from bundle.progress import BuildLog
from bundle.verify import verify
from tests import grafana_stand_in

ROOT = Path(__file__).resolve().parents[2]
VERSION = (ROOT / "VERSION").read_text().strip()
NAME = f"dkumonitor-{VERSION}"
TARBALL = f"{NAME}-linux-amd64.tar.gz"
INPUTS = (
    "make-package",
    "VERSION",
    "LICENSE",
    "bundle",
    "dkumonitor",
    "collectors",
    "dkm",
    "console",
    "installer",
    "templates",
    "dashboards",
    "scanner",
)
SIZE_LIMIT_BYTES = 50_000_000  # the metrics bundle had 35 MB, the console may add 15; scanner and collectors are within
FROM_CACHE = ("--skip-build", "--without", "grafana")
pytestmark = pytest.mark.xdist_group("build")


@dataclass(frozen=True)
class Checkout:
    """A copy of what make-package reads, and how it is run there."""

    folder: Path

    @property
    def tarball(self) -> Path:
        return self.folder / "dist" / TARBALL

    def make_package(self, *options: str, umask: int = 0o022, **env: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", "HOME": os.environ["HOME"], **env}
        return subprocess.run(
            [sys.executable, self.folder / "make-package", *options],
            env=environment,
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "dist").glob("*")) if (self.folder / "dist").exists() else []


def checkout_in(folder: Path) -> Checkout:
    folder.mkdir(parents=True)
    for name in INPUTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, folder / name)
    return Checkout(folder)


@pytest.fixture
def checkout(workspace: Path) -> Checkout:
    return checkout_in(workspace / "checkout")


@pytest.fixture
def private_cache(workspace: Path) -> Path:
    """A cache with the same content as the user's; files in it may be replaced (never changed: they are hard links)."""
    cache = workspace / "cache/dkumonitor"
    cache.mkdir(parents=True)
    for name in ("sources", "parts"):
        subprocess.run(["cp", "-a", "--link", default_root() / name, cache / name], check=False)
        if not (cache / name).exists():
            shutil.copytree(default_root() / name, cache / name, symlinks=True)
    return cache


def flip_one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(data)
    path.chmod(stat.S_IMODE(mode))


# --- what is in a release


def test_the_manifest_names_every_file_with_its_hash(release: Path) -> None:
    lines = (release / "MANIFEST.sha256").read_text().splitlines()
    named = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = {
        path.relative_to(release).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in release.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and path.name != "MANIFEST.sha256"
        and "__pycache__" not in path.parts
    }
    compiled = {name for name in named if "__pycache__" in name}
    assert {name: digest for name, digest in named.items() if name not in compiled} == found
    assert all((release / name).is_file() for name in compiled)


def test_the_tarball_without_grafana_keeps_its_size(bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        names = archive.getnames()
    if f"{NAME}/grafana" not in names:
        assert bundle.stat().st_size <= SIZE_LIMIT_BYTES


def test_every_file_of_the_tarball_belongs_to_root_and_is_writable_by_its_owner_alone(bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid) for member in members} == {(0, 0)}
    assert not [member.name for member in members if not member.issym() and member.mode & 0o7022]
    assert len({member.mtime for member in members}) == 1


def test_what_the_pages_load_is_in_one_folder_and_their_html_beside_the_code(release: Path) -> None:
    vendored = {path.name for path in (release / "web/vendor").iterdir()}
    assert vendored == {"htmx.min.js", "uPlot.iife.min.js", "uPlot.min.css"}
    own = {path.name for path in (ROOT / "console/static").iterdir()}
    assert own <= {path.name for path in (release / "web").iterdir()}
    (packages,) = release.glob("python/lib/python3*/site-packages")
    assert not (packages / "console/static").exists()
    for folder in ("console", "collectors"):
        html = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.html")}
        assert html, folder
        assert not [path for path in html if not (packages / path).is_file()]


def test_the_bundled_openssl_runs_and_needs_no_configuration(release: Path) -> None:
    said = subprocess.run([release / "bin/openssl", "version"], capture_output=True, text=True, check=True, env={})
    assert said.stdout.startswith("OpenSSL 3.")
    assert said.stderr == ""


def test_the_sbom_names_every_part_module_and_package_with_hash_version_and_licence(release: Path) -> None:
    components = json.loads((release / "sbom.cdx.json").read_text())["components"]
    by_purl = {component["purl"]: component for component in components}
    names = {component["name"] for component in components}
    locked = {
        line.split("==")[0] for line in (ROOT / "bundle/requirements.txt").read_text().splitlines() if "==" in line
    }
    assert {"cpython", "openssl", "zlib", "bzip2", "xz", "libffi", "sqlite", "collectd"} <= names
    assert {"github.com/go-graphite/go-carbon", "github.com/go-graphite/carbonapi", "golang.org/x/sys"} <= names
    program = hashlib.sha256((release / "bin/dkm-scan").read_bytes()).hexdigest()
    assert by_purl[f"pkg:generic/dkm-scan@{VERSION}"]["hashes"] == [{"alg": "SHA-256", "content": program}]
    wanted = json.loads((ROOT / "bundle/webassets/package.json").read_text())["dependencies"]
    assert {f"pkg:npm/{name}@{version}" for name, version in wanted.items()} <= by_purl.keys()
    assert locked <= {name.lower() for name in names}
    assert len(by_purl) == len(components)
    assert all(component["licenses"] and component["version"] for component in components)
    without_hash = [component["name"] for component in components if "hashes" not in component]
    assert without_hash == ["stdlib"]  # Go's own library: it comes with the compiler, not as a file


def test_every_component_of_the_sbom_has_its_licence_texts(release: Path) -> None:
    components = json.loads((release / "sbom.cdx.json").read_text())["components"]
    folders = {path.name for path in (release / "licenses").iterdir() if any(path.iterdir())}
    lost = [
        each["name"]
        for each in components
        if each["name"].replace("/", "_").lower() not in {f.lower() for f in folders}
    ]
    assert lost == []
    assert "dkumonitor" in folders


def test_the_sources_archive_holds_the_source_of_every_compiled_part(bundle: Path) -> None:
    with tarfile.open(bundle.with_name(f"{NAME}-sources.tar")) as archive:
        names = archive.getnames()
    sources = [name.removeprefix(f"{NAME}-sources/sources/") for name in names if "/sources/" in name]
    for word in ("collectd", "openssl", "zlib", "bzip2", "xz", "libffi", "sqlite", "ython", "go-carbon/", "carbonapi/"):
        assert any(word in name for name in sources), word
    assert {"dkm-scan/main.go", "dkm-scan/go.sum"} <= set(sources)
    assert {f"{NAME}-sources/{name}" for name in ("README", "bundle/components.toml", "bundle/collectd.py")} <= set(
        names
    )


def test_the_scanner_is_static_and_says_the_release_s_version(release: Path) -> None:
    program = release / "bin/dkm-scan"
    needs = elf.read_needs(program.read_bytes())
    assert (needs.libraries, needs.search_paths) == ((), ())
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, env={})
    assert said.stdout == f"dkm-scan {VERSION}\n"


# --- the same inputs give the same bytes (promise 21)


def test_another_folder_umask_and_time_zone_give_the_same_bytes(workspace: Path) -> None:
    here, there = checkout_in(workspace / "here"), checkout_in(workspace / "some where/else")
    first = here.make_package(*FROM_CACHE, umask=0o022, TZ="UTC")
    second = there.make_package(*FROM_CACHE, umask=0o077, TZ="Asia/Kathmandu", LC_ALL="C.UTF-8", PYTHONHASHSEED="7")
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stderr) == (0, "")
    for name in (TARBALL, f"{NAME}-sources.tar"):
        one, other = (hashlib.sha256((each.folder / "dist" / name).read_bytes()).hexdigest() for each in (here, there))
        assert one == other, name
    assert here.leftovers() == [f"{NAME}-linux-amd64.tar.gz", f"{NAME}-sources.tar"]


# --- a changed input stops the build (promise 22)


def test_one_flipped_byte_of_a_source_stops_the_build_and_names_the_part(
    checkout: Checkout, private_cache: Path
) -> None:
    (source,) = (private_cache / "sources").glob("*/collectd*")
    flip_one_byte(source)
    said = checkout.make_package(*FROM_CACHE, XDG_CACHE_HOME=str(private_cache.parent))
    assert said.returncode == 4
    for words in (
        "collectd 5.12.0",
        source.parent.name,
        hashlib.sha256(source.read_bytes()).hexdigest(),
        f"rm '{source}'",
    ):
        assert words in said.stderr
    assert checkout.leftovers() == []


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("go-carbon", "tree/bin/go-carbon"),
        ("dkm-scan", "tree/bin/dkm-scan"),
        ("collectd", "tree/collectd/lib/collectd/cpu.so"),
        ("python-packages", "tree/python/lib/python3.13/site-packages/click/__init__.py"),
        ("openssl", "tree/lib/libssl.a"),
    ],
)
def test_one_flipped_byte_of_a_built_part_stops_the_build_and_names_the_part(
    checkout: Checkout, private_cache: Path, part: str, file: str
) -> None:
    for entry in (private_cache / "parts").glob(f"{part}-*"):
        flip_one_byte(entry / file)
    said = checkout.make_package(*FROM_CACHE, XDG_CACHE_HOME=str(private_cache.parent))
    assert said.returncode == 4
    assert said.stderr.startswith(f"make-package: {part}: ")
    assert file in said.stderr
    assert checkout.leftovers() == []


def test_a_swapped_download_stops_the_build_before_anything_is_unpacked(checkout: Checkout, workspace: Path) -> None:
    downloads = workspace / "downloads"
    downloads.mkdir()
    for path in (default_root() / "sources").glob("*/*"):
        shutil.copy(path, downloads)
    (swapped,) = downloads.glob("openssl*")
    flip_one_byte(swapped)
    said = checkout.make_package(
        "--without",
        "grafana",
        "--sources-dir",
        str(downloads),
        XDG_CACHE_HOME=str(workspace / "empty"),
        PIP_NO_INDEX="1",
    )
    assert said.returncode == 4
    for words in ("openssl 3.5.7", str(swapped), hashlib.sha256(swapped.read_bytes()).hexdigest(), "publisher"):
        assert words in said.stderr
    assert not list((workspace / "empty/dkumonitor/work").iterdir())
    assert checkout.leftovers() == []


# --- Grafana: a stand-in tarball


def test_a_grafana_file_with_the_given_hash_is_bundled(checkout: Checkout, workspace: Path) -> None:
    file = workspace / "grafana.tar.gz"
    digest = grafana_stand_in.write_tarball(file)
    said = checkout.make_package("--skip-build", "--grafana", str(file), "--grafana-sha256", digest)
    assert (said.returncode, said.stderr) == (0, "")
    with tarfile.open(checkout.tarball) as archive:
        names = set(archive.getnames())
        sbom = json.load(archive.extractfile(f"{NAME}/sbom.cdx.json") or pytest.fail("no SBOM"))
    assert {f"{NAME}/grafana/{name}" for name in grafana_stand_in.FILES} <= names
    assert f"{NAME}/licenses/grafana/LICENSE" in names
    (grafana,) = (component for component in sbom["components"] if component["name"] == "grafana")
    assert grafana["version"] == "0.0.0"
    assert grafana["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert grafana["licenses"] == [{"expression": "AGPL-3.0-only"}]
    assert "vcs" in {reference["type"] for reference in grafana["externalReferences"]}


def test_a_grafana_file_with_another_hash_is_refused_with_both_ways_out(checkout: Checkout, workspace: Path) -> None:
    file = workspace / "grafana.tar.gz"
    digest = grafana_stand_in.write_tarball(file)
    said = checkout.make_package("--skip-build", "--grafana", str(file))
    assert said.returncode == 4
    for words in (str(file), digest, "expected sha256", "--grafana-sha256 HASH", "--without grafana"):
        assert words in said.stderr
    assert checkout.leftovers() == []


@pytest.mark.parametrize("lost", ["bin/grafana", "conf/defaults.ini", "LICENSE"])
def test_a_grafana_file_with_another_layout_is_refused(checkout: Checkout, workspace: Path, lost: str) -> None:
    file = workspace / "grafana.tar.gz"
    digest = grafana_stand_in.write_tarball(file, without=(lost,))
    said = checkout.make_package("--skip-build", "--grafana", str(file), "--grafana-sha256", digest)
    assert said.returncode == 1
    assert lost in said.stderr
    assert "--without grafana" in said.stderr
    assert checkout.leftovers() == []


def test_without_a_network_the_other_two_ways_to_grafana_are_named(checkout: Checkout, workspace: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    said = checkout.make_package(XDG_CACHE_HOME=str(workspace / "empty"), https_proxy=nowhere, HTTPS_PROXY=nowhere)
    assert said.returncode == 5
    for words in ("grafana 13.2.3", "cannot be downloaded", "--grafana FILE", "--without grafana"):
        assert words in said.stderr
    assert checkout.leftovers() == []


# --- what the machine lacks


def test_a_full_disk_is_named_and_leaves_no_tarball(checkout: Checkout) -> None:
    dist = checkout.folder / "dist"
    dist.mkdir()
    make_package = f'"{sys.executable}" "{checkout.folder}/make-package" {" ".join(FROM_CACHE)}'
    script = f'mount -t tmpfs -o size=8m none "{dist}" && {make_package}'
    said = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{script}; code=$?; ls -A "{dist}"; exit $code'],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert said.returncode == 6, said.stderr
    assert f"no room left on the disk that holds {dist}/{TARBALL}" in said.stderr
    assert said.stdout.splitlines()[-1].startswith("verify"), "files were left in dist/"


def test_missing_parts_are_named_where_building_is_forbidden(checkout: Checkout, workspace: Path) -> None:
    said = checkout.make_package(*FROM_CACHE, XDG_CACHE_HOME=str(workspace / "empty"))
    assert said.returncode == 2
    assert "is not in the cache" in said.stderr
    assert "--skip-build" in said.stderr


def test_a_missing_tool_is_named_with_its_package(checkout: Checkout, workspace: Path) -> None:
    said = checkout.make_package("--without", "grafana", XDG_CACHE_HOME=str(workspace / "empty"), PATH=str(workspace))
    assert said.returncode == 3
    assert "apt-get install" in said.stderr
    assert "--install-tools" in said.stderr


def test_skipping_the_archive_leaves_the_tree(checkout: Checkout) -> None:
    said = checkout.make_package(*FROM_CACHE, "--skip-archive")
    tree = checkout.folder / "build/tree" / NAME
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, str(tree))
    assert (tree / "installer").is_file()
    assert checkout.leftovers() == []


# --- the verify step


@pytest.fixture
def planted(workspace: Path, release: Path) -> Path:
    tree = workspace / "tree"
    subprocess.run(["cp", "-a", release, tree], check=True)
    return tree


def findings(tree: Path, workspace: Path) -> str:
    log = BuildLog(workspace / "build.log")
    try:
        verify(tree, ["dkumonitor", "msgspec._core"], [workspace / "builder/scratch"], workspace, Commands(log))
    except VerifyError as error:
        return error.what
    finally:
        log.close()
    return ""


def test_the_real_release_has_no_finding(planted: Path, workspace: Path) -> None:
    assert findings(planted, workspace) == ""


def test_a_program_that_needs_a_newer_glibc_is_found(planted: Path, workspace: Path) -> None:
    theirs = Path(shutil.which("env") or "").resolve()
    newest = elf.read_needs(theirs.read_bytes()).glibc()
    assert newest > (2, 17), "this machine's own programs should need a newer glibc than the bundle's"
    shutil.copy(theirs, planted / "bin/planted")
    assert f"bin/planted: needs glibc {'.'.join(map(str, newest))}" in findings(planted, workspace)


def test_a_plugin_that_needs_a_foreign_library_is_found(planted: Path, workspace: Path) -> None:
    plugin = planted / "collectd/lib/collectd/cpu.so"
    data = plugin.read_bytes()
    assert b"\0libc.so.6\0" in data
    plugin.write_bytes(data.replace(b"\0libc.so.6\0", b"\0libz.so.1\0"))
    assert "collectd/lib/collectd/cpu.so: needs the foreign library libz.so.1" in findings(planted, workspace)


def test_a_build_path_in_any_file_is_found(planted: Path, workspace: Path) -> None:
    (planted / "templates/note").write_bytes(b"made in " + os.fsencode(workspace / "builder/scratch/collectd"))
    assert f"templates/note: holds the build path {workspace}/builder/scratch" in findings(planted, workspace)


def test_a_program_that_does_not_run_is_found(planted: Path, workspace: Path) -> None:
    program = planted / "bin/carbonapi"
    program.write_bytes(b"#!/bin/sh\nexit 7\n")
    said = findings(planted, workspace)
    assert "carbonapi ended with exit code 7" in said


def test_a_module_that_does_not_import_is_found(planted: Path, workspace: Path) -> None:
    for path in (planted / "python/lib/python3.13/site-packages/msgspec").glob("_core*.so"):
        path.unlink()
    assert "No module named 'msgspec._core'" in findings(planted, workspace)
