"""Directories in which files have arrived, as a watcher leaves them: its status and its spool, with hard names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from collectors.arrivals.configuration import load
from collectors.arrivals.enablement import note_enabled, spools_of
from collectors.arrivals.outbox import Outbox
from collectors.arrivals.place import Place, Tally
from collectors.arrivals.spool import EventSpool
from collectors.arrivals.status import FILE_NAME, Directory, Status
from tests import corpus

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

HOUR, DAY = 3600, 86400
SECTIONS = ("incoming", "nightly", "a section of the laboratory & others", "archive")
INI = "[common]\nactive=true\nredis_server=redis.example.org\nredis_port=6379\nqueue=files\n" + "".join(
    f"[{name}]\ndirectory=/data/{name}\nqueue=queue:{name}\n" for name in SECTIONS
)
NAMES = [name for name in corpus.NAMES if b"/" not in name and len(name) <= 255]


def lay_arrivals(installation: Installation, now_seconds: float) -> None:
    """Lay what a watcher would have left: no watcher runs, so that its last word is dated ahead."""
    file = installation.dir.parent / "observer.ini"
    file.write_text(INI)
    note_enabled(installation, file)
    configuration = load(file, spools_of(installation))
    spool = EventSpool(configuration.spool, 1 << 30, 1 << 30)
    outbox = Outbox(1, lambda: now_seconds - 120)
    for watched in configuration.directories:
        place = Place(watched, watched.path, outbox, Tally())
        for name in NAMES:
            place.announce(name.decode("utf-8", "surrogateescape"), "created")
    for content, count, sequence in outbox.take():
        spool.append(content, count, sequence, now_seconds - 120)
    spool.close()
    (configuration.spool / FILE_NAME).write_bytes(msgspec.json.encode(_status(now_seconds)))


def _status(now_seconds: float) -> Status:
    return Status(
        at_seconds=now_seconds + DAY,
        started_seconds=now_seconds - 3 * DAY,
        pid=1,
        redis="redis.example.org:6379",
        failure="",
        pushed=48_211,
        lag_seconds_total=96.4,
        lag_max_seconds=0.012,
        spool_bytes=6_815_744,
        waiting_bytes=0,
        overflows=1,
        listings=12,
        listings_waiting=0,
        failures=2,
        unspooled=0,
        directories=[
            _directory("incoming", now_seconds, 3, [90.0, 200.0, 340.0], arrivals=41_020, rate=1.7, length=12),
            _directory("nightly", now_seconds, 40 * HOUR, [DAY, DAY - 900.0, DAY + 1200.0], arrivals=960, length=0),
            _directory(SECTIONS[2], now_seconds, 120, [], arrivals=len(NAMES), length=None),
            _directory("archive", now_seconds, 5 * HOUR, [9 * HOUR] * 3, arrivals=6_170, length=1_204, state="polled"),
        ],
    )


def _directory(
    section: str,
    now_seconds: float,
    silence_seconds: float,
    gaps: list[float],
    *,
    arrivals: int,
    length: int | None,
    rate: float = 0.0,
    state: str = "watched",
) -> Directory:
    return Directory(
        section=section,
        directory=f"/data/{section}",
        state=state,
        queue=f"queue:{section}",
        arrivals=arrivals,
        arrivals_per_second=rate,
        last_arrival_seconds=now_seconds - silence_seconds,
        queue_length=length,
        oldest_seconds=now_seconds - 1500 if length else None,
        usual_silence_seconds=max(gaps) if gaps else None,
        bytes=0,
        vanished=0,
        waiting=2 if rate else 0,
        gaps=gaps,
    )
