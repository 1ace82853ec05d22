"""Certificates of the web pages: made by the release's own openssl, or given and then looked at."""

import ipaddress
import os
import re
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from installer.address import ALL_ADDRESSES, LOOPBACK, is_ip
from installer.errors import CertificateError, ReleaseError

DAYS = 730
MAX_FILE_BYTES = 1 << 16
_OPENSSL = "bin/openssl"
_SECONDS = 60
_MAX_COMMON_NAME = 64  # RFC 5280, ub-common-name
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----\n?", re.DOTALL)
_NAME = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?\Z")
# RFC 5280. Nothing is taken from the machine's openssl.cnf.
_REQUEST = """\
[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
commonName = {common_name}
[extensions]
subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""


@dataclass(frozen=True)
class Pair:
    """A certificate (with what follows it up to its root, where given) and its key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Facts:
    """What a certificate says; times are UTC seconds."""

    subject: str
    names: tuple[str, ...]
    not_before: int
    not_after: int
    fingerprint: str


def names_for(hostname: str, listen: str) -> tuple[str, ...]:
    """The host names and addresses under which pages that listen on ``listen`` are opened."""
    full = hostname.rstrip(".")
    everywhere = listen in {ALL_ADDRESSES, "::"}
    names = (full, full.partition(".")[0], "localhost", *((LOOPBACK, "::1") if everywhere else (listen,)))
    return tuple(dict.fromkeys(name for name in names if is_name(name)))


def is_name(text: str) -> bool:
    """Whether a certificate can be made for it: a host name, perhaps with ``*.`` at its beginning, or an IP address."""
    return is_ip(text) or bool(_NAME.match(text))


def checked(names: Sequence[str]) -> Sequence[str]:
    """These names.

    Raises:
        CertificateError: a certificate cannot be made for one of them.
    """
    wrong = next((name for name in names if not is_name(name)), None)
    if wrong is not None:
        raise CertificateError(f"{wrong!r} is neither a host name nor an IP address", "Correct --name")
    return names


def self_signed(release: Path, names: Sequence[str], days: int = DAYS) -> Pair:
    """A new key (ECDSA on P-256) and a certificate for these names that is signed with itself.

    Args:
        release: the release's folder.
        names: host names and IP addresses, the most usual first.
        days: until it expires.

    Raises:
        ReleaseError: the release's openssl does not do its work.
    """
    shown = ", ".join(f"{'IP' if is_ip(name) else 'DNS'}:{name}" for name in names)
    request = _REQUEST.format(common_name=names[0][:_MAX_COMMON_NAME], names=shown)
    # Key and certificate come through a pipe: the key is in no file until it is where it belongs.
    said = _openssl(
        release,
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-sha256"),
        *("-days", str(days), "-config", "/dev/stdin", "-keyout", "/dev/stdout", "-out", "/dev/stdout"),
        sent=request.encode(),
    )
    blocks = {match[1]: match[0] for match in _PEM.finditer(said)}
    return Pair(blocks[b"CERTIFICATE"], blocks[b"PRIVATE KEY"])


def given(certificate: Path, key: Path, release: Path, now: float) -> Pair:
    """Read a certificate and its key, and see that they can be used.

    Args:
        certificate: PEM, the server's own certificate first.
        key: PEM, without a pass phrase.
        release: the release's folder.
        now: UTC seconds.

    Raises:
        CertificateError: one of them cannot be read, they do not belong together, or the certificate has expired.
    """
    pair = Pair(_read(certificate), _read(key))
    _check_together(pair, certificate, key)
    found = facts(pair.certificate, release)
    if found.not_after <= now:
        at = datetime.fromtimestamp(found.not_after, UTC).date()
        raise CertificateError(f"the certificate in {certificate} expired on {at}", "Give one that is still valid")
    return pair


def facts(certificate: bytes, release: Path) -> Facts:
    """What a certificate says.

    Raises:
        ReleaseError: the release's openssl does not read it.
    """
    options = ("-noout", "-subject", "-nameopt", "RFC2253", "-dates", "-dateopt", "iso_8601", "-ext", "subjectAltName")
    said = _openssl(release, "x509", *options, sent=certificate).decode("utf-8", "replace")
    found = dict(re.findall(r"^(subject|notBefore|notAfter)=\s*(.*)$", said, re.MULTILINE))
    return Facts(
        subject=found.get("subject", ""),
        names=tuple(_shown(name) for name in re.findall(r"(?:DNS|IP Address):([^,\s]+)", said)),
        not_before=_seconds(found["notBefore"]),
        not_after=_seconds(found["notAfter"]),
        fingerprint=fingerprint(certificate),
    )


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate as browsers show it: pairs of hexadecimal digits."""
    block = next(match[0] for match in _PEM.finditer(certificate) if match[1] == b"CERTIFICATE")
    return sha256(ssl.PEM_cert_to_DER_cert(block.decode("ascii"))).digest().hex(":").upper()


def _check_together(pair: Pair, certificate: Path, key: Path) -> None:
    def refuse() -> str:
        raise CertificateError(
            f"the key in {key} has a pass phrase, and nobody is there to type it when the console starts",
            f"Take it out: openssl pkey -in '{key}' -out FILE",
        )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with _nameless(pair.certificate) as first, _nameless(pair.key) as second:
            context.load_cert_chain(first, second, refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError(
                f"the key in {key} is not the one of the certificate in {certificate}",
                "Give the two that belong together",
            ) from None
        raise CertificateError(
            f"{certificate} and {key} are not a certificate and its key in PEM: {error.reason or error}",
            "Write the certificate first, and then those that have signed it; the key into a file of its own",
        ) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CertificateError(f"cannot read {path}: {error.strerror}", "Correct the path, or its mode") from None
    if len(data) > MAX_FILE_BYTES:
        raise CertificateError(f"{path} has more than {MAX_FILE_BYTES} bytes", "Leave out what does not belong there")
    return data


@contextmanager
def _nameless(data: bytes) -> Iterator[str]:
    """A path of these bytes that nobody else has: what was read once is what is looked at, and what is installed."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _openssl(release: Path, *arguments: str, sent: bytes) -> bytes:
    program = release / _OPENSSL
    try:
        done = subprocess.run(
            [str(program), *arguments],
            input=sent,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={"OPENSSL_CONF": "/dev/null", "PATH": os.defpath},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"{program} does not run: {error}", "Extract the tarball again") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ReleaseError(f"{program} {arguments[0]} did not work: {said}", "Extract the tarball again")
    return done.stdout


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00").replace(" +", "+")).timestamp())


def _shown(name: str) -> str:
    """A name as it is written: openssl shows IPv6 addresses without ``::``."""
    return str(ipaddress.ip_address(name)) if is_ip(name) else name
