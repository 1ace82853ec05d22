import json
import os
import pwd
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.host import collector as host
from collectors.host.names import OTHER, Name, look_up, user_segment
from collectors.host.proc import Proc
from collectors.host.settings import DEFAULT_PATTERNS, HostSettings
from collectors.host.top import Standing, place
from dkumonitor.collector import Facts, Metric, Run
from tests.collectors.host.machine_of_text import Captured, Numbers, write_machine

if TYPE_CHECKING:
    from collectors.host.usage import Sample

CAPTURED = Path(__file__).parent / "captured"
PAGE = resource.getpagesize()
TICKS = os.sysconf("SC_CLK_TCK")
ME = pwd.getpwuid(os.getuid()).pw_name


def run_at(facts: Facts | None = None, settings: HostSettings | None = None, time_seconds: int = 1000) -> Run:
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(facts.state), type=host.HostState) if facts else None
    return Run("dkm.h.host", settings or HostSettings(), state, time_seconds, 10)


def values(facts: Facts) -> dict[str, float]:
    return {point.name.removeprefix("dkm.h.host."): point.value for point in facts.points}


def collect(root: Path, before: Facts | None = None, settings: HostSettings | None = None) -> Facts:
    return host.collect_from(root, 4, run_at(before, settings))


def declared(name: str) -> bool:
    return any(
        re.fullmatch(re.sub(r"<\w+>", "[A-Za-z0-9_-]+", metric.name.replace(".", r"\.")), name)
        for metric in host.METRICS
    )


def test_a_captured_machine_gives_the_golden_metrics(update_golden: bool) -> None:
    accounts = {0: "root", 33: "www-data", 1000: "alice.smith", 1001: "bob", 65533: "uid-65533"}
    names = {uid: Name(name, 10_000.0) for uid, name in accounts.items()}
    first = host.scan(Captured(CAPTURED / "first"), DEFAULT_PATTERNS, None, names)
    second = host.scan(Captured(CAPTURED / "second"), DEFAULT_PATTERNS, first.sample, first.names)
    told = {
        "elapsed_seconds": second.elapsed_seconds,
        "users": {user: usage.values(second.elapsed_seconds) for user, usage in sorted(second.users.items())},
        "patterns": {name: usage.values(second.elapsed_seconds) for name, usage in sorted(second.patterns.items())},
    }
    golden = CAPTURED / "golden.json"
    if update_golden:
        golden.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")
    assert json.loads(golden.read_text()) == json.loads(json.dumps(told))


def test_the_first_run_tells_levels_and_the_second_rates_too(tmp_path: Path) -> None:
    write_machine(tmp_path, 100, [Numbers(10, cpu_ticks=500, read_bytes=7000)])
    first = collect(tmp_path)
    assert values(first)[f"users.{ME}.resident_bytes"] == 10 * PAGE
    assert not any("per_second" in name or "cpu_percent" in name for name in values(first))
    write_machine(tmp_path, 110, [Numbers(10, cpu_ticks=500 + 2 * TICKS, read_bytes=8000, written_bytes=50)])
    second = values(collect(tmp_path, first))
    assert second[f"users.{ME}.cpu_percent"] == pytest.approx(20)
    assert second[f"users.{ME}.read_bytes_per_second"] == pytest.approx(100)
    assert second[f"users.{ME}.written_bytes_per_second"] == pytest.approx(5)
    assert second[f"users.{ME}.open_files"] == 3
    assert (second["users"], second[f"users.{ME}.hidden_processes"]) == (1, 0)


def test_every_metric_sent_is_declared(tmp_path: Path) -> None:
    write_machine(tmp_path, 100, [Numbers(10, hides=("io",))])
    (tmp_path / "run").mkdir()
    (tmp_path / "run/utmp").touch()
    first = collect(tmp_path)
    write_machine(tmp_path, 110, [Numbers(10)])
    sent = values(collect(tmp_path, first, HostSettings(top_users=0)))
    assert len(sent) >= 40
    assert [name for name in sent if not declared(name)] == []
    assert all(isinstance(metric, Metric) and metric.unit and metric.summary for metric in host.METRICS)


def test_a_number_given_to_another_process_is_not_mistaken_for_the_old_one(tmp_path: Path) -> None:
    write_machine(tmp_path, 100, [Numbers(10, cpu_ticks=9000, start_ticks=100)])
    first = collect(tmp_path)
    write_machine(tmp_path, 110, [Numbers(10, cpu_ticks=TICKS, start_ticks=105 * TICKS)])
    assert values(collect(tmp_path, first))[f"users.{ME}.cpu_percent"] == pytest.approx(10)


def test_a_process_that_was_hidden_before_makes_no_jump(tmp_path: Path) -> None:
    write_machine(tmp_path, 100, [])
    first = collect(tmp_path)
    write_machine(tmp_path, 110, [Numbers(10, cpu_ticks=50000, start_ticks=100, read_bytes=10**9)])
    assert values(collect(tmp_path, first))[f"users.{ME}.cpu_percent"] == 0


def test_what_is_hidden_is_counted_and_never_sent_as_nought(tmp_path: Path) -> None:
    both = ("io", "fd")
    write_machine(tmp_path, 100, [Numbers(10, hides=both), Numbers(11, hides=both)])
    first = collect(tmp_path)
    write_machine(tmp_path, 110, [Numbers(10, hides=both), Numbers(11, hides=both)])
    hidden = values(collect(tmp_path, first))
    assert hidden[f"users.{ME}.hidden_processes"] == 2
    assert f"users.{ME}.open_files" not in hidden
    assert f"users.{ME}.read_bytes_per_second" not in hidden
    assert hidden[f"users.{ME}.cpu_percent"] == 0
    write_machine(tmp_path, 120, [Numbers(10, hides=both), Numbers(11)])
    assert values(collect(tmp_path, first))[f"users.{ME}.open_files"] == 3


def test_kernel_threads_count_as_processes_and_hide_nothing(tmp_path: Path) -> None:
    write_machine(tmp_path, 100, [Numbers(2, flags=0x00200040, hides=("io", "fd"))])
    assert values(collect(tmp_path))[f"users.{ME}.hidden_processes"] == 0


def test_kernel_threads_do_not_speak_for_processes_that_hide(tmp_path: Path) -> None:
    machine = [Numbers(2, flags=0x00200040), Numbers(10, hides=("io", "fd"))]
    write_machine(tmp_path, 100, machine)
    first = collect(tmp_path)
    write_machine(tmp_path, 110, machine)
    told = values(collect(tmp_path, first))
    assert (told[f"users.{ME}.processes"], told[f"users.{ME}.hidden_processes"]) == (2, 1)
    assert f"users.{ME}.open_files" not in told
    assert f"users.{ME}.read_bytes_per_second" not in told


@pytest.mark.parametrize(
    ("command_line", "name"),
    [
        (b"/usr/bin/java\0-cp\0" + b"lib/x.jar:" * 3000 + b"\0com.dataiku.dip.DSSBackendMain\0", "dss_backend"),
        (b"java\0-Xmx2g\0com.dataiku.dip.kernel.DSSJobKernelMain\0", "dss_jek"),
        (b"java\0com.dataiku.dip.kernel.DSSFutureKernelMain\0", "dss_fek"),
        (b"java\0com.dataiku.dip.kernel.DSSFutureKernelName\0", "dss_fek"),
        (b"python\0-m\0ipykernel_launcher\0-f\0kernel-1.json\0", "jupyter_kernel"),
        (b"python3\0-m\0ipykernel\0", "jupyter_kernel"),
        (b"/usr/lib/R/bin/exec/R\0--slave\0-e\0IRkernel::main()\0", "jupyter_kernel"),
        (b"vim\0DSSJobKernelMainly.txt\0", ""),
        (b"", ""),
        (b"\xff\xfe\n\0", ""),
    ],
)
def test_a_process_counts_for_the_pattern_that_its_command_line_fits(
    tmp_path: Path, command_line: bytes, name: str
) -> None:
    write_machine(tmp_path, 1000, [Numbers(10, command_line=command_line)])
    told = values(collect(tmp_path))
    assert [one for one in DEFAULT_PATTERNS if told[f"patterns.{one}.processes"] == 1] == ([name] if name else [])


def test_a_command_line_is_read_once_and_again_when_the_process_becomes_another(tmp_path: Path) -> None:
    kernel = b"python\0-m\0ipykernel_launcher\0"
    write_machine(tmp_path, 1000, [Numbers(10, command_line=b"sh\0", comm="sh")])
    first = collect(tmp_path)
    write_machine(tmp_path, 1010, [Numbers(10, command_line=kernel, comm="sh")])
    assert values(collect(tmp_path, first))["patterns.jupyter_kernel.processes"] == 0
    write_machine(tmp_path, 1020, [Numbers(10, command_line=kernel, comm="python")])
    assert values(collect(tmp_path, first))["patterns.jupyter_kernel.processes"] == 1


def test_accounts_without_a_name_are_told_by_their_number() -> None:
    assert look_up([0, 4_000_000_000], {}, 1.0) == {0: Name("root", 1.0), 4_000_000_000: Name("uid-4000000000", 1.0)}


def test_an_account_called_like_the_rest_is_kept_apart_from_it() -> None:
    assert user_segment(OTHER) != OTHER
    assert user_segment("alice.smith") == "alice-_2Esmith"


shares = st.dictionaries(st.sampled_from("abcdefghij"), st.floats(0, 1), max_size=10)


@settings(deadline=None)
@given(st.lists(shares, min_size=1, max_size=30), st.integers(0, 5))
def test_places_are_never_more_than_wanted_and_change_by_one_at_most(
    samples: list[dict[str, float]], places: int
) -> None:
    standing = Standing()
    for sample in samples:
        after = place(standing, sample, places, 10)
        assert len(after.placed) == len(set(after.placed)) <= places
        assert len(set(standing.placed) - set(after.placed)) <= 1
        assert set(standing.placed) <= set(after.placed) or len(after.placed) == places
        assert set(after.placed) >= set(sample) or len(after.placed) == places
        standing = after


def test_two_equal_users_do_not_take_turns() -> None:
    standing = place(Standing(), {"a": 0.2, "b": 0.2}, 1, 10)
    for number in range(100):
        noise = 0.02 * (number % 2)
        standing = place(standing, {"a": 0.2 - noise, "b": 0.2 + noise}, 1, 10)
        assert standing.placed == ("a",)


def test_a_user_who_is_clearly_larger_gets_a_place_before_long() -> None:
    standing = place(Standing(), {"small": 0.1}, 1, 10)
    for _ in range(60):
        standing = place(standing, {"small": 0.1, "large": 1.0}, 1, 10)
    assert standing.placed == ("large",)


def test_this_machine_looks_as_psutil_sees_it() -> None:
    program = "import time; x = bytearray(50_000_000); print('ready', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            found = {process.pid: process for process in Proc(Path("/proc")).processes()}[child.pid]
            seen = psutil.Process(child.pid)
            assert found.uid == seen.uids().effective
            assert found.stat.threads == seen.num_threads()
            assert found.open_files == seen.num_fds()
            assert found.stat.resident_bytes == pytest.approx(seen.memory_info().rss, rel=0.05)
            assert found.io == (seen.io_counters().read_bytes, seen.io_counters().write_bytes)
            assert Proc(Path("/proc")).command_line(child.pid) == " ".join(seen.cmdline())
        finally:
            child.kill()


def test_processes_that_vanish_during_the_scan_are_no_failure() -> None:
    script = "while :; do /bin/true; done"
    with subprocess.Popen(["sh", "-c", script]) as busy:
        try:
            sample: Sample | None = None
            for _ in range(30):
                sample = host.scan(Proc(Path("/proc")), {"all": "."}, sample, {}).sample
            assert sample is not None
            assert os.getpid() in sample.processes
        finally:
            busy.kill()
