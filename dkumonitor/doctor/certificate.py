"""Until when the certificate of the web pages is good."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dkumonitor.doctor.findings import Finding, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dkumonitor.installation import Installation

SOON_SECONDS = 30 * 86400
END = "-----END CERTIFICATE-----"
LONG_FORM = 0x80
GENERALIZED_TIME = 0x18
VERSION = 0xA0  # an element that old certificates lack


def certificate(installation: Installation, wall: Callable[[], float] = time.time) -> Iterator[Finding]:
    """The certificate is good, and stays so for a while."""
    if not installation.tls:
        return
    path = installation.certificate
    do = f"lay a new certificate and key there, or: {installation.dir}/bin/dkmadmin tls"
    try:
        from_seconds, until_seconds = validity(path.read_text(encoding="ascii", errors="replace"))
    except ValueError as error:
        yield failed("certificate", str(path), f"cannot be read: {error}", do)
        return
    now_seconds = wall()
    until = datetime.fromtimestamp(until_seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if until_seconds <= now_seconds:
        yield failed("certificate", str(path), f"ended at {until}", do)
    elif from_seconds > now_seconds:
        yield failed("certificate", str(path), "is not good yet: is the clock right?", do)
    elif until_seconds - now_seconds < SOON_SECONDS:
        yield warning("certificate", str(path), f"ends at {until}", do)
    else:
        yield ok("certificate", str(path), f"good until {until}")


def validity(pem: str) -> tuple[float, float]:
    """From when and until when the first certificate of a PEM file is good, UTC seconds.

    The standard library reads the times of a peer's certificate alone, so this walks to them: RFC 5280, 4.1.

    Raises:
        ValueError: there is no certificate in it.
    """
    first, end, _rest = pem.partition(END)
    if not end:
        raise ValueError("no certificate in PEM form")
    der = ssl.PEM_cert_to_DER_cert(first[first.find("-----BEGIN") :] + end)
    try:
        fields = _elements(_elements(_elements(der)[0][1])[0][1])  # of the certificate: of what is signed
        if fields[0][0] == VERSION:
            fields = fields[1:]
        _serial, _algorithm, _issuer, (_tag, period), *_subject = fields
        begin, until = _elements(period)
        return _seconds(*begin), _seconds(*until)
    except IndexError:
        raise ValueError("the certificate is cut off") from None


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """The (tag, content) of each element in a row of DER."""
    found, at = [], 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size & LONG_FORM:
            octets = size - LONG_FORM
            size, at = int.from_bytes(der[at : at + octets]), at + octets
        found.append((tag, der[at : at + size]))
        at += size
    return found


def _seconds(tag: int, text: bytes) -> float:
    """The UTC seconds of a UTCTime (its century as RFC 5280 says) or GeneralizedTime."""
    digits = text.decode("ascii")
    if tag != GENERALIZED_TIME:
        digits = ("19" if digits >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
