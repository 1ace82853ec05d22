"""24 hours of three hosts and 300 people, laid into an installation before it starts.

Written as whisper files, not sent: over the carbon port the finest archive alone would be twelve million points.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.history import machines, users
from tests.history.disk import DiskHistory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.history.machines import Machine
    from tests.history.series import Day
    from tests.stack import Stack


@dataclass(frozen=True)
class History:
    """What was laid.

    Attributes:
        machines: the hosts, the installation's own first.
        logins: of the people; the first host has all of them, each other one fewer.
        end: UTC seconds, a whole minute: the first minute that is not there any more.
    """

    machines: tuple[Machine, ...]
    logins: tuple[str, ...]
    end: int

    def users_of(self, machine: Machine) -> tuple[str, ...]:
        """Who has processes on a machine."""
        share = {0: 1, 1: 3, 2: 8}[self.machines.index(machine)]
        return self.logins[::share]

    @property
    def disk(self) -> DiskHistory:
        """What the disk collector found on them."""
        return DiskHistory(self.logins, self.machines[0].host, self.end)

    def days(self) -> Iterator[Day]:
        """Every metric."""
        for machine in self.machines:
            yield from machines.days(machine, self.end)
            yield from users.days(machine, self.users_of(machine), self.end)
        yield from machines.service_days(self.machines[0].host, self.end)
        yield from self.disk.days()


def history(host: str, end: int | None = None) -> History:
    """The day that ends at this minute, on `host` and two others."""
    return History(machines.machines(host), users.logins(), end or int(time.time()) // 60 * 60)


def lay(stack: Stack, laid: History | None = None) -> History:
    """Write a history's files into an installation that is not started."""
    assert not (stack.dir / "run/supervisord.pid").exists(), "go-carbon would see the files only after a minute"
    laid = laid or history(stack.host)
    tree = stack.dir / "storage/whisper"
    for day in laid.days():
        day.write(tree, laid.end)
    owner = tree.stat()
    if owner.st_uid != os.geteuid():
        for path in (tree, *tree.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
    return laid
