"""The release's collectors program, run from a copy of its code that a test may add collectors to, or break."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

VARIANTS = Path(__file__).parent / "variants"
HOST = "testhost"
RUN = "import runpy, sys; sys.path.insert(0, {code!r}); runpy.run_module({module!r}, run_name='__main__')"
STEADY = """
from dkumonitor.collector import Collector, Facts

def collect(run):
    return Facts(points=(run.point("value", run.time_seconds % 1000),))

COLLECTOR = Collector(name="steady", summary="a point each run", collect=collect, metrics=())
"""


class Code:
    """A copy of the release's own packages, run by its Python, in an installation of nothing else in ``folder``."""

    def __init__(self, release: Path, folder: Path) -> None:
        self.python = release / "python/bin/python3"
        self.code = folder / "code"
        self.dir = folder / "dkm"
        packages = next((release / "python/lib").glob("python3*/site-packages"))
        for package in ("dkumonitor", "collectors"):
            shutil.copytree(packages / package, self.code / package)
        (self.dir / "conf").mkdir(parents=True)

    def describe(self, carbon: str, user: str = "root") -> None:
        """Write installation.json."""
        description: dict[str, Any] = {
            "version": "0.1.0",
            "type": "agent",
            "host": HOST,
            "user": user,
            "interval_seconds": 1,
            "programs": ["collectors"],
            "listen": "127.0.0.1",
            "carbon_listen": "127.0.0.1",
            "carbonapi_listen": "127.0.0.1",
            "ports": dict.fromkeys(("web", "carbon", "carbonapi", "carbonserver", "pickle", "console")),
            "carbon_server": carbon,
            "carbonapi_server": None,
            "grafana": False,
            "tls": False,
            "database": None,
            "system_collectd": None,
        }
        (self.dir / "conf/installation.json").write_text(json.dumps(description))

    def break_with(self, patch: str) -> None:
        """Apply a patch of the production code. The release's compiled modules never look at their source again."""
        text = (VARIANTS / patch).read_text()
        subprocess.run(["patch", "-p1", "--fuzz=0", "--directory", self.code], input=text, text=True, check=True)
        for name in re.findall(r"^\+\+\+ b/(\S+)", text, re.MULTILINE):
            source = self.code / name
            for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.pyc"):
                compiled.unlink()


class Program(Code):
    """One installation of nothing but the collectors, in ``folder``."""

    module = "collectors"
    arguments: tuple[str, ...] = ()
    before: tuple[str, ...] = ()  # what starts it, as unshare(1) does

    def __init__(self, release: Path, folder: Path, carbon: tuple[str, int], settings: str = "") -> None:
        super().__init__(release, folder)
        shutil.rmtree(self.code / "collectors/host")
        self.describe(f"{carbon[0]}:{carbon[1]}")
        (self.dir / "conf/dkumonitor.toml").write_text(settings)
        self.log = self.dir / "collectors.log"
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, name: str, text: str) -> None:
        """Add a collector."""
        folder = self.code / "collectors" / name
        folder.mkdir()
        (folder / "collector.py").write_text(text)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self.before,
                    self.python,
                    "-I",
                    "-B",
                    "-c",
                    RUN.format(code=str(self.code), module=self.module),
                    *self.arguments,
                ],
                env={"PATH": os.environ["PATH"], "DKM_DIR": str(self.dir)},
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        return self._process.pid

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            return self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)
