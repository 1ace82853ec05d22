import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkumonitor.errors import SpoolError
from dkumonitor.spool import Spool

LINE = st.from_regex(rb"[a-z]{1,30} -?[0-9]{1,9} [0-9]{1,10}\n", fullmatch=True)
MIB = 1024 * 1024


def drain(spool: Spool) -> list[bytes]:
    lines: list[bytes] = []
    while portion := spool.oldest():
        lines += portion.lines
        spool.remove(portion)
    return lines


def numbered(first: int, end: int) -> list[bytes]:
    return [b"a.metric.name %d 1700000000\n" % number for number in range(first, end)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(LINE, max_size=20), max_size=10), st.integers(0, 9))
def test_what_goes_in_comes_out_in_order_also_after_a_restart(batches: list[list[bytes]], restart_after: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), MIB)
        for number, batch in enumerate(batches):
            spool.append(batch)
            if number == restart_after:
                spool.close()
                spool = Spool(Path(folder), MIB)
        assert drain(spool) == [line for batch in batches for line in batch]
        assert not spool
        assert spool.dropped_total == 0
        spool.close()


@settings(deadline=None, max_examples=50)
@given(st.lists(LINE, min_size=1, max_size=20), st.data())
def test_damage_costs_the_damaged_lines_alone(lines: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), MIB)
        spool.append(lines)
        [segment] = Path(folder).glob("*.lines")
        raw = bytearray(segment.read_bytes())
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] ^= data.draw(st.integers(1, 255))
        segment.write_bytes(raw)
        left = drain(spool)
        assert set(left) <= set(lines)
        assert len(left) >= len(lines) - 2
        assert spool.dropped_total >= 1
        spool.close()


def test_a_torn_tail_is_left_out_and_later_lines_are_not(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB)
    spool.append(numbered(0, 3))
    spool.close()
    [segment] = tmp_path.glob("*.lines")
    segment.write_bytes(segment.read_bytes()[:-5])
    spool = Spool(tmp_path, MIB)
    spool.append(numbered(3, 5))
    assert drain(spool) == numbered(0, 2) + numbered(3, 5)
    assert spool.dropped_total == 1


def test_the_bound_drops_the_oldest_and_counts_them_across_restarts(tmp_path: Path) -> None:
    bound = 64 * 1024
    spool = Spool(tmp_path, bound)
    for first in range(0, 5000, 50):
        spool.append(numbered(first, first + 50))
        assert sum(path.stat().st_size for path in tmp_path.glob("*.lines")) <= bound
    dropped = spool.dropped_total
    assert dropped > 0
    spool.close()
    spool = Spool(tmp_path, bound)
    assert spool.dropped_total == dropped
    assert drain(spool) == numbered(dropped, 5000)


def test_a_crash_between_the_count_and_the_removal_counts_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB)
    spool.append(numbered(0, 10))
    spool.close()
    (tmp_path / "dropped").write_text("10 1\n")
    spool = Spool(tmp_path, MIB)
    assert (spool.dropped_total, drain(spool)) == (10, [])


def test_a_portion_stays_until_it_is_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB)
    spool.append(numbered(0, 10))
    first = spool.oldest()
    spool.append(numbered(10, 20))
    assert first == spool.oldest()
    spool.close()
    assert drain(Spool(tmp_path, MIB)) == numbered(0, 20)


def test_a_disk_that_takes_nothing_makes_lines_wait_in_memory_up_to_a_bound(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, MIB, memory_max_bytes=1000)
    folder.rename(tmp_path / "away")
    spool.append(numbered(0, 10))
    assert spool
    portion = spool.oldest()
    assert portion is not None
    assert portion.lines == tuple(numbered(0, 10))
    spool.append(numbered(10, 1000))
    assert spool.size_bytes <= 1000
    kept = 1000 - spool.dropped_total
    (tmp_path / "away").rename(folder)
    spool.append(numbered(1000, 1001))
    assert drain(spool) == numbered(1000 - kept, 1001)


def test_two_processes_never_share_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB)
    with pytest.raises(SpoolError, match="in use"):
        Spool(tmp_path, MIB)
    spool.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="file/spool"):
        Spool(tmp_path / "file/spool", MIB)


WRITER = """
import os, sys
from pathlib import Path
from dkumonitor.spool import Spool
spool = Spool(Path(sys.argv[1]), 2**20)
number = 0
while True:
    spool.append([b"a %d 1700000000\\n" % number])
    number += 1
    os.write(1, b"%d\\n" % number)
"""


def test_a_kill_at_any_moment_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    for round_number in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        ) as writer:
            assert writer.stdout is not None
            for _ in range(50 * (round_number + 1)):
                writer.stdout.readline()
            writer.kill()
            told = writer.stdout.read().splitlines()
        spool = Spool(tmp_path, MIB)
        appended = int(told[-1]) if told and told[-1].isdigit() else 50 * (round_number + 1)
        found = [int(line.split()[1]) for line in drain(spool)]
        assert found == list(range(len(found)))
        assert len(found) >= appended
        spool.close()
