"""Arrivals on the installed bundle: put under supervision, through an update, and out of it again."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

from tests import releases
from tests.redis_server import redis_server
from tests.stack import Stack, run_installer, running, wait_for

if TYPE_CHECKING:
    from pathlib import Path

INI = """
[common]
active=true
redis_server=127.0.0.1
redis_port={port}
trigger=complete
settle=0.1

[stage1:common]
directory=stage 1
queue=queue:stage1
counter=counter:stage1
"""


def programs(stack: Stack) -> set[str]:
    return {line.split()[0] for line in stack.dkm("status", check=False).stdout.splitlines()}


def test_the_watcher_is_there_once_it_is_enabled_survives_an_update_and_goes_when_disabled(
    release: Path, workspace: Path
) -> None:
    newer = releases.newer(release, workspace / "newer", "99.0.0")
    work = workspace / "work"
    stage = work / "stage 1"
    stage.mkdir(parents=True)
    ini = work / "observer.ini"
    with redis_server() as server, running(release, workspace / "my dkm", "--interval", "1") as stack:
        client = server.client()
        ini.write_text(INI.format(port=server.port))

        def dkm(*words: str) -> subprocess.CompletedProcess[str]:
            command = [str(stack.dir / "bin/dkm"), "arrivals", *words]
            return subprocess.run(command, cwd=work, env=stack.environment, capture_output=True, text=True, check=False)

        def arrives(name: str) -> None:
            (stage / name).write_text("x")
            event = json.loads(str(wait_for("its announcement", lambda: client.rpop("queue:stage1"))))
            assert (event["directory"], event["filename"]) == ("stage 1", name)
            (stage / name).unlink()  # as a consumer does

        assert "arrivals" not in programs(stack)
        assert json.loads(dkm("status", "--json").stdout) == []
        enabled = dkm("enable", "observer.ini")
        assert enabled.returncode == 0, enabled.stderr
        assert "arrivals" in programs(stack)
        assert stack.dkm("status").returncode == 0
        arrives("first")
        metric = f"dkm.{stack.host}.arrivals.directories.stage1.arrivals_total"
        wait_for("its metric", lambda: stack.newest(metric) == 1, 60)

        stack.stop()
        assert run_installer(newer, "-d", str(stack.dir), "--update").returncode == 0
        (stage / "while-updated").write_text("x")
        stack.start()
        assert "arrivals" in programs(stack)
        wait_for("what came meanwhile", lambda: client.llen("queue:stage1") == 1)
        client.delete("queue:stage1")
        (stage / "while-updated").unlink()
        arrives("second")

        def told() -> tuple[str, str, int]:
            [row] = json.loads(dkm("status", "--json").stdout)
            return row["section"], row["state"], row["arrivals"]

        wait_for("its status, which is told each two seconds", lambda: told() == ("stage1", "ok", 3))

        disabled = dkm("disable")
        assert disabled.returncode == 0, disabled.stderr
        assert "arrivals" not in programs(stack)
        observe_by_its_old_name(stack, work, stage)
        assert client.get("counter:stage1") == "4"


def observe_by_its_old_name(stack: Stack, work: Path, stage: Path) -> None:
    """`directory_observer --config --log`, in the foreground until SIGTERM."""
    command = [str(stack.dir / "bin/directory_observer"), "--config=observer.ini", f"--log={work}/observer.log"]
    with subprocess.Popen(command, cwd=work, env=stack.environment) as observer:
        wait_for(
            "the log", lambda: (work / "observer.log").exists() and "watches" in (work / "observer.log").read_text()
        )
        (stage / "third").write_text("x")
        spools = stack.dir / "storage/spool/arrivals"
        wait_for("the announcement", lambda: any(b'"third"' in path.read_bytes() for path in spools.glob("*/*.events")))
        observer.send_signal(signal.SIGTERM)
        assert observer.wait(30) == 0
