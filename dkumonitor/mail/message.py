"""A letter becomes the bytes of a message (RFC 5322, MIME), whatever names are in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.text import printable

if TYPE_CHECKING:
    from dkumonitor.mail.settings import MailSettings

SUBJECT_MAX = 150
_PLAIN = re.compile(r"(?!.*=\?)[!-~]( ?[!-~])*\Z")  # what no reader takes for an encoded word (RFC 2047)
_LABEL = re.compile(r"[^a-z0-9]+")


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is said to whom.

    Attributes:
        to_address: a plain address.
        subject: one line; what would break it is made visible.
        text: the same as html, for reading as it is.
        html: a whole document; empty for none.
        topic: what kind of mail it is, for filters: ``disk``.
    """

    to_address: str
    subject: str
    text: str
    html: str = ""
    topic: str


def compose(letter: Letter, settings: MailSettings, host: str, token: str, now_seconds: float) -> bytes:
    """The message as it is sent, lines ending with CRLF.

    Args:
        letter: what is said.
        settings: whom it comes from.
        host: the machine that it is about, as metrics name it.
        token: makes its Message-ID unlike any other.
        now_seconds: its date.
    """
    domain = settings.from_address.rpartition("@")[2]
    message = EmailMessage(policy=SMTP)
    message["From"] = f"dkumonitor on {host} <{settings.from_address}>"
    message["To"] = letter.to_address
    if settings.reply_to:
        message["Reply-To"] = settings.reply_to
    message["Date"] = format_datetime(datetime.fromtimestamp(int(now_seconds), UTC))
    message["Message-ID"] = f"<{token}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
    message["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    message["List-Id"] = f"<{_label(letter.topic)}.{_label(host)}.dkumonitor.{domain}>"
    message.set_content(letter.text, cte="quoted-printable")
    if letter.html:
        message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
        message.set_boundary(f"={token}=")
    return _subject(letter.subject) + message.as_bytes()


def _subject(text: str) -> bytes:
    """The header. The message class would decode what looks encoded in a name, a line break too, so it is made here."""
    line = printable(text)
    line = line if len(line) <= SUBJECT_MAX else f"{line[: SUBJECT_MAX - 3]}..."
    charset = "us-ascii" if _PLAIN.match(line) else "utf-8"
    encoded = Header(line, charset, header_name="Subject", maxlinelen=76).encode(linesep="\r\n")
    return f"Subject: {encoded}\r\n".encode("ascii")


def _label(text: str) -> str:
    """A label of a List-Id (RFC 2919), which is one of a domain's name."""
    return _LABEL.sub("-", text.lower()).strip("-") or "x"
