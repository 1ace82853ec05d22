"""Mail that waits on disk: DIR/storage/spool/mail, a file a message, written whole or not at all.

``ID.mail`` waits, ``ID.sent`` was taken by the server, ``ID.failed`` was given up. Each is a line of JSON (who, when,
how often it was tried) and below it the message itself, byte for byte as it is sent. An ended one stays until whoever
asked for it has heard of it. ``state.json`` counts, and says when a server that did not answer is asked again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.errors import MailError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dkumonitor.installation import Installation

DETAIL_MAX = 300
KEPT_SECONDS = 30 * 86400  # an ended message that nobody asks about
_HEAD_MAX_BYTES = 64 * 1024
_PARTIAL = ".new"
_STATE = "state.json"
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")


class Fate(StrEnum):
    """How it stands with a message; the ending of its file's name."""

    WAITING = "mail"
    SENT = "sent"
    FAILED = "failed"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a message beside its text.

    Attributes:
        id: the name of its file.
        sender: the address of MAIL FROM.
        recipient: the address of RCPT TO.
        created_seconds: when it was put into the spool, UTC seconds.
        topic: who wants to hear its end; empty for nobody.
        reference: what that one knows it by.
        attempts: how often it was tried.
        next_seconds: it is not tried before.
        ended_seconds: when it was sent or given up; None while it waits.
        detail: what the server said last.
    """

    id: str
    sender: str
    recipient: str
    created_seconds: int
    topic: str = ""
    reference: str = ""
    attempts: int = 0
    next_seconds: int = 0
    ended_seconds: int | None = None
    detail: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the folder was made, and how it stands with the server.

    Attributes:
        sent_total: messages that the server took.
        failed_total: messages that were given up: refused, or too old.
        last_sent_seconds: when the last one was taken; None before the first.
        last_failed_seconds: when the last one was given up; None before the first.
        last_failed: whom that was for, and why.
        server_failures: how often in a row the server could not be used.
        server_next_seconds: it is not asked before.
        server_detail: what was wrong with it; empty where all is well.
    """

    sent_total: int = 0
    failed_total: int = 0
    last_sent_seconds: int | None = None
    last_failed_seconds: int | None = None
    last_failed: str = ""
    server_failures: int = 0
    server_next_seconds: int = 0
    server_detail: str = ""


class Waiting(msgspec.Struct, frozen=True):
    """How much waits: messages, their bytes on disk, and when the oldest came (None for none)."""

    messages: int
    size_bytes: int
    oldest_seconds: int | None


class MailSpool:
    """The folder of mail that waits. Several processes may use it; one of them at a time sends.

    Args:
        folder: made where it is missing.
        max_bytes: what may wait.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._known_bytes = max_bytes  # what waits, at most; looked at before anything is refused

    def put(self, envelope: Envelope, message: bytes) -> None:
        """Let a message wait. It is on disk when this returns; one of that name that is there already is left alone.

        Raises:
            MailError: the spool is full, or the disk takes nothing.
        """
        if not _ID.match(envelope.id):
            raise ValueError(f"{envelope.id!r} is no name of a message")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(self._path(envelope.id, fate).exists() for fate in Fate):
                return
            content = _encoded(envelope, message)
            self._make_sure_of_room(len(content))
            self._write(f"{envelope.id}.{Fate.WAITING.value}", content)
            self._known_bytes += len(content)
        except OSError as error:
            raise MailError(
                f"the mail spool {self._folder} takes nothing: {error.strerror}", "Make room, or mend its rights"
            ) from None

    def waiting(self) -> Waiting:
        """How much waits."""
        files = list(self._files(Fate.WAITING))
        heads = [envelope for name, _ in files if (envelope := self._head(name)) is not None]
        oldest = min((envelope.created_seconds for envelope in heads), default=None)
        return Waiting(len(files), sum(size_bytes for _, size_bytes in files), oldest)

    def envelopes(self, fate: Fate = Fate.WAITING) -> list[Envelope]:
        """The messages of a kind, the oldest first. A damaged one is put out of the way."""
        found = []
        for name, _ in list(self._files(fate)):
            envelope = self._head(name)
            if envelope is not None:
                found.append(envelope)
            elif (self._folder / name).exists():
                (self._folder / name).replace(self._folder / f"{name}.damaged")
        return sorted(found, key=lambda envelope: (envelope.created_seconds, envelope.id))

    def message(self, envelope: Envelope) -> bytes | None:
        """The message of an envelope, as it is sent; None where it is gone."""
        try:
            raw = self._path(envelope.id, Fate.WAITING).read_bytes()
        except FileNotFoundError:
            return None
        return raw.partition(b"\n")[2]

    def change(self, envelope: Envelope) -> None:
        """Note another attempt of a message that waits."""
        message = self.message(envelope)
        if message is not None:
            self._write(f"{envelope.id}.{Fate.WAITING.value}", _encoded(envelope, message))

    def end(self, envelope: Envelope, fate: Fate, now_seconds: float, detail: str) -> None:
        """Note how a message ended. From here on it is never sent again, whatever is killed.

        One step (a rename) tells it apart; what it says is written after that.
        """
        waiting = self._path(envelope.id, Fate.WAITING)
        if not envelope.topic:
            waiting.unlink()
            self._sync()
            return
        ended = msgspec.structs.replace(envelope, ended_seconds=int(now_seconds), detail=detail[:DETAIL_MAX])
        waiting.replace(self._path(envelope.id, fate))
        with contextlib.suppress(OSError):  # on a full disk the name alone must do
            self._write(f"{envelope.id}.{fate.value}", _encoded(ended, b""))

    def ended(self, topic: str) -> Iterator[tuple[Envelope, Fate]]:
        """What of a topic has ended and was not yet forgotten."""
        for fate in (Fate.SENT, Fate.FAILED):
            for envelope in self.envelopes(fate):
                if envelope.topic == topic:
                    yield envelope, fate

    def forget(self, envelope: Envelope) -> None:
        """Whoever wanted to has heard how a message ended."""
        for fate in (Fate.SENT, Fate.FAILED):
            self._path(envelope.id, fate).unlink(missing_ok=True)

    def sweep(self, now_seconds: float) -> None:
        """Remove what a kill left half written, and what nobody has asked about for long. Only while sending."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                age_seconds = now_seconds - path.stat().st_mtime
                half_written = path.name.endswith(_PARTIAL) and age_seconds > 600  # noqa: PLR2004  no put takes so long
                is_over = path.name.endswith((".sent", ".failed", ".damaged")) and age_seconds > KEPT_SECONDS
                if half_written or is_over:
                    path.unlink()

    @property
    def state(self) -> State:
        """The counts; a file that a bad disk damaged counts from nothing."""
        try:
            return msgspec.json.decode((self._folder / _STATE).read_bytes(), type=State)
        except (FileNotFoundError, msgspec.MsgspecError):
            return State()

    def keep(self, state: State) -> None:
        """Keep the counts."""
        self._write(_STATE, msgspec.json.encode(state))

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Be the only one who sends; gives whether that is so. The kernel lets go when the process ends."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)

    def _make_sure_of_room(self, size_bytes: int) -> None:
        if self._known_bytes + size_bytes > self._max_bytes:
            self._known_bytes = sum(waiting_bytes for _, waiting_bytes in self._files(Fate.WAITING))
        if self._known_bytes + size_bytes > self._max_bytes:
            raise MailError(
                f"the mail spool {self._folder} is full: {self._known_bytes} bytes wait",
                "See `dkm mail status` for why nothing is sent",
            )

    def _path(self, name: str, fate: Fate) -> Path:
        return self._folder / f"{name}.{fate.value}"

    def _files(self, fate: Fate) -> Iterator[tuple[str, int]]:
        """The names of a kind with their sizes."""
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.endswith(f".{fate.value}"):
                        with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
                            yield entry.name, entry.stat().st_size
        except FileNotFoundError:
            return

    def _head(self, name: str) -> Envelope | None:
        try:
            with (self._folder / name).open("rb") as file:
                envelope = msgspec.json.decode(file.readline(_HEAD_MAX_BYTES), type=Envelope)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        return envelope if envelope.id == name.rpartition(".")[0] else None

    def _write(self, name: str, content: bytes) -> None:
        """Put a file in its place, whole and on disk, readable by its owner alone."""
        partial = self._folder / f".{name}{_PARTIAL}"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor with a mode of its own
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / name)
        self._sync()

    def _sync(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def spool_of(installation: Installation, max_bytes: int) -> MailSpool:
    """The spool of an installation."""
    return MailSpool(installation.storage / "spool" / "mail", max_bytes)


def _encoded(envelope: Envelope, message: bytes) -> bytes:
    return msgspec.json.encode(envelope) + b"\n" + message
