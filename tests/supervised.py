"""A real supervisord with small programs of a test's own, where the whole bundle would say no more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from dkumonitor.supervision import State, Supervision
from tests.installations import an_installation
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dkumonitor.installation import Installation

SLEEPER = f'{sys.executable} -c "import time; time.sleep(600)"'


@contextlib.contextmanager
def supervised(directory: Path, programs: Mapping[str, str], **changes: object) -> Iterator[Installation]:
    """An installation in `directory` whose supervisord runs these commands, by program name. None is started."""
    installation = an_installation(directory, programs=tuple(programs), **changes)
    for folder in (installation.run, installation.storage, installation.conf):
        folder.mkdir(parents=True, exist_ok=True)
    configuration = installation.conf / "supervisord.conf"
    text = f"""
[unix_http_server]
file={installation.run}/supervisord.sock
chmod=0600
[supervisord]
logfile={installation.run}/supervisord.log
pidfile={installation.run}/supervisord.pid
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    for name, command in programs.items():
        text += f"""
[program:{name}]
command={command}
autostart=false
autorestart=true
startsecs=0
redirect_stderr=true
stdout_logfile={installation.run}/{name}.log
"""
    configuration.write_text(text.replace("%", "%%"))
    supervisord = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(configuration)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]},
    )
    try:
        wait_for("supervisord to answer", lambda: Supervision(installation).state() is State.UP)
        yield installation
    finally:
        supervisord.send_signal(signal.SIGTERM)
        try:
            supervisord.wait(60)
        finally:
            supervisord.kill()
            supervisord.wait()
