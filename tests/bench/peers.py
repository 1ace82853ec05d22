"""carbon-cache and graphite-web from their own packages, in a virtual environment of their own, with limits off.

Sources: https://graphite.readthedocs.io/en/1.1.8/config-carbon.html and .../config-local-settings.html
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
CARBON = """[cache]
DATABASE = whisper
CONF_DIR = {folder}/conf
LOCAL_DATA_DIR = {folder}/storage/whisper
STORAGE_DIR = {folder}/storage
PID_DIR = {folder}/storage
LOG_DIR = {folder}/log
USER =
MAX_CACHE_SIZE = inf
MAX_UPDATES_PER_SECOND = inf
MAX_CREATES_PER_MINUTE = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {carbon}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query}
LOG_UPDATES = False
LOG_CREATES = False
LOG_CACHE_HITS = False
LOG_LISTENER_CONN_SUCCESS = False
CACHE_WRITE_STRATEGY = sorted
WHISPER_SPARSE_CREATE = True
WHISPER_FALLOCATE_CREATE = False
"""
WEB = """
SECRET_KEY = "of no use: it listens on loopback for the time of a benchmark"
ALLOWED_HOSTS = ["*"]
TIME_ZONE = "UTC"
STORAGE_DIR = {storage!r}
WHISPER_DIR = {storage!r} + "/whisper"
INDEX_FILE = {storage!r} + "/index"
LOG_DIR = {log!r}
CARBONLINK_HOSTS = ["127.0.0.1:{query}"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {storage!r} + "/graphite.db"}}}}
CACHES = {{"default": {{"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}}}
"""


def environment() -> Path:
    """The virtual environment with the locked peers, built where it is not yet in the user's cache; its bin folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dkumonitor/bench"
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache / key
    if not (folder / "ready").exists():
        print("bench: installing carbon and graphite-web for comparison", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run(
            [folder / "bin/pip", "install", "--quiet", "--require-hashes", "-r", REQUIREMENTS],
            env={**os.environ, "GRAPHITE_NO_PREFIX": "True"},
            check=True,
        )
        (folder / "ready").touch()
    return folder / "bin"


class Peers:
    """One carbon-cache and one graphite-web on ``port`` to ``port + 3``, with their data in ``folder``."""

    def __init__(self, folder: Path, port: int, schemas: str, aggregation: str) -> None:
        self._bin = environment()
        self._folder = folder
        self.carbon = ("127.0.0.1", port)
        self.web = f"http://127.0.0.1:{port + 1}"
        self.whisper = folder / "storage/whisper"
        for made in ("conf", "log", "storage/whisper"):
            (folder / made).mkdir(parents=True)
        self._settings = {"folder": folder, "carbon": port, "pickle": port + 2, "query": port + 3}
        (folder / "conf/carbon.conf").write_text(CARBON.format(**self._settings))
        (folder / "conf/storage-schemas.conf").write_text(schemas)
        (folder / "conf/storage-aggregation.conf").write_text(aggregation)
        web = WEB.format(storage=str(folder / "storage"), log=str(folder / "log"), query=port + 3)
        (folder / "conf/bench_settings.py").write_text(web)
        self._processes: list[subprocess.Popen[bytes]] = []

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "GRAPHITE_ROOT": str(self._folder),
            "GRAPHITE_SETTINGS_MODULE": "bench_settings",
            "DJANGO_SETTINGS_MODULE": "graphite.settings",
            "PYTHONPATH": str(self._folder / "conf"),
            "PYTHONWARNINGS": "ignore",
        }

    def _start(self, *command: object) -> subprocess.Popen[bytes]:
        with (self._folder / "log/started.log").open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in command], env=self._environment(), stdout=log, stderr=log, cwd=self._folder
            )
        self._processes.append(process)
        return process

    def start(self) -> int:
        """Start both and wait until they answer; carbon-cache's process id."""
        subprocess.run(
            [self._bin / "django-admin", "migrate", "--run-syncdb", "--verbosity=0"],
            env=self._environment(),
            cwd=self._folder,
            check=True,
            capture_output=True,
        )
        config = self._folder / "conf/carbon.conf"
        cache = self._start(
            self._bin / "python", self._bin / "carbon-cache.py", f"--config={config}", "--nodaemon", "start"
        )
        address = self.web.removeprefix("http://")
        self._start(self._bin / "gunicorn", "--workers=2", f"--bind={address}", "graphite.wsgi:application")
        wait_for("graphite-web to answer", self._answers, 60)
        wait_for("carbon-cache to listen", self._listens, 60)
        return cache.pid

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.web}/metrics/find?query=*", timeout=10):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def _listens(self) -> bool:
        port = f"{self.carbon[1]:04X}"
        return any(line.split()[1].endswith(f":{port}") for line in Path("/proc/net/tcp").read_text().splitlines()[1:])

    def close(self) -> None:
        """End both."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
