"""Fixtures that every kind of test shares: the real release, and a running installation of it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests import grafana_stand_in
from tests.stack import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stack import Stack

ROOT = Path(__file__).resolve().parent.parent
VERSION = (ROOT / "VERSION").read_text().strip()
RUN_FOLDER = "DKM_TEST_RUN"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; read the diff")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared with."""
    return bool(request.config.getoption("--update-golden"))


def pytest_configure(config: pytest.Config) -> None:
    """One folder a test run, which other accounts may enter (pytest's own is closed to them); no example is timed."""
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="dkumonitor-test-")
        Path(folder).chmod(0o755)
        os.environ[RUN_FOLDER] = folder  # the workers of pytest-xdist inherit it


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Make sure that tests of a group stay together: each worker would start servers of its own for them otherwise."""
    yield
    if getattr(config.option, "loadgroup", False):
        for item in items:
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid.rpartition("]")[2]:
                raise pytest.UsageError("pytest-xdist does not group tests with this pytest: see requirements-dev.in")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[RUN_FOLDER], ignore_errors=True)


@pytest.fixture
def workspace() -> Iterator[Path]:
    """An empty folder for this test that other accounts may enter; its path has a space in it, as DIR may."""
    folder = Path(tempfile.mkdtemp(prefix="in stall-", dir=os.environ[RUN_FOLDER]))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The tarball that `make dist` wrote; DKM_BUNDLE names another one."""
    path = Path(os.environ.get("DKM_BUNDLE", ROOT / f"dist/dkumonitor-{VERSION}-linux-amd64.tar.gz"))
    assert path.is_file(), f"{path} is missing: run `make dist` first"
    return path


@pytest.fixture(scope="session")
def release(bundle: Path) -> Path:
    """The tarball extracted once for all workers: the folder that holds `installer`. Never write into it."""
    shared = Path(os.environ[RUN_FOLDER]) / "release"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            subprocess.run(["tar", "-xzf", bundle, "-C", shared, "--no-same-owner"], check=True)
            (shared / "done").touch()
    return shared / f"dkumonitor-{VERSION}"


@pytest.fixture(scope="session")
def release_with_grafana(release: Path) -> Path:
    """The release with a stand-in for Grafana in it, as make-package --grafana lays it, named in its manifest."""
    folder = Path(tempfile.mkdtemp(prefix="grafana-", dir=os.environ[RUN_FOLDER])) / release.name
    folder.parent.chmod(0o755)
    subprocess.run(["cp", "-a", release, folder], check=True)
    grafana_stand_in.write_tarball(folder.parent / "grafana.tar.gz", top="grafana")
    subprocess.run(["tar", "-xzf", folder.parent / "grafana.tar.gz", "-C", folder, "--no-same-owner"], check=True)
    manifest = folder / "MANIFEST.sha256"
    with manifest.open("a") as lines:
        for name in grafana_stand_in.FILES:
            path = folder / "grafana" / name
            lines.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  grafana/{name}\n")
    return folder


@pytest.fixture(scope="session")
def stack(release: Path) -> Iterator[Stack]:
    """A running installation of type all. Tests that stop or break programs make their own (tests.stack.running)."""
    folder = Path(tempfile.mkdtemp(prefix="stack-", dir=os.environ[RUN_FOLDER]))
    with running(release, folder / "dkm") as started:
        yield started
