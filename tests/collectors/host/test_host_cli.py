import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click.testing
import pytest

from collectors import command, command_names
from collectors.host.collector import METRICS

DESCRIPTION = {"version": "0.1.0", "type": "agent", "host": "h", "user": "u", "interval_seconds": 10, "programs": []}
COLUMNS = [metric.name.rpartition(".")[2] for metric in METRICS if metric.name.startswith("users.")]


def run(*arguments: str) -> str:
    ended = click.testing.CliRunner().invoke(command("host"), arguments, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    description: dict[str, Any] = {
        **DESCRIPTION,
        **dict.fromkeys(("listen", "carbon_listen", "carbonapi_listen"), "127.0.0.1"),
        **dict.fromkeys(("carbon_server", "carbonapi_server", "system_collectd")),
        "ports": dict.fromkeys(("web", "carbon", "carbonapi", "carbonserver", "pickle", "console")),
        "grafana": False,
        "tls": False,
        "database": None,
    }
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/installation.json").write_text(json.dumps(description))
    (tmp_path / "conf/dkumonitor.toml").write_text("[collectors.host.patterns]\nburner = 'dkumonitor-burner'\n")
    monkeypatch.setenv("DKM_DIR", str(tmp_path))
    monkeypatch.delenv("DKM_CONF", raising=False)
    return tmp_path


def test_the_host_collector_has_a_command() -> None:
    assert "host" in command_names()


def test_users_are_listed_with_the_metrics_columns() -> None:
    rows = json.loads(run("users", "--json"))
    assert list(rows[0]) == ["user", *COLUMNS]
    [mine] = [row for row in rows if row["user"] == __import__("pwd").getpwuid(os.getuid()).pw_name]
    assert mine["processes"] >= 1
    assert mine["cpu_percent"] is not None
    header, *lines = csv.reader(io.StringIO(run("users", "--csv")))
    assert header == ["user", *COLUMNS]
    assert lines
    assert "resident" in run("users")


def test_patterns_are_those_of_the_settings(installed: Path) -> None:
    assert installed
    burn = "import sys\nsys.argv\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", burn, "dkumonitor-burner"]) as burner:
        try:
            [row] = json.loads(run("patterns", "--json"))
        finally:
            burner.kill()
    assert list(row) == ["pattern", *COLUMNS]
    assert (row["pattern"], row["processes"]) == ("burner", 1)
    assert row["cpu_percent"] > 0
