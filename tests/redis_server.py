"""A real Redis for tests, on loopback and a Unix socket; killed and started again as a test wishes."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.stack import free_port_range, wait_for

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator


@dataclass
class RedisServer:
    """A server in `folder` on `port`. `options` are lines of its configuration."""

    folder: Path
    port: int
    options: dict[str, str] = field(default_factory=dict)
    program: str = "redis-server"
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Its Unix socket."""
        return self.folder / "socket"

    def start(self) -> RedisServer:
        """Start it, and wait until it answers."""
        lines = {
            "port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "unixsocket": str(self.socket),
            "logfile": str(self.folder / "log"), "daemonize": "no", **self.options,
        }  # fmt: skip
        if self.program == "redis-server":
            lines["save"] = '""'
        configuration = self.folder / "redis.conf"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        self.process = subprocess.Popen(
            [self.program, configuration], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_for("Redis to answer", self._answers, 60, 0.02)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
        try:
            with contextlib.closing(self.client()) as client:
                return bool(client.ping())
        except redis.exceptions.AuthenticationError:
            return True
        except redis.exceptions.RedisError:
            return False

    def client(self, **options: Any) -> redis.Redis:
        """A client of its own, by the Unix socket."""
        return redis.Redis(
            unix_socket_path=str(self.socket), decode_responses=True, retry=Retry(NoBackoff(), 0), **options
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None


@contextlib.contextmanager
def redis_server(*, start: bool = True, program: str = "redis-server", **options: str) -> Iterator[RedisServer]:
    """A server that keeps all on disk where `options` say so; ended and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))  # its path is short, since it holds a socket
    with free_port_range(1) as port:
        named = {name.replace("_", "-"): value for name, value in options.items()}
        server = RedisServer(folder, port, named, program)
        try:
            yield server.start() if start else server
        finally:
            server.kill()
            shutil.rmtree(folder, ignore_errors=True)
