"""Whatever carbonapi answers, a question ends: with series, or with an error that says what is wrong and what to do."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from dkumonitor import carbonapi
from dkumonitor.address import Address
from dkumonitor.carbonapi import Carbonapi, Column, QueryError
from dkumonitor.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Serve = Callable[..., Carbonapi]

SERIES = b'[{"target":"a","datapoints":[[1.5,60],[null,120]],"tags":{}},{"target":"b","datapoints":[[2,60]]}]'


class Answering(BaseHTTPRequestHandler):
    status, body, trickle = 200, b"", False
    over: threading.Event

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.end_headers()
        if self.trickle:
            while not self.over.wait(0.05):
                self.wfile.write(b" ")
                self.wfile.flush()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers, over = [], threading.Event()

    def start(*, timeout_seconds: float = 10, **answer: object) -> Carbonapi:
        handler = type("Handler", (Answering,), {**answer, "over": over})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return Carbonapi(Address("127.0.0.1", server.server_port), timeout_seconds)

    yield start
    over.set()
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def columns(asked: Carbonapi, most: int = 10) -> tuple[list[Column], int]:
    return asked.columns(["x"], from_seconds=0, until_seconds=120, points=100, most=most)


def test_series_are_columns_and_those_beyond_the_bound_are_counted(serve: Serve) -> None:
    asked = serve(body=SERIES)

    assert columns(asked) == ([Column("a", 60, 60, [1.5, None]), Column("b", 60, 1, [2.0])], 2)
    assert columns(asked, most=1) == ([Column("a", 60, 60, [1.5, None])], 2)
    assert list(columns(asked)[0][0].times()) == [60, 120]


def test_names_are_found_once_each_and_sorted(serve: Serve) -> None:
    asked = serve(body=b'[{"text":"b","id":"x.b"},{"text":"a","id":"x.a"},{"text":"b","id":"y.b"}]')

    assert asked.find("*.*") == ["a", "b"]


def test_a_refused_query_says_why_in_plain_text(serve: Serve) -> None:
    page = b"Bad Request\n\nTarget : x\nError : unexpected &amp;#34;(&amp;#34; &lt;b&gt;\n\n"
    with pytest.raises(QueryError, match=r'does not render \'x\': unexpected "\(" <b>\. Correct the query'):
        columns(serve(status=400, body=page))


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, b"no backends"), (500, b""), (200, b"not JSON"), (200, b'{"a":1}'), (200, b'[{"target":1}]'),
     (200, b'[{"target":"a","datapoints":[["x",1]]}]'), (200, b'[{"target":"a","datapoints":'), (200, b"\xff")],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error_that_names_the_query(serve: Serve, status: int, body: bytes) -> None:
    with pytest.raises(ServiceError, match="does not render 'x'") as raised:
        columns(serve(status=status, body=body))
    assert not isinstance(raised.value, QueryError)


def test_a_larger_answer_than_can_be_shown_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carbonapi, "MAX_PANEL_BYTES", 1024 * 1024)

    with pytest.raises(QueryError, match=r"more than 1 MiB.*Choose fewer series"):
        columns(serve(body=b" " * (1024 * 1024 + 1)))


def test_an_answer_that_never_ends_is_given_up(serve: Serve) -> None:
    with pytest.raises(ServiceError, match=r"no whole answer within 0\.3 s"):
        columns(serve(trickle=True, timeout_seconds=0.3))
