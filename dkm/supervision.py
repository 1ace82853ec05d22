"""supervisorctl for one installation: supervisord started when it is missing, its own verbs passed through."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor import supervisorctl

from dkumonitor.errors import ServiceError
from dkumonitor.supervision import State, Supervision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dkumonitor.installation import Installation

START_SECONDS = 15.0
END_SECONDS = 90.0  # go-carbon alone may take 60
PAUSE_SECONDS = 0.05
NOT_RUNNING = 3  # what supervisorctl's status says of programs that are stopped
ALL_BY_DEFAULT = ("start", "stop", "restart")
FOR_ITS_SHELL = frozenset({"exit", "quit", "open", "fg", "help", "EOF"})  # verbs of no use in a command of one line
# What programs see of the caller's environment; the rest, secrets among it, is none of their business.
PASSED_ON = frozenset(
    {"DKM_CONF", "DKM_DIR", "DKM_LOG", "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SSL_CERT_FILE", "TZ", "USER"}
)


class Control:
    """What `dkm VERB` does to supervisord and its programs.

    The source for verbs is supervisor's own manual: https://supervisord.org/running.html
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._configuration = installation.conf / "supervisord/supervisord.conf"
        self._supervision = Supervision(installation)

    def ensure_up(self) -> None:
        """Start supervisord, which starts no program by itself, unless it is up. Safe to call twice at once.

        Raises:
            ServiceError: it ended or did not answer in time; the text says where its log is.
        """
        lock = self._installation.run / "dkm.lock"
        with lock.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            state = self._supervision.state()
            if state is State.ENDING:
                self._wait_for_end()
            if state is not State.UP:
                self._start()

    def _start(self) -> None:
        log = self._installation.run / "supervisord.log"
        with subprocess.Popen(
            [sys.executable, "-I", "-m", "supervisor.supervisord", "-c", str(self._configuration)],
            cwd="/",
            env={name: value for name, value in os.environ.items() if name in PASSED_ON},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # no program may reach the caller's terminal
        ) as daemon:
            said = daemon.communicate(timeout=START_SECONDS)[0].strip().partition("\n")[0]
        deadline = time.monotonic() + START_SECONDS
        while daemon.returncode == 0 and time.monotonic() < deadline:
            if self._supervision.state() is State.UP:
                return
            time.sleep(PAUSE_SECONDS)
        raise ServiceError(f"supervisord did not start: {said or 'it gave no reason'}", f"Read {log}")

    def _wait_for_end(self) -> None:
        """Wait until a supervisord that is shutting down has ended every program and itself.

        Raises:
            ServiceError: a program holds it up for longer than its stopwaitsecs allows.
        """
        pid_file = self._installation.run / "supervisord.pid"  # removing it is the last thing that it does
        try:
            process = Path("/proc") / pid_file.read_text().strip()
        except FileNotFoundError:
            return
        deadline = time.monotonic() + END_SECONDS
        while pid_file.exists() and process.exists():
            if time.monotonic() > deadline:
                raise ServiceError("supervisord has not ended", f"Read {self._installation.run / 'supervisord.log'}")
            time.sleep(PAUSE_SECONDS)

    def control(self, verb: str, arguments: Sequence[str]) -> int:
        """Do what supervisorctl does with this verb, print what it prints, and return its exit code.

        Beyond that: start, stop and restart without a program mean all of them; shutdown returns when everything has
        ended; status is 0 only where every program that it shows is running.
        """
        if not {"-h", "--help"}.isdisjoint(arguments):
            return self._supervisorctl("help", verb)
        if verb == "shutdown":
            return self._shut_down()
        self.ensure_up()
        if verb in ALL_BY_DEFAULT and not arguments:
            arguments = ["all"]
        code = self._supervisorctl(verb, *arguments)
        if verb == "status" and code == 0:
            named = set(arguments) - {"all"}
            shown = [program for program in self._supervision.programs() if program.name in named or not named]
            return 0 if all(program.state == "RUNNING" for program in shown) else NOT_RUNNING
        return code

    def _shut_down(self) -> int:
        state = self._supervision.state()
        if state is State.ABSENT:
            sys.stdout.write("supervisord is not running\n")
            return 0
        if state is State.UP and (code := self._supervisorctl("shutdown")):
            return code
        self._wait_for_end()
        return 0

    def _supervisorctl(self, *arguments: str) -> int:
        try:
            supervisorctl.main(args=["-c", str(self._configuration), *arguments])
        except SystemExit as ended:  # its main() ends so in every case
            return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        return 0


def verbs() -> list[str]:
    """The verbs that supervisorctl has, but for those of its interactive shell."""
    plugin = supervisorctl.DefaultControllerPlugin
    known = {name.removeprefix("do_") for name in dir(plugin) if name.startswith("do_")}
    return sorted(known - FOR_ITS_SHELL)
