"""The doctor's check of arrivals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from collectors.arrivals.judgement import judge
from dkumonitor.doctor.findings import Finding, Status
from dkumonitor.views import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dkumonitor.installation import Installation

_STATUS = {Level.OK: Status.OK, Level.WARNING: Status.WARNING, Level.FAILED: Status.FAILED}


def arrivals(installation: Installation, wall: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Files that arrive are announced and taken, as the watcher tells; nothing where none is enabled."""
    judged = judge(installation, wall())
    if judged is not None:
        subject = "watcher" if judged.status is None else judged.status.redis
        yield Finding("arrivals", subject, _STATUS[judged.level], judged.sentence, judged.do)


CHECKS = (arrivals,)
