"""The first page: what it says equals the API and the command, and it says something sensible when nothing is there."""

from __future__ import annotations

import contextlib
import csv
import http.server
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

from console.overview.figures import figure_label, figure_text
from console.overview.watch import Kept
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tokens import Scope
from dkumonitor.errors import ServiceError
from dkumonitor.spark import HEIGHT, WIDTH, spark
from dkumonitor.supervision import Supervision
from dkumonitor.views import Figure
from tests.console_app import ROOT, RunningConsole, running_console
from tests.stack import wait_for
from tests.supervised import SLEEPER, supervised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAPTURED = json.loads((ROOT / "tests/unit/captured/overview.json").read_text())
BY_POINTS = {"96": "day", "169": "trend"}


class Carbonapi(http.server.BaseHTTPRequestHandler):
    """Answers what a real carbonapi answered, as if it were of now; nothing where it is `empty`."""

    empty = False

    def do_POST(self) -> None:
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        part = BY_POINTS.get(form["maxDataPoints"][0], "now")
        if form["target"][0].startswith("highestCurrent(") or form["target"][0].startswith("dkm."):
            part = "users"
        later = int(time.time()) - CAPTURED["now_seconds"]
        wanted = [one for one in CAPTURED[part] if part != "users" or self._is_wanted(one["name"], form["target"])]
        body = json.dumps([] if self.empty else [self._rendered(one, later) for one in wanted]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_wanted(self, name: str, targets: list[str]) -> bool:
        return name.endswith("cpu_percent") if targets[0].startswith("highest") else name in targets

    def _rendered(self, one: dict[str, Any], later: int) -> dict[str, Any]:
        start, step = one["start_seconds"] + later, one["step_seconds"]
        return {
            "target": one["name"],
            "datapoints": [[value, start + index * step] for index, value in enumerate(one["values"])],
        }

    def log_message(self, *_: object) -> None: ...


class EmptyCarbonapi(Carbonapi):
    empty = True


@contextlib.contextmanager
def carbonapi(handler: type[Carbonapi]) -> Iterator[str]:
    """A stand-in on a free port; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder = tmp_path_factory.mktemp("overview")
    me = str(os.geteuid())
    with (
        carbonapi(Carbonapi) as address,
        supervised(folder, {"sleeper": SLEEPER}) as installation,
        running_console(folder, carbonapi=address, user=me) as started,
    ):
        Supervision(installation).start("sleeper")
        yield started


def overview(console: RunningConsole, role: Role = Role.VIEWER) -> dict[str, Any]:
    answer = console.client(role).get("/api/v1/overview")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_page_shows_the_verdict_and_figures_of_the_api(console: RunningConsole) -> None:
    wait_for(
        "the doctor's first findings", lambda: any(p["source"] == "versions" for p in overview(console)["problems"])
    )
    found = overview(console)
    page = console.client(Role.VIEWER).get("/").text

    [host] = found["hosts"]
    [disk] = found["file_systems"]
    assert f"<strong>{found['verdict']}</strong>" in page
    assert f"{host['load']:.1f} for {host['cores']} processors" in page
    assert f"{host['memory_used_percent']:.1f} % used" in page
    assert f"{disk['used_percent']:.1f} %" in page
    assert disk["trend"] in page
    for user in found["users"]:
        assert f"<td>{user['user']}</td>" in page
        assert f"{user['cpu_percent']:.1f}" in page
    assert [service["program"] for service in found["services"]] == ["sleeper"]
    assert 'class="badge ok">sleeper<' in page


def test_the_command_says_what_the_api_says(console: RunningConsole) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "dkm", "overview", "--json"],
        env={"PATH": os.environ["PATH"], "DKM_DIR": str(console.installation.dir), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    by_command, by_api = json.loads(told.stdout), overview(console)

    assert set(by_command) == set(by_api)
    passing = {"last_seen_seconds", "up_seconds", "resident_bytes"}
    for part in ("hosts", "file_systems", "users", "services"):
        for mine, its in zip(by_command[part], by_api[part], strict=True):
            assert {k: v for k, v in mine.items() if k not in passing} == {
                k: v for k, v in its.items() if k not in passing
            }


def test_the_command_writes_its_verdict_first(console: RunningConsole) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "dkm", "overview"],
        env={"PATH": os.environ["PATH"], "DKM_DIR": str(console.installation.dir), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.splitlines()[0].endswith(".")
    assert "sleeper" in told.stdout
    assert told.stderr == ""


@pytest.mark.parametrize(
    ("name", "part"), [("hosts", "hosts"), ("file-systems", "file_systems"), ("top-users", "users")]
)
def test_each_table_is_a_listing_with_the_same_rows(console: RunningConsole, name: str, part: str) -> None:
    viewer = console.client(Role.VIEWER)
    rows = viewer.get(f"/api/v1/{name}").json()["rows"]
    by_csv = list(csv.DictReader(io.StringIO(viewer.get(f"/tables/{name}.csv").text)))

    assert [next(iter(row.values())) for row in rows] == [next(iter(row.values())) for row in overview(console)[part]]
    assert [list(row) for row in rows] == [list(row) for row in by_csv]
    assert viewer.get(f"/tables/{name}").status_code == 200


def test_a_poll_gets_the_changing_part_alone(console: RunningConsole) -> None:
    answer = console.client(Role.VIEWER).get("/", headers={"HX-Request": "true"})

    assert answer.text.lstrip().startswith('<div id="live"')
    assert "<html" not in answer.text


def test_a_token_that_may_read_gets_the_overview_and_a_stranger_does_not(console: RunningConsole) -> None:
    assert console.bearer(Role.VIEWER, Scope.READ).get("/api/v1/overview").status_code == 200
    assert console.stranger().get("/api/v1/overview").status_code == 401


def test_the_line_of_a_day_is_drawn_with_its_figures_in_words(console: RunningConsole) -> None:
    page = console.client(Role.VIEWER).get("/").text

    assert re.search(r'<svg [^>]*role="img" aria-label="Load of vm within a day: from [\d.]+ to [\d.]+, last ', page)
    assert "style=" not in page


def test_an_empty_carbon_says_what_to_run_next(tmp_path: Path) -> None:
    with carbonapi(EmptyCarbonapi) as address, running_console(tmp_path, carbonapi=address) as console:
        page = console.client(Role.VIEWER).get("/")
        found = overview(console)

    assert page.status_code == 200
    assert found["hosts"] == []
    assert "dkm start" in found["next_step"]
    assert found["next_step"] in page.text


def test_carbonapi_that_is_down_is_a_message_and_no_error_page(tmp_path: Path) -> None:
    with running_console(tmp_path, carbonapi="127.0.0.1:1") as console:
        page = console.client(Role.VIEWER).get("/")
        table = console.client(Role.VIEWER).get("/api/v1/hosts")

    assert page.status_code == 200
    assert "carbonapi at http://127.0.0.1:1 does not render" in page.text
    assert (table.status_code, table.json()["type"]) == (502, "/problems/no-answer")


def test_an_installation_without_metrics_still_has_a_first_page(tmp_path: Path) -> None:
    with running_console(tmp_path) as console:
        page = console.client(Role.VIEWER).get("/")

    assert page.status_code == 200
    assert "dkm start" in page.text


def test_a_line_stays_in_its_box_and_has_gaps_where_values_are_missing() -> None:
    drawn = spark([0.0, 4.0, None, 2.0, None, -1.0, 1.0])

    assert drawn is not None
    assert drawn.path.count("M") == 3
    numbers = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", drawn.path)
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in numbers)
    assert drawn.words == "from -1.0 to 4.0, last 1.0"
    assert spark([]) is None
    assert spark([None, None]) is None
    assert spark([5.0]) is not None


def test_a_figure_is_shown_as_a_cell_of_its_name() -> None:
    assert (figure_label(Figure("waiting_bytes", 2048.0)), figure_text(Figure("waiting_bytes", 2048.0))) == (
        "waiting",
        "2.0 KiB",
    )
    assert figure_text(Figure("newest", "a\x1b")) == "a\\x1b"


def test_an_answer_is_kept_for_a_while_an_error_too() -> None:
    seconds, asked = [0.0], list[int]()

    def ask() -> int:
        asked.append(1)
        if len(asked) == 2:
            raise ServiceError("away")
        return len(asked)

    kept = Kept(ask, 5, lambda: seconds[0])
    assert [kept.get(), kept.get()] == [1, 1]
    seconds[0] = 6
    for _ in range(2):
        with pytest.raises(ServiceError, match="away"):
            kept.get()
    seconds[0] = 12
    assert kept.get() == 3
