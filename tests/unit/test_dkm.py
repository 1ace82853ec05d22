"""The command's own parts, without a running stack."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import msgspec
import pytest
from click.testing import CliRunner

from dkm import doctor, identity
from dkm.main import cli
from dkumonitor.doctor.findings import Finding, Status
from dkumonitor.errors import AccessError
from tests.console_app import ROOT
from tests.installations import an_installation

if TYPE_CHECKING:
    from pathlib import Path


def test_urls_as_json_are_one_flat_object_with_the_designed_keys(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(cli, ["urls", "--json"], obj=an_installation(tmp_path))

    keys = {"web", "console", "grafana", "carbon", "carbonapi", "admin_user", "admin_password_file"}
    assert set(json.loads(outcome.output)) == keys


@pytest.mark.parametrize(("verb", "meant"), [("staus", "status"), ("ulrs", "urls"), ("hots", "host")])
def test_a_mistyped_verb_is_met_with_the_one_that_was_meant(tmp_path: Path, verb: str, meant: str) -> None:
    outcome = CliRunner().invoke(cli, [verb], obj=an_installation(tmp_path))

    assert outcome.exit_code == 2
    assert f"did you mean '{meant}'?" in outcome.output


def test_a_verb_with_an_escape_code_is_shown_harmless(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(cli, ["\x1b[2Jxyzzyq"], obj=an_installation(tmp_path))

    assert outcome.exit_code == 2
    assert "\x1b" not in outcome.output


def test_help_shows_our_verbs_the_collectors_and_those_of_supervisorctl(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(cli, ["--help"], obj=an_installation(tmp_path))

    for verb in ("urls", "doctor", "host", "restart", "reread", "maintail"):
        assert verb in outcome.output


def test_every_verb_shows_examples_of_itself(tmp_path: Path) -> None:
    def without(command: click.Command, path: str) -> list[str]:
        context = click.Context(command, info_name=path, obj=an_installation(tmp_path))
        found = [] if "Example" in command.get_help(context) or "Begin with" in command.get_help(context) else [path]
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                if below is not None and not below.hidden:
                    found += without(below, f"{path} {name}")
        return found

    assert without(cli, "dkm") == []


def test_version_is_that_of_the_installation(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["--version"], obj=an_installation(tmp_path)).output == "1.2.3\n"


def test_the_report_tells_what_to_do_below_what_is_not_well_and_sums_up() -> None:
    findings = [
        Finding("room", "storage", Status.OK, "plenty"),
        Finding("clock", "kernel", Status.WARNING, "drifts\x1b[2J", "switch on chrony"),
    ]

    told = click.unstyle(doctor.report(findings))

    assert told.splitlines() == [
        "ok       room   storage  plenty",
        "warning  clock  kernel   drifts\\x1b[2J",
        "         do: switch on chrony",
        "",
        "2 checks: 1 ok, 1 warning",
    ]


def test_an_account_without_a_name_controls_its_own_installation(tmp_path: Path) -> None:
    identity.act_as_service_user(an_installation(tmp_path, user=str(os.geteuid())))


def test_an_account_that_is_gone_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="does not exist"):
        identity.act_as_service_user(an_installation(tmp_path, user="no-such-account"))


def test_the_service_user_itself_is_let_through(tmp_path: Path) -> None:
    identity.act_as_service_user(an_installation(tmp_path, user=pwd.getpwuid(os.geteuid()).pw_name))


def test_a_log_folder_has_every_call_and_its_failure_and_a_wrong_one_stops_nothing(tmp_path: Path) -> None:
    described = msgspec.structs.asdict(an_installation(tmp_path, user=pwd.getpwuid(os.geteuid()).pw_name))
    del described["dir"]
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/installation.json").write_bytes(msgspec.json.encode(described))

    def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dkm", *words],
            env={"PATH": os.environ["PATH"], "DKM_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "DKM_LOG": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert call(tmp_path, "urls", "--json").returncode == 0
    failed = call(tmp_path, "store", "status")
    assert failed.returncode != 0
    lines = [line.split(" ", 3)[2:] for line in (tmp_path / "dkm.log").read_text().splitlines()]
    said = failed.stderr.strip().removeprefix("dkm: ")
    assert lines == [["INFO", "dkm urls --json"], ["INFO", "dkm store status"], ["INFO", f"failed: {said}"]]

    unlogged = call(tmp_path / "nowhere", "urls", "--json")
    assert (unlogged.returncode, "$DKM_LOG names no folder to write to" in unlogged.stderr) == (0, True)
