"""One connection to a mail server: real ones, in clear and with TLS, and those that misbehave."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from dkumonitor.errors import MailError
from dkumonitor.mail.settings import SECRET
from dkumonitor.mail.smtp import Answer, BrokenError, ServerError, Session
from tests.mail.conftest import settings
from tests.mail_server import LOGIN, PASSWORD, mail_server, misbehaving_server

if TYPE_CHECKING:
    from dkumonitor.installation import Installation
    from dkumonitor.mail.settings import MailSettings
    from tests.servers import Certificate

# with TLS from the first byte on, which aiosmtpd does not count as TLS
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
TAKEN = Answer(is_taken=True, is_final=True, detail="")
MESSAGE = b"Subject: dots\r\n\r\n.\r\n..\r\nplain\r\n"


def send(installation: Installation, wanted: MailSettings, recipient: str = "ann@example.org") -> Answer:
    with Session(wanted, installation.secret(SECRET)) as session:
        return session.send(wanted.from_address, recipient, MESSAGE)


def test_a_message_arrives_as_it_was_byte_for_byte(installation: Installation, port: int) -> None:
    with mail_server(port) as server:
        assert send(installation, settings(port)) == TAKEN
    [received] = server.received
    assert (received.sender, received.recipient) == ("dkm@example.org", "ann@example.org")
    assert received.content == MESSAGE
    assert not received.secret


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_with_tls_and_a_login_it_arrives_in_secret(
    installation: Installation, port: int, certificate: Certificate, tls: str
) -> None:
    installation.secret(SECRET).write_text(f"{PASSWORD}\n")
    wanted = settings(port, tls=tls, login=LOGIN, ca_file=str(certificate.authority))
    with mail_server(port, certificate, implicit=tls == "implicit", login=True) as server:
        assert send(installation, wanted) == TAKEN
    assert [received.secret for received in server.received] == [True]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_server_that_does_not_prove_who_it_is_gets_neither_password_nor_mail(
    installation: Installation, port: int, certificate: Certificate, tls: str
) -> None:
    installation.secret(SECRET).write_text(PASSWORD)
    with mail_server(port, certificate, implicit=tls == "implicit", login=True) as server:
        with pytest.raises(ServerError, match="does not prove who it is"):
            send(installation, settings(port, tls=tls, login=LOGIN))
        other_name = settings(port, tls=tls, login=LOGIN, server="127.0.0.1", ca_file=str(certificate.authority))
        with pytest.raises(ServerError, match="does not prove who it is"):
            send(installation, other_name)
    assert server.received == []


def test_a_server_without_tls_gets_nothing_where_tls_is_wanted(installation: Installation, port: int) -> None:
    with mail_server(port) as server, pytest.raises(ServerError, match="STARTTLS"):
        send(installation, settings(port, tls="starttls"))
    assert server.received == []


def test_a_refused_login_is_told_without_what_was_said(
    installation: Installation, port: int, certificate: Certificate
) -> None:
    installation.secret(SECRET).write_text("wrong secret")
    wanted = settings(port, tls="implicit", login=LOGIN, ca_file=str(certificate.authority))
    with mail_server(port, certificate, implicit=True, login=True):
        with pytest.raises(ServerError, match=r"^it refuses the login \(535\)$"):
            send(installation, wanted)
        installation.secret(SECRET).write_text("schlüssel")
        with pytest.raises(ServerError, match="no ASCII") as caught:
            send(installation, wanted)
    assert "ü" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(installation: Installation, port: int) -> None:
    with pytest.raises(MailError, match=r"conf/secrets/mail_password: No such file"):
        send(installation, settings(port, login=LOGIN))
    with pytest.raises(MailError, match=r"the certificates in /nowhere\.pem: No such file"):
        send(installation, settings(port, tls="starttls", ca_file="/nowhere.pem"))


def test_a_recipient_is_refused_for_good_or_for_now(installation: Installation, port: int) -> None:
    words = {"gone@x.org": "550 5.1.1 nobody\x1b[31m", "full@x.org": "452 later", "busy@x.org": "421 bye"}
    with mail_server(port) as server:
        server.answer = lambda address: words.get(address, "")
        with Session(settings(port), installation.secret(SECRET)) as session:
            assert session.send("a@b.org", "gone@x.org", MESSAGE) == Answer(
                is_taken=False, is_final=True, detail="550 5.1.1 nobody\\x1b[31m"
            )
            assert session.send("a@b.org", "full@x.org", MESSAGE) == Answer(
                is_taken=False, is_final=False, detail="452 later"
            )
            assert session.send("a@b.org", "good@x.org", MESSAGE) == TAKEN
            with pytest.raises(ServerError, match="421 bye"):
                session.send("a@b.org", "busy@x.org", MESSAGE)


def test_a_server_that_is_not_there_is_told(installation: Installation, port: int) -> None:
    with pytest.raises(ServerError, match="refused"):
        send(installation, settings(port))


@pytest.mark.parametrize(
    ("misbehaviour", "said"),
    [
        ("silent", "no whole answer in time"),
        ("drip", "no whole answer in time"),
        ("endless line", "has no end"),
        ("endless reply", "has no end"),
        ("nonsense", "-1 "),
        ("hangs up", "closed"),
        ("refuses all", r"554 \\x1b\[31mnot you"),
        ("refuses sender", "550 we do not like you"),
    ],
)
def test_a_server_that_misbehaves_cannot_be_used(
    installation: Installation, port: int, misbehaviour: str, said: str
) -> None:
    before = threading.active_count()
    with misbehaving_server(port, misbehaviour), pytest.raises(ServerError, match=said) as caught:
        send(installation, settings(port, timeout_seconds=1))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
    assert threading.active_count() == before


def test_a_connection_that_breaks_over_a_message_leaves_it_open_whether_it_was_taken(
    installation: Installation, port: int
) -> None:
    with misbehaving_server(port, "breaks in data"), pytest.raises(BrokenError):
        send(installation, settings(port, timeout_seconds=5))
