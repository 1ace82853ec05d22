import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.host.proc import (
    Io,
    Proc,
    parse_command_line,
    parse_io,
    parse_memory_total,
    parse_stat,
    parse_uptime,
)
from collectors.host.sessions import Login, logged_in_users, parse_session, parse_utmp

TAIL = b"S 1 734 734 0 -1 4194560 2213 9901 12 34 57 21 3 4 20 0 7 0 1234567 1073741824 2560 18446744073709551615"
KERNEL_TAIL = b"I 2 0 0 0 -1 69238880 0 0 0 0 5 9 0 0 0 -20 1 0 42 0 0 18446744073709551615"
IO = b"""rchar: 3
wchar: 4
syscr: 5
syscw: 6
read_bytes: 4096
write_bytes: 8192
cancelled_write_bytes: 0
"""


@pytest.mark.parametrize(
    "comm", [b"java", b"", b") S 1 (", b"a b", b"((sd-pam))", b"\n) R\n", b"\xff\xfe\x1b[31m", b"1 2 3 4 5 6 7 8"]
)
def test_a_stat_is_read_whatever_the_name_holds(comm: bytes) -> None:
    stat = parse_stat(b"734 (" + comm + b") " + TAIL + b" 0\n")
    assert stat.comm == comm
    assert not stat.is_kernel_thread
    assert (stat.cpu_ticks, stat.threads, stat.start_ticks) == (57 + 21, 7, 1234567)
    assert stat.resident_bytes == 2560 * os.sysconf("SC_PAGE_SIZE")


def test_a_kernel_thread_is_known_by_its_flag() -> None:
    assert parse_stat(b"2 (kthreadd) " + KERNEL_TAIL).is_kernel_thread


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(0, 120))
def test_a_stat_that_is_cut_short_or_is_none_is_a_value_error(noise: bytes, length: int) -> None:
    for text in (noise, (b"734 (java) " + TAIL)[:length]):
        try:
            parse_stat(text)
        except ValueError:
            continue


def test_io_is_what_reached_storage() -> None:
    assert parse_io(IO) == Io(4096, 8192)
    for text in (b"", b"rchar: 3\n", b"read_bytes: x\nwrite_bytes: 1\n", b"read_bytes 1"):
        with pytest.raises(ValueError, match=r"."):
            parse_io(text)


def test_uptime_memory_and_command_lines_are_read() -> None:
    assert parse_uptime(b"350735.47 234388.90\n") == 350735.47
    assert parse_memory_total(b"MemTotal:       24683124 kB\nMemFree: 1 kB\n") == 24683124 * 1024
    assert parse_memory_total(b"") == 0
    assert parse_command_line(b"python\0-m\0ipykernel_launcher\0\0") == "python -m ipykernel_launcher"
    assert os.fsencode(parse_command_line(b"\xff\0\n")) == b"\xff \n"
    assert parse_command_line(b"") == ""


def record(kind: int, pid: int, user: bytes) -> bytes:
    return struct.pack("hi32s4s32s256shhiii4i20s", kind, pid, b"pts/0", b"ts/0", user, b"", *(0,) * 9, b"")


def test_utmp_names_users_and_not_other_records() -> None:
    data = record(2, 0, b"reboot") + record(7, 10, b"alice") + record(8, 11, b"gone") + record(7, 12, b"x" * 32)
    assert list(parse_utmp(data + b"torn")) == [Login(10, "alice"), Login(12, "x" * 32)]
    assert list(parse_utmp(b"")) == []


def test_a_session_file_names_a_person_and_not_a_service_or_one_who_leaves() -> None:
    assert parse_session("UID=1000\nUSER=alice\nCLASS=user\nSTATE=active\n") == "alice"
    assert parse_session("USER=gdm\nCLASS=greeter\n") is None
    assert parse_session("USER=alice\nCLASS=user\nSTATE=closing\n") is None
    assert parse_session("rubbish") is None


def test_users_are_counted_once_and_only_while_their_process_lives(tmp_path: Path) -> None:
    root = tmp_path
    for pid in (10, 11, 12):
        (root / f"proc/{pid}").mkdir(parents=True)
    proc = Proc(root / "proc")
    assert logged_in_users(root, proc) is None
    (root / "run/systemd/sessions").mkdir(parents=True)
    (root / "run/systemd/sessions/1").write_text("USER=alice\nCLASS=user\n")
    (root / "run/systemd/sessions/2").write_text("USER=alice\nCLASS=user\n")
    (root / "run/systemd/sessions/3").write_text("USER=gdm\nCLASS=greeter\n")
    assert logged_in_users(root, proc) == 1
    users = [(10, b"alice"), (11, b"alice"), (12, b"bob"), (13, b"gone")]
    (root / "run/utmp").write_bytes(b"".join(record(7, pid, user) for pid, user in users))
    assert logged_in_users(root, proc) == 2
