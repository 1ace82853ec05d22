"""Who owns and runs what: an ordinary user's installation, and root's for an account (`--user`)."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import proc
from tests.stack import Stack, free_port_range, run_installer, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE, STRANGER = "nobody", "daemon"  # accounts that every Debian has
SERVICE_UID = pwd.getpwnam(SERVICE).pw_uid


@pytest.fixture(params=["by the user itself", "by root with --user"])
def installed(request: pytest.FixtureRequest, release: Path, workspace: Path) -> Iterator[Stack]:
    assert os.geteuid() == 0, "this test becomes other users, so it needs root"
    with free_port_range() as port:
        directory = workspace / "dkm"
        if request.param == "by the user itself":
            os.chown(workspace, SERVICE_UID, -1)
            outcome = run_installer(release, "-d", str(directory), "-p", str(port), user=SERVICE)
        else:
            outcome = run_installer(release, "-d", str(directory), "-p", str(port), "--user", SERVICE)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        stack = Stack(directory, port)
        yield stack
        stack.stop()


def _entries(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, folders, files in os.walk(directory):
        for name in [*folders, *files]:
            path = Path(folder) / name
            yield path, path.lstat()


def test_every_program_runs_as_the_account_and_measures(installed: Stack) -> None:
    installed.start()  # root calls dkm here, in both cases

    wait_for("a point of collectd", lambda: installed.newest("collectd.*.load.load.shortterm"))
    wait_for("a point of ours", lambda: installed.newest("dkm.*.host.users"))
    family = proc.descendants(int((installed.dir / "run/supervisord.pid").read_text()))
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in family if Path(f"/proc/{pid}").exists()}
    assert owners == {SERVICE_UID}
    assert not [path for path, status in _entries(installed.dir / "storage") if status.st_uid != SERVICE_UID]


def test_the_account_controls_it_and_a_stranger_is_told_who_may(installed: Stack) -> None:
    def call(user: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [installed.dir / "bin/dkm", "urls", "--json"],
            user=user,
            group=pwd.getpwnam(user).pw_gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"]},
            check=False,
        )

    own = call(SERVICE)
    assert own.returncode == 0, own.stderr
    assert json.loads(own.stdout)["carbonapi"] == installed.carbonapi

    foreign = call(STRANGER)
    assert foreign.returncode != 0
    assert "Traceback" not in foreign.stderr


def test_what_root_may_run_is_not_writable_by_the_account(release: Path, workspace: Path) -> None:
    with free_port_range() as port:
        outcome = run_installer(release, "-d", str(workspace / "dkm"), "-p", str(port), "--user", SERVICE)
    assert outcome.returncode == 0, outcome.stderr

    def writable_by_service(status: os.stat_result) -> bool:
        if stat.S_ISLNK(status.st_mode):
            return status.st_uid == SERVICE_UID
        return status.st_uid == SERVICE_UID or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))

    directory = workspace / "dkm"
    allowed = tuple(f"{directory}/{name}/" for name in ("storage", "run", "conf/secrets"))
    found = [f"{path}/" for path, status in _entries(directory) if writable_by_service(status)]
    assert [path for path in found if not path.startswith(allowed)] == []
    assert directory.stat().st_uid == 0
    for kept in ("lib/bin/go-carbon", "bin/dkm", "conf/supervisord/supervisord.conf", "lib/python/bin/python3"):
        assert (directory / kept).stat().st_uid == 0


def test_the_account_uses_secrets_in_a_folder_that_is_roots(release_with_grafana: Path, workspace: Path) -> None:
    with free_port_range() as port:
        arguments = ("-d", str(workspace / "dkm"), "-p", str(port), "--user", SERVICE)
        assert run_installer(release_with_grafana, *arguments).returncode == 0
        stack = Stack(workspace / "dkm", port).start()
        try:
            outcome = stack.dkm("doctor", "--json", check=False)
        finally:
            stack.stop()

    secrets = [row for row in json.loads(outcome.stdout) if row["check"] == "secrets"]
    assert {row["subject"]: row["status"] for row in secrets} == {"admin_password": "ok", "grafana_secret_key": "ok"}
    for name in ("admin_password", "grafana_secret_key"):
        status = (stack.dir / "conf/secrets" / name).stat()
        assert (status.st_uid, status.st_mode & 0o777) == (SERVICE_UID, 0o600)


@pytest.mark.parametrize("arguments", [(), ("--user", "no-such-account")])
def test_root_is_asked_for_an_account_before_anything_is_written(
    release: Path, workspace: Path, arguments: tuple[str, ...]
) -> None:
    with free_port_range() as port:
        outcome = run_installer(release, "-d", str(workspace / "dkm"), "-p", str(port), *arguments)

    assert outcome.returncode != 0
    assert "--user" in outcome.stderr or "no-such-account" in outcome.stderr
    assert list(workspace.iterdir()) == []
