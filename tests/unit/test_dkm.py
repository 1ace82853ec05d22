"""The command's own parts, without a running stack."""

from __future__ import annotations

import json
import os
import pwd
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from dkm import checks, doctor, identity
from dkm.findings import Finding, Status
from dkm.main import cli
from dkm.urls import listening, urls
from dkumonitor.errors import AccessError
from dkumonitor.installation import Installation, Ports

if TYPE_CHECKING:
    from pathlib import Path

ALL_PORTS = Ports(web=15000, carbon=15001, carbonapi=15002, carbonserver=15003, pickle=None)


def an_installation(directory: Path, **changes: Any) -> Installation:
    plain: dict[str, Any] = {
        "dir": directory,
        "version": "1.2.3",
        "type": "all",
        "host": "example",
        "user": "alice",
        "interval_seconds": 10,
        "programs": ("go-carbon", "carbonapi", "collectd", "collectors"),
        "listen": "127.0.0.1",
        "carbon_listen": "127.0.0.1",
        "carbonapi_listen": "127.0.0.1",
        "ports": ALL_PORTS,
        "carbon_server": "127.0.0.1:15001",
        "carbonapi_server": "127.0.0.1:15002",
        "grafana": False,
        "system_collectd": None,
    }
    return Installation(**(plain | changes))


def test_urls_without_grafana_name_no_page_and_no_password(tmp_path: Path) -> None:
    found = urls(an_installation(tmp_path))

    assert (found.web, found.grafana, found.console, found.admin_user, found.admin_password_file) == (None,) * 5
    assert (found.carbon, found.carbonapi) == ("127.0.0.1:15001", "http://127.0.0.1:15002")


def test_urls_with_grafana_name_the_page_and_the_file_of_the_password(tmp_path: Path) -> None:
    found = urls(an_installation(tmp_path, grafana=True))

    assert found.web == found.grafana == "http://127.0.0.1:15000"
    assert found.admin_password_file == f"{tmp_path}/conf/secrets/grafana_admin_password"


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("0.0.0.0", "127.0.0.1:15001"), ("::", "[::1]:15001"), ("10.0.0.7", "10.0.0.7:15001")],
)
def test_an_address_is_one_that_this_machine_can_reach(tmp_path: Path, listen: str, expected: str) -> None:
    assert str(listening(an_installation(tmp_path, carbon_listen=listen))["carbon"]) == expected


def test_an_agent_listens_nowhere(tmp_path: Path) -> None:
    nothing = Ports(web=None, carbon=None, carbonapi=None, carbonserver=None, pickle=None)
    assert listening(an_installation(tmp_path, ports=nothing)) == {}


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


def test_version_is_that_of_the_installation(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["--version"], obj=an_installation(tmp_path)).output == "1.2.3\n"


def test_the_doctor_fails_on_a_failure_alone() -> None:
    fine = Finding("a", "b", Status.OK, "")
    worrying = Finding("a", "b", Status.WARNING, "", "look")
    broken = Finding("a", "b", Status.FAILED, "", "mend")

    assert [doctor.exit_code(found) for found in ([fine], [fine, worrying], [worrying, broken])] == [0, 0, 1]


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


def test_a_secret_that_others_can_read_is_a_failure_that_names_the_mend(tmp_path: Path) -> None:
    folder = tmp_path / "conf/secrets"
    folder.mkdir(parents=True)
    for name, mode in (("grafana_admin_password", 0o600), ("grafana_secret_key", 0o640)):
        (folder / name).touch()
        (folder / name).chmod(mode)

    good, bad = checks.secrets(an_installation(tmp_path, grafana=True))

    assert (good.subject, good.status) == ("grafana_admin_password", Status.OK)
    assert (bad.subject, bad.status) == ("grafana_secret_key", Status.FAILED)
    assert bad.do == f"chmod 600 {folder}/grafana_secret_key"


def test_a_check_that_cannot_look_is_a_failure_and_stops_no_other(tmp_path: Path) -> None:
    findings = doctor.examine(an_installation(tmp_path, grafana=True))  # nothing at all is there

    assert {"programs", "ports", "room", "secrets"} <= {finding.check for finding in findings}
    assert [finding.detail for finding in findings if finding.check == "secrets"] == [
        "cannot look: No such file or directory"
    ]


def test_an_account_without_a_name_controls_its_own_installation(tmp_path: Path) -> None:
    identity.act_as_service_user(an_installation(tmp_path, user=str(os.geteuid())))


def test_supervisord_that_is_not_there_is_a_failure_that_names_the_start(tmp_path: Path) -> None:
    [finding] = checks.programs(an_installation(tmp_path))

    assert (finding.status, finding.do) == (Status.FAILED, f"{tmp_path}/bin/dkm start")


def test_an_account_that_is_gone_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="does not exist"):
        identity.act_as_service_user(an_installation(tmp_path, user="no-such-account"))


def test_the_service_user_itself_is_let_through(tmp_path: Path) -> None:
    identity.act_as_service_user(an_installation(tmp_path, user=pwd.getpwuid(os.geteuid()).pw_name))
