"""Whether mail gets out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.doctor.findings import Finding, failed, ok, warning
from dkumonitor.errors import MailError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dkumonitor.installation import Installation
    from dkumonitor.mail.settings import MailSettings
    from dkumonitor.mail.spool import MailSpool

ANSWER_SECONDS = 5.0
LATE_SECONDS = 3600
RECENT_SECONDS = 86400


def mail_check(
    settings_of: Callable[[Installation], MailSettings],
    *,
    connects: bool,
    wall: Callable[[], float] = time.time,
) -> Callable[[Installation], Iterator[Finding]]:
    """The check that mail gets out, where a server is set.

    Args:
        settings_of: reads ``[mail]``, which only who sees the collectors can.
        connects: whether to sign in at the server; else only what the last attempts said is told.
        wall: the clock.
    """

    def mail(installation: Installation) -> Iterator[Finding]:
        """The server takes our mail, nothing waits for long, and nothing was given up of late."""
        settings = settings_of(installation)
        if not settings.is_configured:
            return
        from dkumonitor.mail.spool import spool_of  # noqa: PLC0415  only where there is mail

        if connects:
            yield _server(installation, settings)
        spool = spool_of(installation, settings.spool_max_bytes)
        yield from _waiting(spool, wall())
        state = spool.state
        if state.last_failed_seconds is not None and wall() - state.last_failed_seconds < RECENT_SECONDS:
            do = "correct the address: `dkm people list`"
            yield warning("mail", "given up", f"{state.last_failed} ({state.failed_total} in all)", do)

    return mail


def _server(installation: Installation, settings: MailSettings) -> Finding:
    from dkumonitor.mail.settings import SECRET  # noqa: PLC0415  only where there is mail
    from dkumonitor.mail.smtp import ServerError, Session, problem_of  # noqa: PLC0415  the same

    timeout_seconds = min(settings.timeout_seconds, ANSWER_SECONDS)
    subject = f"{settings.server}:{settings.real_port}"
    try:
        with Session(msgspec.structs.replace(settings, timeout_seconds=timeout_seconds), installation.secret(SECRET)):
            pass
    except ServerError as error:
        told = problem_of(settings, error)
        return failed("mail", subject, told.what, told.do)
    except MailError as error:
        return failed("mail", subject, error.what, error.do)
    return ok("mail", subject, "takes our login" if settings.login else "answers")


def _waiting(spool: MailSpool, now_seconds: float) -> Iterator[Finding]:
    waiting = spool.waiting()
    if waiting.oldest_seconds is None:
        yield ok("mail", "spool", "nothing waits")
        return
    late_seconds = now_seconds - waiting.oldest_seconds
    detail = f"{waiting.messages} wait, the oldest for {late_seconds:.0f} s"
    if late_seconds <= LATE_SECONDS:
        yield ok("mail", "spool", detail)
        return
    why = spool.state.server_detail
    yield warning(
        "mail", "spool", f"{detail}: {why}" if why else detail, "see `dkm mail status`, then `dkm mail flush`"
    )
