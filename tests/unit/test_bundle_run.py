"""Programs, jobs, tools and options: what a build says when something is wrong, and that it ends what it started."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bundle import cli, toolchain
from bundle.commands import Commands, Interrupted, clean_environment
from bundle.errors import DiskFullError, MissingToolError, RecipeError
from bundle.jobs import Job, run_all
from bundle.progress import BuildLog, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    log = BuildLog(tmp_path / "build.log")
    yield Commands(log)
    log.close()


def test_a_failed_program_is_told_with_its_last_lines_and_the_log(commands: Commands, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        commands.run("zlib", ["sh", "-c", "seq 1 100; echo the end >&2; exit 3"], tmp_path)
    assert "zlib: sh ended with exit code 3" in caught.value.what
    assert caught.value.what.endswith("    100\n    the end")
    assert "    12\n" not in caught.value.what
    assert str(tmp_path / "build.log") in caught.value.do
    assert "[zlib] 12\n" in (tmp_path / "build.log").read_text()


def test_a_compiler_that_meets_a_full_disk_is_told_as_such(commands: Commands, tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match=re.escape(str(tmp_path))):
        commands.run("zlib", ["sh", "-c", "echo 'write: No space left on device'; exit 1"], tmp_path)


def test_a_program_and_its_children_end_when_the_build_is_stopped(commands: Commands, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            commands.run("zlib", ["sh", "-c", "sleep 600 & echo $! >child; wait"], tmp_path)
        except Interrupted as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    child = tmp_path / "child"
    wait_until(lambda: child.is_file() and bool(child.read_text().strip()))
    commands.stop()
    thread.join(30)
    assert len(failures) == 1
    status = Path(f"/proc/{child.read_text().strip()}/stat")
    wait_until(lambda: not status.exists() or status.read_text().split()[2] == "Z")
    with pytest.raises(Interrupted):
        commands.run("zlib", ["true"], tmp_path)


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_callers_flags_do_not_reach_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CFLAGS", "LDFLAGS", "PYTHONPATH", "GOFLAGS", "LC_ALL", "MAKEFLAGS"):
        monkeypatch.setenv(name, "from the shell")
    monkeypatch.setenv("HTTPS_PROXY", "kept")
    environment = clean_environment({"CFLAGS": "ours"})
    assert (environment["CFLAGS"], environment["LC_ALL"], environment["HTTPS_PROXY"]) == ("ours", "C", "kept")
    assert not {"LDFLAGS", "PYTHONPATH", "GOFLAGS", "MAKEFLAGS"} & environment.keys()


def test_jobs_run_after_what_they_need_and_get_its_results() -> None:
    seen: list[str] = []

    def job(name: str, *needs: str) -> Job:
        def run(needed: dict[str, Any]) -> str:
            assert needed == {each: each.upper() for each in needs}
            seen.append(name)
            return name.upper()

        return Job(name, run, needs)

    jobs = [job("c", "a", "b"), job("a"), job("b", "a"), job("d")]
    assert run_all(jobs, 2, lambda: None) == {"a": "A", "b": "B", "c": "C", "d": "D"}
    assert seen.index("a") < seen.index("b") < seen.index("c")


def test_the_first_failure_stops_what_runs_and_starts_nothing_more(commands: Commands, tmp_path: Path) -> None:
    started = threading.Event()

    def fail(_needed: dict[str, Any]) -> None:
        started.wait(30)
        raise RecipeError("zlib failed", "repair it")

    def long(_needed: dict[str, Any]) -> None:
        started.set()
        commands.run("openssl", ["sleep", "600"], tmp_path)

    def never(_needed: dict[str, Any]) -> None:
        raise AssertionError("started after the failure")

    with pytest.raises(RecipeError, match="zlib failed"):
        run_all([Job("openssl", long), Job("zlib", fail), Job("later", never)], 2, commands.stop)


def test_a_missing_tool_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        toolchain.require(["make", "flex", "make"], "building collectd 5.12.0")
    assert "building collectd 5.12.0" in caught.value.what
    assert "flex" in caught.value.what
    assert "make" in caught.value.what
    assert re.search(r"apt-get install -y --no-install-recommends flex make$", caught.value.do, flags=re.MULTILINE)
    assert "--install-tools" in caught.value.do


def test_tools_that_cannot_be_installed_are_still_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: Commands
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="flex"):
        toolchain.install(["flex"], commands)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "plan9-mips"], ["plan9-mips", "linux-amd64"]),
        (["--without", "collectd"], ["collectd", "--without grafana"]),
        (["--without", "grafana", "--grafana", "x.tar.gz"], ["contradict"]),
        (["--grafana-sha256", "00"], ["--grafana FILE"]),
        (["--sources-dir", "/nonexistent"], ["/nonexistent"]),
    ],
)
def test_options_that_cannot_be_carried_out_end_with_2_and_say_why(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in words)
    assert said.startswith("make-package: ")


def test_each_part_has_one_line_where_the_output_is_piped(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.start("zlib 1.3.2", "fetching")
    progress.start("zlib 1.3.2", "building")
    progress.done("zlib 1.3.2", "built")
    progress.close()
    assert re.fullmatch(r"zlib 1\.3\.2 +built +\d+\.\d s\n", capsys.readouterr().out)
