"""Promise 19: acting is a small program of its own, with five capabilities and no way back; who asks it, is checked."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from collectors.disk import acting
from collectors.disk.act.requests import Request
from installer.journal import Journal, commit
from tests.faults.acting import Acts, content, old_file
from tests.stack import Stack, run_installer, wait_for

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

NAMES = {0: "chown", 1: "dac_override", 2: "dac_read_search", 3: "fowner", 28: "lease"}
NEEDED = sum(1 << number for number in NAMES)
SERVICE = pwd.getpwnam("daemon")
STOP_AT_THE_ACT = """
import os, signal, sys
def hook(event, arguments):
    if event == "safefs.renameat2":
        os.kill(os.getpid(), signal.SIGSTOP)
sys.addaudithook(hook)
"""
AGENT = ("--type", "agent", "--carbon-server", "127.0.0.1:1", "--hostname", "testhost")


@pytest.fixture
def acts(release: Path, workspace: Path) -> Acts:
    return Acts(release, workspace)


def rights_at_work(acts: Acts) -> dict[str, str]:
    """What /proc says of the program while it is about to take a file."""
    plan = acts.plan([old_file(acts.tree / "file")])
    command = acts.command("apply", plan, "--yes", before=STOP_AT_THE_ACT)
    with subprocess.Popen(command, env=acts.environment, stdout=subprocess.PIPE) as process:
        status = Path(f"/proc/{process.pid}/status")
        wait_for("the act", lambda: "State:\tT" in status.read_text())
        found = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
    return found


def test_it_works_with_five_capabilities_and_can_get_no_others(acts: Acts) -> None:
    found = rights_at_work(acts)
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert int(found[name], 16) == NEEDED, name
    for name in ("CapInh", "CapAmb"):
        assert int(found[name], 16) == 0, name
    assert found["NoNewPrivs"] == "1"
    assert found["Groups"].strip() == ""


def test_that_test_notices_a_capability_too_many(acts: Acts) -> None:
    acts.break_with("act-keeps-a-capability.patch")
    assert int(rights_at_work(acts)["CapEff"], 16) != NEEDED


def test_it_tells_how_it_was_confined_and_loads_neither_store_nor_network(acts: Acts) -> None:
    plan = acts.plan([old_file(acts.tree / "file")])
    report = "import atexit, sys\natexit.register(lambda: sys.stderr.write('\\n'.join(sys.modules)))"
    ended = acts.run("apply", plan, "--yes", "--json", before=report)
    confinement = json.loads(ended.stdout.splitlines()[-1])["confinement"]
    assert confinement["capabilities"] == [f"cap_{name}" for name in NAMES.values()]
    assert confinement["no_new_privileges"]
    assert confinement["bounding"]
    loaded = set(ended.stderr.splitlines())
    assert not {"sqlalchemy", "socket", "ssl", "subprocess", "dkumonitor.store.engine", "http", "click"} & loaded


def test_what_lies_outside_of_the_policy_cannot_even_be_written_where_the_kernel_has_landlock(acts: Acts) -> None:
    plan = acts.plan([old_file(acts.tree / "file")])
    outside = acts.folder / "outside"
    escape = f"""
import sys
tried = []
def hook(event, arguments):
    if event == "safefs.renameat2" and not tried:
        tried.append(event)
        try:
            open({str(outside)!r}, "w").close()
        except OSError:
            pass
sys.addaudithook(hook)
"""
    landlock = acts.apply(plan, before=escape)["confinement"]["landlock"]
    assert outside.exists() == (landlock == 0)


@pytest.fixture(scope="module")
def of_root(release: Path) -> Stack:
    """An installation of root's, whose programs run as daemon."""
    folder = Path(os.environ["DKM_TEST_RUN"]) / f"root {os.getpid()}"
    folder.mkdir(mode=0o755)
    outcome = run_installer(release, "-d", str(folder / "dkm"), "--user", "daemon", *AGENT)
    assert outcome.returncode == 0, outcome.stderr
    return Stack(folder / "dkm", 0)


class Installed(Acts):
    """The real installation, with a tree of its own."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.dir = stack.dir
        self.tree, self.target = folder / "tree", folder / "target"
        for made in (self.tree, self.target):
            made.mkdir(mode=0o755)
        self._made = 0
        self.plans = self.dir / "storage/disk/plans"
        self.requests = self.dir / "storage/disk/requests"
        for made in (self.plans.parent, self.plans, self.requests):
            made.mkdir(exist_ok=True)
            os.chown(made, SERVICE.pw_uid, SERVICE.pw_gid)

    def command(self, *arguments: str | Path, before: str = "") -> list[str]:
        assert not before
        return [str(self.dir / "bin/dkm-act"), *map(str, arguments)]

    def proposed(self, plan: Path) -> Path:
        """The plan where the service keeps its plans."""
        os.chown(plan, SERVICE.pw_uid, SERVICE.pw_gid)
        return plan.rename(self.plans / plan.name)

    def as_service(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run something as the account of the service."""
        return subprocess.run(
            list(map(str, command)),
            user="daemon",
            group="daemon",
            extra_groups=[],
            capture_output=True,
            text=True,
            check=check,
        )

    def ask(self, **wanted: Any) -> Path:
        """Lay a request as the service does; where its answer will be."""
        script = (
            "import json, os, sys; from pathlib import Path; from collectors.disk import acting; "
            "from collectors.disk.act.requests import Request; from dkumonitor.installation import Installation; "
            "wanted = Request(**json.loads(sys.argv[2])); "
            "print(acting.request(Installation.load(Path(sys.argv[1])), wanted))"
        )
        python = self.dir / "lib/python/bin/python3"
        said = self.as_service(python, "-I", "-B", "-c", script, self.dir, json.dumps(wanted))
        return self.dir / "acts" / f"{said.stdout.strip()}.json"


@pytest.fixture
def installed(of_root: Stack, workspace: Path) -> Installed:
    made = Installed(of_root, workspace)
    (of_root.dir / "acts").mkdir(mode=0o750, exist_ok=True)
    os.chown(of_root.dir / "acts", 0, SERVICE.pw_gid)
    return made


def test_the_installed_program_acts_for_root_and_nobody_else(installed: Installed) -> None:
    assert "nothing is allowed" in installed.run("check").stdout
    installed.allow()
    path = old_file(installed.tree / "u/file")
    os.chown(path, 4321, 4321)
    path.chmod(0)
    plan = installed.plan([path], "move")
    refused = installed.as_service(installed.dir / "bin/dkm-act", "apply", plan, check=False)
    assert refused.returncode == 9
    assert "sudo" in refused.stderr
    assert installed.apply(plan)["files"] == 1
    assert (installed.target / "u/file").stat().st_uid == 4321


def test_a_policy_that_others_could_write_is_refused(installed: Installed) -> None:
    installed.allow()
    policy = installed.dir / "conf/disk-acts.toml"
    policy.chmod(0o666)
    assert "chmod go-w" in installed.run("check", check=False).stderr
    policy.chmod(0o644)
    os.chown(policy, SERVICE.pw_uid, SERVICE.pw_gid)
    assert "chown root" in installed.run("check", check=False).stderr
    os.chown(policy, 0, 0)
    policy.write_text("[[tree]]\ntask = 'a'\npath = '/x'\nactions = ['delete']\nautomatc = true\n")
    said = installed.run("check", check=False)
    assert said.returncode == 34
    assert "disk-acts.toml" in said.stderr
    assert "automatc" in said.stderr


def test_the_service_asks_and_root_does_what_the_policy_lets_be_done_without_a_person(installed: Installed) -> None:
    path = old_file(installed.tree / "u/file")
    plan = installed.proposed(installed.plan([path]))
    installed.allow(automatic=False)
    answer = installed.ask(act="apply", plan=plan.stem)
    installed.run("serve", check=False)
    assert json.loads(answer.read_text())["state"] == "refused"
    assert path.exists()
    installed.allow(automatic=True)
    answer = installed.ask(act="apply", plan=plan.stem)
    installed.run("serve")
    assert not list(installed.requests.iterdir())
    outcome = json.loads(installed.as_service("cat", answer).stdout)
    assert (outcome["state"], outcome["files"]) == ("done", 1)
    assert outcome["owners"] == [{"uid": 0, "files": 1, "bytes": 8}]
    kept = json.loads(installed.as_service("cat", installed.dir / "acts/quarantine").stdout)
    assert [row["plan"] for row in kept] == [plan.stem]
    installed.ask(act="restore", plan=plan.stem)
    installed.run("serve")
    assert path.exists()


def test_hostile_requests_lead_root_nowhere(installed: Installed) -> None:
    installed.allow(automatic=True)
    secret = old_file(installed.folder / "secret", "of root's\n")
    secret.chmod(0o600)
    before = content(installed.folder)
    (installed.requests / "link").symlink_to(secret)
    os.mkfifo(installed.requests / "fifo")
    (installed.requests / "of-root").write_text('{"act": "purge"}')
    for name, text in (
        ("garbage", "{"),
        ("unknown", '{"act": "apply", "shell": "x"}'),
        ("elsewhere", json.dumps({"act": "apply", "plan": "../../../../etc/passwd"})),
        ("no-plan", json.dumps({"act": "apply", "plan": "plan-that-is-a-link"})),
        ("large", "x" * 100_000),
    ):
        (installed.requests / name).write_text(text)
        os.chown(installed.requests / name, SERVICE.pw_uid, SERVICE.pw_gid)
    (installed.plans / "plan-that-is-a-link.plan").symlink_to(secret)
    deadline = time.monotonic() + 30
    installed.run("serve", check=False)
    assert time.monotonic() < deadline
    left = {path.name for path in installed.requests.iterdir()}
    assert left == {"link", "fifo", "of-root"}
    for name in ("garbage", "unknown", "elsewhere", "no-plan", "large"):
        answer = json.loads((installed.dir / "acts" / f"{name}.json").read_text())
        assert answer["state"] == "refused"
        assert "of root's" not in json.dumps(answer)
    assert content(installed.folder) == before
    for name in left:
        (installed.requests / name).unlink()
    (installed.plans / "plan-that-is-a-link.plan").unlink()


def test_requests_in_a_folder_that_became_a_link_are_not_read(installed: Installed) -> None:
    installed.allow(automatic=True)
    elsewhere = installed.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "request").write_text('{"act": "purge"}')
    os.chown(elsewhere / "request", SERVICE.pw_uid, SERVICE.pw_gid)
    installed.requests.rmdir()
    installed.requests.symlink_to(elsewhere)
    said = installed.run("serve", check=False)
    installed.requests.unlink()
    assert said.returncode != 0
    assert (elsewhere / "request").exists()


def test_the_units_exposure_is_below_three(installed: Installed) -> None:
    installed.allow()
    unit = installed.folder / "dkumonitor-act.service"
    said = installed.stack.run("dkmadmin", "grant-act", "--print").stdout
    service, _, timer = said.partition("\n# /etc/systemd/system/dkumonitor-act.timer\n")
    unit.write_text(service)
    assert f'ExecStart="{installed.dir}/bin/dkm-act" serve' in service
    assert str(installed.tree) in service
    assert "dkumonitor-act.service" in timer
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = [line for line in rated.stdout.splitlines() if "Overall exposure level" in line]
    assert float(line.split(":")[1].split()[0]) < 3.0, rated.stdout


def test_the_units_are_refused_without_a_tree_and_without_systemd(installed: Installed) -> None:
    policy = installed.dir / "conf/disk-acts.toml"
    policy.write_text("")
    assert "names no tree" in installed.stack.run("dkmadmin", "grant-act", "--print", check=False).stderr
    installed.allow()
    if not Path("/run/systemd/system").exists():
        refused = installed.stack.run("dkmadmin", "grant-act", check=False)
        assert "cron" in refused.stderr


def test_the_scanner_may_read_everything_once_root_has_said_so(installed: Installed) -> None:
    closed = installed.tree / "closed"
    old_file(closed / "file")
    closed.chmod(0o700)
    granted = installed.dir / "libexec/dkm-scan"
    said = installed.stack.run("dkmadmin", "grant-scan").stdout
    assert str(granted) in said
    there = granted.stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o7777) == (0, SERVICE.pw_gid, 0o750)
    found = json.loads(installed.as_service(granted, "--json", installed.tree).stdout)
    assert not found["partial"]
    with pytest.raises(PermissionError):
        subprocess.run([granted, "--json", "/"], user="nobody", group="nogroup", extra_groups=[], check=False)
    plain = json.loads(installed.as_service(installed.dir / "lib/bin/dkm-scan", "--json", installed.tree).stdout)
    assert plain["partial"]
    (granted.parent / ".dkm-scan.0123456789abcdef").write_text("a copy that was cut off")
    installed.stack.run("dkmadmin", "grant-scan", "--revoke")
    assert not granted.parent.exists()


def test_an_update_that_was_killed_exchanges_the_scanner_when_it_is_completed(installed: Installed) -> None:
    installed.stack.run("dkmadmin", "grant-scan")
    granted, lib = installed.dir / "libexec/dkm-scan", installed.dir / "lib"
    granted.write_bytes(b"of the release before")
    nothing = Journal(account="daemon", folders=(), moves=(), removals=(), links=(), gone_links=())
    commit(installed.dir, nothing, {}, lib.resolve().name)
    installed.stack.run("dkmadmin", "releases")
    assert granted.read_bytes() == (lib / "bin/dkm-scan").read_bytes()
    assert os.getxattr(granted, "security.capability")
    installed.stack.run("dkmadmin", "grant-scan", "--revoke")


def test_the_scanner_is_not_given_to_a_group_that_others_are_in_unless_that_is_said(installed: Installed) -> None:
    groups = installed.folder / "group"
    mounted = 'mount --bind "$1" /etc/group && shift && "$@"'
    command: list[str | Path] = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounted, "sh", groups]
    command += [installed.dir / "bin/dkmadmin", "grant-scan"]
    plain = Path("/etc/group").read_text()
    for text, told in (
        (plain.replace("daemon:x:1:", "daemon:x:1:games"), "games"),
        (plain.replace("daemon:x:1:", "users:x:1:"), "group users"),
    ):
        groups.write_text(text)
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert refused.returncode == 3, refused.stderr
        assert told in refused.stderr
        assert "--any-group" in refused.stderr
        assert not (installed.dir / "libexec").exists()
    subprocess.run([*command, "--any-group"], check=True, capture_output=True)
    installed.stack.run("dkmadmin", "grant-scan", "--revoke")


def test_an_ordinary_users_installation_acts_with_that_users_rights(release: Path, workspace: Path) -> None:
    home = workspace / "home"
    home.mkdir()
    os.chown(home, SERVICE.pw_uid, SERVICE.pw_gid)
    outcome = run_installer(release, "-d", str(home / "dkm"), *AGENT, user="daemon")
    assert outcome.returncode == 0, outcome.stderr
    tree = home / "tree"
    mine = old_file(tree / "a/mine")
    for path in (tree, tree / "a", mine):
        os.chown(path, SERVICE.pw_uid, SERVICE.pw_gid)
    theirs = old_file(tree / "a/theirs")
    acts = Acts(release, workspace, tree, home / "target")
    os.chown(home / "target", SERVICE.pw_uid, SERVICE.pw_gid)
    plan = acts.plan([mine, theirs], "move")
    plan.chmod(0o644)
    policy = home / "dkm/conf/disk-acts.toml"
    policy.write_text((acts.dir / "conf/disk-acts.toml").read_text())
    script = (
        "import sys, msgspec; from pathlib import Path; from collectors.disk import acting; "
        "from dkumonitor.installation import Installation; one = Installation.load(Path(sys.argv[1])); "
        "print(msgspec.json.encode(acting.apply(one, Path(sys.argv[2]), yes=True)).decode())"
    )
    said = subprocess.run(
        [home / "dkm/lib/python/bin/python3", "-I", "-B", "-c", script, home / "dkm", plan],
        user="daemon",
        group="daemon",
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(said.stdout or said.stderr)
    assert (told["files"], told["error_count"], told["confinement"]["capabilities"]) == (1, 1, [])
    assert theirs.exists()
    assert (home / "target/a/mine").exists()
    refused = subprocess.run([home / "dkm/bin/dkm-act", "check"], capture_output=True, text=True, check=False)
    assert refused.returncode == 9, "root acts in nobody's installation but its own"


def test_a_request_and_its_answer_find_each_other(tmp_path: Path) -> None:
    from tests.installations import an_installation  # noqa: PLC0415  of the fixtures' kind

    installation: Installation = an_installation(tmp_path)
    name = acting.request(installation, Request(act="apply", plan="scratch-1-delete"))
    assert name == "scratch-1-delete"
    assert acting.is_requested(installation, name)
    assert acting.outcome(installation, name) is None
