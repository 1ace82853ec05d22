"""The INI file: the earlier tool's format as it is, and errors that name file, section and key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from collectors.arrivals.configuration import Configuration, load
from collectors.arrivals.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

# The sample of the earlier tool's text, without its comments.
OLD = r"""
    [common]

    # Defines whether or not a directory should be scrutinized
    #
    active=false
    forced_poll=300
    poll_queue_limit=10000
    monitor_inactivitytimeout=300

    Redis_server=127.0.0.1
    Redis_port=8080

    timeout=10
    ignore=^.*\.t$;^.*\.tmp$;^.*\.[0-9][0-9]$;^.*\.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]$
    only=^.*$

    ######################################################################################

    [stage1:common]
    active=true
    directory=dir/stage1
    queue=queue:stage1
    counter=counter:stage1

    [stage2:common]
    active=true
    directory=dir/stage2
    queue=queue:stage2
    counter=counter:stage2
"""
SMALL = "[common]\nactive=true\nredis_server=r\nredis_port=6379\nqueue=q\n[a]\ndirectory=/a\n"


def read(folder: Path, text: str, encoding: str = "utf-8") -> Configuration:
    file = folder / "observer.ini"
    file.write_bytes(text.encode(encoding))
    return load(file, folder / "spools")


def test_the_old_tools_sample_is_read_as_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, "\n".join(line.strip() for line in OLD.splitlines()))
    first, second = found.directories
    assert (found.server.redis_server, found.server.redis_port, found.server.timeout) == ("127.0.0.1", 8080, 10)
    assert found.monitor_inactivitytimeout == 300
    assert (first.section, first.path, first.queue, first.counter) == (
        "stage1", b"dir/stage1", "queue:stage1", "counter:stage1",
    )  # fmt: skip
    assert (second.section, second.path) == ("stage2", b"dir/stage2")
    assert (first.forced_poll, first.poll_queue_limit, first.only) == (300, 10_000, ("^.*$",))
    assert first.ignore == (r"^.*\.t$", r"^.*\.tmp$", r"^.*\.[0-9][0-9]$", "^.*\\." + 10 * "[0-9]" + "$")
    assert (first.trigger, first.details, first.recursive, first.output) == ("created", False, False, "list")
    assert found.spool.parent == tmp_path / "spools"


def test_the_indented_sample_is_read_the_same(tmp_path: Path) -> None:
    straight = read(tmp_path, "\n".join(line.strip() for line in OLD.splitlines()))
    assert read(tmp_path, OLD) == straight


def test_sections_inherit_over_several_steps_and_the_nearest_wins(tmp_path: Path) -> None:
    text = (
        "[common]\nredis_server=r\nredis_port=1\nsettle=1\nforced_poll=1\nqueue=q\ntimeout=3\n"
        "[base:common]\nsettle=2\nactive=true\n[other]\nsettle=3\nforced_poll=3\n"
        "[leaf:base:other]\ndirectory=/leaf\n[alone]\nactive=yes\ndirectory=/alone\n"
    )
    leaf, alone = read(tmp_path, text).directories
    assert (leaf.section, leaf.settle, leaf.forced_poll) == ("leaf", 2, 3)
    assert (alone.section, alone.settle, alone.forced_poll) == ("alone", 1, 1)


def test_a_directory_that_is_not_utf_8_is_the_same_bytes(tmp_path: Path) -> None:
    assert read(tmp_path, SMALL.replace("/a", "/caf\xe9"), "latin-1").directories[0].path == b"/caf\xe9"


def test_null_stands_for_no_unix_socket(tmp_path: Path) -> None:
    assert read(tmp_path, SMALL + "redis_unix_socket=null\n").server.redis_unix_socket == ""
    text = SMALL.replace("redis_server=r\nredis_port=6379", "redis_unix_socket=/run/redis")
    assert read(tmp_path, text).server.redis_unix_socket == "/run/redis"


@pytest.mark.parametrize(
    ("change", "section", "key", "says"),
    [
        (("[a]", "[a]\nforced_pol=1"), "a", "forced_pol", "Did you mean forced_poll"),
        (("[a]", "[a]\nforced_poll=often"), "a", "forced_poll", "'often' cannot be: a number"),
        (("[a]", "[a]\nactive=maybe"), "a", "active", "true or false"),
        (("[a]", "[a]\nonly=^(a"), "a", "only", "no regular expression"),
        (("[a]", "[a]\nredis_port=99999"), "a", "redis_port", "a port"),
        (("directory=/a", ""), "a", "directory", "missing"),
        (("queue=q", ""), "a", "queue", "missing"),
        (("redis_server=r\n", ""), "common", "redis_server", "missing"),
        (("redis_port=6379", ""), "common", "redis_port", "missing"),
        (("[a]", "[a:commom]"), "a:commom", "", "Did you mean [common]"),
        (("[a]", "[b]\ndirectory=/b\nredis_server=other\n[a]"), "a", "redis_server", "differs"),
        (("[a]", "[a]\nsentinels=h:1"), "common", "sentinel_master", "missing"),
        (("[a]", "[a]\nsentinels=h"), "a", "sentinels", "HOST:PORT"),
        (("[a]", "[a]\nspool_max=lots"), "a", "spool_max", "a size"),
    ],
)
def test_an_error_names_file_section_and_key(
    tmp_path: Path, change: tuple[str, str], section: str, key: str, says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, SMALL.replace(*change))
    text = str(caught.value)
    assert str(tmp_path / "observer.ini") in text
    assert f"[{section}]" in text
    assert re.search(rf"\b{key}\b", text)
    assert says in text
    assert caught.value.exit_code == 41


@pytest.mark.parametrize(
    "text", ["", "no section", "[a\n", "[a]\nx", "[a]\nactive=false\n", "[a]\ntimeout=1\ntimeout=2"]
)
def test_what_is_no_such_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path / "observer.ini"))):
        read(tmp_path, text)
    with pytest.raises(ConfigurationError, match=r"none\.ini"):
        load(tmp_path / "none.ini", None)
