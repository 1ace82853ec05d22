"""Promise 13: under trigger=complete every completed file is announced at least once, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.observer import Consumer, Observer, write_file
from tests.redis_server import RedisServer, redis_server
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPLETE = "trigger=complete\nsettle=0.1\nforced_poll=0\npoll_queue_limit=0\n"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis that forgets nothing."""
    with redis_server(appendonly="yes", appendfsync="always") as started:
        yield started


@pytest.fixture
def observers(release: Path, tmp_path: Path, server: RedisServer) -> Iterator[Callable[..., Observer]]:
    """Makes the watcher, not started; broken by a patch where one is named."""
    with contextlib.ExitStack() as stack:

        def make(patch: str = "", own: str = COMPLETE) -> Observer:
            observer = Observer(release, tmp_path / "observer", server, own)
            if patch:
                observer.break_with(patch)
            stack.enter_context(contextlib.closing(observer))
            return observer

        yield make


def arrive(
    observer: Observer, server: RedisServer, count: int, kills: dict[int, str], patience_seconds: float = 30
) -> tuple[Consumer, set[str]]:
    """Write files, kill what is named when so many are written, and wait until all were announced or nothing comes."""
    observer.start()
    consumer = Consumer(server, observer.files)
    consumer.start()
    names = [f"file-{number:06}" for number in range(count)]
    for number, name in enumerate(names):
        write_file(observer.files, name)
        if kills.get(number) == "redis":
            server.kill()
            server.start()
        elif kills.get(number) == "watcher":
            observer.end(signal.SIGKILL)
            observer.start()
        if number % 50 == 0:
            time.sleep(0.02)  # some 2,000 a second, so that the others have their share of the machine
    wanted = set(names)
    last, since = -1, time.monotonic()
    while consumer.missing(wanted) and time.monotonic() - since < patience_seconds:
        if len(consumer.seen) != last:
            last, since = len(consumer.seen), time.monotonic()
        time.sleep(0.1)
    time.sleep(1)  # what comes a second time comes now
    consumer.stop()
    return consumer, consumer.missing(wanted)


def spread(count: int, redis: int, watcher: int) -> dict[int, str]:
    """When to kill what: evenly, in turns."""
    what = ["watcher"] * watcher
    for place in range(redis):
        what.insert(place * 3 + 1, "redis")
    return {(place + 1) * count // (len(what) + 1): name for place, name in enumerate(what)}


def test_nothing_is_missed_while_redis_and_the_watcher_are_killed(
    observers: Callable[..., Observer], server: RedisServer
) -> None:
    kills = spread(50_000, redis=10, watcher=20)
    assert sorted(kills.values()) == ["redis"] * 10 + ["watcher"] * 20
    observer = observers()

    consumer, missing = arrive(observer, server, 50_000, kills)

    assert missing == set(), observer.log.read_text()[-3000:]
    assert consumer.incomplete == []
    assert consumer.repeated <= 1000, consumer.repeated
    assert observer.end() == 0
    counted = server.client().get("counted")
    assert isinstance(counted, str)
    assert int(counted) == sum(consumer.seen.values())


@pytest.mark.parametrize(
    ("patch", "kills"),
    [
        ("arrivals-without-a-listing-at-the-start.patch", {2000: "watcher"}),
        ("arrivals-trusts-the-connection.patch", {1000: "redis", 2000: "redis", 3000: "redis"}),
    ],
)
def test_that_test_notices(
    observers: Callable[..., Observer], server: RedisServer, patch: str, kills: dict[int, str]
) -> None:
    _, missing = arrive(observers(patch), server, 4000, kills, patience_seconds=8)
    assert missing != set()


def test_that_test_notices_a_watcher_that_does_not_wait_for_the_end_of_a_file(
    observers: Callable[..., Observer], server: RedisServer
) -> None:
    observer = observers("arrivals-does-not-wait.patch")
    observer.start_and_wait()
    consumer = Consumer(server, observer.files)
    consumer.start()
    with (observer.files / "slow").open("wb", buffering=0) as file:
        file.write(b"sl")
        wait_for("its announcement", lambda: consumer.seen["slow"])
    consumer.stop()
    assert consumer.incomplete == ["slow"]


def overflow(observer: Observer, server: RedisServer, patience_seconds: float = 60) -> set[str]:
    """More events than the kernel's queue holds; the names that were not announced."""
    observer.start_and_wait()
    consumer = Consumer(server, observer.files)
    consumer.start()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    names = {f"file-{number:06}" for number in range(limit // 3 + 2000)}  # each makes three events
    observer.pause()
    for name in sorted(names):
        write_file(observer.files, name)
    observer.go_on()
    with contextlib.suppress(AssertionError):
        wait_for("all names", lambda: not consumer.missing(names), patience_seconds)
    consumer.stop()
    return consumer.missing(names)


def test_nothing_is_missed_when_the_kernels_queue_overflows(
    observers: Callable[..., Observer], server: RedisServer
) -> None:
    observer = observers()
    assert overflow(observer, server) == set()
    assert "overflowed" in observer.log.read_text()


def test_that_test_notices_a_watcher_that_ignores_the_overflow(
    observers: Callable[..., Observer], server: RedisServer
) -> None:
    assert overflow(observers("arrivals-ignores-the-overflow.patch"), server, 8) != set()


def announced(server: RedisServer, name: str) -> bool:
    events = server.client().lrange("files", 0, -1)
    assert isinstance(events, list)
    return any(f'"filename": "{name}"' in event for event in events)


def move_away(observer: Observer) -> None:
    observer.files.rename(observer.files.with_name("away"))
    observer.files.mkdir()


def move_away_and_back(observer: Observer) -> None:
    away = observer.files.with_name("away")
    observer.files.rename(away)
    write_file(away, "while-away")
    away.rename(observer.files)


def delete(observer: Observer) -> None:
    shutil.rmtree(observer.files)
    time.sleep(1.5)
    observer.files.mkdir()


def replace_by_a_link(observer: Observer) -> None:
    other = observer.files.with_name("other")
    other.mkdir()
    observer.files.rename(observer.files.with_name("away"))
    observer.files.symlink_to(other)


LOSSES = [move_away, move_away_and_back, delete, replace_by_a_link]


def come_back(
    observer: Observer, server: RedisServer, lose: Callable[[Observer], None], patience_seconds: float = 30
) -> bool:
    """Lose the directory, and write a file into the one that is there then: whether it is announced."""
    observer.start_and_wait()
    lose(observer)
    write_file(observer.files, "late")
    try:
        wait_for("the file's announcement", lambda: announced(server, "late"), patience_seconds)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_a_directory_that_goes_and_comes_back_is_watched_again(
    observers: Callable[..., Observer], server: RedisServer, lose: Callable[[Observer], None]
) -> None:
    assert come_back(observers(), server, lose)
    if lose is move_away_and_back:
        assert announced(server, "while-away")


def test_that_test_notices_a_watcher_that_never_looks_again(
    observers: Callable[..., Observer], server: RedisServer
) -> None:
    assert not come_back(observers("arrivals-never-looks-again.patch"), server, delete, 8)


def test_a_file_system_that_is_unmounted_and_mounted_again_is_watched_again(
    observers: Callable[..., Observer], server: RedisServer
) -> None:
    observer = observers()
    observer.before = ("unshare", "--user", "--map-root-user", "--mount")
    observer.start_and_wait()
    inside = ("nsenter", "--user", "--mount", "--preserve-credentials", f"--target={observer.pid}", "sh", "-c")

    def act(script: str) -> None:
        subprocess.run([*inside, script, "sh", observer.files], check=True)

    act('mount -t tmpfs none "$1" && echo x > "$1/first"')
    wait_for("what is on it", lambda: announced(server, "first"))
    act('umount "$1" && echo x > "$1/below"')
    wait_for("what was below", lambda: announced(server, "below"))
    act('mount -t tmpfs none "$1" && echo x > "$1/second"')
    wait_for("what is on the next", lambda: announced(server, "second"))
