"""Installing while another installer works, and where there is too little room: DIR stays as it was."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.stack import free_port_range, run_installer, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


def _who() -> tuple[str, ...]:
    return ("--as-root",) if os.geteuid() == 0 else ()


@pytest.fixture
def small_disk(workspace: Path) -> Iterator[tuple[Path, int]]:
    """A file system in memory with its size in MiB; the reserve of the installer does not fit."""
    folder, size_mib = workspace / "small", 200
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=755", "none", folder], check=True)
    yield folder, size_mib
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def filling_disk(workspace: Path) -> Iterator[Path]:
    """A file system that has room when the installer asks, and whose last room others take while it copies."""
    folder = workspace / "filling"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_of_two_installers_at_once_the_second_is_refused_and_the_first_goes_on(
    release: Path, workspace: Path, tmp_path: Path
) -> None:
    directory, log = workspace / "dkm", tmp_path / "log"
    with free_port_range() as port:
        command = [str(release / "installer"), "-d", str(directory), "-p", str(port), *_who()]
        # The first one is stopped by the kernel after its first symbolic link, long before DIR gets its name.
        stopping = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=symlink", "-e"]
        stopping += ["inject=symlink:signal=STOP:when=1", "--", *command]
        with subprocess.Popen(stopping, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as first:
            pid = wait_for("the first installer to be stopped", lambda: _stopped(log))
            try:
                second = run_installer(release, *command[1:])
                left = [path.name for path in workspace.iterdir()]
            finally:
                os.kill(pid, signal.SIGCONT)
            output = first.communicate(timeout=60)[0]

    assert second.returncode == 5
    assert "another installer is at work" in second.stderr
    assert "dkm" not in left, "neither had finished yet"
    assert first.returncode == 0, output
    assert [path.name for path in workspace.iterdir()] == ["dkm"]
    assert (directory / "conf/installation.json").is_file()


def _stopped(log: Path) -> int:
    lines = log.read_text().splitlines() if log.exists() else []
    return next((int(line.split()[0]) for line in lines if line.endswith("--- stopped by SIGSTOP ---")), 0)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(
    release: Path, small_disk: tuple[Path, int]
) -> None:
    folder, size_mib = small_disk
    with free_port_range() as port:
        outcome = run_installer(release, "-d", str(folder / "dkm"), "-p", str(port), *_who())

    assert outcome.returncode == 3
    assert f"MiB are needed and {size_mib} MiB are free" in outcome.stderr
    assert list(folder.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_behind(release: Path, filling_disk: Path) -> None:
    directory = filling_disk / "dkm"
    with free_port_range() as port:
        # At the 40th write the kernel says that the disk is full.
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e"]
        command += ["inject=write:error=ENOSPC:when=40", "--", str(release / "installer")]
        outcome = subprocess.run(
            [*command, "-d", str(directory), "-p", str(port), *_who()], capture_output=True, text=True, check=False
        )

    assert outcome.returncode == 7
    assert list(filling_disk.iterdir()) == []


def test_a_lock_that_somebody_else_laid_is_not_used(release: Path, workspace: Path) -> None:
    canary = workspace / "canary"
    canary.write_text("untouched")
    (workspace / ".dkm.installing.lock").symlink_to(canary)
    with free_port_range() as port:
        outcome = run_installer(release, "-d", str(workspace / "dkm"), "-p", str(port), *_who())

    assert outcome.returncode == 4
    assert "lock" in outcome.stderr
    assert canary.read_text() == "untouched"
    assert not (workspace / "dkm").exists()
