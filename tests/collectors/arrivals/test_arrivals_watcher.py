"""The watcher as its users see it: a process, folders, and what is in Redis."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from dkumonitor.text import printable
from tests import corpus
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.collectors.arrivals.conftest import Watch
    from tests.redis_server import RedisServer

KEYS = ["directory", "filename", "event", "event_timestamp"]


def test_an_old_consumer_that_pops_the_list_gets_what_the_old_tool_gave(
    watches: Callable[..., Watch], server: RedisServer
) -> None:
    watch = watches(old="counter=counted")
    stage = watch.directory("old")
    stage.mkdir()
    for name, age in (("second", 50), ("first", 100)):
        (stage / name).touch()
        os.utime(stage / name, (time.time() - age,) * 2)
    watch.start()

    (stage / "created").touch()
    (watch.folder / "elsewhere").touch()
    (watch.folder / "elsewhere").rename(stage / "moved")
    watch.wait_for_names("old", "moved")
    (stage / "moved").rename(stage / "renamed")
    (stage / "part.working").touch()
    (stage / "folder").mkdir()
    watch.wait_for_names("old", "renamed")

    client = server.client()
    assert client.get("counted") == "5"
    popped: list[Any] = [json.loads(str(client.rpop("old"))) for _ in range(5)]
    assert client.rpop("old") is None
    assert [event["filename"] for event in popped] == ["first", "second", "created", "moved", "renamed"]
    assert [event["event"] for event in popped] == ["exists"] * 2 + ["created"] * 3
    for event in popped:
        assert list(event) == KEYS
        assert event["directory"] == str(stage)
        assert abs(event["event_timestamp"] - time.time()) < 120


def test_patterns_say_what_is_announced(watches: Callable[..., Watch]) -> None:
    watch = watches(files="only=^.*\\.csv$;^data\nignore=^.*\\.tmp$;^secret").start()
    for name in ("a.csv", "b.txt", "data", "data.tmp", "secret.csv", "csv.working", "xdata", "last.csv"):
        (watch.directory("files") / name).touch()
    assert watch.wait_for_names("files", "last.csv") == ["a.csv", "data", "last.csv"]


def test_under_complete_a_file_is_announced_when_its_last_writer_has_closed_it(watches: Callable[..., Watch]) -> None:
    watch = watches(files="trigger=complete\nsettle=0.3").start()
    stage = watch.directory("files")
    with (stage / "slow").open("wb", buffering=0) as first:
        first.write(b"1")
        with (stage / "slow").open("ab", buffering=0) as second:
            second.write(b"2")
        (stage / "slow").read_bytes()
        (stage / "quick").write_bytes(b"x")
        watch.wait_for_names("files", "quick")
        time.sleep(0.6)
        assert watch.names("files") == ["quick"]
    watch.wait_for_names("files", "slow")

    (stage / "linked").hardlink_to(stage / "slow")
    (stage / "link").symlink_to("nowhere")
    written = watch.folder / "moved"
    written.write_bytes(b"x")
    written.rename(stage / "moved")
    (stage / "gone").write_bytes(b"x")
    (stage / "gone").unlink()
    assert watch.wait_for_names("files", "moved", "linked", "link")[:2] == ["quick", "slow"]
    wait_for("the last to settle", lambda: watch.status["directories"][0]["waiting"] == 0)
    assert "gone" not in watch.names("files")


def test_a_writer_that_opens_again_within_the_pause_makes_one_announcement(watches: Callable[..., Watch]) -> None:
    watch = watches(files="trigger=complete\nsettle=0.6").start()
    for part in range(4):
        with (watch.directory("files") / "log").open("ab") as file:
            file.write(b"%d" % part)
        time.sleep(0.2)
    watch.wait_for_names("files", "log")
    time.sleep(1)
    assert watch.names("files") == ["log"]


def test_a_listing_announces_nothing_that_is_being_written(watches: Callable[..., Watch]) -> None:
    watch = watches(files="trigger=complete\nsettle=0.2")
    stage = watch.directory("files")
    stage.mkdir()
    (stage / "whole").write_bytes(b"x")
    with (stage / "open").open("wb", buffering=0) as file:
        file.write(b"x")
        os.utime(stage / "open", (time.time() - 60,) * 2)
        watch.start()
        watch.wait_for_names("files", "whole")
        time.sleep(0.8)
        assert watch.names("files") == ["whole"]
    assert watch.wait_for_names("files", "open") == ["whole", "open"]


@pytest.mark.parametrize("trigger", ["created", "complete"])
def test_every_name_comes_back_as_the_same_bytes(watches: Callable[..., Watch], trigger: str) -> None:
    watch = watches(files=f"trigger={trigger}\nsettle=0").start()
    names = {name for name in corpus.NAMES if b"/" not in name and len(name) <= 255 and name not in (b".", b"..")}
    for name in names:
        with open(os.path.join(os.fsencode(watch.directory("files")), name), "wb"):  # noqa: PTH118, PTH123  bytes
            pass
    wait_for("all names", lambda: {os.fsencode(name) for name in watch.names("files")} == names)
    assert watch.end() == 0
    assert all(printable(line) == line for line in watch.log.splitlines())


def test_sub_directories_are_watched_and_announced_only_on_request(watches: Callable[..., Watch]) -> None:
    watch = watches(
        flat="", deep="recursive=true\ntrigger=complete\nsettle=0", both="recursive=true\ndirectories=true"
    ).start()
    for section in ("flat", "deep", "both"):
        (watch.directory(section) / "a/b").mkdir(parents=True)
        (watch.directory(section) / "a/b/below").touch()
        (watch.directory(section) / "top").touch()
    watch.wait_for_names("deep", "below", "top")
    both = watch.wait_for_names("both", "below", "top", "a", "b")
    assert watch.wait_for_names("flat", "top") == ["top"]
    assert sorted(set(both)) == ["a", "b", "below", "top"]
    [below] = [event for event in watch.events("deep") if event["filename"] == "below"]
    assert below["directory"] == str(watch.directory("deep") / "a/b")

    (watch.directory("deep") / "a").rename(watch.folder / "away")
    (watch.folder / "away/b/after").touch()
    (watch.directory("deep") / "last").touch()
    assert "after" not in watch.wait_for_names("deep", "last")


def test_details_tell_one_file_from_another_and_know_it_again(
    watches: Callable[..., Watch], server: RedisServer
) -> None:
    watch = watches(files="details=true\nforced_poll=1\ntrigger=complete\nsettle=0").start()
    file = watch.directory("files") / "data"
    file.write_bytes(b"12345")
    watch.wait_for_names("files", "data")
    [first] = watch.events("files")
    server.client().delete("files")
    watch.wait_for_names("files", "data")  # the listing finds it still there
    again = watch.events("files")[0]
    file.write_bytes(b"123456")
    wait_for("another", lambda: watch.events("files")[-1]["size"] == 6)
    other = watch.events("files")[-1]

    assert list(first) == [*KEYS, "size", "inode", "sequence", "id"]
    assert (first["size"], first["inode"]) == (5, file.stat().st_ino)
    assert (again["event"], again["id"]) == ("exists", first["id"])
    assert other["id"] != first["id"]
    assert first["sequence"] < again["sequence"] < other["sequence"]


def test_what_waits_in_the_queue_is_not_announced_again(watches: Callable[..., Watch], server: RedisServer) -> None:
    watch = watches(files="", stream="output=stream\ntrigger=complete\nsettle=0.1").start()
    for section in watch.sections:
        for number in range(50):
            (watch.directory(section) / str(number)).touch()
    wait_for("all", lambda: len(watch.names("files")) == 50 and server.client().xlen("stream") == 50)
    assert watch.end(signal.SIGKILL) != 0
    (watch.directory("files") / "while-away").touch()
    watch.start()
    watch.wait_for_names("files", "while-away")
    time.sleep(0.5)
    assert len(watch.names("files")) == 51
    assert server.client().xlen("stream") == 50


def test_a_listing_waits_while_the_queue_is_long_and_forgets_nothing(
    watches: Callable[..., Watch], server: RedisServer
) -> None:
    watch = watches(files="poll_queue_limit=10")
    watch.directory("files").mkdir()
    wanted = [f"{number:03}" for number in range(35)]
    for number, name in enumerate(wanted):
        (watch.directory("files") / name).touch()
        os.utime(watch.directory("files") / name, (1_000_000 + number,) * 2)
    watch.start(listed=False)
    client, seen = server.client(), []
    wait_for("the first", lambda: client.llen("files") == 10)
    (watch.directory("files") / "new").touch()  # an event is announced whatever the queue's length
    wait_for("the event", lambda: client.llen("files") == 11)
    for _ in range(36):
        value = wait_for("one more", lambda: client.rpop("files"))
        seen.append(json.loads(str(value))["filename"])
        assert int(str(client.llen("files"))) <= 11
    assert [name for name in seen if name != "new"] == wanted


def test_after_a_quiet_period_all_is_watched_anew_and_listed(
    watches: Callable[..., Watch], server: RedisServer
) -> None:
    watch = watches("monitor_inactivitytimeout=1", files="").start(listed=False)
    (watch.directory("files") / "left").touch()
    watch.wait_for_names("files", "left")
    server.client().delete("files")
    watch.wait_for_names("files", "left")
    (watch.directory("files") / "new").touch()
    assert watch.wait_for_names("files", "new").count("new") == 1
    assert watch.process is not None
    assert watch.process.poll() is None


def test_a_hangup_has_the_file_read_again_and_a_wrong_one_is_not_taken(watches: Callable[..., Watch]) -> None:
    watch = watches(first="").start()
    (watch.directory("first") / "a").touch()
    watch.wait_for_names("first", "a")
    assert watch.process is not None

    watch.sections["wrong"] = "trigger=never"
    watch.write()
    watch.process.send_signal(signal.SIGHUP)
    wait_for("the refusal", lambda: "[wrong] trigger" in watch.log.replace(":common", ""))
    del watch.sections["wrong"]
    watch.sections["second"] = ""
    watch.write()
    (watch.directory("second") / "old").touch()
    watch.process.send_signal(signal.SIGHUP)
    watch.wait_for_names("second", "old")
    (watch.directory("first") / "b").touch()
    assert watch.wait_for_names("first", "b") == ["a", "b"]
    assert watch.end() == 0


def test_two_sections_may_watch_one_directory(watches: Callable[..., Watch]) -> None:
    watch = watches(one="trigger=complete\nsettle=0")
    watch.sections["two"] = f"directory={watch.directory('one')}\nonly=^b"
    watch.start()
    for name in ("a", "b"):
        (watch.directory("one") / name).touch()
    assert watch.wait_for_names("one", "a", "b") == ["a", "b"]
    assert watch.wait_for_names("two", "b") == ["b"]


def test_without_a_watch_left_a_directory_is_polled_with_the_same_promises(watches: Callable[..., Watch]) -> None:
    watch = watches(
        created="poll_interval=0.2",
        complete="poll_interval=0.2\ntrigger=complete\nsettle=0.4",
    )
    watch.directory("created").mkdir()
    (watch.directory("created") / "before").touch()
    limit = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"'
    watch.before = ("unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh")
    watch.start()
    assert {one["state"] for one in watch.status["directories"]} == {"polled"}
    assert "sysctl -w fs.inotify.max_user_watches=" in watch.log

    with (watch.directory("complete") / "slow").open("wb", buffering=0) as file:
        for _ in range(6):
            file.write(b"x")
            time.sleep(0.2)
        assert watch.names("complete") == []
    (watch.directory("created") / "after").touch()
    assert watch.wait_for_names("created", "after") == ["before", "after"]
    assert watch.wait_for_names("complete", "slow") == ["slow"]
    (watch.directory("complete") / "slow").write_bytes(b"changed")
    wait_for("the change", lambda: watch.names("complete") == ["slow", "slow"])
    assert watch.end() == 0
