import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAUNCH = [sys.executable, "-m", "dkumonitor.launch"]


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LAUNCH, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_it_becomes_the_program_with_its_arguments_as_they_are() -> None:
    ended = launch("--", "printf", "%s|", "a b", "--", "$HOME")
    assert (ended.returncode, ended.stdout) == (0, "a b|--|$HOME|")


def test_links_to_the_programs_folder_are_resolved_and_the_program_itself_is_not(tmp_path: Path) -> None:
    release = tmp_path / "release"
    release.mkdir()
    (release / "own").symlink_to("/bin/sh")
    (tmp_path / "lib").symlink_to("release")
    ended = launch("--", str(tmp_path / "lib/own"), "-c", "echo $0")
    assert ended.stdout.strip() == str(release / "own")


def test_the_program_has_the_address_space_limit() -> None:
    ended = launch("--address-space", str(512 * 1024 * 1024), "--", "sh", "-c", "ulimit -v")
    assert ended.stdout.strip() == str(512 * 1024)


def test_it_adds_no_process() -> None:
    with subprocess.Popen([*LAUNCH, "--", "sh", "-c", "echo $$"], cwd=ROOT, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert int(started.stdout.read()) == started.pid


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "usage"),
        (["--"], 2, "usage"),
        (["--address-space", "--", "true"], 2, "usage"),
        (["--what", "1", "--", "true"], 2, "--what"),
        (["--address-space", "many", "--", "true"], 2, "many"),
        (["--parent-death", "SIGWHAT", "--", "true"], 2, "SIGWHAT"),
        (["--", "no-such-program-anywhere"], 127, "no-such-program-anywhere does not exist"),
        (["--", "/"], 126, "cannot run /"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_codes_of_env(arguments: list[str], code: int, says: str) -> None:
    ended = launch(*arguments)
    assert (ended.returncode, says in ended.stderr) == (code, True), ended.stderr


PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "dkumonitor.launch", "--parent-death", sys.argv[1], "--",
    "sh", "-c", "echo ready; exec sleep 300"], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["TERM", "SIGUSR2", "9"])
def test_a_program_does_not_outlive_its_killed_parent(name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 20
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
