"""Reading metrics back: the part of Graphite's render API that the product asks carbonapi for."""

from __future__ import annotations

import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.errors import ServiceError

if TYPE_CHECKING:
    from dkumonitor.address import Address

MAX_ANSWER_BYTES = 64 * 1024 * 1024


class Series(msgspec.Struct, frozen=True):
    """One rendered series: `datapoints` are (value or None, UTC seconds), ascending in time."""

    target: str
    datapoints: list[tuple[float | None, int]]

    def newest(self) -> tuple[float, int] | None:
        """The newest (value, UTC seconds) that is there, or None."""
        for value, at_seconds in reversed(self.datapoints):
            if value is not None:
                return value, at_seconds
        return None


class Carbonapi:
    """carbonapi at `address`, asked with a deadline of `timeout_seconds` on each request."""

    def __init__(self, address: Address, timeout_seconds: float = 10.0) -> None:
        self._base = f"http://{address}"
        self._timeout_seconds = timeout_seconds

    def render(self, target: str, *, from_: str = "-10min", until: str = "now", points: int = 1000) -> list[Series]:
        """The series of a target, at most about `points` datapoints each.

        Source: https://graphite.readthedocs.io/en/latest/render_api.html

        Raises:
            ServiceError: carbonapi does not answer, or with something else than series.
        """
        query = {"target": target, "from": from_, "until": until, "maxDataPoints": str(points), "format": "json"}
        address = f"{self._base}/render?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=self._timeout_seconds) as answer:  # noqa: S310  http only, above
                return msgspec.json.decode(answer.read(MAX_ANSWER_BYTES), type=list[Series])
        except (OSError, ValueError) as error:  # URLError is an OSError, msgspec's errors are ValueErrors
            raise ServiceError(
                f"carbonapi at {self._base} does not render {target!r}: {error}",
                "see `dkm status` and run/carbonapi.log where carbonapi runs",
            ) from error
