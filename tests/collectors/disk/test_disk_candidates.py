"""Of what is old, a plan takes what was unused longest, and never more than its bounds."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collectors.disk.candidates import Candidates, used_ns
from tests.collectors.disk.makers import an_entry

DAY_NS = 86400 * 10**9


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 50)), max_size=30),
    st.integers(1, 12),
    st.integers(0, 300),
    st.integers(1, 7),
)
def test_the_bounds_hold_and_older_days_come_first(
    files: list[tuple[int, int]], max_files: int, max_bytes: int, block: int
) -> None:
    entries = [
        an_entry(b"%d" % number, mtime_ns=day * DAY_NS + number, atime_ns=0, size_bytes=size)
        for number, (day, size) in enumerate(files)
    ]
    candidates = Candidates(Path("/tmp"), lambda _: False)
    for start in range(0, len(entries), block):
        candidates.add(entries[start : start + block], "newest")
    chosen = [entry for some in candidates.chosen("newest", max_files, max_bytes) for entry in some]
    candidates.close()

    assert len(chosen) <= max_files
    assert sum(entry.size_bytes for entry in chosen) <= max_bytes
    left = [entry for entry in entries if entry not in chosen]
    if chosen and left:
        newest_day = max(used_ns(entry, "newest") // DAY_NS for entry in chosen)
        assert all(used_ns(entry, "newest") // DAY_NS >= newest_day for entry in left)
    if len(entries) <= max_files and sum(entry.size_bytes for entry in entries) <= max_bytes:
        assert chosen == entries


def test_what_is_exempt_is_counted_and_left_out(tmp_path: Path) -> None:
    candidates = Candidates(tmp_path, lambda entry: entry.uid == 1)
    candidates.add([an_entry(b"mine", uid=1), an_entry(b"other", uid=2)], "newest")
    assert [entry.path for some in candidates.chosen("newest", 10, 100) for entry in some] == [b"other"]
    assert candidates.exempt_files == 1
    assert list(tmp_path.iterdir()) == [], "its file has no name"
    candidates.close()
