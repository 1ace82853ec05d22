"""Passwords: what one must be, its hash, and how many are hashed at once.

A hash takes about a third of a second and 32 MiB, on purpose. Two at a time is what a small machine can bear, and a few
more may wait; whoever comes beyond that is sent away, so that a flood of sign-ins costs neither memory nor threads.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading

from dkumonitor.accounts.errors import AccountError, BusyError

MIN_LENGTH = 12
MAX_LENGTH = 1024
_N, _R, _P = 2**15, 8, 3
_MAX_MEMORY = 64 * 1024 * 1024
_GENERATED_BYTES = 15  # 120 bits, 20 characters
_ATTEMPTS = 1000
_PARTS = 6


def generated(login: str) -> str:
    """A random password of 20 characters for an account."""
    for _ in range(_ATTEMPTS):
        password = secrets.token_urlsafe(_GENERATED_BYTES)
        if not login or login.casefold() not in password.casefold():  # a login may be a single letter
            break
    return password


def check_new(password: str, login: str) -> None:
    """Let a password pass that may become an account's.

    Raises:
        AccountError: it is shorter than 12 or longer than 1,024 characters, contains the login, or has fewer than four
            different characters.
    """
    if len(password) < MIN_LENGTH:
        raise AccountError(f"the password has {len(password)} characters", f"Take at least {MIN_LENGTH}")
    if len(password) > MAX_LENGTH:
        raise AccountError("the password is too long", f"Take at most {MAX_LENGTH} characters")
    if login.casefold() in password.casefold():
        raise AccountError("the password contains the login", "Take one that does not")
    if len(set(password)) < 4:  # noqa: PLR2004  of fewer different characters any is easily guessed
        raise AccountError("the password has too few different characters", "Take one with more of them")


class Hashing:
    """Hashes and checks passwords, a few at a time.

    Args:
        at_once: how many are hashed at the same moment.
        waiting: how many more may wait for that.
    """

    def __init__(self, at_once: int = 2, waiting: int = 6) -> None:
        self._running = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)
        nothing = secrets.token_bytes(16)
        self._nobody = _written(nothing, secrets.token_bytes(32))

    def hash(self, password: str) -> str:
        """The hash of a password as the store keeps it, with its parameters and salt.

        Raises:
            BusyError: too many wait.
        """
        salt = secrets.token_bytes(16)
        return _written(salt, self._scrypt(password, salt, _N, _R, _P))

    def check(self, password: str, kept: str | None) -> bool:
        """Whether a password is the one whose hash is kept; None (no such account) takes as long and is never right.

        Raises:
            BusyError: too many wait.
        """
        n, r, p, salt, key = _read(kept or self._nobody)
        found = self._scrypt(password[:MAX_LENGTH], salt, n, r, p)
        return hmac.compare_digest(found, key) and kept is not None

    def _scrypt(self, password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
        if not self._places.acquire(blocking=False):
            raise BusyError("too many passwords are being checked at this moment", "Try again in a few seconds")
        try:
            with self._running:
                text = password.encode("utf-8", "surrogatepass")
                return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=32)
        finally:
            self._places.release()


def _written(salt: bytes, key: bytes) -> str:
    return "$".join(["scrypt", str(_N), str(_R), str(_P), *(base64.b64encode(one).decode() for one in (salt, key))])


def _read(kept: str) -> tuple[int, int, int, bytes, bytes]:
    parts = kept.split("$")
    if len(parts) != _PARTS or parts[0] != "scrypt":
        raise AccountError("a password's hash in the store is not one that this version wrote", "Set the password anew")
    n, r, p = (int(one) for one in parts[1:4])
    return n, r, p, base64.b64decode(parts[4]), base64.b64decode(parts[5])
