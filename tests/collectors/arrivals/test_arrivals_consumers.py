"""The consumers of docs/arrivals.md, as they stand there, on a real Redis behind a real watcher."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests import corpus
from tests.conftest import ROOT
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.collectors.arrivals.conftest import Watch
    from tests.redis_server import RedisServer

PLAIN, RELIABLE, GROUP, PATH = re.findall(r"```python\n(.*?)```", (ROOT / "docs/arrivals.md").read_text(), re.DOTALL)
NAMES = sorted({name for name in corpus.NAMES if b"/" not in name and 0 < len(name) <= 255} - {b".", b".."})


def example(text: str, name: str) -> Any:
    scope: dict[str, Any] = {}
    exec(compile(text, "docs/arrivals.md", "exec"), scope)
    return scope[name]


class CrashError(Exception):
    pass


class Worker:
    """Notes the files of events; crashes at the third where asked to."""

    def __init__(self, *, crash: bool = False) -> None:
        self.files: list[bytes] = []
        self._crash = crash

    def __call__(self, event: dict[str, Any]) -> None:
        if self._crash and len(self.files) == 2:
            raise CrashError
        self.files.append(example(PATH, "path_of")(event))


def arrive(watch: Watch, server: RedisServer, output: str) -> list[bytes]:
    """Let files arrive, and wait until Redis has them; their paths in order."""
    folder = os.fsencode(watch.directory("files"))
    paths = [os.path.join(folder, name) for name in NAMES]  # noqa: PTH118  bytes
    for path in paths:
        os.close(os.open(path, os.O_CREAT))
    client = server.client()
    length = client.llen if output == "list" else client.xlen
    wait_for("all in Redis", lambda: length("files") == len(paths))
    return paths


@pytest.fixture
def watch(watches: Callable[..., Watch]) -> Watch:
    return watches(files="").start()


def test_the_plain_consumer_gets_every_file_in_order(watch: Watch, server: RedisServer) -> None:
    paths, worker = arrive(watch, server, "list"), Worker()
    example(PLAIN, "consume")(server.client(), "files", worker)
    assert worker.files == paths


def test_the_reliable_consumer_loses_nothing_and_keeps_the_order_over_a_crash(
    watch: Watch, server: RedisServer
) -> None:
    paths, consume = arrive(watch, server, "list"), example(RELIABLE, "consume")
    first, second = Worker(crash=True), Worker()
    with pytest.raises(CrashError):
        consume(server.client(), "files", "one", first)
    consume(server.client(), "files", "one", second)
    assert first.files + second.files == paths
    assert server.client().exists("files", "files:one") == 0


def test_the_group_consumer_loses_nothing_over_a_crash(watches: Callable[..., Watch], server: RedisServer) -> None:
    watch = watches(files="output=stream").start()
    paths, consume = arrive(watch, server, "stream"), example(GROUP, "consume")
    first, second = Worker(crash=True), Worker()
    with pytest.raises(CrashError):
        consume(server.client(), "files", "workers", "one", first)
    consume(server.client(), "files", "workers", "one", second)
    assert sorted(first.files + second.files) == sorted(paths)
    pending: Any = server.client().xpending("files", "workers")
    assert pending["pending"] == 0
