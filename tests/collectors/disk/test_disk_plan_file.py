"""A plan's file gives back just what was written, and nothing that was cut off or changed passes for a plan."""

from __future__ import annotations

import io
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.disk.errors import PlanError
from collectors.disk.plan_file import BLOCK_ENTRIES, BYTES_MAX, Entry, Foot, Head, PlanReader, PlanWriter
from tests.collectors.disk.makers import a_head, an_entry
from tests.corpus import NAMES as FILE_NAMES

NAMES = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name)
NUMBERS = st.integers(0, 2**63 - 1)
ENTRIES = st.builds(
    Entry,
    path=NAMES,
    type=st.sampled_from(["f", "l"]),
    dev=NUMBERS,
    ino=NUMBERS,
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    mode=st.integers(0, 0o177777),
    links=st.integers(1, 2**31),
    size_bytes=NUMBERS,
    allocated_bytes=NUMBERS,
    atime_ns=st.integers(-(2**62), 2**62),
    mtime_ns=st.integers(-(2**62), 2**62),
    ctime_ns=st.integers(-(2**62), 2**62),
    reason=st.text(max_size=20),
)


def written(entries: list[Entry], head: Head | None = None) -> tuple[bytes, Foot]:
    with tempfile.TemporaryFile() as file:
        writer = PlanWriter(file, head or a_head())
        writer.add(entries)
        foot = writer.close()
        file.seek(0)
        return file.read(), foot


def read(data: bytes) -> tuple[Head, list[Entry], Foot]:
    reader = PlanReader(io.BytesIO(data), "the plan")
    foot = reader.check()
    return reader.head, [entry for block in reader.blocks() for entry in block], foot


@given(st.lists(ENTRIES, max_size=20))
def test_what_was_written_is_read(entries: list[Entry]) -> None:
    data, foot = written(entries)
    assert read(data) == (a_head(), entries, foot)
    wanted_bytes = min(sum(entry.size_bytes for entry in entries), BYTES_MAX)
    assert (foot.files, foot.bytes) == (len(entries), wanted_bytes)


def test_any_name_survives() -> None:
    entries = [an_entry(name) for name in FILE_NAMES]
    assert read(written(entries)[0])[1] == entries


def test_blocks_bound_the_memory_of_a_large_plan() -> None:
    entries = [an_entry(b"%d" % number) for number in range(3 * BLOCK_ENTRIES + 1)]
    data, _ = written(entries)
    reader = PlanReader(io.BytesIO(data), "the plan")
    blocks = list(reader.blocks())
    assert [len(block) for block in blocks] == [BLOCK_ENTRIES] * 3 + [1]
    assert [entry for block in blocks for entry in block] == entries


def test_reading_may_be_interleaved_with_a_check() -> None:
    data, foot = written([an_entry(b"%d" % number) for number in range(2 * BLOCK_ENTRIES)])
    reader = PlanReader(io.BytesIO(data), "the plan")
    blocks = reader.blocks()
    first = next(blocks)
    assert reader.check() == foot
    assert len(first) + sum(map(len, blocks)) == 2 * BLOCK_ENTRIES


def test_a_plan_that_was_cut_off_anywhere_is_no_plan() -> None:
    data, _ = written([an_entry(), an_entry(b"c")])
    for length in range(len(data)):
        with pytest.raises(PlanError):
            read(data[:length])


def test_a_plan_with_one_byte_changed_is_no_plan() -> None:
    data, _ = written([an_entry(), an_entry(b"c")])
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x01
        with pytest.raises(PlanError):
            read(bytes(changed))


def test_something_after_the_end_is_no_plan() -> None:
    with pytest.raises(PlanError, match="digest"):
        read(written([an_entry()])[0] + b"x")


def test_a_plan_of_another_version_says_so() -> None:
    with pytest.raises(PlanError, match="version 2"):
        read(written([], a_head(version=2))[0])
