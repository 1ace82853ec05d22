"""Files that arrive in directories that the watcher follows, and what a test sees of it meanwhile."""

from __future__ import annotations

import contextlib
import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.redis_server import redis_server
from tests.sampling import Bounds, Sample, Sampler
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

    from tests.stack import Stack

# Files come steadily into the first, lie in the second before, are not listed in the third, whose queue is as long as
# its limit, and the fourth is not there.
STEADY, STILL, FULL, MISSING = SECTIONS = ("steady", "still", "full", "missing")
FILES, TAKEN, OPEN = 7, 2, 3  # in the second: closed, of them taken by a consumer, and still open
PLANTED_AGE_SECONDS = 500
# Redis takes no writes for a moment at each file, and for a long while once: so it is known how late events must be.
HOLD_SECONDS, LONG_HOLD_SECONDS, LONG_HOLD_AT = 0.2, 30.0, 120
PAUSE_SECONDS = 0.25
_COMMON = """
[common]
active=true
redis_server=127.0.0.1
redis_port={port}
timeout=60
settle=0.1
"""
_SECTION = """
[{section}:common]
directory={folder}/{section}
queue={section}
"""
_KEYS = {STILL: "trigger=complete\n", FULL: "poll_queue_limit=1\n"}


@dataclass(frozen=True)
class Look:
    """How many files were made in the steady directory, the queues by LLEN, the bytes of the spool's segments."""

    made: int
    lengths: dict[str, int]
    spool_bytes: int


@dataclass
class Arrivals:
    """What was made, and what was seen of it.

    Attributes:
        client: of Redis.
        folder: of the directories.
        spools: of the watcher's spools.
        made: when each file was made, by section (UTC seconds), the oldest first.
        oldest: when the oldest that nobody has taken was, by section.
        held: until when Redis could not take each event of the steady directory.
        long_hold: when Redis took nothing for long.
        announced: when the watcher says that it announced each file of the steady directory.
        samples: the looks.
    """

    client: redis.Redis
    folder: Path
    spools: Path
    made: dict[str, list[float]] = field(default_factory=lambda: {section: [] for section in SECTIONS})
    oldest: dict[str, float] = field(default_factory=dict)
    held: list[float] = field(default_factory=list)
    long_hold: Bounds = field(default_factory=lambda: Bounds(math.inf, math.inf))
    announced: list[float] = field(default_factory=list)
    samples: list[Sample[Look]] = field(default_factory=list)

    def arrive(self) -> None:
        """Make a file in the steady directory while Redis takes no writes."""
        made, now = self.made[STEADY], time.time()
        if not self.long_hold.holds(now):
            hold_seconds = HOLD_SECONDS
            if len(made) == LONG_HOLD_AT:
                hold_seconds = LONG_HOLD_SECONDS
                self.long_hold = Bounds(now, now + hold_seconds)
            self.client.client_pause(int(1000 * hold_seconds), all=False)
            until = now + hold_seconds
        else:
            until = self.long_hold.high
        self.held.append(until)
        made.append(time.time())
        (self.folder / STEADY / f"file {len(made):06}").touch()

    def look(self) -> Look:
        return Look(
            made=len(self.made[STEADY]),
            lengths={section: int(str(self.client.llen(section))) for section in SECTIONS},
            spool_bytes=sum(path.stat().st_size for path in self.spools.glob("*/*.events")),
        )

    def prepare(self) -> None:
        """Make the files that lie there, and the first of those that come steadily; a consumer takes some."""
        for _ in range(FILES):
            self.made[STILL].append(time.time())
            (self.folder / STILL / f"file {len(self.made[STILL])}").touch()
        wait_for("the files that lie there", lambda: self.client.llen(STILL) == FILES, 60)
        for _ in range(TAKEN):
            self.client.rpop(STILL)
        self.oldest[STILL] = self.made[STILL][TAKEN]
        self.arrive()
        self.oldest[STEADY] = self.made[STEADY][0]
        wait_for("the first of many files", lambda: self.client.llen(STEADY) == 1, 60)


@contextlib.contextmanager
def arriving(stack: Stack, folder: Path) -> Iterator[Arrivals]:
    """Directories under supervision, sampled until the end, when all is known of what Redis was given."""
    for section in SECTIONS:
        if section != MISSING:
            (folder / section).mkdir()
    with contextlib.ExitStack() as open_:
        server = open_.enter_context(redis_server())
        client = open_.enter_context(contextlib.closing(server.client()))
        arrivals = Arrivals(client, folder, stack.dir / "storage/spool/arrivals")
        arrivals.oldest[FULL] = time.time() - PLANTED_AGE_SECONDS
        planted = {"directory": str(folder), "filename": "x", "event": "created"}
        client.lpush(FULL, json.dumps(planted | {"event_timestamp": arrivals.oldest[FULL]}))
        (folder / "observer.ini").write_text(_ini(server.port, folder))
        stack.dkm("arrivals", "enable", str(folder / "observer.ini"))
        open_.callback(stack.dkm, "arrivals", "disable")
        metrics = f"dkm.{stack.host}.arrivals.directories.{FULL}.queue_length"
        wait_for("the figures of the directories", lambda: stack.newest(metrics) == 1, 60)
        for number in range(OPEN):
            open_.enter_context((folder / STILL / f"open {number}").open("w"))
        arrivals.prepare()
        with Sampler(arrivals.look, PAUSE_SECONDS) as sampler:
            arrivals.samples = sampler.samples
            yield arrivals
        events = client.lrange(STEADY, 0, -1)
        arrivals.announced = [json.loads(event)["event_timestamp"] for event in reversed(events)]


def _ini(port: int, folder: Path) -> str:
    sections = (_SECTION.format(section=section, folder=folder) + _KEYS.get(section, "") for section in SECTIONS)
    return _COMMON.format(port=port) + "".join(sections)
