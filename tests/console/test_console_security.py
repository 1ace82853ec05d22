"""What every request meets, whatever it asks for: hosts, sizes, methods, times, and the headers of every answer."""

from __future__ import annotations

import contextlib
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest

from console.security import host_of
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tokens import Scope
from tests import corpus
from tests.console_app import running_console
from tests.stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console_app import RunningConsole

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def raw(console: RunningConsole, request: bytes, seconds: float = 30) -> bytes:
    """Everything that the console answers to bytes, until it closes; fails where it does not."""
    port = int(console.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # it closed before it had read everything
            while part := connection.recv(65536):
                answer += part
    return answer


def test_every_answer_carries_the_security_headers(console: RunningConsole) -> None:
    admin, stranger = console.client(Role.ADMIN), console.stranger()
    answers = [
        admin.get("/account"),
        admin.get("/tables/audit.csv"),
        admin.get("/api/v1/audit"),
        admin.get("/nowhere"),
        admin.get("/api/v1/nowhere"),
        admin.get("/static/console.css"),
        admin.get("/static/console.css?v=1"),
        admin.get("/static/nothing.css"),
        admin.request("PUT", "/account"),
        admin.post("/sign-out"),
        stranger.get("/account"),
        stranger.get("/sign-in"),
        stranger.get("/health"),
        stranger.get("/health", headers={"Host": "evil.example"}),
        stranger.post("/sign-in", content=b"x" * 2_000_000, headers={"Content-Type": "text/plain"}),
    ]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.url
        assert "camera=()" in answer.headers["permissions-policy"]
        assert "server" not in answer.headers
        asset = answer.status_code == 200 and answer.url.path.startswith("/static/")
        kept = ("public, max-age=3600" if answer.url.query else "no-cache") if asset else "no-store"
        assert answer.headers["cache-control"] == kept, answer.url


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("localhost", 200), ("LOCALHOST.", 200), ("[::1]", 200), ("localhost:15000", 200),
     (socket.gethostname(), 200), ("mon.example.org", 200), ("MON.example.org:443", 200), ("10.1.2.3", 200),
     ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("169.254.169.254", 421), ("0.0.0.0", 421),
     ("mon.example.org.evil.example", 421), ("localhost@evil.example", 400), ("localhost/", 400), ("", 400),
     ("localhost:80:80", 400), ("[::1", 400), ("local host", 400), ("localhost:x", 400)],
)  # fmt: skip
def test_only_known_host_names_are_answered(named: RunningConsole, host: str, status: int) -> None:
    answer = named.stranger().get("/health", headers={"Host": host})
    assert answer.status_code == status


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> object:
    settings = '[console]\nallowed_hosts = ["mon.example.org", "10.1.2.3"]\nmax_body_bytes = 5000\n'
    with running_console(tmp_path_factory.mktemp("named"), settings=settings) as running:
        yield running


def test_a_host_header_that_is_missing_or_there_twice_is_refused(console: RunningConsole) -> None:
    for hosts in (b"", b"Host: localhost\r\nHost: localhost\r\n"):
        answer = raw(console, b"GET /health HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert host_of("localhost:1") == "localhost"


def test_a_body_that_is_too_large_is_refused_however_it_comes(named: RunningConsole) -> None:
    client = named.client(Role.ADMIN)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/sign-out", content=b"a=" + b"x" * 5000, headers=form).status_code == 413
    assert client.post("/sign-out", content=iter([b"a=", b"x" * 3000, b"x" * 3000]), headers=form).status_code == 413
    assert named.stranger().post("/sign-in", content=b"login=" + b"x" * 4000, headers=form).status_code == 401


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> object:
    with running_console(tmp_path_factory.mktemp("hasty"), settings="[console]\nrequest_seconds = 1\n") as running:
        yield running


def test_a_request_that_drips_is_ended(hasty: RunningConsole) -> None:
    assert raw(hasty, b"GET /health HTTP/1.1\r\nHost: local") == b""
    head = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    assert raw(hasty, head + b"Content-Length: 100\r\n\r\nlogin=").startswith(b"HTTP/1.1 408 ")
    assert raw(hasty, b"") == b""


@pytest.mark.parametrize(
    "request_bytes",
    [b"GET /\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n",
     b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 500_000 + b"\r\n\r\n",
     b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
     b"GET /health HTTP/1.1\r\nHost: localhost\r\nX Y: z\r\n\r\n"],
    ids=["no version", "TLS", "version", "large head", "both lengths", "negative length", "name with a blank"],
)  # fmt: skip
def test_what_is_no_http_is_refused_or_dropped(console: RunningConsole, request_bytes: bytes) -> None:
    answer = raw(console, request_bytes)
    assert answer == b"" or re.match(rb"HTTP/1.1 (400|401|413|415|431) ", answer), answer
    assert console.stranger().get("/health").text == "ok\n"


def test_an_address_that_is_too_long_is_refused(console: RunningConsole) -> None:
    assert console.client(Role.ADMIN).get("/tables/audit", params={"search": "x" * 9000}).status_code == 414


@pytest.mark.parametrize(
    "path",
    ["/static/../../conf/installation.json", "/static/..%2f..%2fconf/installation.json", "/static/%2e%2e/%2e%2e/x",
     "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/", "/static", "/static/..", "/static/%00",
     "/static/link.css", "/static/secret.txt", "/static/folder.css"],
)  # fmt: skip
def test_no_file_beyond_the_assets_can_be_had(console: RunningConsole, path: str) -> None:
    web = console.installation.lib / "web"
    if web.is_symlink():
        web.unlink()
        web.mkdir()
        (web / "fine.css").write_text("p{}")
        (web / "secret.txt").write_text("secret")
        (web / "folder.css").mkdir()
        (web / "link.css").symlink_to(console.installation.conf / "installation.json")
    assert console.stranger().get("/static/fine.css").text == "p{}"
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    answer = raw(console, head)
    assert re.match(rb"HTTP/1.1 (400|404|405|307) ", answer), answer
    assert b"carbon" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize("text", corpus.TEXTS, ids=range(len(corpus.TEXTS)))
def test_no_text_in_an_address_becomes_a_header_or_an_error_of_ours(console: RunningConsole, text: str) -> None:
    client = console.client(Role.ADMIN)
    before = console.log.read_text()
    segment = quote(text, safe="")
    for answer in (
        client.get("/tables/audit", params={"search": text}),
        client.get("/tables/audit", params={"sort": text}),
        client.get("/tables/audit.csv", params={"offset": text}),
        client.get("/api/v1/audit", params={text: "1"}),
        client.get("/api/v1/accounts", params={"limit": text}),
        client.get(f"/accounts/{segment}"),
        client.get(f"/dashboards/{segment}"),
        console.stranger().get("/sign-in", params={"next": text}),
        console.stranger().get(f"/{segment}"),
        console.stranger().get("/health", headers={"Cookie": f"dkm_session={text.encode().hex()}"}),
    ):
        assert answer.status_code in {200, 303, 400, 404, 414}, (answer.url, answer.text)
        assert "set-cookie" not in answer.headers
        assert "hacked" not in str(answer.headers.keys())
    assert console.log.read_text() == before


def test_a_change_takes_no_other_type_of_body(console: RunningConsole) -> None:
    client = console.bearer(Role.ADMIN, Scope.ADMIN)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = client.post("/api/v1/tokens", content=b'{"name":"x"}', headers={"Content-Type": kind})
        assert answer.status_code == 415
    for content in (b"", b"{", b"[1]", b'{"name":1}', b'{"name":"x","more":1}', b"\xff", b"[" * 60_000):
        answer = client.post("/api/v1/tokens", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, content[:20]
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert client.post("/api/v1/tokens", content=b"x", headers=packed).status_code == 415
    fields = "&".join(f"f{number}=x" for number in range(300)).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert console.stranger().post("/sign-in", content=fields, headers=form).status_code == 400


def test_a_failure_inside_shows_a_number_that_stands_in_the_log_and_nothing_else(tmp_path: Path) -> None:
    with running_console(tmp_path) as console:
        client = console.client(Role.ADMIN)
        assert client.get("/account").status_code == 200
        with console.store.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
        for path in ("/audit", "/api/v1/audit"):
            answer = client.get(path)
            assert answer.status_code in {500, 503}
            assert "elsewhere" not in answer.text
            assert "Traceback" not in answer.text
            assert "sqlite" not in answer.text.lower()
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        found = re.search(r"at ([0-9a-f]{8})\.", client.get("/audit").text)
        if found:
            assert f"{found[1]}: GET /audit failed" in console.log.read_text()
        assert "Traceback" in console.log.read_text()


def test_nothing_is_refused_while_the_console_restarts(console: RunningConsole) -> None:
    port = int(console.url.rpartition(":")[2])
    console.stop()
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as waiting:  # as supervisord holds the socket
        waiting.sendall(head)
        console.restart()
        answer = waiting.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_the_console_ends_when_told_and_leaves_nothing(tmp_path: Path) -> None:
    with running_console(tmp_path) as console:
        console.process.terminate()
        wait_for("the console's end", lambda: console.process.poll() is not None)
        assert console.process.returncode in {0, -15}  # uvicorn ends itself by the signal, once it is done
        console.restart()
        console.wait()


def test_the_log_and_the_command_line_hold_no_secret(console: RunningConsole) -> None:
    token = console.token(Role.ADMIN, Scope.ADMIN)
    client = console.stranger(headers={"Authorization": f"Bearer {token}"})
    client.get("/api/v1/me")
    client.get("/nowhere")
    assert token not in console.log.read_text()
    seen = [Path(f"/proc/{console.process.pid}/{name}").read_bytes() for name in ("environ", "cmdline")]
    assert all(token.encode() not in text for text in seen)


@pytest.fixture
def besieged(tmp_path: Path) -> Iterator[RunningConsole]:
    """A console of its own: what strangers do to it makes its sign-ins wait."""
    with running_console(tmp_path) as running:
        yield running


def test_strangers_who_sign_in_keep_no_page_waiting(besieged: RunningConsole) -> None:
    viewer = besieged.client(Role.VIEWER)
    strangers = [  # each from an address of its own, so that none has to wait for another's failures
        besieged.stranger(transport=httpx.HTTPTransport(local_address=f"127.9.0.{number}")) for number in range(1, 41)
    ]
    form = {"login": "somebody", "password": "wrong"}
    with ThreadPoolExecutor(len(strangers)) as pool:
        attempts = [
            pool.submit(stranger.post, "/sign-in", data={**form, "login": f"somebody{number}"})
            for number, stranger in enumerate(strangers)
        ]
        wait_for("the first refusal", lambda: any(attempt.done() for attempt in attempts), 60)
        answer = viewer.get("/account")
        waiting = sum(not attempt.done() for attempt in attempts)

    assert answer.status_code == 200
    assert waiting > len(strangers) / 2, "the page was answered before most of them were"
    assert {attempt.result().status_code for attempt in attempts} == {401}


def test_a_number_with_many_digits_is_no_address(console: RunningConsole) -> None:
    for path in ("/sessions/", "/tokens/", "/api/v1/sessions/"):
        for digits in (10, 20, 5000):
            assert console.client(Role.ADMIN).get(path + "9" * digits).status_code in {404, 405}
            assert console.stranger().get(path + "9" * digits).status_code in {303, 401, 404, 405}
