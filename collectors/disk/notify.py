"""Tells people what concerns them: one mail a person and occasion, put into the spool."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import msgspec

from collectors.disk import notices
from collectors.disk.letters import Letters, Written
from collectors.disk.notices import TOPIC, NoticeRow, Reference, State
from collectors.disk.warnings import Told, decide
from dkumonitor.errors import MailError
from dkumonitor.mail.drain import drain
from dkumonitor.mail.message import Letter, compose
from dkumonitor.mail.settings import is_address
from dkumonitor.mail.spool import Envelope, spool_of
from dkumonitor.store.people import People

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from collectors.disk.errors import LetterError
    from collectors.disk.warnings import Occasion
    from dkumonitor.installation import Installation
    from dkumonitor.mail.drain import Drained
    from dkumonitor.mail.settings import MailSettings
    from dkumonitor.store.engine import Store
    from dkumonitor.store.people import Person

_log = logging.getLogger(__name__)


class Draft(msgspec.Struct, frozen=True):
    """A mail that is written and not sent: what would be kept of it, and what it says."""

    notice: NoticeRow
    told: Told
    written: Written


def notify(
    store: Store,
    installation: Installation,
    settings: MailSettings,
    occasion: Occasion,
    *,
    now_seconds: float,
    dry_run: bool = False,
) -> list[NoticeRow]:
    """Tell everybody who is concerned. Called again for the same run, it writes to nobody twice.

    Args:
        store: the store.
        installation: whose spool.
        settings: ``[mail]``. Without a server nobody is told, and nothing is kept.
        occasion: what there is to tell.
        now_seconds: the time.
        dry_run: whether only to say who would be told; then nothing is written anywhere.

    Returns:
        One row a person who is concerned, whatever became of the mail.

    Raises:
        StoreError: the store cannot be used. Who was told before is told.
    """
    if not settings.is_configured and not dry_run:
        return []
    found = drafts(store, installation, settings, occasion, now_seconds=now_seconds)
    return [draft.notice if dry_run else _send(store, installation, settings, draft) for draft in found]


def drafts(
    store: Store,
    installation: Installation,
    settings: MailSettings,
    occasion: Occasion,
    *,
    now_seconds: float,
    errors: dict[str, LetterError] | None = None,
) -> Iterator[Draft]:
    """The mails, one after the other, by uid. Reads the store, and writes nothing.

    Args:
        store: the store.
        installation: its ``conf/disk/letters`` may hold templates.
        settings: ``[mail]``.
        occasion: what there is to tell.
        now_seconds: the time.
        errors: gets what is wrong with templates, by their names.
    """
    uids = {user.uid for user in occasion.scan.users}
    for users in (*(one.users for one in occasion.planned), *(one.users for one in occasion.done)):
        uids.update(users)
    with store.reading() as connection:
        known = People(connection, occasion.task.host).by_uid(sorted(uids))
    told = decide(occasion, {uid for uid in uids if _is_person(uid, known.get(uid))})
    letters = Letters(occasion, installation.conf / "disk" / "letters")
    for one in told:
        person = known.get(one.uid)
        notice = _notice(occasion, one, person, settings, now_seconds)
        with store.reading() as connection:
            notice = _judged(connection, notice, one, now_seconds)
        written = letters.write(one, notice.login, person.real_name if person else None)
        yield Draft(notice, one, written)
    for error in letters.errors.values():
        _log.warning("%s", error)
    if errors is not None:
        errors.update(letters.errors)


def deliver(store: Store, installation: Installation, settings: MailSettings, now_seconds: float) -> Drained:
    """Send what waits, for as long as a minute, and note in the store what has become of it. For every run.

    Raises:
        MailError: the spool cannot be used, or a file that the settings name cannot be read.
        StoreError: the store cannot be used; what was sent is noted later.
    """
    try:
        return drain(installation, settings, now_seconds)
    finally:
        notices.settle(store, spool_of(installation, settings.spool_max_bytes), now_seconds)


def _is_person(uid: int, person: Person | None) -> bool:
    """Accounts of the system are none, unless somebody gave them an address."""
    return notices.is_account_of_a_person(uid) or bool(person and person.mail)


def _notice(
    occasion: Occasion, told: Told, person: Person | None, settings: MailSettings, now_seconds: float
) -> NoticeRow:
    address = None
    if person is not None and person.mail and is_address(person.mail):
        address = person.mail
    elif person is not None:
        address = settings.address_of(person.login)
    return NoticeRow(
        id=0,
        created_seconds=int(now_seconds),
        task=occasion.task.name,
        host=occasion.task.host,
        run_id=occasion.run_id,
        uid=told.uid,
        login=person.login if person else f"uid-{told.uid}",
        address=address or "",
        sections=" ".join(section.value for section in told.sections),
        state=State.DRY_RUN.value,
    )


def _judged(connection: Connection, notice: NoticeRow, told: Told, now_seconds: float) -> NoticeRow:
    """The notice as it stands: one that is kept already and says it all, or why it is not sent, or as it was."""
    sent_already = notices.told_already(connection, notice)
    if sent_already is not None:
        return sent_already
    if not notice.address:
        state = State.NO_ADDRESS
    elif not told.is_notice and notices.is_limited(connection, notice.host, notice.uid, now_seconds):
        state = State.LIMITED
    else:
        return notice
    notice = msgspec.structs.replace(notice, state=state.value)
    return notices.left_out_already(connection, notice) or notice


def message_of(draft: Draft, installation: Installation, settings: MailSettings) -> bytes:
    """The message of a draft, as it is sent."""
    notice, written = draft.notice, draft.written
    if not settings.from_address:  # only to be looked at
        settings = msgspec.structs.replace(settings, from_address="dkumonitor@localhost")
    letter = Letter(
        to_address=notice.address or "", subject=written.subject, text=written.text, html=written.html, topic=TOPIC
    )
    return compose(letter, settings, installation.host, _name(notice), notice.created_seconds)


def _send(store: Store, installation: Installation, settings: MailSettings, draft: Draft) -> NoticeRow:
    """Keep the notice and let its message wait.

    The message waits before the notice is kept. A kill between the two leaves a message without a notice: so a person
    may be told twice, and never not at all. An act that is done again finds its own message there.
    """
    spool = spool_of(installation, settings.spool_max_bytes)

    def act(connection: Connection) -> NoticeRow:
        notice = _judged(connection, draft.notice, draft.told, draft.notice.created_seconds)
        if notice.id:
            return notice
        if notice.state != State.DRY_RUN.value:
            return notices.keep(connection, notice)
        spool.put(_envelope(notice, settings), message_of(draft, installation, settings))
        return notices.keep(connection, msgspec.structs.replace(notice, state=State.SPOOLED.value))

    try:
        return store.write(act)
    except MailError as error:
        _log.warning("uid %d is not written to: %s", draft.notice.uid, error)
        failed = msgspec.structs.replace(draft.notice, state=State.FAILED.value)
        return store.write(lambda connection: notices.keep(connection, failed))


def _envelope(notice: NoticeRow, settings: MailSettings) -> Envelope:
    created_seconds = int(notice.created_seconds)
    reference = Reference(notice.task, notice.host, notice.uid, created_seconds)
    return Envelope(
        id=_name(notice),
        sender=settings.from_address,
        recipient=notice.address or "",
        created_seconds=created_seconds,
        topic=TOPIC,
        reference=msgspec.json.encode(reference).decode(),
    )


def _name(notice: NoticeRow) -> str:
    """The name of a message in the spool and, with a domain, its Message-ID."""
    of = "\0".join((notice.host, notice.task, str(notice.run_id), notice.sections, notice.address or ""))
    digest = hashlib.sha256(of.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"disk-{int(notice.created_seconds)}-{notice.uid}-{digest}"
