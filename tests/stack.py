"""A real installation for the tests: the tarball's own installer, its own programs, free ports, a folder of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import random
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
PORT_LOCKS = Path("/tmp/dkumonitor-test-ports")  # shared by all runs, so that no two take the same range


def wait_for(what: str, condition: Callable[[], T], seconds: float = 30.0, pause_seconds: float = 0.05) -> T:
    """Return the first true value of `condition`, asked until the deadline; fail with `what` and the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for: {what}; last answer: {answer!r}")
        time.sleep(pause_seconds)


@contextlib.contextmanager
def free_port_range(count: int = 10) -> Iterator[int]:
    """Yield the first of `count` free ports below the ephemeral range, kept from other test processes until the end."""
    with contextlib.suppress(FileExistsError):
        PORT_LOCKS.mkdir()
        PORT_LOCKS.chmod(0o777)  # another account on this machine may run the tests, too
    for port in random.SystemRandom().sample(range(18000, 32000, count), 200):
        lock = os.open(PORT_LOCKS / str(port), os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            if all(_is_free(port + offset) for offset in range(count)):
                yield port
                return
        finally:
            os.close(lock)
    raise AssertionError("no free range of ports on this machine")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for a server
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


@dataclass
class Stack:
    """One installation in `dir`, its web port `port`; `environment` is what its commands see."""

    dir: Path
    port: int
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})

    def run(self, *command: str, check: bool = True, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command of DIR/bin (`dkm`, `dkmadmin`) and return its outcome."""
        outcome = subprocess.run(
            [str(self.dir / "bin" / command[0]), *command[1:]],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=timeout_seconds,
            check=False,
        )
        if check and outcome.returncode != 0:
            raise AssertionError(f"{command} exited {outcome.returncode}\n{outcome.stdout}\n{outcome.stderr}")
        return outcome

    def dkm(
        self, *arguments: str, check: bool = True, timeout_seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run `DIR/bin/dkm` with these arguments."""
        return self.run("dkm", *arguments, check=check, timeout_seconds=timeout_seconds)

    @property
    def installation(self) -> dict[str, Any]:
        """conf/installation.json."""
        loaded: dict[str, Any] = json.loads((self.dir / "conf/installation.json").read_text())
        return loaded

    @property
    def host(self) -> str:
        """The segment that this machine has in metric names."""
        host: str = self.installation["host"]
        return host

    @property
    def carbon(self) -> tuple[str, int]:
        """Address of the carbon line protocol."""
        return "127.0.0.1", self.port + 1

    @property
    def carbonapi(self) -> str:
        """Base address of carbonapi."""
        return f"http://127.0.0.1:{self.port + 2}"

    def start(self) -> Stack:
        """Start everything and wait until carbonapi answers (where this type has one)."""
        self.dkm("start")
        if "carbonapi" in self.installation["programs"]:
            wait_for("carbonapi to answer", lambda: self.get("/lb_check") is not None)
        return self

    def stop(self) -> None:
        """End every program and supervisord."""
        if (self.dir / "run/supervisord.pid").exists():
            self.dkm("shutdown", check=False)

    def pids(self) -> dict[str, int]:
        """Process ids of the running programs, by name."""
        found = {}
        for line in self.dkm("status", check=False).stdout.splitlines():
            words = line.split()
            if len(words) > 3 and words[1] == "RUNNING":
                found[words[0]] = int(words[3].rstrip(","))
        return found

    def send(self, *lines: str) -> None:
        """Send lines of the carbon protocol over one connection of their own."""
        with socket.create_connection(self.carbon, timeout=10) as connection:
            connection.sendall("".join(f"{line}\n" for line in lines).encode())

    def get(self, path: str, **query: str) -> Any:
        """The JSON (or the text) of a GET to carbonapi; None where nothing answers."""
        address = f"{self.carbonapi}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                body = answer.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None
        try:
            return json.loads(body)
        except ValueError:
            return body.decode()

    def render(self, target: str, from_: str = "-10min", **query: str) -> dict[str, list[tuple[float, int]]]:
        """Series of a target by name: the (value, time) pairs that are not null."""
        query.setdefault("format", "json")
        answer = self.get("/render", target=target, **{"from": from_}, **query) or []
        return {
            series["target"]: [(value, at) for value, at in series["datapoints"] if value is not None]
            for series in answer
        }

    def newest(self, target: str, from_: str = "-10min") -> float | None:
        """The newest value of the first series of a target, or None."""
        for points in self.render(target, from_).values():
            if points:
                return points[-1][0]
        return None


def run_installer(
    release: Path, *arguments: str, user: str | None = None, timeout_seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the release's own installer, as `user` where one is given; its outcome, whatever it is."""
    return subprocess.run(
        [str(release / "installer"), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        cwd="/",
        timeout=timeout_seconds,
        check=False,
    )


def break_configuration(stack: Stack, variant: Path) -> None:
    """Apply a broken variant (a patch) to DIR/conf."""
    with variant.open() as text:
        subprocess.run(["patch", "-p1", "--directory", stack.dir / "conf"], stdin=text, check=True)


def install(release: Path, directory: Path, port: int, *arguments: str) -> Stack:
    """Install the release and return it, not started. Root installs with --as-root unless --user is given."""
    who = () if os.geteuid() or "--user" in arguments else ("--as-root",)
    outcome = run_installer(release, "-d", str(directory), "-p", str(port), *who, *arguments)
    if outcome.returncode != 0:
        raise AssertionError(f"installer exited {outcome.returncode}\n{outcome.stdout}\n{outcome.stderr}")
    return Stack(directory, port)


@contextlib.contextmanager
def running(
    release: Path, directory: Path, *arguments: str, prepare: Callable[[Stack], None] = lambda _: None
) -> Iterator[Stack]:
    """A started installation on free ports, ended and removed afterwards; `prepare` changes it before it starts."""
    with free_port_range() as port:
        stack = install(release, directory, port, *arguments)
        try:
            prepare(stack)
            yield stack.start()
        finally:
            stack.stop()
            shutil.rmtree(directory, ignore_errors=True)
