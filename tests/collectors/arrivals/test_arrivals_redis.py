"""Redis down, full, slow, of the wrong type; by socket, password, TLS, Sentinel; as a stream."""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.redis_server import RedisServer, redis_server
from tests.servers import make_certificate
from tests.stack import free_port_range, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.collectors.arrivals.conftest import Watch

NAMES = [f"{number:04}" for number in range(3000)]


def touch(watch: Watch, names: list[str], section: str = "files") -> None:
    for name in names:
        (watch.directory(section) / name).touch()


def test_while_redis_is_down_events_wait_in_order(watches: Callable[..., Watch]) -> None:
    with redis_server(appendonly="yes") as own:
        watch = watches(on=own, files="poll_queue_limit=0").start()
        own.kill()
        touch(watch, NAMES[:1500])
        wait_for("the failure to be told", lambda: watch.status["failure"])
        assert watch.end(signal.SIGKILL) != 0
        watch.start(listed=False)
        touch(watch, NAMES[1500:])
        for name in NAMES[:100]:
            (watch.directory("files") / name).unlink()
        own.start()
        wait_for("all", lambda: len(watch.names("files")) >= len(NAMES))
        assert watch.names("files") == NAMES


def test_a_redis_without_memory_or_that_stands_still_loses_nothing(watches: Callable[..., Watch]) -> None:
    with redis_server(maxmemory_policy="noeviction") as own:
        watch = watches("timeout=1", on=own, files="").start()
        own.client().config_set("maxmemory", 1)
        touch(watch, NAMES[:1000])
        wait_for("the refusal", lambda: "OOM" in watch.status["failure"])
        own.client().config_set("maxmemory", 0)
        wait_for("all", lambda: len(watch.names("files")) >= 1000)
        own.signal(signal.SIGSTOP)
        touch(watch, NAMES[1000:2000])
        wait_for("the failure to be told", lambda: "no answer" in watch.status["failure"])
        own.signal(signal.SIGCONT)
        wait_for("all", lambda: len(watch.names("files")) >= 2000)
        assert watch.names("files") == NAMES[:2000]


def test_a_queue_of_another_type_stops_pushing_until_it_is_gone(
    watches: Callable[..., Watch], server: RedisServer
) -> None:
    watch = watches(files="counter=counted", other="").start()
    client = server.client()
    touch(watch, NAMES[:1])
    watch.wait_for_names("files", NAMES[0])
    client.delete("files")
    client.set("files", "somebody's")
    client.set("counted", "no number")
    touch(watch, NAMES[1:3])
    touch(watch, NAMES[:2], "other")
    wait_for("the reason to be told", lambda: "files" in watch.status["failure"])
    client.delete("files")
    assert watch.wait_for_names("files", *NAMES[1:3]) == NAMES[1:3]
    # What shared the transaction that failed comes twice.
    assert set(watch.wait_for_names("other", *NAMES[:2])) == set(NAMES[:2])
    assert "counted" in watch.log


def test_a_redis_that_lost_its_latest_writes_gets_them_again(watches: Callable[..., Watch]) -> None:
    with redis_server() as own:
        watch = watches(on=own, files="").start()
        touch(watch, NAMES[:10])
        watch.wait_for_names("files", NAMES[9])
        own.client().save()
        touch(watch, NAMES[10:20])
        watch.wait_for_names("files", NAMES[19])
        for name in NAMES[:20]:
            (watch.directory("files") / name).unlink()
        own.kill()
        own.start()
        watch.wait_for_names("files", NAMES[19])
        assert watch.names("files") == NAMES[:20]
        assert "lost its latest writes" in watch.log


def test_a_redis_that_forgot_everything_is_told_what_is_there(
    watches: Callable[..., Watch], server: RedisServer
) -> None:
    watch = watches(files="").start()
    touch(watch, NAMES[:20])
    watch.wait_for_names("files", NAMES[19])
    server.client().flushall()
    server.client().client_kill_filter(_type="normal", skipme=True)
    assert sorted(watch.wait_for_names("files", *NAMES[:20])) == NAMES[:20]


def test_a_full_disk_under_the_spool_stops_nothing(watches: Callable[..., Watch]) -> None:
    watch = watches(files="")
    fill = 'mount -t tmpfs -o size=256k none "$0" && exec "$@"'
    (watch.folder / "spool").mkdir()
    watch.before = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", fill, str(watch.folder / "spool"))
    watch.start(listed=False)
    touch(watch, NAMES)
    wait_for("all", lambda: len(watch.names("files")) == len(NAMES))
    assert watch.names("files") == NAMES
    assert "takes nothing" in watch.log
    assert watch.end() == 0


def test_streams_carry_the_same_json_and_their_groups_are_what_the_limit_counts(
    watches: Callable[..., Watch], server: RedisServer
) -> None:
    client = server.client()
    watch = watches(events="output=stream\ncounter=counted").start()
    touch(watch, NAMES[:20], "events")
    wait_for("all", lambda: client.xlen("events") == 20)
    entries: Any = client.xrange("events")
    assert [json.loads(entry["event"])["filename"] for _, entry in entries] == NAMES[:20]
    assert client.get("counted") == "20"
    client.xgroup_create("events", "workers", id="0")
    client.xreadgroup("workers", "one", {"events": ">"}, count=5)
    wait_for("the fill", lambda: watch.status["directories"][0]["queue_length"] == 20)
    assert abs(watch.status["directories"][0]["oldest_seconds"] - time.time()) < 60


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


@contextlib.contextmanager
def by_socket() -> Iterator[tuple[RedisServer, str]]:
    with redis_server() as own:
        yield own, f"redis_unix_socket={own.socket}\nredis_db=3"


@contextlib.contextmanager
def by_tls() -> Iterator[tuple[RedisServer, str]]:
    with tempfile.TemporaryDirectory() as name, free_port_range(1) as port:
        folder = Path(name)
        folder.chmod(0o777)
        made = make_certificate(folder)
        options: Any = {
            "tls_port": str(port), "tls_cert_file": str(made.certificate), "tls_key_file": str(made.key),
            "tls_ca_cert_file": str(made.authority), "tls_auth_clients": "no", "requirepass": "s3cret",
        }  # fmt: skip
        with redis_server(**options) as own:
            password = written(folder, "password", "s3cret\n")
            common = f"redis_server=localhost\nredis_port={port}\nredis_tls=true\nredis_tls_ca={made.authority}\n"
            yield own, f"{common}redis_password_file={password}"


@contextlib.contextmanager
def by_sentinel() -> Iterator[tuple[RedisServer, str]]:
    with redis_server() as own, redis_server(start=False, program="redis-sentinel") as sentinel:
        sentinel.options["sentinel"] = f"monitor main 127.0.0.1 {own.port} 1"
        sentinel.start()
        yield own, f"sentinels=127.0.0.1:1;127.0.0.1:{sentinel.port}\nsentinel_master=main"


@pytest.mark.parametrize("way", [by_socket, by_tls, by_sentinel], ids=lambda way: way.__name__)
def test_redis_is_reached_in_every_way(
    watches: Callable[..., Watch], way: Callable[[], contextlib.AbstractContextManager[tuple[RedisServer, str]]]
) -> None:
    with way() as (own, common):
        watch = watches(common, on=own, files="").start()
        touch(watch, NAMES[:1500])
        options = {"password": "s3cret"} if way is by_tls else {"db": 3} if way is by_socket else {}
        client = own.client(**options)
        wait_for("all", lambda: client.llen("files") == 1500)
        assert watch.end() == 0
        assert "s3cret" not in watch.log


def test_a_wrong_password_and_a_wrong_certificate_are_told(watches: Callable[..., Watch], tmp_path: Path) -> None:
    with by_tls() as (own, common):
        wrong = written(tmp_path, "wrong", "wrong")
        lines = [line for line in common.splitlines() if "password_file" not in line]
        first = watches("\n".join([*lines, f"redis_password_file={wrong}"]), on=own, files="").start(listed=False)
        wait_for("the refusal", lambda: first.status and "WRONGPASS" in first.status["failure"])
        lines = [line for line in common.splitlines() if "tls_ca" not in line]
        second = watches("\n".join(lines), on=own, files="").start(listed=False)
        wait_for("the refusal", lambda: second.status and "certificate verify failed" in second.status["failure"])
        assert "s3cret" not in first.log + second.log
