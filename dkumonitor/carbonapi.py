"""Reading metrics back: the part of Graphite's render and find API that the product asks carbonapi for."""

from __future__ import annotations

import contextlib
import html
import http.client
import re
import time
import urllib.parse
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dkumonitor.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dkumonitor.address import Address

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_PANEL_BYTES = 16 * 1024 * 1024  # 200 series of 2,000 values
_CHUNK_BYTES = 256 * 1024
_REASON_CHARS = 500
_ERROR_LINE = re.compile(r"^Error\s*: (.+)$", re.MULTILINE)
T = TypeVar("T")


class QueryError(ServiceError):
    """carbonapi answers, and refuses the query: the text says what is wrong with it."""


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


class Column(msgspec.Struct, frozen=True):
    """One rendered series without its times: value i is of ``start_seconds + i * step_seconds``, UTC."""

    name: str
    start_seconds: int
    step_seconds: int
    values: list[float | None]

    def times(self) -> range:
        """The time of each value."""
        return range(self.start_seconds, self.start_seconds + len(self.values) * self.step_seconds, self.step_seconds)


class _Packed(msgspec.Struct, frozen=True):
    target: str
    datapoints: msgspec.Raw


class _Node(msgspec.Struct, frozen=True):
    text: str


class Carbonapi:
    """carbonapi at `address`, asked with a deadline of `timeout_seconds` on each request."""

    def __init__(self, address: Address, timeout_seconds: float = 10.0) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds

    def render(self, target: str, *, from_: str = "-10min", until: str = "now", points: int = 1000) -> list[Series]:
        """The series of a target, at most about `points` datapoints each.

        Source: https://graphite.readthedocs.io/en/latest/render_api.html

        Raises:
            QueryError: carbonapi refuses the target.
            ServiceError: carbonapi does not answer, or with something else than series.
        """
        query = {"target": target, "from": from_, "until": until, "maxDataPoints": str(points), "format": "json"}
        what = f"does not render {target!r}"
        return self._decoded(self._ask("/render", query, what, MAX_ANSWER_BYTES), list[Series], what)

    def columns(
        self, targets: Sequence[str], *, from_seconds: int, until_seconds: int, points: int, most: int
    ) -> tuple[list[Column], int]:
        """The first `most` series of some targets, and how many series there are.

        Args:
            targets: in Graphite's language.
            from_seconds: UTC; values after it are given.
            until_seconds: UTC; values up to it are given.
            points: the most values of a series; carbonapi puts neighbours together where there are more.
            most: series whose values are read; each costs memory.

        Raises:
            QueryError: carbonapi refuses a target, or there is more than MAX_PANEL_BYTES of values.
            ServiceError: as :meth:`render`.
        """
        query = {
            "target": list(targets),
            "from": str(from_seconds),
            "until": str(until_seconds),
            "maxDataPoints": str(points),
            "format": "json",
        }
        what = f"does not render {', '.join(map(repr, targets))}"
        packed = self._decoded(self._ask("/render", query, what, MAX_PANEL_BYTES), list[_Packed], what)
        return [self._column(one, what) for one in packed[:most]], len(packed)

    def find(self, pattern: str) -> list[str]:
        """The last segments of the names that a pattern of names matches, each once, sorted.

        Source: https://graphite.readthedocs.io/en/latest/metrics_api.html

        Raises:
            QueryError: carbonapi refuses the pattern.
            ServiceError: as :meth:`render`.
        """
        what = f"does not find {pattern!r}"
        answer = self._ask("/metrics/find", {"query": pattern, "format": "json"}, what, MAX_PANEL_BYTES)
        return sorted({node.text for node in self._decoded(answer, list[_Node], what)})

    def _ask(self, path: str, query: dict[str, Any], what: str, max_bytes: int) -> bytes:
        deadline = time.monotonic() + self._timeout_seconds
        form = urllib.parse.urlencode(query, doseq=True).encode()  # posted: an address has a greatest length
        # http.client, not urllib.request, which reads every certificate authority of the machine and obeys proxies.
        connection = http.client.HTTPConnection(self._address.host, self._address.port, timeout=self._timeout_seconds)
        try:
            with contextlib.closing(connection):
                connection.request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})
                with connection.getresponse() as answer:
                    if answer.status == HTTPStatus.OK:
                        return self._read(answer, deadline, what, max_bytes)
                    reason = _reason(answer.read(_CHUNK_BYTES))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._failure(what, str(error)) from error
        if answer.status == HTTPStatus.BAD_REQUEST:
            raise QueryError(f"carbonapi {what}: {reason}", "Correct the query")
        raise self._failure(what, f"status {answer.status}: {reason}")

    def _read(self, answer: http.client.HTTPResponse, deadline: float, what: str, max_bytes: int) -> bytes:
        body = bytearray()
        while chunk := answer.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > max_bytes:
                raise QueryError(
                    f"the answer has more than {max_bytes // 2**20} MiB", "Choose fewer series or a shorter time"
                )
            if time.monotonic() > deadline:
                raise self._failure(what, f"no whole answer within {self._timeout_seconds:g} s")
        return bytes(body)

    def _decoded(self, body: bytes, type_: type[T], what: str) -> T:
        try:
            return msgspec.json.decode(body, type=type_)
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise self._failure(what, str(error)) from error

    def _column(self, packed: _Packed, what: str) -> Column:
        points = self._decoded(bytes(packed.datapoints), list[tuple[float | None, int]], what)
        start = points[0][1] if points else 0
        step = points[1][1] - start if len(points) > 1 else 1
        return Column(packed.target, start, step, [value for value, _ in points])

    def _failure(self, what: str, why: str) -> ServiceError:
        return ServiceError(
            f"carbonapi at http://{self._address} {what}: {why}",
            "see `dkm status` and run/carbonapi.log where carbonapi runs",
        )


def _reason(body: bytes) -> str:
    """What carbonapi says: text that it has escaped for HTML, now and then twice, with or without the query."""
    text = html.unescape(html.unescape(body.decode("utf-8", "replace")))
    found = _ERROR_LINE.search(text)
    return " ".join((found[1] if found else text).split())[:_REASON_CHARS]
