"""Notices about disk use on each kind of server: kept, limited, settled, listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.disk import notices
from collectors.disk.notices import LIMIT_SECONDS, LISTING, NoticeRow
from collectors.disk.tables import COMPONENT
from dkumonitor.accounts.roles import Role
from dkumonitor.mail.spool import Envelope, Fate, spool_of
from dkumonitor.store.components import core_components
from dkumonitor.store.people import CSV, EVERYWHERE, Entry, replace
from dkumonitor.views import Question, Sources, Viewer
from tests.corpus import NAMES

if TYPE_CHECKING:
    from tests.store.conftest import Database

NOW_SECONDS = 1_800_000_000


def notice(uid: int, address: str = "ann@example.org", state: str = "spooled") -> NoticeRow:
    return NoticeRow(0, NOW_SECONDS, "scratch", "example", 7, uid, "", address, "top_space general", state)


def test_notices_mean_the_same_on_every_server(database: Database) -> None:
    store = database.upgraded(*core_components(), COMPONENT)
    replace(store, CSV, EVERYWHERE, [Entry(login="Ann", uid=1001), Entry(login="ann2", uid=1001)], 1)
    hostile = NAMES[0].decode()
    with store.writing() as connection:
        first = notices.keep(connection, notice(1001))
        notices.keep(connection, notice(1002, hostile, "failed"))
        assert first.id > 0
    with store.reading() as connection:
        assert notices.told_already(connection, notice(1001)) is not None
        assert notices.told_already(connection, notice(1002)) is None
        assert notices.left_out_already(connection, notice(1002, state="failed")) is not None
        assert notices.left_out_already(connection, notice(1002, state="limited")) is None
        for uid, later, limited in ((1001, 1, True), (1001, LIMIT_SECONDS, False), (1001, -1, False), (1002, 1, False)):
            assert notices.is_limited(connection, "example", uid, NOW_SECONDS + later) is limited

    spool = spool_of(database.installation, 2**20)
    reference = '{"task":"scratch","host":"example","uid":1001,"created_seconds":1800000000}'
    envelope = Envelope(
        id="m", sender="a@b.c", recipient="d@e.f", created_seconds=1, topic=notices.TOPIC, reference=reference
    )
    spool.put(envelope, b"")
    spool.end(envelope, Fate.SENT, NOW_SECONDS + 5, "")
    assert notices.settle(store, spool, NOW_SECONDS + 10) == 1

    sources = Sources(database.installation, store, None, Viewer("x", Role.ADMIN, sees_names=True), NOW_SECONDS)
    rows = LISTING.of(sources, Question(sort="login")).rows
    assert [(row.login, row.state, row.sent_seconds, row.address) for row in rows] == [  # type: ignore[attr-defined]
        ("Ann", "sent", NOW_SECONDS + 5, "ann@example.org"),
        ("uid-1002", "failed", None, hostile),
    ]
    for search, uids in (("ANN", [1001]), ("uid-1002", [1002]), ("<SCRIPT", [1002]), ("nothing", [])):
        assert [row.uid for row in LISTING.of(sources, Question(search=search)).rows] == uids  # type: ignore[attr-defined]
