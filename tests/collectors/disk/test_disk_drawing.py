"""Pictures of disk use: areas as given, no text beyond its tile, colours that tell what the words tell."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.disk.drawing import bars
from collectors.disk.drawing.lines import HEIGHT, WIDTH, line
from collectors.disk.drawing.squarify import Box, squarify
from collectors.disk.drawing.treemap import FORMS, legend, old_step, treemaps
from collectors.disk.views.rows import AgeRow, DirectoryRow, SizeRow
from dkumonitor.cells import size
from tests import corpus

WHOLE = Box(0, 0, 960, 460)
SIZES = st.lists(st.integers(1, 10**15), min_size=1, max_size=60).map(lambda values: sorted(values, reverse=True))


def a_row(name: bytes, allocated_bytes: int, old_percent: float = 0.0, uid: int = 1, listed: int = 1) -> DirectoryRow:
    return DirectoryRow(
        path=b"above/" + name, login=f"user{uid}", allocated_bytes=allocated_bytes, share_percent=None,
        old_percent=old_percent, files=1, apparent_bytes=allocated_bytes, old_bytes=0, old_files=0, directories=0,
        other=0, listed=listed, depth=2, uid=uid, number=7, run_id=3,
    )  # fmt: skip


@given(SIZES)
def test_areas_are_as_the_values_and_fill_the_box_without_overlap(values: list[int]) -> None:
    boxes = squarify(values, WHOLE)

    assert len(boxes) == len(values)
    area = WHOLE.width * WHOLE.height
    for value, box in zip(values, boxes, strict=True):
        assert box.width * box.height == pytest.approx(area * value / sum(values), rel=1e-6, abs=1e-3)
        assert box.x >= -1e-3
        assert box.y >= -1e-3
        assert box.x + box.width <= WHOLE.width + 1e-3
        assert box.y + box.height <= WHOLE.height + 1e-3
    for one, other in itertools.combinations(boxes, 2):
        across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
        down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
        assert min(across, down) <= 1e-3


def test_tiles_of_equal_size_are_nearly_square() -> None:
    for box in squarify([1] * 24, WHOLE):
        assert 0.4 < box.width / box.height < 2.5


def test_nothing_has_no_boxes() -> None:
    assert squarify([], WHOLE) == []
    assert treemaps([], None, "old")[0].tiles == ()


@given(st.lists(st.tuples(st.sampled_from(corpus.NAMES), st.integers(0, 10**13)), min_size=1, max_size=90))
def test_every_tile_says_its_whole_name_and_writes_no_more_than_it_has_room_for(found: list[tuple[bytes, int]]) -> None:
    rows = [a_row(name.replace(b"/", b"_"), taken) for name, taken in sorted(found, key=lambda one: -one[1])]
    above = a_row(b"", sum(taken for _, taken in found) + 10**9)

    for form, picture in zip(FORMS, treemaps(rows, above, "old"), strict=True):
        assert len(picture.tiles) <= form.most + 2
        for tile in picture.tiles:
            assert all(len(text) * 5 <= tile.width for text in tile.lines)
            assert not any(char in tile.words for char in "\n\x1b\u202e")
            assert tile.words.isprintable()
        assert any(tile.words == f"not listed: {size(10**9)}, files here and directories that are not listed"
                   for tile in picture.tiles)  # fmt: skip


def test_colours_tell_the_share_that_is_old_or_the_owner() -> None:
    rows = [a_row(b"%d" % number, 100 - number, old_percent=5.0 * number, uid=number) for number in range(20)]

    (by_old, _), (by_owner, _) = treemaps(rows, None, "old"), treemaps(rows, None, "owner")
    assert [tile.colour for tile in by_old.tiles] == [f"old-{old_step(row.old_percent)}" for row in rows]
    assert [old_step(percent) for percent in (0, 9.9, 10, 25, 50, 74.9, 75, 100)] == [0, 0, 1, 2, 3, 3, 4, 4]
    assert [tile.colour for tile in by_owner.tiles] == [f"owner-{n}" for n in range(7)] + ["owner-other"] * 13
    assert [one.text for one in legend(rows, "owner")] == [f"user{n}" for n in range(7)] + ["others"]
    assert {one.name for one in legend(rows, "old")} == {f"old-{step}" for step in range(5)}


def test_a_tile_leads_down_only_where_something_is_listed_below() -> None:
    (picture, _) = treemaps([a_row(b"a", 3), a_row(b"b", 2, listed=0)], None, "owner")
    assert [tile.href for tile in picture.tiles] == ["/disk/directories?run=3&directory=7&by=owner", None]


def test_a_line_spans_its_box_from_zero_up() -> None:
    drawn = line([(0.0, 10.0), (50.0, 5.0), (100.0, 20.0)], size)
    assert drawn is not None
    assert drawn.path == f"M0.0 {HEIGHT / 2} L{WIDTH / 2} 75.0 L{WIDTH}.0 0.0"
    assert drawn.words == "from 5 B to 20 B, last 20 B"
    assert (drawn.from_seconds, drawn.to_seconds, drawn.top) == (0.0, 100.0, "20 B")
    assert line([(1.0, 2.0)], size) is None
    assert line([(1.0, 2.0), (1.0, 3.0)], size) is None
    assert line([(1.0, 0.0), (2.0, 0.0)], size) is not None


def test_bars_say_of_which_ages_and_sizes_they_are() -> None:
    days = [(0, 1), (1, 7), (180, 365), (365, 730), (730, None), (None, None)]
    ages = [AgeRow(from_days=low, to_days=high, files=1, apparent_bytes=1, allocated_bytes=10) for low, high in days]
    assert [bar.label for bar in bars.of_ages(ages)] == [
        "within a day",
        "1 day to 7 days",
        "180 days to 1 year",
        "1 year to 2 years",
        "2 years and more",
        "in the future",
    ]
    bounds = [(0, 1), (1, 4096), (1 << 30, None)]
    sizes = [SizeRow(from_bytes=low, to_bytes=high, files=1, apparent_bytes=1, allocated_bytes=n * 10)
             for n, (low, high) in enumerate(bounds)]  # fmt: skip
    found = bars.of_sizes(sizes)
    assert [bar.label for bar in found] == ["empty", "1 B to 4 KiB", "1 GiB and more"]
    assert [bar.length for bar in found] == [0, 50, 100]
    assert sum(bar.share_percent for bar in found) == pytest.approx(100)
    assert bars.lengths([]) == []
    assert os.fsdecode(b"\xff") not in found[0].label
