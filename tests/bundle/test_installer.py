"""The real installer and dkmadmin from outside: refusals, dry run, update, uninstall, and what the programs think of
their configuration."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import socket
import stat
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import releases
from tests.releases import ADDED, snapshot
from tests.stack import Stack, free_port_range, install, run_installer, running

if TYPE_CHECKING:
    from collections.abc import Iterator

MINE = "# a line of the administrator\n"
SERVICE = "daemon"


def _who() -> tuple[str, ...]:
    return ("--as-root",) if os.geteuid() == 0 else ()


@pytest.fixture(scope="session")
def newer(release: Path) -> Path:
    """The release as version 99.0.0."""
    return releases.newer(release, release.parent / f"newer-{os.getpid()}", "99.0.0")


@pytest.fixture
def installed(release: Path, workspace: Path) -> Iterator[Stack]:
    with free_port_range() as port:
        stack = install(release, workspace / "dkm", port)
        yield stack
        stack.stop()


def test_a_dry_run_names_everything_and_writes_nothing(release: Path, workspace: Path) -> None:
    log = workspace / "log"
    log.touch()
    with free_port_range() as port:
        more = ("--pickle", "--listen", "0.0.0.0")
        arguments = ["-d", str(workspace / "dkm"), "-p", str(port), *more, *_who()]
        traced = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=%file,write,ftruncate,fchmod,fchown"]
        dry = subprocess.run(
            [*traced, "--", str(release / "installer"), *arguments, "--dry-run"],
            capture_output=True,
            text=True,
            check=True,
        )
        changing = re.findall(
            r"^\d+ +((?:mkdir|rename|symlink|link|unlink|rmdir|chmod|chown|truncate|fchmod|fchown|mknod)\w*)\(|O_CREAT",
            log.read_text(),
            re.MULTILINE,
        )
        assert changing == []
        install(release, workspace / "dkm", port, *more)

    for offset in range(5):
        assert f" {port + offset} " in dry.stdout
    on_disk = snapshot(workspace / "dkm", lambda name: not name.startswith("releases/"))
    named = {line.split()[0].rstrip("/") for line in dry.stdout.splitlines() if line.startswith("  ")}
    assert on_disk.keys() <= named


def test_a_port_in_use_is_refused_with_its_owner(release: Path, workspace: Path) -> None:
    with free_port_range() as port, socket.create_server(("127.0.0.1", port + 1)):
        outcome = run_installer(release, "-d", str(workspace / "dkm"), "-p", str(port), *_who())

    assert outcome.returncode == 3
    assert f"port {port + 1} (carbon)" in outcome.stderr
    assert f"pid {os.getpid()}" in outcome.stderr
    assert list(workspace.iterdir()) == []


def test_all_problems_are_said_at_once_and_nothing_is_written(release: Path, workspace: Path) -> None:
    (workspace / "dkm").mkdir()
    (workspace / "dkm/mine").touch()
    with free_port_range() as port, socket.create_server(("127.0.0.1", port + 2)):
        outcome = run_installer(
            release, "-d", str(workspace / "dkm"), "-p", str(port), "--interval", "7", "--database", "db", *_who()
        )

    assert outcome.returncode == 2
    for text in (
        "4 problems",
        "--interval 7",
        "--database db",
        "no installation of ours",
        f"port {port + 2} (carbonapi)",
    ):
        assert text in outcome.stderr
    assert [path.name for path in (workspace / "dkm").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("--type", "sever"), 2, "backend-agent"),
        (("--carbon-listen", "eth0"), 2, "not an IP address"),
        (("--carbon-server", "a:b"), 2, "HOST:PORT"),
        (("--carbon-listen", "192.0.2.1"), 3, "not an address of this machine"),
        (("--update", "--pickle"), 2, "--update takes only"),
        (("--update",), 4, "no installation"),
        (("--no-tls", "--type", "backend"), 2, "no web pages"),
        (("--database", "x"), 2, "postgresql"),
        (("--database-password-file", "/nonexistent"), 2, "does not exist"),
    ],
)
def test_what_cannot_work_is_refused_with_its_exit_code(
    release: Path, workspace: Path, arguments: tuple[str, ...], exit_code: int, says: str
) -> None:
    with free_port_range() as port:
        who = () if "--update" in arguments else ("-p", str(port), *_who())
        outcome = run_installer(release, "-d", str(workspace / "dkm"), *who, *arguments)

    assert (outcome.returncode, says in outcome.stderr) == (exit_code, True), outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert list(workspace.iterdir()) == []


def test_a_collectd_that_is_not_there_is_refused(release: Path, workspace: Path) -> None:
    (workspace / "tools").mkdir()
    for tool in ("dirname", "readlink"):
        (workspace / "tools" / tool).symlink_to(f"/usr/bin/{tool}")
    arguments = ["--type", "agent", "--carbon-server", "m", "--system-collectd", *_who()]
    outcome = subprocess.run(
        [str(release / "installer"), "-d", str(workspace / "dkm"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{workspace}/tools"},
    )

    assert outcome.returncode == 3
    assert "no collectd on PATH" in outcome.stderr
    assert not (workspace / "dkm").exists()


def test_a_damaged_release_is_refused_and_nothing_is_left(release: Path, workspace: Path) -> None:
    damaged = releases.newer(release, workspace / "damaged", "99.0.1")
    path = damaged / "templates/carbonapi/carbonapi.yaml"
    path.write_text(path.read_text() + "# flipped\n")
    with free_port_range() as port:
        outcome = run_installer(damaged, "-d", str(workspace / "dkm"), "-p", str(port), *_who())

    assert outcome.returncode == 6
    assert "templates/carbonapi/carbonapi.yaml is damaged" in outcome.stderr
    assert [path.name for path in workspace.iterdir()] == ["damaged"]


def test_the_release_folder_may_go_after_the_installation(release: Path, workspace: Path) -> None:
    copy = releases.newer(release, workspace / "copy", "99.0.2", gone=())
    with free_port_range() as port:
        stack = install(copy, workspace / "dkm", port)
        before = snapshot(stack.dir)
        for name in ("VERSION", "templates/carbonapi/carbonapi.yaml"):
            (copy / name).write_text("changed in place")
        subprocess.run(["rm", "-r", copy.parent], check=True)
        try:
            assert snapshot(stack.dir) == before
            stack.start()
        finally:
            stack.stop()
    assert (
        b"".join(path.read_bytes() for path in (stack.dir / "conf").rglob("*.*") if path.is_file()).count(b"copy") == 0
    )


def test_the_mask_of_the_caller_changes_nothing(release: Path, workspace: Path) -> None:
    trees = []
    with free_port_range() as port:
        for mask in (0o000, 0o077):
            previous = os.umask(mask)
            try:
                install(release, workspace / "dkm", port)
            finally:
                os.umask(previous)
            tree = snapshot(workspace / "dkm", lambda name: name != "run/install.log")
            new = ("conf/secrets/", "storage/store/")  # their content is another each time
            trees.append({name: value.split()[:2] if name.startswith(new) else value for name, value in tree.items()})
            subprocess.run(["rm", "-r", workspace / "dkm"], check=True)
    assert trees[0] == trees[1]
    assert not [name for name, value in tree.items() if int(value.split()[0], 8) & 0o022 and "->" not in value]


def test_an_update_keeps_what_was_edited_and_replaces_what_was_not(installed: Stack, newer: Path) -> None:
    conf = installed.dir / "conf"
    with (conf / "collectd/collectd.conf").open("a") as lines:
        lines.write(MINE)
    with (conf / "carbonapi/carbonapi.yaml").open("a") as lines:
        lines.write(MINE)
    (conf / "collectd/collectd.d/mine.conf").write_text(MINE)
    (conf / "supervisord/supervisord.conf").rename(conf / "supervisord/elsewhere.conf")
    (conf / "supervisord/supervisord.conf").symlink_to("elsewhere.conf")
    (conf / "go-carbon/storage-quotas.conf").unlink()
    edited = (conf / "collectd/collectd.conf").read_text()

    outcome = run_installer(newer, "-d", str(installed.dir), "--update")

    assert outcome.returncode == 0, outcome.stderr
    assert (conf / "collectd/collectd.conf").read_text() == edited
    assert (conf / "collectd/collectd.conf.new-99.0.0").read_text() == edited.removesuffix(MINE) + ADDED
    assert not (conf / "carbonapi/carbonapi.yaml.new-99.0.0").exists(), "the release has nothing new for it"
    assert (conf / "carbonapi/carbonapi.yaml").read_text().endswith(MINE)
    assert (conf / "collectd/collectd.d/mine.conf").read_text() == MINE
    assert (conf / "supervisord/supervisord.conf").is_symlink()
    assert (conf / "go-carbon/storage-quotas.conf").is_file()
    assert (conf / "go-carbon/storage-schemas.conf").read_text().endswith(ADDED)
    assert not (conf / "telegraf/telegraf.conf").exists()
    assert (installed.dir / "lib").readlink() == Path("releases/99.0.0")
    assert installed.installation["version"] == "99.0.0"
    for said in ("collectd.conf.new-99.0.0", "telegraf.conf: removed", "shutdown"):
        assert said in outcome.stdout
    assert "updated" in (installed.dir / "run/install.log").read_text()

    again = run_installer(newer, "-d", str(installed.dir), "--update")
    assert again.returncode == 0
    assert (conf / "collectd/collectd.conf").read_text() == edited


def test_an_update_goes_forward_only_and_keeps_the_release_before(installed: Stack, release: Path, newer: Path) -> None:
    dry = run_installer(newer, "-d", str(installed.dir), "--update", "--dry-run")
    assert "storage-schemas.conf: written" in dry.stdout
    assert (installed.dir / "lib").readlink() == Path(f"releases/{installed.installation['version']}")

    outcome = installed.run("dkmadmin", "update", str(newer))
    assert "99.0.0" in outcome.stdout
    back = run_installer(release, "-d", str(installed.dir), "--update")
    assert back.returncode == 4
    assert "newer than" in back.stderr

    rows = json.loads(installed.run("dkmadmin", "releases", "--json").stdout)
    assert [(row["version"], row["in_use"]) for row in rows] == [(newer_than(rows), False), ("99.0.0", True)]
    as_csv = list(csv.DictReader(io.StringIO(installed.run("dkmadmin", "releases", "--csv").stdout)))
    assert [row["name"] for row in as_csv] == [row["name"] for row in rows]
    assert "in use" in installed.run("dkmadmin", "releases").stdout


def newer_than(rows: list[dict[str, object]]) -> object:
    return rows[0]["version"]


def test_two_builds_of_one_version_are_told_apart_and_old_ones_pruned(
    installed: Stack, release: Path, workspace: Path
) -> None:
    version = installed.installation["version"]
    for number in (1, 2):
        build = releases.newer(release, workspace / f"build{number}", version)
        path = build / "templates/go-carbon/storage-aggregation.conf"
        path.write_text(path.read_text() + f"# build {number}\n")
        releases._write_manifest(build, {"templates/go-carbon/storage-aggregation.conf"}, set())
        assert run_installer(build, "-d", str(installed.dir), "--update").returncode == 0
    text = (installed.dir / "conf/go-carbon/storage-aggregation.conf").read_text()
    assert text.endswith("# build 2\n")
    assert len(list((installed.dir / "releases").iterdir())) == 3

    installed.run("dkmadmin", "releases", "--prune")
    assert len(list((installed.dir / "releases").iterdir())) == 2
    assert (installed.dir / "releases" / version).exists() is False
    installed.start()


def test_an_update_keeps_the_secrets(release_with_grafana: Path, workspace: Path) -> None:
    newer = releases.newer(release_with_grafana, workspace / "newer", "99.0.0")
    with free_port_range() as port:
        stack = install(release_with_grafana, workspace / "dkm", port)
    secrets = {path.name: path.read_text() for path in (stack.dir / "conf/secrets").iterdir()}
    assert (stack.dir / "static").resolve() == (stack.dir / "lib/grafana/public").resolve()

    assert run_installer(newer, "-d", str(stack.dir), "--update").returncode == 0

    assert {path.name: path.read_text() for path in (stack.dir / "conf/secrets").iterdir()} == secrets


def test_a_release_without_grafana_does_not_take_the_pages_away(
    release_with_grafana: Path, newer: Path, workspace: Path
) -> None:
    with free_port_range() as port:
        stack = install(release_with_grafana, workspace / "dkm", port)
    outcome = run_installer(newer, "-d", str(stack.dir), "--update")
    assert outcome.returncode == 6
    assert "--grafana FILE" in outcome.stderr


def test_the_end_message_says_where_the_password_is_and_not_what_it_is(
    release_with_grafana: Path, workspace: Path
) -> None:
    with free_port_range() as port:
        outcome = run_installer(release_with_grafana, "-d", str(workspace / "dkm"), "-p", str(port), *_who())
    path = workspace / "dkm/conf/secrets/admin_password"
    assert str(path) in outcome.stdout
    assert path.read_text() not in outcome.stdout + outcome.stderr
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o007 == 0


def test_uninstall_removes_what_was_laid_and_keeps_the_metrics(installed: Stack) -> None:
    point = installed.dir / "storage/whisper/a/b.wsp"
    point.parent.mkdir()
    point.write_text("points")
    with (installed.dir / "conf/dkumonitor.toml").open("a") as lines:
        lines.write(MINE)
    (installed.dir / "conf/mine").write_text(MINE)
    (installed.dir / "lib/mine").write_text(MINE)
    version = installed.installation["version"]

    outcome = installed.run("dkmadmin", "uninstall")

    assert "conf/dkumonitor.toml: you have edited it" in outcome.stdout
    left = {name for name, value in snapshot(installed.dir).items() if "folder" not in value}
    kept = {"storage/whisper/a/b.wsp", "storage/store/dkumonitor.sqlite", "conf/secrets/admin_password"}
    assert left == {*kept, "conf/dkumonitor.toml", "conf/mine", f"releases/{version}/mine"}


def test_uninstall_with_storage_leaves_nothing(release_with_grafana: Path, workspace: Path) -> None:
    with free_port_range() as port:
        stack = install(release_with_grafana, workspace / "dkm", port)
        (stack.dir / "storage/whisper/a").mkdir()
        (stack.dir / "storage/whisper/a/b.wsp").write_text("points")
        dry = stack.run("dkmadmin", "uninstall", "--storage", "--dry-run")
        assert "storage/" in dry.stdout
        assert (stack.dir / "storage/whisper/a/b.wsp").exists()

        stack.run("dkmadmin", "uninstall", "--storage")

    assert list(workspace.iterdir()) == []


def test_uninstall_keeps_the_secrets_with_the_storage_that_needs_them(
    release_with_grafana: Path, workspace: Path
) -> None:
    with free_port_range() as port:
        stack = install(release_with_grafana, workspace / "dkm", port)
        stack.run("dkmadmin", "uninstall")
        outcome = run_installer(release_with_grafana, "-d", str(stack.dir), "-p", str(port), *_who())

    assert (stack.dir / "conf/secrets/grafana_secret_key").is_file()
    assert outcome.returncode == 4
    assert "what an earlier uninstall kept" in outcome.stderr


def test_uninstall_follows_no_link(installed: Stack, workspace: Path) -> None:
    canary = workspace / "canary"
    (canary / "a").mkdir(parents=True)
    (canary / "a/b").write_text("untouched")
    (installed.dir / "storage/whisper").rmdir()
    (installed.dir / "storage/whisper").symlink_to(canary)
    (installed.dir / "storage/spool/link").symlink_to(canary)
    (installed.dir / "run/go-carbon.log").symlink_to(canary / "a/b")

    installed.run("dkmadmin", "uninstall", "--storage")

    assert (canary / "a/b").read_text() == "untouched"
    assert (installed.dir / "storage/whisper").is_symlink(), "what the administrator laid there stays"


def test_a_running_installation_is_not_uninstalled(installed: Stack) -> None:
    installed.start()
    outcome = installed.run("dkmadmin", "uninstall", check=False)
    assert outcome.returncode == 5
    assert "shutdown" in outcome.stderr
    assert len(installed.pids()) == 5


def test_the_commands_find_their_installation_through_links(installed: Stack, workspace: Path) -> None:
    (workspace / "one").symlink_to(installed.dir / "bin/dkmadmin")
    (workspace / "two").symlink_to("one")
    said = subprocess.run(
        [workspace / "two", "releases", "--json"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert json.loads(said.stdout)[0]["in_use"]


def test_boot_is_refused_without_systemd_and_cron_is_named(installed: Stack) -> None:
    if Path("/run/systemd/system").exists():
        pytest.fail("this test must not install a unit on a machine that systemd runs; run it in a container")
    outcome = installed.run("dkmadmin", "install-boot", check=False)
    assert outcome.returncode == 3
    assert f"@reboot '{installed.dir}/bin/dkm' start" in outcome.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--type", "agent", "--carbon-server", "m.example.org:2003"),
        ("--type", "server", "--carbon-listen", "::", "--carbonapi-listen", "::1", "--pickle"),
        ("--interval", "60", "--hostname", "db-1.example.org"),
    ],
)
def test_the_programs_accept_their_configuration(release: Path, workspace: Path, arguments: tuple[str, ...]) -> None:
    with free_port_range() as port:
        stack = install(release, workspace / "my monitor (é)", port, *arguments)
    programs, conf, lib = stack.installation["programs"], stack.dir / "conf", stack.dir / "lib"
    checks: dict[str, list[str | Path]] = {
        "go-carbon": [lib / "bin/go-carbon", "-check-config", "-config", conf / "go-carbon/go-carbon.conf"],
        "carbonapi": [lib / "bin/carbonapi", "-check-config", "-exact-config"],
        "collectd": [lib / "collectd/sbin/collectd", "-t", "-C", "collectd.conf"],
    }
    checks["carbonapi"] += ["-config", conf / "carbonapi/carbonapi.yaml"]
    for program in set(programs) & checks.keys():
        done = subprocess.run(
            checks[program], capture_output=True, text=True, check=False, timeout=60, cwd=conf / program
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        assert "error" not in done.stderr.lower(), f"{program}: {done.stderr}"


def test_the_machines_own_collectd_is_used_when_asked_for(release: Path, workspace: Path) -> None:
    """The machine's own is the bundled one under another name, with its plugins where it was built to look for them."""
    own = workspace / "sbin/collectd"
    own.parent.mkdir()
    bundled = release / "collectd"
    own.write_text(f'#!/bin/sh\nexec "{bundled}/sbin/collectd" "$@"\n')
    own.chmod(0o755)
    with free_port_range() as port:
        outcome = subprocess.run(
            [release / "installer", "-d", workspace / "dkm", "-p", str(port), "--system-collectd", *_who()],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{own.parent}:{os.environ['PATH']}"},
        )
    assert outcome.returncode == 0, outcome.stderr
    stack = Stack(workspace / "dkm", port)
    assert stack.installation["system_collectd"] == str(own)
    assert f'-- "{own}" -f' in (stack.dir / "conf/supervisord/supervisord.conf").read_text()
    assert "PluginDir" not in (stack.dir / "conf/collectd/collectd.conf").read_text()


def test_a_stack_with_a_space_and_an_accent_in_its_path_runs(release: Path, workspace: Path) -> None:
    with running(release, workspace / "my monitor (é)", "--pickle", "--carbon-listen", "::") as stack:
        assert set(stack.pids()) == {"go-carbon", "carbonapi", "console", "collectd", "collectors"}
        assert json.loads(stack.dkm("urls", "--json").stdout)["carbon"].startswith("[::1]:")


def _elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine) + bytes(44)


@pytest.mark.parametrize(
    ("content", "tools", "says"),
    [
        (None, {}, "Extract the tarball again"),
        (_elf(183), {}, "this bundle is for aarch64"),
        (_elf(62), {"getconf": "echo glibc 2.12"}, "this machine has glibc 2.12"),
        (_elf(62), {"getconf": "exit 1"}, "another C library"),
        (_elf(62), {"uname": "case $1 in -s) echo Darwin;; *) echo x86_64;; esac"}, "this machine runs Darwin"),
        (_elf(62), {}, "does not run"),
    ],
)
def test_a_python_that_cannot_run_is_explained(
    release: Path, workspace: Path, content: bytes | None, tools: dict[str, str], says: str
) -> None:
    launcher = workspace / "installer"
    launcher.write_bytes((release / "installer").read_bytes())
    launcher.chmod(0o755)
    if content is not None:
        python = workspace / "python/bin/python3"
        python.parent.mkdir(parents=True)
        python.write_bytes(content)
        python.chmod(0o755)
    (workspace / "tools").mkdir()
    for name, script in tools.items():
        (workspace / "tools" / name).write_text(f"#!/bin/sh\n{script}\n")
        (workspace / "tools" / name).chmod(0o755)
    outcome = subprocess.run(
        [launcher, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{workspace}/tools:{os.environ['PATH']}"},
    )
    assert outcome.returncode == 3
    assert says in outcome.stderr


class TestByRoot:
    def test_an_update_by_root_for_an_account_leaves_the_account_nothing_that_root_runs(
        self, release: Path, newer: Path, workspace: Path
    ) -> None:
        with free_port_range() as port:
            stack = install(release, workspace / "dkm", port, "--user", SERVICE)
        canary = workspace / "canary"
        canary.write_text("untouched")
        log = stack.dir / "run/install.log"
        log.unlink()
        log.symlink_to(canary)  # what a hostile account could do

        outcome = run_installer(newer, "-d", str(stack.dir), "--update")

        assert canary.read_text() == "untouched"
        assert (stack.dir / "lib").readlink() == Path("releases/99.0.0")
        assert outcome.returncode == 0
        assert "install.log could not be written" in outcome.stderr
        own = [name for name, value in snapshot(stack.dir).items() if " 0:0 " not in value]
        assert [name for name in own if not name.startswith(("storage", "run", "conf/secrets"))] == []
        secrets = [value for name, value in snapshot(stack.dir).items() if name.startswith("conf/secrets")]
        assert [value.split()[:2] for value in secrets] == [["40710", "0:1"], ["100600", "1:1"]]

    def test_nobody_but_the_owner_updates_or_uninstalls(self, release: Path, newer: Path, workspace: Path) -> None:
        with free_port_range() as port:
            stack = install(release, workspace / "dkm", port, "--user", SERVICE)
        outcome = run_installer(newer, "-d", str(stack.dir), "--update", user=SERVICE)
        assert outcome.returncode == 4
        assert "belongs to root" in outcome.stderr
        removing = subprocess.run(
            [stack.dir / "bin/dkmadmin", "uninstall"],
            capture_output=True,
            text=True,
            check=False,
            user=SERVICE,
            group=SERVICE,
            extra_groups=[],
        )
        assert removing.returncode == 4

    def test_root_does_not_install_where_somebody_else_may_write(self, release: Path, workspace: Path) -> None:
        workspace.chmod(0o777)
        with free_port_range() as port:
            outcome = run_installer(release, "-d", str(workspace / "dkm"), "-p", str(port), "--user", SERVICE)
        assert outcome.returncode == 4
        assert "can write in" in outcome.stderr

    def test_an_ordinary_user_installs_runs_and_uninstalls(self, release: Path, workspace: Path) -> None:
        (workspace / "own").mkdir()
        os.chown(workspace / "own", 1, 1)
        with free_port_range() as port:
            arguments = ("-d", str(workspace / "own/dkm"), "-p", str(port))
            outcome = run_installer(release, *arguments, user=SERVICE)
            assert outcome.returncode == 0, outcome.stderr
            stack = Stack(workspace / "own/dkm", port)
            assert {value.split()[1] for value in snapshot(stack.dir).values()} == {"1:1"}
            done = subprocess.run(
                [stack.dir / "bin/dkmadmin", "uninstall", "--storage"],
                capture_output=True,
                text=True,
                check=False,
                user=SERVICE,
                group=SERVICE,
                extra_groups=[],
            )
        assert done.returncode == 0, done.stderr
        assert list((workspace / "own").iterdir()) == []
