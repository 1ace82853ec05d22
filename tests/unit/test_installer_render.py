"""What is rendered, for each type and for the options that show: golden files, and every file parsed."""

from __future__ import annotations

import configparser
import dataclasses
import os
import pwd
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from supervisor.options import ServerOptions

import collectors
from dkumonitor import listener
from dkumonitor.mail.settings import MailSettings
from dkumonitor.settings import Settings
from installer import boot
from installer.address import Endpoint
from installer.boot import render_unit, unit_name
from installer.certificate import names_for
from installer.errors import DirectoryError, UsageError
from installer.layout import lay_out
from installer.machine import Account
from installer.options import Options
from installer.plan import describe, make_plan
from installer.release import Release
from installer.render import File, render

if TYPE_CHECKING:
    from installer.installation import Installation

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
GOLDEN = Path(__file__).parent / "golden/installer"
SERVER = Endpoint("m.example.org", 15001)
CASES: dict[str, dict[str, Any]] = {
    "all": {},
    "all-grafana": {"has_grafana": True},
    "server-grafana": {"type": "server", "has_grafana": True},
    "agent": {"type": "agent", "port": None, "carbon_server": SERVER},
    "backend": {"type": "backend"},
    "frontend": {"type": "frontend", "has_grafana": True, "carbonapi_server": Endpoint("m.example.org", 15002)},
    "frontend-console": {"type": "frontend", "carbonapi_server": Endpoint("m.example.org", 15002)},
    "backend-agent": {"type": "backend-agent"},
    "addresses": {"carbon_listen": "::", "carbonapi_listen": "::1", "listen": "::1", "has_grafana": True},
    "tls": {"listen": "10.0.0.1", "has_grafana": True},
    "no-tls": {"type": "server", "listen": "0.0.0.0", "no_tls": True},
    "database": {"database": "postgresql://dkm@db.example.org/dkm", "database_password": b"of-the-database"},
    "options": {"pickle": True, "interval_seconds": 60, "hostname": "db-1.example.org", "system_collectd": True},
    "space": {"directory": Path("/srv/my monitor (é)"), "has_grafana": True},
}


def options_of(case: str, directory: Path | None = None) -> tuple[Options, bool]:
    wanted = {"directory": directory or Path("/opt/dkm"), "port": 15000, **CASES[case]}
    has_grafana = wanted.pop("has_grafana", False)
    return Options(**wanted), has_grafana


def installation_of(options: Options, *, has_grafana: bool, user: str = "alice") -> Installation:
    return lay_out(
        options,
        version="1.2.3",
        has_grafana=has_grafana,
        hostname="one.example.org",
        user=user,
        system_collectd="/usr/sbin/collectd" if options.system_collectd else None,
    )


def rendered(case: str, directory: Path | None = None, user: str = "alice") -> tuple[Options, tuple[File, ...]]:
    options, has_grafana = options_of(case, directory)
    return options, render(TEMPLATES, installation_of(options, has_grafana=has_grafana, user=user), options.directory)


@pytest.mark.parametrize("case", CASES)
def test_the_plan_and_the_configuration_are_the_golden_ones(case: str, update_golden: bool) -> None:
    options, has_grafana = options_of(case)
    installation = installation_of(options, has_grafana=has_grafana)
    release = Release(Path("/release"), "1.2.3", (), (), "", 100 << 20)
    files = render(TEMPLATES, installation, options.directory)
    account = Account("alice", 1000, 1000, frozenset())
    names = names_for("one.example.org", options.listen)
    password = options.database_password
    plan = make_plan(
        options.directory, installation, release, account, files, database_password=password, certificate_names=names
    )
    shown = [f"=== {file.path} {file.mode:04o}\n{file.text}" for file in plan.files if file.path.startswith("conf/")]
    text = describe(plan) + "\n" + "\n".join(shown)
    assert "of-the-database" not in text
    assert "of-the-database" not in repr(plan)

    golden = GOLDEN / f"{case}.txt"
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text()


def _as_carbon_writes(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=True)
    parser.read_string(text)
    return parser


@pytest.mark.parametrize("case", CASES)
def test_every_rendered_file_is_what_its_name_says(case: str) -> None:
    _options, files = rendered(case)
    for file in files:
        name = file.path.removeprefix("conf/")
        if name.endswith((".toml", "go-carbon.conf", "telegraf.conf")):
            assert tomllib.loads(file.text) is not None
        elif name.endswith((".yaml", ".yml")):
            assert isinstance(yaml.safe_load(file.text), dict)
        elif name.endswith(".ini") or name.startswith("go-carbon/storage"):
            assert _as_carbon_writes(file.text).sections()
        elif file.path.startswith("bin/"):
            subprocess.run(["sh", "-n"], input=file.text, text=True, check=True)
        else:
            assert name.startswith(("collectd/", "supervisord/")), f"{name} is not looked at here"


@pytest.mark.parametrize("case", CASES)
def test_everything_goes_through_the_link_lib_and_nothing_names_a_release(case: str) -> None:
    options, files = rendered(case)
    for file in files:
        if file.path.startswith("conf/"):
            assert "releases/" not in file.text, file.path
            assert "{{" not in file.text, file.path
            assert str(options.directory) in file.text or "supervisord" not in file.path


@pytest.mark.parametrize("case", ["all-grafana", "agent", "space", "tls"])
def test_supervisord_reads_its_configuration_as_it_is_meant(case: str, tmp_path: Path) -> None:
    directory = tmp_path / "my monitor (é)"
    (directory / "run").mkdir(parents=True)
    caller = pwd.getpwuid(os.geteuid()).pw_name
    options, files = rendered(case, directory, caller) if case != "space" else _in(directory, caller)
    text = next(file.text for file in files if file.path.endswith("supervisord.conf"))
    path = tmp_path / "supervisord.conf"
    path.write_text(text)

    supervisord = ServerOptions()
    supervisord.realize(["-c", str(path)])

    has_grafana = options_of(case)[1]
    programs = {group.name: group.process_configs[0] for group in supervisord.process_group_configs}
    assert set(programs) == set(installation_of(options, has_grafana=has_grafana).programs)
    for program in programs.values():
        words = shlex.split(program.command)
        assert words[:4] == [f"{directory}/lib/python/bin/python3", "-I", "-m", "dkumonitor.launch"]
        assert "--" in words
        assert not program.autostart
        assert program.startsecs == 1
        assert program.stdout_logfile_maxbytes > 0
        assert program.stdout_logfile.startswith(f"{directory}/run/")
    assert supervisord.configroot.supervisord.pidfile == f"{directory}/run/supervisord.pid"
    (server,) = supervisord.server_configs
    assert server["file"] == f"{directory}/run/supervisord.sock"
    assert server["chmod"] == 0o600
    keepers = [settings for name, factory, settings in supervisord.rpcinterface_factories if factory is listener.keep]
    if "console" in programs:
        listens = options_of(case)[0].listen
        assert keepers == [{"program": "console", "address": listens, "port": "15006" if has_grafana else "15000"}]
    else:
        assert keepers == []
    if "go-carbon" in programs:
        assert programs["go-carbon"].stopsignal.name == "SIGUSR2"
        assert programs["go-carbon"].stopwaitsecs == 60


def _in(directory: Path, user: str) -> tuple[Options, tuple[File, ...]]:
    options, has_grafana = options_of("space")
    options = dataclasses.replace(options, directory=directory)
    return options, render(TEMPLATES, installation_of(options, has_grafana=has_grafana, user=user), directory)


def test_grafana_reads_its_datasource_and_secrets_where_they_are() -> None:
    _options, files = rendered("all-grafana")
    text = {file.path.removeprefix("conf/grafana/"): file.text for file in files if "grafana/" in file.path}

    (source,) = yaml.safe_load(text["provisioning/datasources/dkm.yaml"])["datasources"]
    assert (source["uid"], source["url"]) == ("dkm-graphite", "http://127.0.0.1:15002")
    (provider,) = yaml.safe_load(text["provisioning/dashboards/dkm.yaml"])["providers"]
    assert provider["options"]["path"] == "/opt/dkm/lib/dashboards"
    assert provider["disableDeletion"] is False
    ini = _as_carbon_writes(text["grafana.ini"])
    assert ini["security"]["admin_password"] == "$__file{/opt/dkm/conf/secrets/admin_password}"
    assert ini["security"]["secret_key"] == "$__file{/opt/dkm/conf/secrets/grafana_secret_key}"
    assert "grafana.com" not in text["grafana.ini"]
    assert ini["server"]["protocol"] == "http"


def test_grafana_has_the_certificate_of_the_console() -> None:
    _options, files = rendered("tls")
    ini = _as_carbon_writes(next(file.text for file in files if file.path.endswith("grafana.ini")))
    assert ini["server"]["protocol"] == "https"
    assert ini["server"]["cert_file"] == "/opt/dkm/conf/tls/certificate.pem"
    assert ini["server"]["cert_key"] == "/opt/dkm/conf/secrets/tls_key.pem"
    assert ini["server"]["root_url"] == "https://10.0.0.1:15000/"
    assert ini["security"]["cookie_secure"] == "true"


@pytest.mark.parametrize("case", CASES)
def test_the_core_reads_the_settings_that_the_installer_writes(case: str, tmp_path: Path) -> None:
    _options, files = rendered(case)
    settings = tmp_path / "dkumonitor.toml"
    settings.write_text(next(file.text for file in files if file.path == "conf/dkumonitor.toml"))
    assert Settings.load(settings, dict.fromkeys(collectors.names()), 10).interval_seconds == 10


def test_the_commented_settings_are_the_ones_there_are(tmp_path: Path) -> None:
    _options, files = rendered("all")
    text = next(file.text for file in files if file.path == "conf/dkumonitor.toml").partition("# Mail:")[0]
    shown = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ") and " = " in line]
    shown = [line for line in shown if not line.startswith(("server =", "jupyter_kernel ="))]
    assert len(shown) == 11
    uncommented = "\n".join(
        line.removeprefix("# ") if line.removeprefix("# ") in shown else line for line in text.splitlines()
    )
    settings = tmp_path / "dkumonitor.toml"
    settings.write_text(uncommented)
    defaults = tmp_path / "defaults.toml"
    defaults.write_text("[collectors.host]\ninterval_seconds = 10\n")

    known = {name: collector.settings for name, collector in collectors.discover().collectors.items()}
    assert Settings.load(settings, known, 10) == Settings.load(defaults, known, 10)


def test_the_commented_settings_of_mail_are_all_there_are_and_work(tmp_path: Path) -> None:
    _options, files = rendered("all")
    text = next(file.text for file in files if file.path == "conf/dkumonitor.toml").partition("# [mail]\n")[2]
    lines = [line.removeprefix("# ") for line in text.splitlines() if " = " in line]
    settings = tmp_path / "dkumonitor.toml"
    settings.write_text("\n".join(["[mail]", *lines]))
    read = Settings.load(settings, {}, 10).mail
    assert [line.partition(" = ")[0] for line in lines] == list(MailSettings.__struct_fields__)
    assert (read.security, read.real_port) == ("starttls", 587)
    for name in ("login", "timeout_seconds", "spool_max_bytes"):
        assert getattr(read, name) == getattr(MailSettings(), name)


def _owned_by(directory: Path, uid: int) -> Path:
    (directory / "bin").mkdir(parents=True)
    for name in ("dkm", "dkmadmin"):
        (directory / "bin" / name).write_text("#!/bin/sh\n")
        (directory / "bin" / name).chmod(0o755)
    os.chown(directory, uid, -1)
    return directory


def _unit(directory: Path, user: str) -> str:
    options, has_grafana = options_of("all", directory)
    return render_unit(directory, installation_of(options, has_grafana=has_grafana, user=user), TEMPLATES)


def test_only_what_is_roots_is_run_with_roots_rights(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("this test needs root, to make folders of several owners")
    mine, other = _owned_by(tmp_path / "mine", 0), _owned_by(tmp_path / "other", 1)
    assert f'ExecStartPre=-+"{mine}/bin/dkmadmin" resume\n' in _unit(mine, "daemon")
    for exposed in (other, _owned_by(other / "below", 0)):
        lines = _unit(exposed, "daemon").splitlines()
        assert f'ExecStart=-"{exposed}/bin/dkm" start' in lines
        assert not [line for line in lines if line.startswith("Exec") and "+" in line.partition('"')[0]]


def test_boot_is_refused_where_root_would_run_anothers_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.fail("this test needs root, to make a folder of another owner")
    units = tmp_path / "units"
    units.mkdir()
    monkeypatch.setattr(boot, "UNITS", units)
    monkeypatch.setattr(boot, "RUNNING_SYSTEMD", units)
    directory = _owned_by(tmp_path / "dkm", 1)
    options, _has_grafana = options_of("all", directory)
    installation = installation_of(options, has_grafana=False, user="daemon")

    with pytest.raises(DirectoryError, match="root must not run") as refused:
        boot.install_boot(directory, installation, TEMPLATES, None)
    assert "install-boot --print" in refused.value.do
    assert f"@reboot '{directory}/bin/dkm' start" in refused.value.do
    with pytest.raises(DirectoryError, match="root must not run") as refused:
        boot.remove_boot(directory, installation, "two")
    assert f"rm {units}/dkumonitor.two.service" in refused.value.do
    assert list(units.iterdir()) == []


def test_the_unit_is_printed_for_root_to_place(tmp_path: Path) -> None:
    directory = _owned_by(tmp_path / "dkm", os.geteuid())
    (directory / "conf").mkdir()
    (directory / "lib").mkdir()
    (directory / "lib/templates").symlink_to(TEMPLATES)
    user = pwd.getpwuid(os.geteuid()).pw_name
    options, _has_grafana = options_of("all", directory)
    installation = installation_of(options, has_grafana=False, user=user)
    (directory / "conf/installation.json").write_text(installation.to_json())

    said = subprocess.run(
        [sys.executable, "-m", "installer.admin", "install-boot", "--print", "--name", "two"],
        env={"DKM_DIR": str(directory)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == _unit(directory, user)
    assert "install -m 644 dkumonitor.two.service /etc/systemd/system/dkumonitor.two.service\n" in said.stderr
    assert "systemctl enable dkumonitor.two.service\n" in said.stderr


@pytest.mark.parametrize("user", ["daemon", "root"])
def test_the_unit_starts_dkm_and_exposes_little(user: str, tmp_path: Path) -> None:
    unit = tmp_path / "dkumonitor.service"
    unit.write_text(_unit(_owned_by(tmp_path / "my monitor", os.geteuid()), user))

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=29", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_a_unit_is_named_for_the_installation() -> None:
    assert unit_name(None) == "dkumonitor.service"
    assert unit_name("two") == "dkumonitor.two.service"
    with pytest.raises(UsageError):
        unit_name("../x")
