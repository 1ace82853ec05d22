"""Nothing is allowed that the policy does not name, and no entry goes beyond the bounds, whatever its times are."""

from __future__ import annotations

import os
import stat
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.disk.act import policy
from collectors.disk.act.checks import Bounds, bounds_of, is_path, refusal
from collectors.disk.act.outcome import Reason
from collectors.disk.act.policy import Policy, TreePolicy, permit
from collectors.disk.errors import ActError
from tests.collectors.disk.makers import a_head, an_entry
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.disk.plan_file import Head

NS = 10**9
DAY_NS = 86400 * NS
NOW = 1_800_000_000 * NS
TREE: dict[str, Any] = {"task": "scratch", "path": "/scratch", "actions": ["delete", "move"], "relocation": "/archive"}
TIMES = st.one_of(st.integers(-(2**62), 2**62), st.integers(NOW - 400 * DAY_NS, NOW + 400 * DAY_NS))


def a_tree(**values: Any) -> TreePolicy:
    return msgspec.convert({**TREE, **values}, TreePolicy)


def head_of(allowed: TreePolicy, **values: Any) -> Head:
    """A plan's head that is allowed, with other values."""
    now = NOW // NS
    fitting = {
        "task": allowed.task,
        "host": "here",
        "action": "delete",
        "tree": allowed.tree,
        "relocation": None,
        "old_before_seconds": now - allowed.min_old_days * 86400,
        "quarantine_days": allowed.min_quarantine_days,
        "max_files": allowed.max_files,
        "max_bytes": allowed.max_bytes,
        "max_share_percent": allowed.max_share_percent,
        "tree_bytes": 10**12,
        "created_seconds": now,
    }
    return msgspec.structs.replace(a_head(), **{**fitting, **values})


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / policy.FILE_NAME
    path.write_text(text)
    path.chmod(0o644)
    return path


def two(one: str, other: str) -> str:
    """A policy of two trees."""
    return f"[[tree]]\ntask = 'a'\n{one}\n[[tree]]\ntask = 'b'\n{other}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nothing = 1\n", "nothing"),
        ("[[tree]]\ntask = 'a'\npath = '/a'\nactions = ['delete']\nunknown = 1\n", "unknown"),
        ("[[tree]]\ntask = 'a'\npath = 'a'\nactions = ['delete']\n", "no absolute path"),
        ("[[tree]]\ntask = 'a'\npath = '/a/../b'\nactions = ['delete']\n", "no absolute path"),
        ("[[tree]]\ntask = 'a'\npath = '/a'\nactions = ['move']\n", "relocation"),
        ("[[tree]]\ntask = 'a'\npath = '/a'\nactions = ['move']\nrelocation = '/a/b'\n", "in each other"),
        ("[[tree]]\ntask = 'a'\npath = '/a'\nactions = ['remove']\n", "actions"),
        (two("path = '/a'\nactions = ['delete']", "path = '/a/b'\nactions = ['delete']"), "in each other"),
        (two("path = '/a b/c'\nactions = ['delete']", "path = '/a b'\nactions = ['delete']"), "in each other"),
        (
            two("path = '/a'\nactions = ['delete']", "path = '/b'\nactions = ['move']\nrelocation = '/a'"),
            "in each other",
        ),
        (two("path = '/a'\nactions = ['delete']\nrelocation_is_mount = true", ""), "relocation_is_mount"),
        ("[[tree]]\ntask = 'a'\npath = '/a'\nactions = ['delete']\nmin_old_days = 0\n", "min_old_days"),
        ("[[tree]\n", "disk-acts.toml"),
        ("\xff", "disk-acts.toml"),
    ],
)
def test_an_error_names_the_file_and_the_key(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ActError, match=policy.FILE_NAME) as raised:
        policy.load(path, os.geteuid())
    assert told in str(raised.value)


def test_tasks_may_share_a_tree_and_trees_a_relocation_path(tmp_path: Path) -> None:
    move = "actions = ['move']\nrelocation = '/archive'"
    for other in ("/a", "/b", "/ab"):
        policy.load(written(tmp_path, two(f"path = '/a'\n{move}", f"path = '{other}'\n{move}")), os.geteuid())


def test_an_exempt_user_whom_nobody_knows_is_an_error() -> None:
    with pytest.raises(ActError, match="nobody-knows-me"):
        a_tree(exempt_users=["nobody-knows-me"]).exempt_uids()
    assert a_tree(exempt_users=["root", 7]).exempt_uids() == {0, 7}


def test_the_installed_policy_allows_nothing_and_shows_every_default() -> None:
    text = (ROOT / "templates/dkumonitor/disk-acts.toml").read_text().replace("{{ 1024 ** 4 }}", str(1024**4))
    assert tomllib.loads(text) == {}
    lines = [line.removeprefix("# ") for line in text.splitlines() if " = " in line]
    shown = tomllib.loads("\n".join(line for line in lines if not line.startswith(("task", "path", "relocation"))))
    assert {line.partition(" = ")[0] for line in lines} == set(TreePolicy.__struct_fields__)
    plain = msgspec.structs.asdict(msgspec.convert({"task": "a", "path": "/a", "actions": ["delete"]}, TreePolicy))
    for name in shown.keys() - {"actions", "exempt_users", "exempt_paths"}:
        assert shown[name] == plain[name], name


@given(
    st.sampled_from(["max_files", "max_bytes", "max_share_percent", "min_old_days", "min_quarantine_days"]),
    st.integers(1, 90),
    st.integers(-20, 20),
)
def test_a_plan_may_be_narrower_than_the_policy_and_never_wider(name: str, value: int, more: int) -> None:
    allowed = a_tree(**{name: value})
    now, wanted = NOW // NS, value + more
    changed = {
        "min_old_days": {"old_before_seconds": now - wanted * 86400},
        "min_quarantine_days": {"quarantine_days": wanted},
    }.get(name, {name: wanted})
    is_wider = more < 0 if name.startswith("min_") else more > 0 or wanted < 0
    head = head_of(allowed, **changed)
    if is_wider:
        with pytest.raises(ActError, match=policy.FILE_NAME):
            permit(Policy((allowed,)), head, "here", ROOT / policy.FILE_NAME)
    else:
        assert permit(Policy((allowed,)), head, "here", ROOT / policy.FILE_NAME) is allowed


def bounds(age_by: str, min_old_days: int, plan_days: int) -> Bounds:
    allowed = a_tree(min_old_days=min_old_days)
    head = head_of(allowed, age_by=age_by, old_before_seconds=NOW // NS - plan_days * 86400)
    return bounds_of(head, allowed, NOW, 10**15)


@pytest.mark.parametrize(
    "values",
    [
        {"max_share_percent": float("nan")},
        {"max_share_percent": float("-inf")},
        {"max_files": -1},
        {"max_bytes": -1},
        {"quarantine_days": 36501},
    ],
)
def test_a_head_with_numbers_that_cannot_be_is_refused(values: dict[str, Any]) -> None:
    allowed = a_tree()
    with pytest.raises(ActError):
        permit(Policy((allowed,)), head_of(allowed, **values), "here", ROOT / policy.FILE_NAME)


@given(st.sampled_from(["newest", "atime", "mtime"]), st.integers(1, 100), st.integers(1, 100), st.tuples(*[TIMES] * 3))
def test_only_what_is_old_by_plan_and_policy_passes(
    age_by: str, min_old_days: int, plan_days: int, times: tuple[int, int, int]
) -> None:
    atime_ns, mtime_ns, ctime_ns = times
    there = Status(atime_ns, mtime_ns, ctime_ns)
    entry = an_entry(dev=1, ino=2, uid=2000, mode=stat.S_IFREG | 0o644, size_bytes=10, mtime_ns=mtime_ns)
    found = refusal(entry, there, bounds(age_by, min_old_days, plan_days), NOW)  # type: ignore[arg-type]
    used = {"newest": max(atime_ns, mtime_ns), "atime": atime_ns, "mtime": mtime_ns}[age_by]
    relevant = {"newest": min(atime_ns, mtime_ns), "atime": atime_ns, "mtime": mtime_ns}[age_by]
    if found is None:
        assert used <= NOW - plan_days * DAY_NS
        assert max(atime_ns, mtime_ns) <= NOW - min_old_days * DAY_NS
        assert max(atime_ns, mtime_ns, ctime_ns) <= NOW + NS
        assert relevant > 0
    else:
        assert found in {Reason.USED, Reason.FUTURE, Reason.IMPLAUSIBLE}


class Status:
    """What the kernel says of a file, with any times."""

    st_dev, st_ino, st_uid, st_size, st_mode = 1, 2, 2000, 10, stat.S_IFREG | 0o600

    def __init__(self, atime_ns: int, mtime_ns: int, ctime_ns: int) -> None:
        self.st_atime_ns, self.st_mtime_ns, self.st_ctime_ns = atime_ns, mtime_ns, ctime_ns


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0.01, 100), st.integers(0, 10**6), st.integers(0, 10**6))
def test_caps_are_the_narrower_of_plan_policy_and_what_the_file_system_holds(
    plan_bytes: int, policy_bytes: int, share: float, told_bytes: int, used_bytes: int
) -> None:
    allowed = a_tree(max_bytes=policy_bytes, max_share_percent=share)
    head = head_of(allowed, max_bytes=plan_bytes, max_share_percent=share, tree_bytes=told_bytes)
    found = bounds_of(head, allowed, NOW, used_bytes).max_bytes
    assert found <= min(plan_bytes, policy_bytes)
    assert found <= min(told_bytes, used_bytes) * share / 100 + 1


@given(st.binary(max_size=60))
def test_a_path_leads_nowhere_but_below_the_tree(path: bytes) -> None:
    if is_path(path):
        assert os.path.normpath(path) == path
        assert not path.startswith((b"/", b"../", b".dkumonitor/"))
        assert not {b"..", b".", b"", b".dkumonitor"} & set(path.split(b"/"))
        assert b"\0" not in path
