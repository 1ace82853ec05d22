"""What the machine's state refuses: facts in, problems out."""

from __future__ import annotations

import codecs
import contextlib
import os
import pwd
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from installer import apply, checks, layout, machine
from installer.errors import DirectoryError
from installer.installation import Socket
from installer.machine import Account, Ancestor, DirectoryState, Facts
from installer.options import Options
from installer.ports import Occupied, occupied
from installer.release import Release, version_key
from installer.update import read_installation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from installer.errors import InstallError

DIR = Path("/opt/dkm")
ROOT_FOLDERS = (Ancestor(Path("/"), 0, 0, 0o755), Ancestor(Path("/opt"), 0, 0, 0o755))
RELEASE = Release(Path("/release"), "0.1.0", (), (), "", 100 << 20)
ALICE = Account("alice", 1000, 1000, frozenset({1000}))
FACTS: dict[str, Any] = {
    "caller_uid": 1000,
    "account": ALICE,
    "glibc": (2, 36),
    "hostname": "one",
    "directory": DirectoryState.ABSENT,
    "closed": None,
    "ancestors": ROOT_FOLDERS,
    "nearest_writable": True,
    "free_bytes": 100 << 30,
    "free_files": 10**6,
    "collectd": None,
    "unprivileged_port": 1024,
}


def found(options: dict[str, Any] | None = None, **facts: Any) -> list[InstallError]:
    return checks.problems(Options(DIR, **{"port": 15000, **(options or {})}), RELEASE, Facts(**{**FACTS, **facts}))


def test_a_usual_machine_has_no_problem() -> None:
    assert found() == []
    assert found({"user": "alice"}, caller_uid=0) == []
    assert found({"as_root": True}, caller_uid=0, account=Account("root", 0, 0, frozenset({0}))) == []


@pytest.mark.parametrize(
    ("options", "facts", "exit_code", "says"),
    [
        ({}, {"glibc": (2, 12)}, 3, "glibc 2.12"),
        ({}, {"glibc": None}, 3, "another C library"),
        ({"user": "bob"}, {"account": None}, 3, "no account 'bob'"),
        ({}, {"caller_uid": 0, "account": Account("root", 0, 0, frozenset())}, 2, "--as-root"),
        ({"user": "root"}, {"caller_uid": 0, "account": Account("root", 0, 0, frozenset())}, 2, "--user root is root"),
        ({"as_root": True}, {}, 2, "for root alone"),
        ({"user": "alice"}, {"caller_uid": 1001}, 2, "only root"),
        ({}, {"directory": DirectoryState.FOREIGN}, 4, "no installation of ours"),
        ({}, {"directory": DirectoryState.INSTALLED}, 4, "--update"),
        ({}, {"directory": DirectoryState.UNINSTALLING}, 4, "uninstall"),
        ({}, {"directory": DirectoryState.LEFT_BY_UNINSTALL}, 4, "storage/"),
        ({}, {"directory": DirectoryState.NO_DIRECTORY}, 4, "no directory"),
        ({}, {"directory": DirectoryState.CLOSED, "closed": Path("/opt")}, 4, "may not pass through /opt"),
        ({}, {"nearest_writable": False}, 4, "may not write in /opt"),
        ({}, {"free_bytes": 300 << 20}, 3, "356 MiB are needed and 300 MiB are free"),
        ({}, {"free_files": 100}, 3, "more files"),
        ({"port": 80}, {}, 3, "below 1024"),
        ({"system_collectd": True}, {}, 3, "no collectd on PATH"),
        ({"system_collectd": True}, {"collectd": (Path("/usr/sbin/collectd"), (5, 4, 1))}, 3, "version 5.4.1"),
    ],
)
def test_what_is_not_as_it_must_be_is_refused_with_what_to_do(
    options: dict[str, Any], facts: dict[str, Any], exit_code: int, says: str
) -> None:
    (problem,) = found(options, **facts)

    assert says in str(problem)
    assert problem.do
    assert problem.exit_code == exit_code


@pytest.mark.parametrize(
    ("ancestor", "who"),
    [
        (Ancestor(Path("/opt"), 0, 0, 0o777), "others than root"),
        (Ancestor(Path("/opt"), 0, 0, 0o775), "others than root"),
        (Ancestor(Path("/opt"), 1000, 0, 0o755), "user 1000"),
    ],
)
def test_root_does_not_install_where_somebody_else_could_exchange_dir(ancestor: Ancestor, who: str) -> None:
    (problem,) = found({"user": "alice"}, caller_uid=0, ancestors=(ROOT_FOLDERS[0], ancestor))

    assert f"{who} can write in /opt" in str(problem)
    assert found(ancestors=(ROOT_FOLDERS[0], ancestor)) == [], "an ordinary user runs nothing as root"


def test_a_folder_with_the_sticky_bit_protects_what_is_in_it() -> None:
    sticky = Ancestor(Path("/tmp"), 0, 0, 0o1777)
    assert found({"user": "alice"}, caller_uid=0, ancestors=(ROOT_FOLDERS[0], sticky)) == []


def test_an_account_that_cannot_reach_dir_is_refused() -> None:
    closed = Ancestor(Path("/opt"), 0, 0, 0o700)
    (problem,) = found({"user": "alice"}, caller_uid=0, ancestors=(ROOT_FOLDERS[0], closed))
    assert "alice may not pass through /opt" in str(problem)

    by_group = Ancestor(Path("/opt"), 0, 1000, 0o710)
    assert found({"user": "alice"}, caller_uid=0, ancestors=(ROOT_FOLDERS[0], by_group)) == []


def test_a_port_in_use_is_named_with_its_owner() -> None:
    wanted = Socket("go-carbon", "carbon", "127.0.0.1", 15001)
    problems = checks.port_problems(
        [
            Occupied(wanted, "nginx (pid 12: nginx -g)", no_such_address=False),
            Occupied(wanted, "", no_such_address=True),
        ]
    )

    assert "port 15001 (carbon) on 127.0.0.1 is in use by nginx (pid 12: nginx -g)" in str(problems[0])
    assert "not an address of this machine" in str(problems[1])


def test_the_owner_of_a_port_is_found_in_proc() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        wanted = Socket("go-carbon", "carbon", "127.0.0.1", port)
        (taken,) = occupied([wanted])
        assert f"(pid {os.getpid()}: {sys.executable.split('/', 1)[0]}" in taken.owner

        everywhere = Socket("go-carbon", "carbon", "0.0.0.0", port)
        assert occupied([everywhere]), "all addresses include the one that is taken"
    assert occupied([wanted]) == ()


def test_a_port_that_only_ipv6_has_is_in_use_for_all_addresses() -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("::1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert occupied([Socket("go-carbon", "carbon", "0.0.0.0", port)])
        assert occupied([Socket("go-carbon", "carbon", "127.0.0.1", port)]) == ()


def test_an_address_of_another_machine_is_told_from_a_port_in_use() -> None:
    (taken,) = occupied([Socket("go-carbon", "carbon", "192.0.2.1", 15001)])
    assert taken.no_such_address


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ([], DirectoryState.EMPTY),
        (["conf/installation.json"], DirectoryState.INSTALLED),
        (["conf/uninstalling.json"], DirectoryState.UNINSTALLING),
        (["storage/whisper/a"], DirectoryState.LEFT_BY_UNINSTALL),
        (["a"], DirectoryState.FOREIGN),
        (["storage/a", "b"], DirectoryState.FOREIGN),
    ],
)
def test_what_is_at_dir_is_recognised(tmp_path: Path, files: list[str], state: DirectoryState) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert machine.directory_state(tmp_path) is state


def test_an_absent_dir_and_one_below_a_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert machine.directory_state(tmp_path / "absent") is DirectoryState.ABSENT
    assert machine.directory_state(tmp_path / "file/below") is DirectoryState.NO_DIRECTORY
    assert machine.directory_state(tmp_path / "file") is DirectoryState.NO_DIRECTORY


@contextlib.contextmanager
def as_ordinary_account() -> Iterator[None]:
    """Where root runs the tests, nothing is closed to it: act as somebody else for a while."""
    codecs.lookup("ascii")  # it is loaded now: somebody else may not read this Python's folder
    with apply.acting_as(Account("nobody", 65534, 65534, frozenset({65534}))):
        yield


@pytest.mark.parametrize("below", ["dkm", "a/dkm", "."])
def test_a_folder_that_the_caller_may_not_pass_is_named(workspace: Path, below: str) -> None:
    closed = workspace / "closed"
    (closed / "a").mkdir(parents=True)
    closed.chmod(0o600)
    directory = closed / below
    try:
        with as_ordinary_account():
            facts = machine.look(directory, account_name=None, wants_collectd=False, name="one")
            with pytest.raises(DirectoryError, match=f"pass through {re.escape(str(closed))}"):
                read_installation(directory)
    finally:
        closed.chmod(0o700)

    assert (facts.directory, facts.closed) == (DirectoryState.CLOSED, closed)
    (problem,) = checks.problems(Options(directory, port=15000), RELEASE, facts)
    assert f"you may not pass through {closed}" in str(problem)
    assert problem.exit_code == 4


def test_the_root_folder_can_be_looked_at_and_is_refused_once() -> None:
    facts = machine.look(Path("/"), account_name=None, wants_collectd=False, name="one")
    options = Options(Path("/"), port=15000, as_root=facts.caller_uid == 0)

    found = [*layout.problems(options), *checks.problems(options, RELEASE, facts)]
    assert ["root folder" in str(problem) for problem in found] == [True]


@pytest.mark.parametrize("entry", pwd.getpwall()[:3], ids=lambda entry: entry.pw_name)
def test_an_account_is_found_by_its_name_and_by_its_number(entry: pwd.struct_passwd) -> None:
    by_name = machine.account(entry.pw_name)
    assert by_name is not None
    assert by_name == machine.account(str(entry.pw_uid))
    assert (by_name.name, by_name.uid, by_name.gid) == (entry.pw_name, entry.pw_uid, entry.pw_gid)


def test_a_caller_without_a_name_is_found_at_installation_and_at_update() -> None:
    if os.geteuid() != 0:
        pytest.fail("this test needs root, to become a number that has no name")
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    number = next(uid for uid in range(50000, 60000) if uid not in taken)
    with apply.acting_as(Account(str(number), number, number, frozenset({number}))):
        installed_as = machine.account(None)
        assert installed_as is not None
        assert installed_as == machine.account(installed_as.name)
    assert installed_as.uid == number
    assert machine.account(str(number)) is None, "somebody else's number says nothing about its groups"


def test_this_machine_can_be_looked_at(tmp_path: Path) -> None:
    facts = machine.look(tmp_path / "dkm", account_name=None, wants_collectd=False, name=None)

    assert facts.caller_uid == os.geteuid()
    assert facts.account is not None
    assert facts.account.uid == os.geteuid()
    assert facts.ancestors[-1].path == tmp_path
    assert facts.free_bytes > 0
    assert facts.hostname
    assert machine.account("no-such-account") is None


def test_versions_are_ordered_as_people_read_them() -> None:
    ordered = ["0.9.0", "0.10.0", "1.0.0rc1", "1.0.0", "1.0.1"]
    assert sorted(ordered, key=version_key) == ordered
