"""Each type runs its programs, is healthy, and listens exactly where the golden file says (promise 18)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests import proc
from tests.stack import Stack, free_port_range, install, run_installer, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden/sockets.json"
SOCKET_OF_A_PROCESS = re.compile(r"\.sock\.\d+$")
BACKEND, AGENT = ["go-carbon", "carbonapi"], ["collectd", "collectors"]
PAGES = ["console"]


class Case(NamedTuple):
    """What is installed (P+1 in an argument is the port of carbon) and what it then runs."""

    arguments: tuple[str, ...]
    programs: list[str]
    grafana: bool = False


CASES = {
    "all": Case(("--type", "all"), BACKEND + PAGES + AGENT),
    "all with grafana and pickle": Case(
        ("--type", "all", "--pickle"), [*BACKEND, "grafana", *PAGES, *AGENT], grafana=True
    ),
    "server": Case(("--type", "server"), BACKEND + PAGES),
    "server for everybody": Case(("--type", "server", "--listen", "0.0.0.0"), BACKEND + PAGES),
    "server with grafana for everybody": Case(
        ("--type", "server", "--listen", "0.0.0.0"), [*BACKEND, "grafana", *PAGES], grafana=True
    ),
    "agent": Case(("--type", "agent", "--carbon-server", "127.0.0.1:P+1"), AGENT),
    "backend": Case(("--type", "backend"), BACKEND),
    "frontend": Case(("--type", "frontend", "--carbonapi-server", "127.0.0.1:P+2"), PAGES),
    "frontend with grafana": Case(
        ("--type", "frontend", "--carbonapi-server", "127.0.0.1:P+2"), ["grafana", *PAGES], grafana=True
    ),
    "backend-agent": Case(("--type", "backend-agent"), BACKEND + AGENT),
}


@pytest.fixture(params=CASES)
def installed(request: pytest.FixtureRequest, workspace: Path) -> Iterator[Stack]:
    case = CASES[request.param]
    release: Path = request.getfixturevalue("release_with_grafana" if case.grafana else "release")
    with free_port_range() as port:
        arguments = [re.sub(r"P\+(\d)", lambda match: str(port + int(match[1])), text) for text in case.arguments]
        stack = install(release, workspace / "dkm", port, *arguments)
        yield stack
        stack.stop()


def test_a_healthy_installation_shows_only_running_programs_and_the_golden_sockets(
    installed: Stack, request: pytest.FixtureRequest, update_golden: bool
) -> None:
    name = request.node.callspec.params["installed"]
    installed.start()

    status = wait_for("every program to run", lambda: _all_running(installed))
    assert sorted(status) == sorted(CASES[name].programs)

    supervisord = int((installed.dir / "run/supervisord.pid").read_text())
    # Every program listens before it takes its next step: wait for the first points, and look once.
    if "collectors" in status and "carbonapi" in status:
        wait_for("a point of collectd", lambda: installed.newest("collectd.*.load.load.shortterm") is not None)
    if "collectd" in status:
        wait_for("collectd's socket", (installed.dir / "run/collectd.sock").exists)
    wait_for("every address to answer", lambda: _answers(installed))
    sockets = _sockets(installed, supervisord)
    expected = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if update_golden:
        expected[name] = sockets
        GOLDEN.write_text(json.dumps(expected, indent=2, sort_keys=True) + "\n")
    assert sockets == expected[name]


def _answers(stack: Stack) -> bool:
    rows = json.loads(stack.dkm("doctor", "--json", check=False).stdout)
    return all(row["status"] == "ok" for row in rows if row["check"] == "ports")


def _all_running(stack: Stack) -> list[str]:
    status = stack.dkm("status", check=False)
    rows = [line.split() for line in status.stdout.splitlines()]
    return [row[0] for row in rows] if status.returncode == 0 and all(row[1] == "RUNNING" for row in rows) else []


def _sockets(stack: Stack, supervisord: int) -> list[str]:
    found = []
    for pid, name in proc.descendants(supervisord).items():
        for text in proc.listening([pid]):
            named = text.replace(f"{stack.dir}/", "DIR/")
            for offset in range(10):
                named = named.replace(f":{stack.port + offset}", f":P+{offset}")
            # the kernel keeps the name that supervisord bound; it linked it to the one that clients use
            found.append(f"{'supervisord' if pid == supervisord else name}: {SOCKET_OF_A_PROCESS.sub('.sock', named)}")
    return sorted(found)


def test_a_stopped_installation_leaves_no_process_behind(release: Path, workspace: Path) -> None:
    with free_port_range() as port:
        stack = install(release, workspace / "dkm", port).start()
        wait_for("every program to run", lambda: _all_running(stack))
        supervisord = int((stack.dir / "run/supervisord.pid").read_text())
        family = proc.descendants(supervisord)
        assert len(family) >= 5

        stack.stop()

        def alive() -> list[int]:
            return [pid for pid in family if Path(f"/proc/{pid}").exists()]

        wait_for("all processes to be gone", lambda: not alive())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--type", "agent"), "--carbon-server"),
        (("--type", "frontend"), "--carbonapi-server"),
        (("--type", "backend", "--listen", "0.0.0.0"), "no web pages"),
        (("--database", "postgresql://dkm:x@127.0.0.1/dkm"), "--database-password-file"),
        (("--type", "sever"), "sever"),
    ],
)
def test_a_type_that_cannot_work_is_refused_and_nothing_is_written(
    release: Path, workspace: Path, arguments: tuple[str, ...], says: str
) -> None:
    who = () if os.geteuid() else ("--as-root",)
    with free_port_range() as port:
        outcome = run_installer(release, "-d", str(workspace / "dkm"), "-p", str(port), *who, *arguments)

    assert outcome.returncode != 0
    assert says in outcome.stdout + outcome.stderr
    assert list(workspace.iterdir()) == []
