"""`dkm mail` and the doctor's check, against real servers."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from dkm.mail import mail
from dkumonitor.doctor.findings import Finding, Status
from dkumonitor.doctor.mail import mail_check
from dkumonitor.doctor.secrets import secrets
from dkumonitor.errors import MailError
from dkumonitor.mail.settings import SECRET
from tests.mail.conftest import NOW_SECONDS, settings, spooled
from tests.mail_server import mail_server, misbehaving_server

if TYPE_CHECKING:
    from dkumonitor.installation import Installation


@pytest.fixture(autouse=True)
def settings_file(installation: Installation, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DKM_CONF", raising=False)
    lines = (
        "[mail]",
        'server = "localhost"',
        f"port = {port}",
        'from_address = "dkm@example.org"',
        "timeout_seconds = 5",
    )
    (installation.conf / "dkumonitor.toml").write_text("\n".join(lines))


def command(installation: Installation, *words: str) -> Result:
    return CliRunner().invoke(mail, words, obj=installation, catch_exceptions=False)


def test_a_test_is_sent_past_the_spool(installation: Installation, port: int) -> None:
    with mail_server(port) as server:
        outcome = command(installation, "test", "ann@example.org")
        assert outcome.stdout.startswith("localhost has taken a message to ann@example.org.")
        server.answer = lambda _: "550 no such user"
        with pytest.raises(MailError, match=r"does not take mail to ben@example\.org: 550 no such user"):
            command(installation, "test", "ben@example.org")
    [received] = server.received
    assert b"Subject: Test of dkumonitor on example\r\n" in received.content
    assert not (installation.storage / "spool").exists()
    assert command(installation, "test", "ann@x.org\nBcc: all@x.org").exit_code == 2


def test_a_test_says_what_is_wrong_with_the_server(installation: Installation, port: int) -> None:
    with pytest.raises(MailError, match=rf"localhost:{port} cannot be used: .*refused"):
        command(installation, "test", "ann@example.org")
    with misbehaving_server(port, "breaks in data"), pytest.raises(MailError, match="broke"):
        command(installation, "test", "ann@example.org")
    (installation.conf / "dkumonitor.toml").write_text("")
    with pytest.raises(MailError, match="no mail server is set"):
        command(installation, "test", "ann@example.org")


def test_status_and_flush_say_what_waits_and_send_it(installation: Installation, port: int) -> None:
    spooled(installation, "m", "ann@example.org")
    flushed = json.loads(command(installation, "flush", "--json").stdout)
    assert (flushed["sent"], flushed["waiting"]) == (0, 1)
    status = json.loads(command(installation, "status", "--json").stdout)
    assert (status["server"], status["tls"], status["waiting"]) == (f"localhost:{port}", "none", 1)
    assert (status["oldest_seconds"], status["login"]) == (NOW_SECONDS, None)
    assert "refused" in status["server_detail"]
    assert status["next_attempt_seconds"] > NOW_SECONDS
    with mail_server(port):
        assert json.loads(command(installation, "flush", "--json").stdout) == {
            "sent": 1,
            "failed": 0,
            "waiting": 0,
            "detail": "",
        }
    status = json.loads(command(installation, "status", "--json").stdout)
    assert (status["waiting"], status["sent_total"], status["server_detail"]) == (0, 1, "")
    assert "waiting" in command(installation, "status").stdout


def test_status_of_an_installation_without_mail_says_so(installation: Installation) -> None:
    (installation.conf / "dkumonitor.toml").write_text("")
    status = json.loads(command(installation, "status", "--json").stdout)
    assert (status["server"], status["waiting"], status["sent_total"]) == (None, 0, 0)


def findings(installation: Installation, port: int, *, connects: bool = True, **changes: object) -> dict[str, Finding]:
    check = mail_check(lambda _: settings(port, **changes), connects=connects, wall=lambda: NOW_SECONDS + 4000)
    return {finding.subject: finding for finding in check(installation)}


def test_the_doctor_signs_in_where_mail_is_set(installation: Installation, port: int) -> None:
    assert findings(installation, port, server="") == {}
    server = f"localhost:{port}"
    with mail_server(port) as running:
        assert findings(installation, port)[server].status is Status.OK
        assert running.sessions == 1
        assert list(findings(installation, port, connects=False)) == ["spool"]
        assert running.sessions == 1
    assert findings(installation, port)[server].status is Status.FAILED
    no_password = findings(installation, port, login="x")[server]
    assert "mail_password" in no_password.detail
    assert no_password.do


@pytest.mark.timeout(120)  # the doctor's own patience is 5 seconds, whatever is set for sending
def test_the_doctor_does_not_wait_long_for_a_server_that_says_nothing(installation: Installation, port: int) -> None:
    with misbehaving_server(port, "drip"):
        assert findings(installation, port, timeout_seconds=300)[f"localhost:{port}"].status is Status.FAILED


def test_the_doctor_warns_of_mail_that_waits_or_was_given_up(installation: Installation, port: int) -> None:
    spooled(installation, "m", "ann@example.org")
    found = findings(installation, port, connects=False)
    assert found["spool"].status is Status.WARNING
    assert "1 wait" in found["spool"].detail
    with mail_server(port) as server:
        server.answer = lambda _: "550 no such user"
        command(installation, "flush")
    found = findings(installation, port, connects=False)
    assert found["spool"].status is Status.OK
    assert found["given up"].detail == "ann@example.org: 550 no such user (1 in all)"


def test_the_doctor_looks_at_who_can_read_the_password(installation: Installation) -> None:
    installation.secret(SECRET).write_text("x")
    os.chmod(installation.secret(SECRET), 0o644)  # noqa: PTH101  as an administrator does
    [finding] = secrets(installation)
    assert (finding.subject, finding.status) == ("mail_password", Status.FAILED)
