"""The bundle on a machine that has a kernel, glibc, a shell and coreutils, and nothing else: no Python, no compiler, no
network but the loopback interface.

The machine is a folder that becomes the root of a new mount, network, pid and host-name namespace. Every command below
is given to its /bin/sh; what the test reads, it reads from there.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

COREUTILS = [
    "basename",
    "cat",
    "chmod",
    "chown",
    "cut",
    "date",
    "dirname",
    "echo",
    "env",
    "expr",
    "false",
    "head",
    "id",
    "ls",
    "mkdir",
    "mv",
    "od",
    "printf",
    "pwd",
    "readlink",
    "rm",
    "rmdir",
    "sleep",
    "tail",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "uname",
    "wc",
]
SHELL = ("/bin/sh",)
GLIBC = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2")
NAME_SERVICES = ("libnss_files.so.2", "libnss_dns.so.2")
NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child")
FORBIDDEN = ("python3", "python", "perl", "gcc", "cc", "make", "curl", "wget", "pip", "go")


class Machine:
    """A root folder, and a way to run shell scripts in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def sh(self, script: str, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a script as root of that machine, with nothing of this machine's environment."""
        inside = (
            f"mount --bind '{self.root}' '{self.root}' && mount -t proc proc '{self.root}/proc' && "
            f"ip link set lo up && hostname bare && exec chroot '{self.root}' /bin/sh -eu -c \"$1\""
        )
        return subprocess.run(
            [*NAMESPACES, "sh", "-c", inside, "sh", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )


def _copy_with_libraries(program: Path, root: Path) -> None:
    target = root / "bin" / program.name
    shutil.copy2(program.resolve(), target)
    needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(/\S+) \(0x", needed):
        _copy_library(Path(library), root)


def _copy_library(library: Path, root: Path) -> None:
    target = root / str(library).lstrip("/")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library.resolve(), target)


@pytest.fixture(scope="module")
def machine(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    root = tmp_path_factory.mktemp("bare")
    for name in ("bin", "dev", "etc", "lib64", "opt", "proc", "root", "tmp"):
        (root / name).mkdir(mode=0o755)
    root.chmod(0o755)
    (root / "tmp").chmod(0o1777)
    for name in (*SHELL, *COREUTILS):
        found = shutil.which(name)
        assert found, f"{name} is missing on this machine"
        _copy_with_libraries(Path(found), root)
    folder = next(path.parent for path in root.rglob("libc.so.6"))
    for name in (*GLIBC, *NAME_SERVICES):
        library = Path("/") / folder.relative_to(root) / name
        if library.exists():
            _copy_library(library, root)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nmonitor:x:1000:1000::/tmp:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nmonitor:x:1000:\n")
    for name, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
        subprocess.run(["mknod", "-m", "666", root / "dev" / name, "c", "1", str(minor)], check=True)
    # The one thing that the administrator of such a machine brings, unpacked where there is a tar.
    subprocess.run(["tar", "-xzf", bundle, "-C", root / "opt", "--no-same-owner"], check=True)
    yield Machine(root)
    shutil.rmtree(root, ignore_errors=True)


def test_the_machine_has_no_interpreter_no_compiler_and_no_network(machine: Machine) -> None:
    tools = " ".join(FORBIDDEN)
    found = machine.sh(
        f'for tool in {tools}; do if command -v "$tool"; then exit 9; fi; done\n'
        'while read -r interface _; do echo "$interface"; done </proc/net/dev\n'
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert re.findall(r"^(\w+):", found.stdout, re.MULTILINE) == ["lo"]


INSTALL_AND_START = """
cd /opt/dkumonitor-*/
./installer -d /opt/dkm -p 15000 WHO
cd /
rm -r /opt/dkumonitor-*/
/opt/dkm/bin/dkm start
/opt/dkm/bin/dkm status
tries=0
until /opt/dkm/bin/dkm doctor --json >/tmp/doctor.json; do
    tries=$((tries + 1))
    if [ $tries -ge 40 ]; then cat /tmp/doctor.json; exit 8; fi
    sleep 1
done
cat /opt/dkm/conf/installation.json
echo ===
cat /tmp/doctor.json
echo ===
/opt/dkm/bin/dkm shutdown
tries=0
while [ -e /opt/dkm/run/supervisord.pid ] && [ $tries -lt 60 ]; do tries=$((tries + 1)); sleep 1; done
/opt/dkm/bin/dkmadmin uninstall --storage
ls /opt
"""


@pytest.mark.parametrize("who", ["--as-root", "--user monitor"])
def test_the_bundle_installs_runs_and_goes(machine: Machine, bundle: Path, who: str) -> None:
    if not list((machine.root / "opt").glob("dkumonitor-*")):
        subprocess.run(["tar", "-xzf", bundle, "-C", machine.root / "opt", "--no-same-owner"], check=True)

    done = machine.sh(INSTALL_AND_START.replace("WHO", who))

    assert done.returncode == 0, done.stdout + done.stderr
    before, findings, after = done.stdout.split("===\n")
    assert before.count("RUNNING") == 5
    assert json.loads(before[before.index("{") :])["host"] == "bare"
    rows = json.loads(findings)
    assert [row for row in rows if row["status"] == "failed"] == []
    assert after.splitlines()[-1].startswith("dkumonitor"), "nothing is left in /opt"
