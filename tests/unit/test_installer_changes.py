"""What an update does to each file, and manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.changes import NO_PLAIN_FILE, Act, Change, decide
from installer.errors import ReleaseError
from installer.manifest import Entry, format_manifest, parse_manifest, text_sha256
from installer.render import File

OLD, NEW, MINE = text_sha256("old"), text_sha256("new"), text_sha256("mine")
FILE = File("conf/a", "new", 0o644)


def decided(recorded: dict[str, str], on_disk: dict[str, str], *, rendered: bool = True) -> list[Change]:
    return list(decide([FILE] if rendered else [], recorded, on_disk, "2"))


@pytest.mark.parametrize(
    ("recorded", "on_disk", "act"),
    [
        (OLD, OLD, Act.WRITE),
        (OLD, None, Act.WRITE),
        (None, None, Act.WRITE),
        (OLD, NEW, Act.SAME),
        (NEW, NEW, Act.SAME),
        (NEW, MINE, Act.EDITED),
        (OLD, MINE, Act.BESIDE),
        (None, MINE, Act.BESIDE),
        (OLD, NO_PLAIN_FILE, Act.BESIDE),
    ],
)
def test_an_edited_file_is_never_written(recorded: str | None, on_disk: str | None, act: Act) -> None:
    (change,) = decided({"conf/a": recorded} if recorded else {}, {} if on_disk is None else {"conf/a": on_disk})

    assert change.act is act
    assert (change.file.path if change.file else None) == {Act.WRITE: "conf/a", Act.BESIDE: "conf/a.new-2"}.get(act)


@pytest.mark.parametrize(("on_disk", "acts"), [(OLD, [Act.REMOVE]), (MINE, [Act.LEAVE]), (None, [])])
def test_a_file_that_the_release_has_no_longer_is_removed_unless_edited(on_disk: str | None, acts: list[Act]) -> None:
    disk = {} if on_disk is None else {"conf/a": on_disk}
    assert [change.act for change in decided({"conf/a": OLD}, disk, rendered=False)] == acts


def test_what_an_earlier_update_laid_beside_goes_when_a_newer_one_comes() -> None:
    recorded = {"conf/a": OLD, "conf/a.new-1": OLD}
    acts = {change.path: change.act for change in decided(recorded, {"conf/a": MINE, "conf/a.new-1": OLD})}
    assert acts == {"conf/a": Act.BESIDE, "conf/a.new-1": Act.REMOVE}


def test_what_lies_beside_stays_as_long_as_the_release_has_the_same() -> None:
    recorded = {"conf/a": NEW, "conf/a.new-1": NEW}
    (change,) = decided(recorded, {"conf/a": MINE, "conf/a.new-1": NEW})
    assert (change.act, change.lies_at) == (Act.EDITED, "conf/a.new-1")
    merged = decided(recorded, {"conf/a": MINE})
    assert [change.lies_at for change in merged] == [""]


def test_a_draft_of_the_administrator_in_the_file_that_lies_beside_stays() -> None:
    recorded = {"conf/a": OLD, "conf/a.new-2": OLD}
    acts = {change.path: change.act for change in decided(recorded, {"conf/a": MINE, "conf/a.new-2": MINE})}
    assert acts == {"conf/a": Act.DRAFT, "conf/a.new-2": Act.LEAVE}


PATHS = st.lists(
    st.text(
        st.characters(codec="utf-8", exclude_characters="/\n\r\0", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1
    ).filter(lambda part: part not in {".", ".."} and part.strip() == part),
    min_size=1,
    max_size=3,
).map("/".join)


@given(st.dictionaries(PATHS, st.sampled_from([OLD, NEW, MINE]), max_size=5))
def test_a_manifest_is_read_as_it_was_written(files: dict[str, str]) -> None:
    entries = [Entry(path, sha256) for path, sha256 in sorted(files.items())]
    assert list(parse_manifest(format_manifest(entries), Path("M"))) == entries


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", ""])
def test_a_manifest_that_names_something_outside_is_refused(path: str) -> None:
    with pytest.raises(ReleaseError):
        parse_manifest(f"{OLD}  {path}\n", Path("M"))
