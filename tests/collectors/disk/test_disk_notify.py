"""From a scan to a mail server: who is written to, once, and what is known of it afterwards."""

from __future__ import annotations

import email
import email.policy
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from collectors.disk import notices, plans, runs, tasks
from collectors.disk.cli import cli
from collectors.disk.notices import LIMIT_SECONDS, LISTING
from collectors.disk.notify import deliver, notify
from collectors.disk.plans import Owned, Plan
from collectors.disk.warnings import Done, Occasion, Planned
from dkumonitor.accounts.roles import Role
from dkumonitor.mail.settings import MailSettings
from dkumonitor.mail.spool import spool_of
from dkumonitor.store import people
from dkumonitor.store.people import Entry
from dkumonitor.views import Question, Sources, Viewer
from tests.collectors.disk.mail_occasion import (
    DUE_SECONDS,
    NOW_SECONDS,
    everything,
    occasion,
    of_ann,
    scan,
    task,
    user,
)
from tests.mail_server import mail_server
from tests.stack import free_port_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.disk.notices import NoticeRow
    from dkumonitor.installation import Installation
    from dkumonitor.store.engine import Store

FIVE = tuple(user(1000 + number, 10 * number, number) for number in range(1, 6))
ALL = task(email_top_percent=100)


@pytest.fixture
def port() -> Iterator[int]:
    with free_port_range() as first:
        yield first


@pytest.fixture(autouse=True)
def persons(store: Store) -> None:
    """Ann has an address; Ben has none, and an account; root and Cem have one each; nobody knows the others."""
    people.replace(
        store,
        people.CSV,
        people.EVERYWHERE,
        [
            Entry(login="ann", uid=1001, mail="ann.smith@example.org", real_name="Ann Smith"),
            Entry(login="cem", uid=1003, mail="cem <cem@x.org>\nBcc: all@example.org"),
        ],
        NOW_SECONDS,
    )
    people.replace(store, people.GETENT, "example", [Entry(login="ben", uid=1002), Entry(login="root", uid=0)], 1)


def settings(port: int, **changes: Any) -> MailSettings:
    plain: dict[str, Any] = {
        "server": "localhost",
        "port": port,
        "from_address": "dkm@example.org",
        "postfix": "example.org",
    }
    return MailSettings(**(plain | changes))


def states(rows: list[NoticeRow]) -> dict[int, str]:
    return {row.uid: row.state for row in rows}


def kept(store: Store, installation: Installation, *, sees_names: bool = True, search: str = "") -> list[Any]:
    sources = Sources(installation, store, None, Viewer("x", Role.VIEWER, sees_names), NOW_SECONDS)
    return list(LISTING.of(sources, Question(search=search)).rows)


def tell(store: Store, installation: Installation, port: int, of: Occasion, now: float = NOW_SECONDS) -> dict[int, str]:
    return states(notify(store, installation, settings(port), of, now_seconds=now))


def test_everybody_concerned_is_written_to_once_and_the_rest_is_said(
    store: Store, installation: Installation, port: int
) -> None:
    of = occasion(scan(user(0, 900, 800), user(65534, 900), *FIVE), ALL)
    expected = {1001: "spooled", 1002: "spooled", 1003: "spooled", 1004: "no address", 1005: "no address"}
    assert tell(store, installation, port, of) == expected
    with mail_server(port) as server:
        assert deliver(store, installation, settings(port), NOW_SECONDS + 60).sent == 3
    assert sorted(one.recipient for one in server.received) == [
        "ann.smith@example.org",
        "ben@example.org",
        "cem@example.org",  # what the list says is no address
    ]
    found = {row.uid: row for row in kept(store, installation)}
    assert {uid: row.state for uid, row in found.items()} == {
        **dict.fromkeys((1001, 1002, 1003), "sent"),
        **dict.fromkeys((1004, 1005), "no address"),
    }
    assert found[1001].sent_seconds == NOW_SECONDS + 60
    assert (found[1001].login, found[1001].address, found[1001].run_id) == ("ann", "ann.smith@example.org", 7)
    assert found[1001].sections == "top_space top_old general"
    assert (found[1004].login, found[1004].address) == ("uid-1004", "")
    assert list((installation.storage / "spool/mail").glob("*.sent")) == []


def test_a_mail_says_what_concerns_its_reader_and_nobody_else(
    store: Store, installation: Installation, port: int
) -> None:
    of = occasion(scan(user(1001, 212, 80.5), user(1002, 4, 1), **of_ann()), ALL)
    tell(store, installation, port, of)
    with mail_server(port) as server:
        deliver(store, installation, settings(port), NOW_SECONDS)
    by_address = {one.recipient: one.content for one in server.received}
    found = email.message_from_bytes(by_address["ann.smith@example.org"], policy=email.policy.default)
    text = found.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert text.startswith("Dear Ann Smith,")
    assert "/scratch/ann/old.tar" in text
    assert "ben" not in text
    assert found["To"] == "ann.smith@example.org"


def test_accounts_of_the_system_are_written_to_where_somebody_gave_them_an_address(
    store: Store, installation: Installation, port: int
) -> None:
    people.replace(
        store, people.CSV, people.EVERYWHERE, [Entry(login="root", uid=0, mail="admins@example.org")], NOW_SECONDS
    )
    assert tell(store, installation, port, occasion(scan(user(0, 5), user(65534, 4), user(999, 4)), ALL)) == {
        0: "spooled"
    }


def test_there_is_one_mail_a_day_unless_something_was_moved_or_deleted(
    store: Store, installation: Installation, port: int
) -> None:
    of = occasion(scan(user(1001, 5)))
    assert tell(store, installation, port, of) == {1001: "spooled"}
    other_task = occasion(scan(user(1001, 5)), task(name="home"), run_id=8)
    later = NOW_SECONDS + LIMIT_SECONDS - 1
    assert tell(store, installation, port, other_task, later) == {1001: "limited"}
    planned = Planned(action="delete", users={1001: (1, 1)}, due_seconds=DUE_SECONDS)
    assert tell(store, installation, port, occasion(scan(), run_id=9, planned=(planned,)), later) == {1001: "limited"}
    done = Done(action="delete", users={1001: (1, 1)})
    assert tell(store, installation, port, occasion(scan(), run_id=None, done=(done,)), later) == {1001: "spooled"}
    assert tell(store, installation, port, occasion(scan(), run_id=None, done=(done,)), later + 1) == {1001: "spooled"}
    other_host = occasion(scan(user(1001, 5)), task(name="far", host="other"), run_id=10)
    people.replace(store, people.GETENT, "other", [Entry(login="dan", uid=1001)], 1)
    assert tell(store, installation, port, other_host, later) == {1001: "spooled"}
    the_next_night = occasion(scan(user(1001, 5)), run_id=11)
    assert tell(store, installation, port, the_next_night, later + LIMIT_SECONDS + 1) == {1001: "spooled"}


def test_a_failed_mail_does_not_keep_the_next_one_back(store: Store, installation: Installation, port: int) -> None:
    assert tell(store, installation, port, occasion(scan(user(1001, 5)))) == {1001: "spooled"}
    with mail_server(port) as server:
        server.answer = lambda _: "550 nobody"
        assert deliver(store, installation, settings(port), NOW_SECONDS).failed == 1
    assert [row.state for row in kept(store, installation)] == ["failed"]
    assert tell(store, installation, port, occasion(scan(user(1001, 5)), run_id=8), NOW_SECONDS + 60) == {
        1001: "spooled"
    }


def test_a_run_that_tells_again_writes_to_nobody_twice(store: Store, installation: Installation, port: int) -> None:
    of = occasion(scan(*FIVE), ALL)
    first = notify(store, installation, settings(port), of, now_seconds=NOW_SECONDS)
    again = notify(store, installation, settings(port), of, now_seconds=NOW_SECONDS + 60)
    assert {row.uid: row.id for row in again} == {row.uid: row.id for row in first}
    assert [row.state for row in again] == [row.state for row in first]
    assert len(kept(store, installation)) == 5
    assert spool_of(installation, 2**20).waiting().messages == 3
    dry = notify(store, installation, settings(port), of, now_seconds=NOW_SECONDS + 1, dry_run=True)
    assert states(dry) == states(first)


def test_who_is_left_out_is_noted_once_a_day(store: Store, installation: Installation, port: int) -> None:
    for hour in range(48):
        of = occasion(scan(user(1001, 5), user(1004, 5)), ALL, run_id=hour)
        tell(store, installation, port, of, NOW_SECONDS + hour * 3600)
    found = sorted((row.uid, row.state) for row in kept(store, installation))
    assert found == [
        *[(1001, "limited")] * 2,
        *[(1001, "spooled")] * 3,
        *[(1004, "no address")] * 2,
    ]


def test_a_dry_run_says_the_same_and_writes_nothing(store: Store, installation: Installation, port: int) -> None:
    of = occasion(scan(*FIVE), ALL)
    found = notify(store, installation, settings(port, server=""), of, now_seconds=NOW_SECONDS, dry_run=True)
    assert states(found) == {
        **dict.fromkeys((1001, 1002, 1003), "dry run"),
        **dict.fromkeys((1004, 1005), "no address"),
    }
    assert kept(store, installation) == []
    assert not (installation.storage / "spool").exists()
    assert notify(store, installation, settings(port, server=""), of, now_seconds=NOW_SECONDS) == []


def test_a_spool_that_takes_nothing_is_said(store: Store, installation: Installation, port: int) -> None:
    (installation.storage / "spool").write_text("in the way")
    assert tell(store, installation, port, occasion(scan(user(1001, 5)))) == {1001: "failed"}
    (installation.storage / "spool").unlink()
    assert tell(store, installation, port, occasion(scan(user(1001, 5)))) == {1001: "spooled"}


def test_what_was_sent_while_the_store_was_away_is_noted_later(
    store: Store, installation: Installation, port: int
) -> None:
    from dkumonitor.mail.drain import drain  # noqa: PLC0415  as `dkm mail flush` does

    tell(store, installation, port, occasion(scan(user(1001, 5))))
    with mail_server(port):
        assert drain(installation, settings(port), NOW_SECONDS + 5).sent == 1
    assert [row.state for row in kept(store, installation)] == ["spooled"]
    spool = spool_of(installation, 2**20)
    assert notices.settle(store, spool, NOW_SECONDS + 900) == 1
    assert [(row.state, row.sent_seconds) for row in kept(store, installation)] == [("sent", NOW_SECONDS + 5)]
    assert notices.settle(store, spool, NOW_SECONDS + 900) == 0


def test_an_address_is_shown_and_searched_only_for_who_may_see_names(
    store: Store, installation: Installation, port: int
) -> None:
    tell(store, installation, port, occasion(scan(*FIVE), ALL))
    assert [row.uid for row in kept(store, installation, search="ann.smith")] == [1001]
    assert kept(store, installation, sees_names=False, search="ann.smith") == []
    assert {row.address for row in kept(store, installation, sees_names=False)} == {None}
    assert [row.login for row in kept(store, installation, search="uid-1004")] == ["uid-1004"]


def command(installation: Installation, *words: str) -> Result:
    return CliRunner().invoke(cli, words, obj=installation, catch_exceptions=False)


@pytest.fixture
def scanned(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A task whose newest full run is in the store, with a plan."""
    monkeypatch.delenv("DKM_CONF", raising=False)
    of = everything("delete")
    with store.writing() as connection:
        tasks.add(connection, of.task, NOW_SECONDS)
    run_id = runs.begin(store, of.task, "full", NOW_SECONDS)
    runs.keep(store, run_id, of.scan)
    runs.end(store, run_id, runs.State.DONE, NOW_SECONDS, level=of.level, values=runs.of_scan(of.scan))
    plan = Plan(
        id="scratch-20261125T020000Z-delete",
        task="scratch",
        host="example",
        run_id=run_id,
        action="delete",
        state="waiting",
        digest="0" * 64,
        created_seconds=NOW_SECONDS,
        due_seconds=DUE_SECONDS,
        files=1204,
        bytes=1,
    )
    store.write(lambda connection: plans.keep(connection, plan, [Owned(1001, 1204, 3 * 1024**3)]))
    return store


def test_the_command_shows_who_would_be_written_to_and_the_whole_message(
    scanned: Store, installation: Installation
) -> None:
    outcome = command(installation, "notify", "scratch", "--dry-run", "--json")
    [row] = json.loads(outcome.stdout)
    assert (row["uid"], row["login"], row["address"], row["state"]) == (1001, "ann", "ann.smith@example.org", "dry run")
    assert row["sections"] == "deletion_warning top_space top_old general"
    shown = command(installation, "notify", "scratch", "--show", "1001").stdout_bytes
    found = email.message_from_bytes(shown, policy=email.policy.default)
    text = found.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for figure in ("2026-12-02 02:00 UTC", "1,204", "3.0 GiB", "/scratch/ann/climate/run 7 (1,200 files)", "91.3 %"):
        assert figure in text
    assert kept(scanned, installation) == []
    with pytest.raises(Exception, match="has nothing to tell uid 4"):
        command(installation, "notify", "scratch", "--show", "4")
    with pytest.raises(Exception, match="no mail server is set"):
        command(installation, "notify", "scratch")


def test_the_command_writes_and_lists_and_names_broken_templates(scanned: Store, installation: Installation) -> None:
    (installation.conf / "dkumonitor.toml").write_text(
        '[mail]\nserver = "localhost"\nfrom_address = "dkm@example.org"\n'
    )
    folder = installation.conf / "disk/letters"
    folder.mkdir(parents=True)
    (folder / "general.txt").write_text("{{ nothing }}")
    outcome = command(installation, "notify", "scratch", "--dry-run")
    assert "general.txt, line 1 cannot be used: 'nothing' is undefined" in outcome.stderr
    assert [row["state"] for row in json.loads(command(installation, "notify", "scratch", "--json").stdout)] == [
        "spooled"
    ]
    listed = json.loads(command(installation, "notices", "--json").stdout)
    assert [(row["uid"], row["state"]) for row in listed] == [(1001, "spooled")]
    assert json.loads(command(installation, "notices", "--search", "nothing", "--json").stdout) == []
    assert scanned.dialect == "sqlite"
