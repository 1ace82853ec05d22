"""`dkm mail`: what waits, whether it can be sent, and sending it now."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec

import collectors
from dkm.progress import Progress
from dkumonitor.errors import MailError
from dkumonitor.mail.drain import drain
from dkumonitor.mail.message import Letter, compose
from dkumonitor.mail.settings import SECRET, MailSettings, is_address
from dkumonitor.mail.smtp import BrokenError, ServerError, Session, problem_of
from dkumonitor.mail.spool import spool_of
from dkumonitor.render import Form, form_options, render_one
from dkumonitor.views import Moment

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

FLUSH_SECONDS = 3600.0
TEST_TEXT = "This is a test of dkumonitor on {host}. Mail about disk use comes from the same address.\n"


class MailStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with mail; None for what is not set or has not happened."""

    server: str | None
    tls: str
    login: str | None
    from_address: str | None
    waiting: int
    waiting_bytes: int
    oldest_seconds: Moment | None
    server_detail: str
    next_attempt_seconds: Moment | None
    sent_total: int
    last_sent_seconds: Moment | None
    failed_total: int
    last_failed_seconds: Moment | None
    last_failed: str


@click.group("mail")
def mail() -> None:
    """Look at mail, test it, and send what waits.

    What is sent, and how, is set in [mail] of dkumonitor.toml.

    \b
    Examples:
      dkm mail status
      dkm mail test ann@example.org
    """  # noqa: D301  \b is click's


@mail.command("status")
@form_options
@click.pass_obj
def show_status(installation: Installation, form: Form) -> None:
    """Show the server, what waits for it, and how the last attempts went.

    \b
    Examples:
      dkm mail status
      dkm mail status --json
    """  # noqa: D301  \b is click's
    settings = _settings(installation)
    spool = spool_of(installation, settings.spool_max_bytes)
    waiting, state = spool.waiting(), spool.state
    status = MailStatus(
        server=f"{settings.server}:{settings.real_port}" if settings.is_configured else None,
        tls=settings.security,
        login=settings.login or None,
        from_address=settings.from_address or None,
        waiting=waiting.messages,
        waiting_bytes=waiting.size_bytes,
        oldest_seconds=waiting.oldest_seconds,
        server_detail=state.server_detail,
        next_attempt_seconds=state.server_next_seconds if state.server_failures else None,
        sent_total=state.sent_total,
        last_sent_seconds=state.last_sent_seconds,
        failed_total=state.failed_total,
        last_failed_seconds=state.last_failed_seconds,
        last_failed=state.last_failed,
    )
    render_one(status, form, sys.stdout)


@mail.command("test")
@click.argument("address")
@click.pass_obj
def send_test(installation: Installation, address: str) -> None:
    """Send a test to ADDRESS now, past the spool, and say what the server answers.

    \b
    Example:
      dkm mail test me@example.org
    """  # noqa: D301  \b is click's
    if not is_address(address):
        raise click.BadParameter("it is no address of the form NAME@DOMAIN", param_hint="ADDRESS")
    settings = _configured(installation)
    now_seconds = time.time()
    text = TEST_TEXT.format(host=installation.host)
    letter = Letter(to_address=address, subject=f"Test of dkumonitor on {installation.host}", text=text, topic="test")
    message = compose(letter, settings, installation.host, f"test-{now_seconds:.6f}-{os.getpid()}", now_seconds)
    try:
        with Session(settings, installation.secret(SECRET)) as session:
            answer = session.send(settings.from_address, address, message)
    except ServerError as error:
        raise problem_of(settings, error) from error
    except BrokenError as error:
        raise MailError(f"the connection to {settings.server} broke: {error}", "The test may have arrived") from error
    if not answer.is_taken:
        raise MailError(f"{settings.server} does not take mail to {address}: {answer.detail}", "Try another address")
    click.echo(f"{settings.server} has taken a message to {address}. Look whether it arrives.")


@mail.command("flush")
@form_options
@click.pass_obj
def flush(installation: Installation, form: Form) -> None:
    """Send all that waits now, however soon after the last attempt.

    The collectors send by themselves; this is for after the server was mended. It may be
    interrupted at any time.

    \b
    Example:
      dkm mail flush
    """  # noqa: D301  \b is click's
    settings = _configured(installation)
    with Progress(sys.stderr) as progress:
        done = drain(
            installation,
            settings,
            time.time(),
            limit_seconds=FLUSH_SECONDS,
            at_once=True,
            progress=progress.show,
        )
    render_one(done, form, sys.stdout)


def _configured(installation: Installation) -> MailSettings:
    settings = _settings(installation)
    if not settings.is_configured:
        raise MailError("no mail server is set", "Set server and from_address in [mail] of dkumonitor.toml")
    return settings


def _settings(installation: Installation) -> MailSettings:
    return collectors.load_settings(collectors.discover(), installation, os.environ).mail
