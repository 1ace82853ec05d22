"""What a collector is: its declaration, what a run of it is given, and what comes back."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from dkumonitor.metrics import Point

MIB = 1024 * 1024


class CollectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What can be set for every collector below ``[collectors.NAME]``; a collector's own struct derives from it.

    Attributes:
        enabled: whether it runs at all.
        interval_seconds: its own interval; None takes the collector's, else that of ``[collectors]``.
    """

    enabled: bool = True
    interval_seconds: Annotated[int, msgspec.Meta(ge=1, le=86400)] | None = None


class Metric(msgspec.Struct, frozen=True):
    """The declaration of one series, or of a family of them.

    Attributes:
        name: what follows ``dkm.<host>.<collector>.``; ``<word>`` stands for one segment made from data.
        unit: the unit of the value.
        summary: what the value says.
    """

    name: str
    unit: str
    summary: str


class Run(msgspec.Struct, frozen=True):
    """What one run is given.

    Attributes:
        prefix: ``dkm.<host>.<collector>``.
        settings: the collector's settings struct.
        state: what the last run that ended well left as ``Facts.state``; None at first.
        time_seconds: the time of every point of this run, a multiple of the interval.
        interval_seconds: the interval it runs at.
        monotonic: the clock for durations; it goes on from one run to the next.
    """

    prefix: str
    settings: Any
    state: Any
    time_seconds: int
    interval_seconds: int
    monotonic: Callable[[], float] = time.monotonic

    def point(self, name: str, value: float) -> Point:
        """A point of this run, named below the collector's prefix."""
        return Point(f"{self.prefix}.{name}", value, self.time_seconds)


class Facts(msgspec.Struct, frozen=True):
    """What a run found.

    Attributes:
        points: made by :meth:`Run.point`.
        state: given to the next run; of the type that the collector declares.
        no_data: why there is nothing to say, where that is no failure (the run still counts as a success).
    """

    points: tuple[Point, ...] = ()
    state: Any = None
    no_data: str = ""


@dataclass(frozen=True, kw_only=True)
class Collector:
    """The declaration that a collector's folder makes as ``COLLECTOR``.

    Attributes:
        name: the folder's name and the segment after the host in its metrics.
        summary: one line.
        collect: does one run, in a child process of its own that may be killed at any moment.
        metrics: every series that it sends.
        settings: its settings struct, every field with a default.
        state: the type of ``Facts.state``; None where runs do not depend on each other.
        interval_seconds: how often it runs; None takes the interval of ``[collectors]``.
        deadline_seconds: after it the run, with every process it started, is killed.
        memory_bytes: what a run may map beyond what it was born with.
        outlasts_interval: whether a run may go on when the next is due; what is left out then is neither counted nor
            told.
        more: collectors that belong to this one and share its settings, each named ``<name>_<word>``; they run by
            themselves, at the interval that they declare.
    """

    name: str
    summary: str
    collect: Callable[[Run], Facts]
    metrics: tuple[Metric, ...]
    settings: type[CollectorSettings] = CollectorSettings
    state: Any = None
    interval_seconds: int | None = None
    deadline_seconds: float = 8.0
    memory_bytes: int = 256 * MIB
    outlasts_interval: bool = False
    more: tuple["Collector", ...] = ()


RUN_METRICS = (
    Metric("run.duration_seconds", "seconds", "how long the last run took"),
    Metric("run.success", "0 or 1", "whether it ended well; having nothing to say is ending well"),
    Metric("run.last_success_seconds", "UTC seconds", "when a run last ended well; not sent before the first"),
    Metric("run.skipped_total", "runs", "runs left out since the start because the one before had not ended"),
)
