"""Who is told what: the rules, and what holds for any figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.disk.facts import User
from collectors.disk.runs import Level
from collectors.disk.warnings import Done, Planned, Section, Told, decide, top
from tests.collectors.disk.mail_occasion import DUE_SECONDS, everything, occasion, scan, task, user

USAGE = {Section.TOP_SPACE, Section.TOP_OLD, Section.GENERAL}
EIGHT = tuple(user(1000 + number, size_gib=number, old_gib=9 - number) for number in range(1, 9))
PEOPLE = {one.uid for one in EIGHT}


def sections(told: list[Told]) -> dict[int, list[str]]:
    return {one.uid: [section.value for section in one.sections] for one in told}


def test_below_the_warning_level_nobody_is_told() -> None:
    assert decide(occasion(scan(*EIGHT), level=Level.OK), PEOPLE) == []


@pytest.mark.parametrize("level", [Level.WARNING, Level.CRITICAL])
def test_the_top_share_by_space_and_by_old_bytes_is_warned(level: Level) -> None:
    assert sections(decide(occasion(scan(*EIGHT), level=level), PEOPLE)) == {
        1001: ["top_old", "general"],
        1002: ["top_old", "general"],
        1007: ["top_space", "general"],
        1008: ["top_space", "general"],
    }


def test_who_is_both_is_told_both_in_one_mail_with_own_figures() -> None:
    [told] = decide(occasion(scan(user(1001, 5, 2), user(1002, 4, 1)), task(email_top_percent=50)), {1001, 1002})
    assert [section.value for section in told.sections] == ["top_space", "top_old", "general"]
    assert told.own == user(1001, 5, 2)


@pytest.mark.parametrize(("action", "section"), [("move", "move_warning"), ("delete", "deletion_warning")])
def test_the_warned_are_told_what_happens_when_it_is_critical(action: str, section: str) -> None:
    of = task(relocation_path=b"/archive") if action == "move" else task(delete_old_files=True)
    [told] = decide(occasion(scan(user(1001, 5, 2, old_files=7), user(1002, 4)), of), {1001, 1002})
    assert [one.value for one in told.sections] == [section, "top_space", "top_old", "general"]
    [act] = told.acts
    assert (act.files, act.bytes, act.due_seconds, act.is_planned) == (7, 2 * 1024**3, None, False)


def test_every_owner_of_what_is_planned_is_warned_whatever_the_level() -> None:
    plan = Planned(action="delete", users={1001: (3, 300), 1003: (1, 0), 1009: (0, 0)}, due_seconds=DUE_SECONDS)
    told = decide(occasion(scan(*EIGHT), level=Level.OK, planned=(plan,)), PEOPLE | {1009})
    assert sections(told) == {1001: ["deletion_warning"], 1003: ["deletion_warning"]}
    assert [(one.acts[0].files, one.acts[0].bytes, one.acts[0].due_seconds) for one in told] == [
        (3, 300, DUE_SECONDS),
        (1, 0, DUE_SECONDS),
    ]


def test_owners_of_what_was_done_get_a_notice_even_if_they_have_nothing_left() -> None:
    done = Done(action="move", users={2001: (3, 300)})
    [told] = decide(occasion(scan(*EIGHT), level=Level.OK, done=(done,)), {2001})
    assert (told.uid, told.sections, told.own) == (2001, (Section.MOVE_NOTICE,), User(uid=2001))
    assert told.is_notice


def test_what_was_moved_and_what_did_not_fit_are_in_one_mail() -> None:
    """A full relocation target: the rest became a plan of deletion."""
    both = occasion(
        scan(user(1001, 5, 2)),
        task(relocation_path=b"/archive", delete_when_full=True),
        Level.CRITICAL,
        planned=(Planned(action="delete", users={1001: (2, 20)}, due_seconds=DUE_SECONDS),),
        done=(Done(action="move", users={1001: (3, 30)}),),
    )
    [told] = decide(both, {1001})
    assert {"move_notice", "deletion_warning"} <= set(sections([told])[1001])


def test_a_task_turns_warnings_and_notices_off() -> None:
    full = everything("delete")
    [told] = decide(occasion(full.scan, task(email_usage_warnings=False), planned=full.planned), {1001})
    assert [section.value for section in told.sections] == ["deletion_warning"]
    quiet = task(email_data_alterations=False, delete_old_files=True)
    [told] = decide(occasion(full.scan, quiet, planned=full.planned, done=full.done), {1001})
    assert set(told.sections) == USAGE
    assert told.acts == ()


def test_accounts_of_the_system_are_neither_told_nor_counted() -> None:
    told = decide(
        occasion(scan(user(0, 500, 400), *EIGHT), planned=(Planned(action="delete", users={0: (9, 9)}),)), PEOPLE
    )
    assert sorted(one.uid for one in told) == [1001, 1002, 1007, 1008]


def test_a_share_is_what_was_said_and_not_a_rounding_error_more() -> None:
    hundred = [user(1000 + number, 1 + number) for number in range(100)]
    assert len(top(hundred, lambda one: one.allocated_bytes, 7)) == 7
    assert len(top(hundred, lambda one: one.allocated_bytes, 0.5)) == 1
    assert top([user(1, 0)], lambda one: one.allocated_bytes, 100) == []


USERS = st.lists(
    st.builds(
        User,
        uid=st.integers(0, 3000),
        files=st.integers(0, 2**40),
        allocated_bytes=st.integers(0, 2**62),
        old_files=st.integers(0, 2**40),
        old_bytes=st.integers(0, 2**62),
    ),
    max_size=30,
    unique_by=lambda one: one.uid,
)


@given(users=USERS, percent=st.floats(0.001, 100), level=st.sampled_from(Level), data=st.data())
def test_for_any_figures_the_right_number_is_told_and_nobody_smaller_before_somebody_larger(
    users: list[User], percent: float, level: Level, data: st.DataObject
) -> None:
    people = {one.uid for one in users if data.draw(st.booleans())}
    told = {one.uid: one for one in decide(occasion(scan(*users), task(email_top_percent=percent), level), people)}
    assert set(told) <= people
    if level is Level.OK:
        assert not told
        return
    for section, size_bytes in ((Section.TOP_SPACE, "allocated_bytes"), (Section.TOP_OLD, "old_bytes")):
        sizes = {one.uid: getattr(one, size_bytes) for one in users if one.uid in people and getattr(one, size_bytes)}
        chosen = {uid for uid, one in told.items() if section in one.sections}
        assert chosen <= set(sizes)
        assert abs(len(chosen) - math.ceil(len(sizes) * percent / 100)) <= 1
        assert not sizes or chosen
        smallest = min((sizes[uid] for uid in chosen), default=0)
        assert all(sizes[uid] <= smallest for uid in sizes if uid not in chosen)
    for one in told.values():
        assert Section.GENERAL in one.sections
        assert list(one.sections) == [section for section in Section if section in one.sections]
