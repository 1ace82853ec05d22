"""Whose files, and which paths, are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from collectors.disk import exemptions
from collectors.disk.errors import TaskError
from collectors.disk.exemptions import Exemption, exempter
from tests.collectors.disk.makers import NOW_SECONDS, an_entry

if TYPE_CHECKING:
    from dkumonitor.store.engine import Store


def of_path(pattern: bytes) -> Exemption:
    return Exemption(1, "", "path", pattern, None, "", 0)


@pytest.mark.parametrize(
    ("pattern", "exempt", "not_exempt"),
    [
        (b"/scratch/keep", [b"keep", b"keep/a", b"keep/a/b"], [b"keeper", b"a/keep"]),
        (b"keep", [b"keep", b"keep/a"], [b"a/keep", b"keepsake"]),
        (b"*/keep", [b"a/keep", b"a/b/keep/c"], [b"keep", b"a/keeps"]),
        (b"p?/[ab]", [b"p1/a", b"p2/b/c"], [b"p1/c", b"p12/a"]),
        (b"/scratch", [b"anything"], []),
        (b"/scratch/", [b"anything"], []),
        (b"/elsewhere/keep", [], [b"keep", b"elsewhere/keep"]),
        (b"/scratchy", [], [b"y", b"scratchy"]),
        (b"\xff\n*", [b"\xff\nx", b"\xff\n/y"], [b"\xfe\nx"]),
        (b"a+b(c", [b"a+b(c/d"], [b"aab(c"]),
    ],
)
def test_a_path_stands_for_all_below_it(pattern: bytes, exempt: list[bytes], not_exempt: list[bytes]) -> None:
    is_exempt = exempter([of_path(pattern), of_path(b"never/there")], b"/scratch")
    assert [is_exempt(an_entry(path)) for path in exempt] == [True] * len(exempt)
    assert [is_exempt(an_entry(path)) for path in not_exempt] == [False] * len(not_exempt)


def test_a_user_is_exempt_wherever_its_files_are() -> None:
    is_exempt = exempter([Exemption(1, "", "user", b"1234", None, "", 0)], b"/scratch")
    assert is_exempt(an_entry(uid=1234))
    assert not is_exempt(an_entry(uid=1235))


def test_an_exemption_holds_for_its_task_until_its_end(store: Store) -> None:
    def add(**values: object) -> None:
        store.write(
            lambda connection: exemptions.add(connection, "path", b"x", now_seconds=NOW_SECONDS, **values)  # type: ignore[arg-type]
        )

    add()
    add(task="scratch")
    add(task="other")
    add(until_seconds=NOW_SECONDS + 10)
    with store.reading() as connection:
        assert [one.id for one in exemptions.every(connection)] == [1, 2, 3, 4]
        assert [one.id for one in exemptions.every(connection, "scratch", NOW_SECONDS)] == [1, 2, 4]
        assert [one.id for one in exemptions.every(connection, "scratch", NOW_SECONDS + 10)] == [1, 2]
    store.write(lambda connection: exemptions.remove(connection, 1))
    with pytest.raises(TaskError, match="no exemption 1"):
        store.write(lambda connection: exemptions.remove(connection, 1))


@pytest.mark.parametrize(
    ("kind", "pattern", "until_seconds", "says"),
    [
        ("path", b"", None, "1 to 1024 bytes"),
        ("path", b"a\0b", None, "NUL"),
        ("path", b"x" * 1025, None, "1 to 1024 bytes"),
        ("user", b"ann", None, "no uid"),
        ("path", b"x", NOW_SECONDS, "has ended already"),
    ],
)
def test_an_impossible_exemption_is_refused(
    store: Store, kind: str, pattern: bytes, until_seconds: int | None, says: str
) -> None:
    with pytest.raises(TaskError, match=says):
        store.write(
            lambda connection: exemptions.add(
                connection,
                "user" if kind == "user" else "path",
                pattern,
                until_seconds=until_seconds,
                now_seconds=NOW_SECONDS,
            )
        )
