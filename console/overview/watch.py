"""The metrics of the overview, kept for some seconds: many who look cost carbonapi no more than one."""

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from dkumonitor.carbonapi import Carbonapi
from dkumonitor.errors import ServiceError
from dkumonitor.overview.readings import Readings, read_day, read_now, read_trend

if TYPE_CHECKING:
    from collections.abc import Callable

    from dkumonitor.installation import Installation

T = TypeVar("T")
NOW_KEPT_SECONDS = 5.0
DAY_KEPT_SECONDS = 60.0
TREND_KEPT_SECONDS = 600.0
ANSWER_SECONDS = 5.0


class Kept(Generic[T]):
    """What a question was answered, the error too, for a while; one asks at a time, the others wait for its answer.

    Args:
        ask: the question.
        kept_seconds: how long its answer holds.
        monotonic: the clock.
    """

    def __init__(
        self, ask: Callable[[], T], kept_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._kept_seconds = kept_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until_seconds: float | None = None
        self._found: T | ServiceError | None = None

    def get(self) -> T:
        """The answer.

        Raises:
            ServiceError: as the question does.
        """
        with self._lock:
            if self._until_seconds is None or self._monotonic() > self._until_seconds:
                try:
                    self._found = self._ask()
                except ServiceError as error:
                    self._found = error
                self._until_seconds = self._monotonic() + self._kept_seconds
            found = self._found
        if isinstance(found, ServiceError):
            raise ServiceError(found.what, found.do)
        return found  # type: ignore[return-value]  # asked by now


class Watch:
    """The metrics of one installation."""

    def __init__(self, carbonapi: Carbonapi, interval_seconds: int, wall: Callable[[], float] = time.time) -> None:
        self._now = Kept(lambda: read_now(carbonapi, wall(), interval_seconds), NOW_KEPT_SECONDS)
        self._day = Kept(lambda: read_day(carbonapi, wall()), DAY_KEPT_SECONDS)
        self._trend = Kept(lambda: read_trend(carbonapi, wall()), TREND_KEPT_SECONDS)

    def readings(self) -> Readings:
        """The metrics as they were some seconds ago, trends some minutes.

        Raises:
            ServiceError: carbonapi does not answer.
        """
        now, users = self._now.get()
        return Readings(now, self._day.get(), self._trend.get(), users)


@functools.cache
def watch_of(installation: Installation) -> Watch:
    """The watch of an installation, of which a process has one.

    Raises:
        ServiceError: this type of installation reads no metrics.
    """
    address = installation.carbonapi_address
    if address is None:
        raise ServiceError("this installation reads no metrics")
    return Watch(Carbonapi(address, ANSWER_SECONDS), installation.interval_seconds)
