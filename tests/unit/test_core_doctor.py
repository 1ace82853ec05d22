"""The doctor's checks where nothing runs, or what they look at is a test's own."""

from __future__ import annotations

import http.server
import json
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from dkumonitor.doctor import certificate, examination, programs
from dkumonitor.doctor.certificate import validity
from dkumonitor.doctor.collectors import collectors
from dkumonitor.doctor.findings import Finding, Status, ok
from dkumonitor.doctor.secrets import secrets
from tests.installations import PORTS, an_installation
from tests.stack import free_port_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dkumonitor.installation import Installation


def a_certificate(folder: Path, days: str, algorithm: str = "ec") -> Path:
    """A self-signed certificate in DIR/conf/tls that began a moment ago, and its key."""
    (folder / "conf/tls").mkdir(parents=True, exist_ok=True)
    (folder / "conf/secrets").mkdir(parents=True, exist_ok=True)
    file, key = folder / "conf/tls/certificate.pem", folder / "conf/secrets/tls_key.pem"
    kind = (
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if algorithm == "ec" else ["-newkey", "rsa:2048"]
    )
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", *kind, "-keyout", key, "-out", file, "-days", days, *name],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("days", "status", "says"),
    [
        (0, Status.OK, "good until"),
        (80, Status.WARNING, "ends at"),
        (101, Status.FAILED, "ended at"),
        (-1, Status.FAILED, "not good yet"),
    ],
)
def test_a_certificate_is_told_before_it_ends(tmp_path: Path, days: int, status: Status, says: str) -> None:
    a_certificate(tmp_path, "100")

    [finding] = certificate.certificate(an_installation(tmp_path, tls=True), lambda: time.time() + days * 86400)

    assert finding.status is status
    assert says in finding.detail
    assert ("dkmadmin tls" in finding.do) is (status is not Status.OK)


@pytest.mark.parametrize("algorithm", ["ec", "rsa"])
@pytest.mark.parametrize("days", ["3", "12000"])  # the second is beyond 2049, which is written in another form
def test_a_certificates_times_are_those_that_openssl_reads(tmp_path: Path, algorithm: str, days: str) -> None:
    file = a_certificate(tmp_path, days, algorithm)
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-dates", "-in", file], check=True, capture_output=True, text=True
    ).stdout
    expected = [
        datetime.strptime(line.partition("=")[2], "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC).timestamp()
        for line in text.splitlines()
    ]

    assert list(validity(file.read_text())) == expected
    assert validity(f"a comment\n{file.read_text()}{file.read_text()}") == validity(file.read_text())


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "nothing",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAAwADAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_certificate_is_a_failure(tmp_path: Path, pem: str) -> None:
    (tmp_path / "conf/tls").mkdir(parents=True)
    (tmp_path / "conf/tls/certificate.pem").write_text(pem)

    [finding] = certificate.certificate(an_installation(tmp_path, tls=True))

    assert finding.status is Status.FAILED


def test_a_certificate_cut_anywhere_is_a_failure_and_no_fault(tmp_path: Path) -> None:
    whole = ssl.PEM_cert_to_DER_cert(a_certificate(tmp_path, "30").read_text())
    for size in range(0, len(whole), 7):
        try:
            validity(ssl.DER_cert_to_PEM_cert(whole[:size]))
        except ValueError:
            continue


def test_no_tls_means_no_certificate_to_look_at(tmp_path: Path) -> None:
    assert list(certificate.certificate(an_installation(tmp_path))) == []


class Answers(http.server.BaseHTTPRequestHandler):
    """A console that is well, or ill."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class IllAnswers(Answers):
    status = 503


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Serve on a free port, with TLS where a certificate is given; the port."""
    servers = []

    def start(handler: type[Answers], port: int, folder: Path | None = None) -> int:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        if folder:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "conf/tls/certificate.pem", folder / "conf/secrets/tls_key.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def console_at(directory: Path, port: int, **changes: object) -> Installation:
    ports = type(PORTS)(web=port, console=port, carbon=None, carbonapi=None, carbonserver=None, pickle=None)
    return an_installation(directory, ports=ports, **changes)


def test_a_console_that_answers_is_well(tmp_path: Path, serve: Callable[..., int]) -> None:
    with free_port_range() as port:
        serve(Answers, port)

        [finding] = programs.console(console_at(tmp_path, port))

    assert (finding.status, finding.subject) == (Status.OK, f"http://127.0.0.1:{port}/health")


def test_a_console_that_is_ill_or_gone_is_a_failure_that_names_its_log(
    tmp_path: Path, serve: Callable[..., int]
) -> None:
    with free_port_range() as port:
        serve(IllAnswers, port)
        [ill] = programs.console(console_at(tmp_path, port))
        [gone] = programs.console(console_at(tmp_path, port + 1))

    assert (ill.status, ill.detail) == (Status.FAILED, "answers 503")
    assert gone.status is Status.FAILED
    assert "console.log" in gone.do


def test_under_tls_the_console_must_show_the_certificate_of_this_installation(
    tmp_path: Path, serve: Callable[..., int]
) -> None:
    for name in ("mine", "other"):
        a_certificate(tmp_path / name, "30")
    with free_port_range() as port:
        serve(Answers, port, tmp_path / "mine")
        [same] = programs.console(console_at(tmp_path / "mine", port, tls=True))
        [other] = programs.console(console_at(tmp_path / "other", port, tls=True))

    assert (same.status, same.subject) == (Status.OK, f"https://127.0.0.1:{port}/health")
    assert other.status is Status.FAILED


def test_a_secret_that_others_can_read_is_a_failure_that_names_the_mend(tmp_path: Path) -> None:
    folder = tmp_path / "conf/secrets"
    folder.mkdir(parents=True)
    modes = {"admin_password": 0o600, "grafana_secret_key": 0o640, "tls_key.pem": 0o604, "database_password": 0o400}
    for name, mode in modes.items():
        (folder / name).touch()
        (folder / name).chmod(mode)

    findings = {found.subject: found for found in secrets(an_installation(tmp_path, grafana=True, tls=True))}

    assert {name: found.status for name, found in findings.items()} == {
        "admin_password": Status.OK,
        "database_password": Status.OK,
        "grafana_secret_key": Status.FAILED,
        "tls_key.pem": Status.FAILED,
    }
    assert findings["tls_key.pem"].do == f"chmod 600 {folder}/tls_key.pem"


def test_a_password_file_that_was_removed_after_its_change_is_no_failure(tmp_path: Path) -> None:
    assert list(secrets(an_installation(tmp_path))) == []


def test_a_check_that_cannot_look_is_a_failure_and_stops_no_other(tmp_path: Path) -> None:
    findings = examination.examine(an_installation(tmp_path, grafana=True))  # nothing at all is there

    assert {"programs", "ports", "room", "secrets"} <= {finding.check for finding in findings}
    assert [finding.detail for finding in findings if finding.check == "secrets"] == [
        "cannot look: No such file or directory"
    ]


def test_checks_run_side_by_side_and_one_that_hangs_is_left_behind(tmp_path: Path) -> None:
    ended = threading.Event()
    meeting = threading.Barrier(2, timeout=30)

    def hanging_disk(_: Installation) -> Iterator[Finding]:
        meeting.wait()
        ended.wait(60)
        yield ok("never", "", "")

    def quick(_: Installation) -> Iterator[Finding]:
        meeting.wait()  # passes only if both are under way at once
        yield ok("quick", "one", "fine")

    def faulty(_: Installation) -> Iterator[Finding]:
        yield ok("faulty", "one", "seen before")
        raise TypeError("a fault")

    began = time.monotonic()
    findings = examination.examine(an_installation(tmp_path), (hanging_disk, quick, faulty), limit_seconds=5)
    ended.set()

    told = [(finding.check, finding.status, finding.detail) for finding in findings[-4:]]
    assert time.monotonic() - began < 60
    assert told == [
        ("hanging disk", Status.FAILED, "did not end in time"),
        ("quick", Status.OK, "fine"),
        ("faulty", Status.OK, "seen before"),
        ("faulty", Status.FAILED, "the check itself has a fault: TypeError: a fault"),
    ]


def test_collectors_that_failed_or_are_overdue_are_warnings(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    more = {"duration_seconds": 1, "skipped": 0, "last_success_seconds": None, "interval_seconds": 86400}
    states = (("a", "ok", 0), ("b", "failed", 0), ("c", "no data", 0), ("d", "ok", -4 * 86400), ("e", "never", 0))
    now_seconds = 2_000_000_000
    runs = [
        {
            "collector": name,
            "state": state,
            "started_seconds": 1,
            "detail": "why",
            "next_due_seconds": now_seconds + due,
        }
        | more
        for name, state, due in states
    ]
    (tmp_path / "run/collectors.json").write_text(json.dumps(runs))

    found = {one.subject: one for one in collectors(an_installation(tmp_path), lambda: now_seconds)}

    assert [name for name, one in found.items() if one.status is Status.WARNING] == ["b", "d"]
    assert found["b"].detail == "the last run failed: why"
    assert found["c"].detail == "no data: why"
    assert list(collectors(an_installation(tmp_path, programs=("console",)))) == []


def test_the_doctor_fails_on_a_failure_alone() -> None:
    fine = Finding("a", "b", Status.OK, "")
    worrying = Finding("a", "b", Status.WARNING, "", "look")
    broken = Finding("a", "b", Status.FAILED, "", "mend")

    assert [examination.exit_code(found) for found in ([fine], [fine, worrying], [worrying, broken])] == [0, 0, 1]


def test_supervisord_that_is_not_there_is_a_failure_that_names_the_start(tmp_path: Path) -> None:
    [finding] = programs.programs(an_installation(tmp_path))

    assert (finding.status, finding.do) == (Status.FAILED, f"{tmp_path}/bin/dkm start")
