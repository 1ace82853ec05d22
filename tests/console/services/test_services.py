"""The services page against a real supervisord: it shows what /proc, df and supervisord say, and who may restart."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest

from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tokens import Scope
from dkumonitor.runs import CollectorRun, RunState
from dkumonitor.supervision import Supervision
from tests.console_app import ROOT, RunningConsole, running_console
from tests.stack import wait_for
from tests.supervised import SLEEPER, supervised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = r"import time; print('\x1b[2Jbell\x07 <script>alert(1)</script>', flush=True); time.sleep(600)"
RUN = CollectorRun(
    collector="host",
    state=RunState.FAILED,
    started_seconds=1_700_000_000,
    duration_seconds=0.125,
    detail="ValueError: <b>no</b> \\x1b[2J",
    skipped=3,
    last_success_seconds=None,
    next_due_seconds=1_700_000_010,
    interval_seconds=10,
)
HOSTILE_NAMES = [
    "nosuch",
    "all",
    "*",
    "sleeper:*",
    "sleeper%0a",
    "..%2fsleeper",
    "%00",
    "sleeper%3ball",
    "%ff",
    "a" * 900,
]


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder = tmp_path_factory.mktemp("services")
    (folder / "hostile.py").write_text(HOSTILE)
    programs = {"sleeper": SLEEPER, "hostile": f"{sys.executable} {folder}/hostile.py", "idle": SLEEPER}
    programs["missing"] = "/no/such/program"
    me = str(os.geteuid())
    with supervised(folder, programs) as installation, running_console(folder, user=me) as started:
        for name in ("sleeper", "hostile"):
            Supervision(installation).start(name)
        wait_for("its log", (installation.run / "hostile.log").read_bytes)
        yield started


def rows(console: RunningConsole, listing: str) -> dict[str, dict[str, Any]]:
    answer = console.client(Role.VIEWER).get(f"/api/v1/{listing}")
    assert answer.status_code == 200, answer.text
    return {next(iter(row.values())): row for row in answer.json()["rows"]}


def test_programs_are_shown_as_supervisord_and_proc_have_them(console: RunningConsole) -> None:
    found = rows(console, "services")

    assert {name: row["state"] for name, row in found.items()} == {
        "sleeper": "RUNNING",
        "hostile": "RUNNING",
        "idle": "STOPPED",
        "missing": "STOPPED",
    }
    for name in ("sleeper", "hostile"):
        process = psutil.Process(found[name]["pid"])
        assert name == "sleeper" or "hostile.py" in " ".join(process.cmdline())
        # The kernel counts it in batches.
        assert found[name]["resident_bytes"] == pytest.approx(process.memory_info().rss, abs=2 << 20)
        assert 0 <= found[name]["up_seconds"] <= 600
    assert (found["idle"]["pid"], found["idle"]["resident_bytes"], found["idle"]["up_seconds"]) == (None, None, None)


def test_page_api_csv_and_command_say_the_same(console: RunningConsole) -> None:
    viewer = console.client(Role.VIEWER)
    command = subprocess.run(
        [sys.executable, "-m", "dkm", "services", "--json"],
        env={"PATH": os.environ["PATH"], "DKM_DIR": str(console.installation.dir), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    by_csv = list(csv.DictReader(io.StringIO(viewer.get("/tables/services.csv").text)))
    by_api = list(rows(console, "services").values())
    page = viewer.get("/services").text

    told = json.loads(command.stdout)
    stable = ("program", "state", "pid")
    assert [[row[key] for key in stable] for row in told] == [[row[key] for key in stable] for row in by_api]
    assert [[row[key] for key in stable] for row in by_csv] == [
        [str(row[key]) if row[key] is not None else "" for key in stable] for row in by_api
    ]
    for row in by_api:
        assert row["program"] in page
        assert row["pid"] is None or f">{row['pid']}<" in page


def test_disk_room_is_what_df_says(console: RunningConsole) -> None:
    found = rows(console, "installation-disks")
    told = subprocess.run(
        ["df", "--block-size=1", "--output=size,used,avail,pcent", console.installation.storage],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()[1]
    size, used, free, percent = told.split()
    [disk] = [row for folder, row in found.items() if "storage" in folder]

    assert disk["size_bytes"] == int(size)
    assert abs(disk["used_bytes"] - int(used)) < 0.01 * int(size)
    assert abs(disk["free_bytes"] - int(free)) < 0.01 * int(size)
    assert abs(disk["used_percent"] - int(percent.rstrip("%"))) < 2


def test_the_collectors_last_runs_are_shown_with_their_errors_harmless(console: RunningConsole) -> None:
    (console.installation.run / "collectors.json").write_bytes(msgspec.json.encode([RUN]))

    assert rows(console, "collector-runs")["host"]["detail"] == RUN.detail
    page = console.client(Role.VIEWER).get("/services").text
    assert "ValueError: &lt;b&gt;no&lt;/b&gt; \\x1b[2J" in page
    assert "0.125 s" in page


def test_a_damaged_file_of_runs_is_told_and_takes_nothing_else_from_the_page(console: RunningConsole) -> None:
    file = console.installation.run / "collectors.json"
    file.write_text("{")
    try:
        page = console.client(Role.VIEWER).get("/services")
    finally:
        file.unlink()

    assert page.status_code == 200
    assert "is not what this version writes" in page.text
    assert "sleeper" in page.text


def test_no_collector_says_what_to_run_next(console: RunningConsole) -> None:
    (console.installation.run / "collectors.json").unlink(missing_ok=True)
    assert "dkm start collectors" in console.client(Role.VIEWER).get("/services").text


def test_the_doctors_findings_are_listed(console: RunningConsole) -> None:
    found = console.client(Role.VIEWER).get("/api/v1/findings", params={"limit": 1000}).json()["rows"]

    told = {(row["check"], row["subject"]): row for row in found}
    assert told["programs", "sleeper"]["status"] == "ok"
    assert told["programs", "idle"]["status"] == "failed"
    assert told["programs", "idle"]["do"].endswith("dkm start idle")
    assert told["store", "database"]["status"] == "ok"
    assert told["console", f"{console.url}/health"]["status"] == "ok"


def test_a_poll_gets_the_changing_part_alone(console: RunningConsole) -> None:
    answer = console.client(Role.VIEWER).get("/services", headers={"HX-Request": "true"})

    assert answer.text.lstrip().startswith('<div id="live"')
    assert "<html" not in answer.text


def test_a_viewer_sees_no_button_and_cannot_restart_or_read_a_log(console: RunningConsole) -> None:
    viewer = console.client(Role.VIEWER)
    before = rows(console, "services")["sleeper"]["pid"]

    assert "/restart" not in viewer.get("/services").text
    assert console.post(viewer, "/services/sleeper/restart").status_code == 403
    bearer = console.bearer(Role.VIEWER, Scope.WRITE)
    assert bearer.post("/api/v1/services/sleeper/restart").status_code == 403
    for path in ("/services/sleeper", "/api/v1/services/sleeper/log"):
        assert viewer.get(path).status_code == 403
    assert rows(console, "services")["sleeper"]["pid"] == before


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMIN])
def test_an_operator_restarts_by_the_pages_button_and_the_audit_log_tells(console: RunningConsole, role: Role) -> None:
    client = console.client(role)
    before = rows(console, "services")["sleeper"]["pid"]
    assert 'action="/services/sleeper/restart"' in client.get("/services").text

    answer = console.post(client, "/services/sleeper/restart")

    assert (answer.status_code, answer.headers["location"]) == (303, "/services")
    assert "sleeper was restarted" in client.get("/services").text
    after = rows(console, "services")["sleeper"]
    assert after["state"] == "RUNNING"
    assert after["pid"] not in {None, before}
    audit = console.client(Role.ADMIN).get("/api/v1/audit").json()["rows"]
    assert {"login": role.value, "act": "program-restarted", "about": "sleeper"}.items() <= max(
        audit, key=lambda row: row["at_seconds"] + row.get("id", 0) / 1e6
    ).items()


def test_an_operators_token_restarts_only_with_the_scope_to_write(console: RunningConsole) -> None:
    before = rows(console, "services")["hostile"]["pid"]

    refused = console.bearer(Role.OPERATOR, Scope.READ).post("/api/v1/services/hostile/restart")
    done = console.bearer(Role.OPERATOR, Scope.WRITE).post("/api/v1/services/hostile/restart")

    assert (refused.status_code, done.status_code) == (403, 200)
    assert done.json()["state"] == "RUNNING"
    assert done.json()["pid"] != before


def test_a_restart_needs_the_csrf_token(console: RunningConsole) -> None:
    operator = console.client(Role.OPERATOR)

    assert operator.post("/services/sleeper/restart", data={}).status_code == 403
    assert operator.post("/api/v1/services/sleeper/restart").status_code == 403
    assert operator.get("/services/sleeper/restart").status_code in {404, 405}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_is_no_programs_restarts_nothing(console: RunningConsole, name: str) -> None:
    before = {row["program"]: row["pid"] for row in rows(console, "services").values()}

    bearer = console.bearer(Role.OPERATOR, Scope.WRITE)
    answers = [
        bearer.post(f"/api/v1/services/{name}/restart"),
        bearer.get(f"/api/v1/services/{name}/log"),
        console.post(console.client(Role.OPERATOR), f"/services/{name}/restart"),
        console.client(Role.OPERATOR).get(f"/services/{name}"),
    ]

    assert {answer.status_code for answer in answers} <= {400, 404}
    assert {row["program"]: row["pid"] for row in rows(console, "services").values()} == before


def test_a_program_that_cannot_be_started_is_told_and_audited(console: RunningConsole) -> None:
    answer = console.bearer(Role.OPERATOR, Scope.WRITE).post("/api/v1/services/missing/restart")

    audit = console.client(Role.ADMIN).get("/api/v1/audit").json()["rows"]
    assert (answer.status_code, answer.json()["type"]) == (502, "/problems/no-answer")
    assert "cannot start missing" in answer.json()["detail"]
    assert [row["act"] for row in audit if row["about"] == "missing"] == ["program-restart-failed", "program-restarted"]


def test_the_end_of_a_log_is_shown_harmless_to_an_operator(console: RunningConsole) -> None:
    operator = console.client(Role.OPERATOR)

    log = operator.get("/api/v1/services/hostile/log").json()
    page = operator.get("/services/hostile").text

    assert log["program"] == "hostile"
    assert log["lines"][-1] == "\\x1b[2Jbell\\x07 <script>alert(1)</script>"
    assert "\\x1b[2Jbell\\x07 &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page
    assert "<script>alert" not in page


def test_supervisord_that_is_gone_is_a_message_and_no_error_page(tmp_path: Path) -> None:
    with running_console(tmp_path) as console:
        page = console.client(Role.VIEWER).get("/services")
        api = console.client(Role.VIEWER).get("/api/v1/services")

    assert page.status_code == 200
    assert "supervisord does not answer" in page.text
    assert "bin/dkm start" in page.text
    assert (api.status_code, api.json()["type"]) == (502, "/problems/no-answer")
