"""Sends what waits in the spool, oldest first: each message to the server once, as long as nothing is killed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.errors import MailError
from dkumonitor.mail.settings import SECRET
from dkumonitor.mail.smtp import BrokenError, ServerError, Session, problem_of
from dkumonitor.mail.spool import DETAIL_MAX, Envelope, Fate, MailSpool, State, spool_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dkumonitor.installation import Installation
    from dkumonitor.mail.settings import MailSettings

FIRST_PAUSE_SECONDS = 60
LONGEST_PAUSE_SECONDS = 4 * 3600
GIVEN_UP_SECONDS = 5 * 86400
BREAKS_MAX = 3  # connections that break over a message, before the server is left alone


class Drained(msgspec.Struct, frozen=True):
    """What a call of :func:`drain` did.

    Attributes:
        sent: messages that the server took.
        failed: messages that were given up.
        waiting: messages that still wait.
        detail: why some do; empty where none does.
    """

    sent: int
    failed: int
    waiting: int
    detail: str


def drain(
    installation: Installation,
    settings: MailSettings,
    now_seconds: float,
    *,
    limit_seconds: float = 60.0,
    at_once: bool = False,
    progress: Callable[[str, int], None] = lambda *_: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Drained:
    """Send what is due. May be killed at any moment: at most the message that is under way is then sent twice.

    Args:
        installation: whose spool.
        settings: ``[mail]``; without a server nothing is done.
        now_seconds: the time.
        limit_seconds: no message is begun after that.
        at_once: whether to try all of them now, however soon after the last attempt.
        progress: is told how many were sent.
        monotonic: the clock of the limit.

    Raises:
        MailError: the spool cannot be written, or a file that the settings name cannot be read. Nothing was sent then
            that would be sent again.
    """
    spool = spool_of(installation, settings.spool_max_bytes)
    if not settings.is_configured:
        return Drained(0, 0, spool.waiting().messages, "no mail server is set")
    try:
        with spool.alone() as is_alone:
            if not is_alone:
                return Drained(0, 0, spool.waiting().messages, "another process is sending")
            deadline = monotonic() + limit_seconds
            work = _Work(
                installation,
                settings,
                spool,
                now_seconds=int(now_seconds),
                has_time=lambda: monotonic() < deadline,
                progress=progress,
            )
            return work.do(at_once=at_once)
    except OSError as error:
        raise MailError(f"the mail spool cannot be used: {error}", "Make room, or mend its rights") from error


class _Work:
    """One drain: the counts as they grow, and one connection at a time."""

    def __init__(
        self,
        installation: Installation,
        settings: MailSettings,
        spool: MailSpool,
        *,
        now_seconds: int,
        has_time: Callable[[], bool],
        progress: Callable[[str, int], None],
    ) -> None:
        self._password_file = installation.secret(SECRET)
        self._settings = settings
        self._spool = spool
        self._now = now_seconds
        self._has_time = has_time
        self._progress = progress
        self._state = spool.state
        self._sent = self._failed = 0

    def do(self, *, at_once: bool) -> Drained:
        """Send, keep the counts, and say what is left."""
        self._spool.sweep(self._now)
        self._spool.keep(self._state)  # a disk that takes nothing is found before anything is sent, not after
        messages = self._spool.envelopes()
        due = [one for one in messages if at_once or self._is_due(one.next_seconds)]
        if due and (at_once or self._is_due(self._state.server_next_seconds)):
            self._send_all(due)
        elif self._state.server_detail:
            self._give_up_old(messages, self._state.server_detail)
        left = self._spool.envelopes()
        reasons = (one.detail for one in left if one.detail)
        detail = self._state.server_detail or next(reasons, "") if left else ""
        return Drained(self._sent, self._failed, len(left), detail)

    def _send_all(self, due: list[Envelope]) -> None:
        breaks = 0
        left = iter(sorted(due, key=lambda one: one.attempts))  # what breaks every connection holds up no other
        while breaks < BREAKS_MAX and self._has_time():
            try:
                with Session(self._settings, self._password_file) as session:
                    self._send_over(session, left)
                    return
            except BrokenError:
                breaks += 1
            except ServerError as error:
                failures = self._state.server_failures + 1
                said = problem_of(self._settings, error).what
                self._server(failures=failures, pause_seconds=_pause_seconds(failures), detail=said)
                self._give_up_old(self._spool.envelopes(), said)
                return

    def _send_over(self, session: Session, left: Iterator[Envelope]) -> None:
        """Send one after the other.

        Raises:
            BrokenError, ServerError: see :meth:`Session.send`; the message that it came with is tried later.
        """
        while self._has_time():
            envelope = next(left, None)
            if envelope is None:
                return
            message = self._spool.message(envelope)
            if message is None:
                continue
            try:
                answer = session.send(envelope.sender, envelope.recipient, message)
            except (BrokenError, ServerError) as error:
                self._later(envelope, str(error))
                raise
            if self._state.server_failures:
                self._server(failures=0, pause_seconds=0, detail="")
            if answer.is_taken:
                self._end(envelope, Fate.SENT, answer.detail)
            elif answer.is_final:
                self._end(envelope, Fate.FAILED, answer.detail)
            else:
                self._later(envelope, answer.detail)

    def _later(self, envelope: Envelope, detail: str) -> None:
        """Try a message again after a while, unless it is too old."""
        attempts = envelope.attempts + 1
        tried = msgspec.structs.replace(
            envelope,
            attempts=attempts,
            next_seconds=self._now + _pause_seconds(attempts),
            detail=detail[:DETAIL_MAX],
        )
        if self._is_too_old(envelope):
            self._end(tried, Fate.FAILED, _too_old(detail))
        else:
            self._spool.change(tried)

    def _give_up_old(self, messages: list[Envelope], detail: str) -> None:
        for envelope in messages:
            if self._is_too_old(envelope):
                self._end(envelope, Fate.FAILED, _too_old(detail))

    def _end(self, envelope: Envelope, fate: Fate, detail: str) -> None:
        self._spool.end(envelope, fate, self._now, detail)
        if fate is Fate.SENT:
            self._sent += 1
            self._progress("sent", self._sent)
            changes = {"sent_total": self._state.sent_total + 1, "last_sent_seconds": self._now}
            self._keep(msgspec.structs.replace(self._state, **changes))
            return
        self._failed += 1
        self._keep(
            msgspec.structs.replace(
                self._state,
                failed_total=self._state.failed_total + 1,
                last_failed_seconds=self._now,
                last_failed=f"{envelope.recipient}: {detail}"[:DETAIL_MAX],
            )
        )

    def _server(self, *, failures: int, pause_seconds: int, detail: str) -> None:
        self._keep(
            msgspec.structs.replace(
                self._state,
                server_failures=failures,
                server_next_seconds=self._now + pause_seconds,
                server_detail=detail[:DETAIL_MAX],
            )
        )

    def _keep(self, state: State) -> None:
        self._state = state
        self._spool.keep(state)

    def _is_due(self, next_seconds: int) -> bool:
        """Whether its time has come; a clock that went back makes nothing wait for long."""
        return not self._now < next_seconds <= self._now + LONGEST_PAUSE_SECONDS

    def _is_too_old(self, envelope: Envelope) -> bool:
        return self._now - envelope.created_seconds > GIVEN_UP_SECONDS


def _pause_seconds(attempts: int) -> int:
    return min(FIRST_PAUSE_SECONDS << min(attempts - 1, 20), LONGEST_PAUSE_SECONDS)


def _too_old(detail: str) -> str:
    return f"given up after {GIVEN_UP_SECONDS // 86400} days: {detail}"
