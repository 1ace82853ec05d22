"""Looks at directories, each in a thread: a directory may hold a million files, and a dead server may never answer."""

from __future__ import annotations

import heapq
import os
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from collectors.arrivals.place import Identity

if TYPE_CHECKING:
    from collections.abc import Callable

PORTION = 10_000


class Entry(NamedTuple):
    """A file: its time of change comes first, since listings are in that order."""

    mtime_ns: int
    name: bytes
    size_bytes: int
    inode: int


class Found(NamedTuple):
    """What a look at a directory found.

    Attributes:
        entries: files (all but directories), by time of change.
        more: whether there are more behind the last of these.
        folders: the names of sub-directories.
        identity: which directory it was.
    """

    entries: list[Entry]
    more: bool
    folders: list[bytes]
    identity: Identity


START = Entry(-(2**63), b"", 0, 0)


def look(path: bytes, after: Entry, most: int | None) -> Found:
    """The files of a directory behind an entry, at most so many.

    Raises:
        OSError: it cannot be read.
    """
    folders: list[bytes] = []
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        files = _files(descriptor, folders, after)
        entries = sorted(files) if most is None else heapq.nsmallest(most + 1, files)
    finally:
        os.close(descriptor)
    more = most is not None and len(entries) > most
    return Found(entries[:most] if more else entries, more, folders, Identity(status.st_dev, status.st_ino))


def _files(descriptor: int, folders: list[bytes], after: Entry) -> Any:
    with os.scandir(descriptor) as listing:
        for entry in listing:
            name = os.fsencode(entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.append(name)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            if (status.st_mtime_ns, name) > after[:2]:
                yield Entry(status.st_mtime_ns, name, status.st_size, status.st_ino)


class Scanner:
    """Threads that look, and what they found.

    Args:
        wake: called from a thread when there is an answer.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._workers: dict[object, SimpleQueue[Any]] = {}
        self._answers: deque[tuple[Callable[[Found | OSError], None], Found | OSError]] = deque()

    def ask(
        self, worker: object, path: bytes, after: Entry, most: int | None, answer: Callable[[Found | OSError], None]
    ) -> None:
        """Have a directory looked at; what was found is handed over by :meth:`deliver`.

        Args:
            worker: directories with the same one wait for each other: one for all local ones, and one for each that a
                server may keep waiting.
            path: the directory.
            after: files up to this one are left out.
            most: how many files are wanted; None for all.
            answer: takes what was found, or why nothing was.
        """
        if worker not in self._workers:
            self._workers[worker] = SimpleQueue()
            threading.Thread(target=self._work, args=(self._workers[worker],), daemon=True).start()
        self._workers[worker].put((path, after, most, answer))

    def forget(self, worker: object) -> None:
        """A worker is wanted no more."""
        if worker in self._workers:
            self._workers.pop(worker).put(None)

    def deliver(self) -> None:
        """Hand over what was found."""
        while self._answers:
            answer, found = self._answers.popleft()
            answer(found)

    def _work(self, questions: SimpleQueue[Any]) -> None:
        while (question := questions.get()) is not None:
            path, after, most, answer = question
            try:
                found: Found | OSError = look(path, after, most)
            except OSError as error:
                found = error
            self._answers.append((answer, found))
            del found
            self._wake()
