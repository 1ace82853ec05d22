"""What waits in the spool: sent once, tried again later, given up in the end, and never lost."""

from __future__ import annotations

import itertools
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkumonitor.errors import MailError
from dkumonitor.mail.drain import GIVEN_UP_SECONDS, LONGEST_PAUSE_SECONDS, Drained, drain
from dkumonitor.mail.spool import Envelope, Fate, MailSpool, Waiting, spool_of
from tests.mail.conftest import NOW_SECONDS, settings, spooled
from tests.mail_server import mail_server, misbehaving_server

if TYPE_CHECKING:
    from dkumonitor.installation import Installation


def test_all_that_waits_is_sent_over_one_connection_the_oldest_first(installation: Installation, port: int) -> None:
    for number in (3, 1, 2):
        spooled(installation, f"m{number}", f"u{number}@x.org", created_seconds=NOW_SECONDS + number)
    spool = spooled(installation, "untold", "u4@x.org", created_seconds=NOW_SECONDS + 4, topic="")
    with mail_server(port) as server:
        assert drain(installation, settings(port), NOW_SECONDS + 9) == Drained(4, 0, 0, "")
        assert drain(installation, settings(port), NOW_SECONDS + 9) == Drained(0, 0, 0, "")
    assert [received.recipient for received in server.received] == [f"u{number}@x.org" for number in (1, 2, 3, 4)]
    assert server.received[0].content == b"Subject: m1\r\n\r\nm1\r\n"
    assert server.sessions == 1
    ended = list(spool.ended("test"))
    assert [(one.id, one.ended_seconds, fate) for one, fate in ended] == [
        (f"m{number}", NOW_SECONDS + 9, Fate.SENT) for number in (1, 2, 3)
    ]
    for envelope, _ in ended:
        spool.forget(envelope)
    assert list(spool.ended("test")) == []
    assert (spool.state.sent_total, spool.state.failed_total) == (4, 0)


def test_a_refused_recipient_is_given_up_at_once_and_told(installation: Installation, port: int) -> None:
    spooled(installation, "bad", "gone@x.org")
    spool = spooled(installation, "good", "ann@x.org")
    with mail_server(port) as server:
        server.answer = lambda address: "550 nobody" if address == "gone@x.org" else ""
        assert drain(installation, settings(port), NOW_SECONDS) == Drained(1, 1, 0, "")
    assert {one.id: (fate, one.detail) for one, fate in spool.ended("test")} == {
        "good": (Fate.SENT, ""),
        "bad": (Fate.FAILED, "550 nobody"),
    }
    assert (spool.state.failed_total, spool.state.last_failed) == (1, "gone@x.org: 550 nobody")


def test_a_recipient_that_is_refused_for_now_is_tried_ever_more_seldom_and_given_up_after_five_days(
    installation: Installation, port: int
) -> None:
    spool = spooled(installation, "later", "full@x.org")
    tries, now = [], NOW_SECONDS
    with mail_server(port) as server:
        server.answer = lambda _: "452 full"
        while spool.waiting().messages:
            before = server.sessions
            done = drain(installation, settings(port), now)
            if server.sessions > before:
                tries.append(now - NOW_SECONDS)
                assert done.detail == ("452 full" if done.waiting else "")
            now += 60 if now < NOW_SECONDS + 3600 else 3600
        assert done == Drained(0, 1, 0, "")
    assert tries[:6] == [0, 60, 180, 420, 900, 1860]
    assert max(later - earlier for earlier, later in itertools.pairwise(tries)) <= LONGEST_PAUSE_SECONDS
    assert tries[-2] <= GIVEN_UP_SECONDS < tries[-1] <= GIVEN_UP_SECONDS + LONGEST_PAUSE_SECONDS
    [(ended, fate)] = spool.ended("test")
    assert (fate, ended.detail) == (Fate.FAILED, "given up after 5 days: 452 full")


def test_with_the_server_down_all_waits_and_is_sent_later(installation: Installation, port: int) -> None:
    spooled(installation, "one", "ann@x.org")
    spool = spooled(installation, "two", "ben@x.org")
    asked, now = [], NOW_SECONDS
    for now in range(NOW_SECONDS, NOW_SECONDS + 1000, 10):
        before = spool.state.server_failures
        done = drain(installation, settings(port), now)
        assert (done.sent, done.failed, done.waiting) == (0, 0, 2)
        assert "refused" in done.detail
        if spool.state.server_failures > before:
            asked.append(now - NOW_SECONDS)
    assert asked == [0, 60, 180, 420, 900]
    with mail_server(port) as server:
        assert drain(installation, settings(port), now).sent == 0  # not yet
        assert drain(installation, settings(port), now, at_once=True) == Drained(2, 0, 0, "")
    assert len(server.received) == 2
    assert (spool.state.server_failures, spool.state.server_detail) == (0, "")


def test_with_the_server_down_for_five_days_mail_is_given_up_and_counted(installation: Installation, port: int) -> None:
    spooled(installation, "old", "ann@x.org")
    spool = spooled(installation, "new", "ben@x.org", created_seconds=NOW_SECONDS + 86400)
    done = drain(installation, settings(port), NOW_SECONDS + GIVEN_UP_SECONDS + 1)
    assert (done.failed, done.waiting) == (1, 1)
    assert [one.id for one, _ in spool.ended("test")] == ["old"]
    assert spool.state.failed_total == 1


@pytest.mark.parametrize("misbehaviour", ["silent", "endless reply", "refuses sender", "breaks in data", "hangs up"])
def test_a_server_that_misbehaves_costs_no_mail(installation: Installation, port: int, misbehaviour: str) -> None:
    for number in range(5):
        spool = spooled(installation, f"m{number}", "ann@x.org")
    with misbehaving_server(port, misbehaviour):
        done = drain(installation, settings(port, timeout_seconds=0.5), NOW_SECONDS)
    assert (done.sent, done.failed, done.waiting) == (0, 0, 5)
    assert done.detail
    with mail_server(port) as server:
        assert drain(installation, settings(port), NOW_SECONDS + 4 * 3600) == Drained(5, 0, 0, "")
    assert len(server.received) == 5
    assert spool.waiting() == Waiting(0, 0, None)


def test_a_message_that_breaks_every_connection_does_not_hold_up_the_others(
    installation: Installation, port: int
) -> None:
    spooled(installation, "a", "poison@x.org")
    spooled(installation, "b", "ann@x.org", created_seconds=NOW_SECONDS + 1)
    with mail_server(port) as server:
        server.answer = lambda address: "421 away" if address == "poison@x.org" else ""
        assert drain(installation, settings(port), NOW_SECONDS + 2).sent == 0
        assert drain(installation, settings(port), NOW_SECONDS + 62).sent == 1
    assert [received.recipient for received in server.received] == ["ann@x.org"]


def test_a_clock_that_went_back_makes_nothing_wait_for_long(installation: Installation, port: int) -> None:
    spooled(installation, "m", "ann@x.org")
    drain(installation, settings(port), NOW_SECONDS + 10 * 86400 - GIVEN_UP_SECONDS - 86400)
    with mail_server(port):
        assert drain(installation, settings(port), NOW_SECONDS).sent == 1


def test_after_its_time_no_message_is_begun(installation: Installation, port: int) -> None:
    for number in range(5):
        spooled(installation, f"m{number}", "ann@x.org")
    clock = iter([0.0, *[float(second) for second in range(100)]])
    with mail_server(port):
        done = drain(installation, settings(port), NOW_SECONDS, limit_seconds=3.5, monotonic=lambda: next(clock))
    assert 0 < done.sent < 5
    assert done.waiting == 5 - done.sent


def test_one_process_at_a_time_sends(installation: Installation, port: int) -> None:
    spool = spooled(installation, "m", "ann@x.org")
    with spool.alone() as is_alone:
        assert is_alone
        assert drain(installation, settings(port), NOW_SECONDS) == Drained(0, 0, 1, "another process is sending")


def test_without_a_server_nothing_is_done(installation: Installation) -> None:
    spooled(installation, "m", "ann@x.org")
    assert drain(installation, settings(1, server=""), NOW_SECONDS) == Drained(0, 0, 1, "no mail server is set")


def test_a_full_spool_refuses_and_a_name_is_taken_once(tmp_path: Path) -> None:
    spool = MailSpool(tmp_path / "spool", 2000)
    one = Envelope(id="one", sender="a@b.c", recipient="d@e.f", created_seconds=1)
    spool.put(one, b"x" * 1000)
    spool.put(one, b"y" * 1000)
    assert spool.message(one) == b"x" * 1000
    with pytest.raises(MailError, match="is full"):
        spool.put(Envelope(id="two", sender="a@b.c", recipient="d@e.f", created_seconds=1), b"x" * 1000)
    assert spool.waiting().messages == 1


def test_what_waits_can_be_read_by_its_owner_alone(installation: Installation) -> None:
    spooled(installation, "m", "ann@x.org")
    folder = installation.storage / "spool/mail"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_disk_that_takes_nothing_is_told_and_nothing_is_sent(installation: Installation, port: int) -> None:
    spooled(installation, "m", "ann@x.org")
    state = installation.storage / "spool/mail/state.json"
    state.mkdir()  # what is to be written cannot be put in its place
    (state / "x").touch()
    with mail_server(port) as server, pytest.raises(MailError, match="cannot be used"):
        drain(installation, settings(port), NOW_SECONDS)
    assert server.received == []


def test_damaged_files_are_put_aside_and_disturb_no_other(installation: Installation, port: int) -> None:
    spool = spooled(installation, "good", "ann@x.org")
    folder = installation.storage / "spool/mail"
    (folder / "torn.mail").write_bytes(b'{"id":"torn"')
    (folder / "empty.mail").touch()
    (folder / "other.mail").write_bytes((folder / "good.mail").read_bytes())  # a name that is not its own
    (folder / "state.json").write_bytes(b"\0")
    with mail_server(port) as server:
        assert drain(installation, settings(port), NOW_SECONDS).sent == 1
    assert len(server.received) == 1
    assert spool.waiting().messages == 0
    assert sorted(path.name for path in folder.glob("*.damaged")) == [
        "empty.mail.damaged",
        "other.mail.damaged",
        "torn.mail.damaged",
    ]


@given(message=st.binary(max_size=500), reference=st.text(max_size=50))
def test_any_message_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, message: bytes, reference: str
) -> None:
    spool = MailSpool(tmp_path_factory.mktemp("spool"), 2**20)
    envelope = Envelope(id="m", sender="a@b.c", recipient="d@e.f", created_seconds=1, reference=reference)
    spool.put(envelope, message)
    assert spool.envelopes() == [envelope]
    assert spool.message(envelope) == message


def test_the_spool_is_where_backups_look(installation: Installation) -> None:
    spooled(installation, "m", "ann@x.org")
    assert [path.name for path in (Path(installation.storage) / "spool/mail").glob("*.mail")] == ["m.mail"]
    assert spool_of(installation, 2**20).waiting().messages == 1
