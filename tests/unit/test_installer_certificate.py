"""Certificates: made for the right names, and looked at before they are used."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from installer import certificate
from installer.errors import CertificateError, ReleaseError
from tests.openssl import system_openssl

if TYPE_CHECKING:
    from pathlib import Path

    from installer.certificate import Pair

YEAR_SECONDS = 365 * 86400


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release with no more in it than the openssl of this machine."""
    (tmp_path / "release/bin").mkdir(parents=True)
    (tmp_path / "release/bin/openssl").symlink_to(system_openssl())
    return tmp_path / "release"


def written(folder: Path, pair: Pair) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    (folder / "certificate.pem").write_bytes(pair.certificate)
    (folder / "key.pem").write_bytes(pair.key)
    return folder / "certificate.pem", folder / "key.pem"


@pytest.mark.parametrize(
    ("hostname", "listen", "names"),
    [
        ("one.example.org", "10.0.0.1", ("one.example.org", "one", "localhost", "10.0.0.1")),
        ("one", "0.0.0.0", ("one", "localhost", "127.0.0.1", "::1")),
        ("one.", "::", ("one", "localhost", "127.0.0.1", "::1")),
        ("one", "2001:db8::1", ("one", "localhost", "2001:db8::1")),
        ("localhost", "127.0.0.1", ("localhost", "127.0.0.1")),
    ],
)
def test_a_certificate_is_for_the_names_and_addresses_that_are_typed(
    hostname: str, listen: str, names: tuple[str, ...]
) -> None:
    assert certificate.names_for(hostname, listen) == names


def test_what_is_made_says_what_was_asked_for(release: Path) -> None:
    names = ("m" * 60 + ".example.org", "m", "*.example.org", "10.0.0.1", "2001:db8::1")
    before = int(time.time())
    pair = certificate.self_signed(release, names, days=30)
    found = certificate.facts(pair.certificate, release)

    assert found.names == names
    assert found.subject == f"CN={names[0][:64]}"
    assert before - 2 <= found.not_before <= time.time()
    assert found.not_after - found.not_before == 30 * 86400
    assert pair.key.decode() not in repr(pair)
    assert certificate.self_signed(release, names).key != pair.key
    text = subprocess.run(
        [system_openssl(), "x509", "-noout", "-text"], input=pair.certificate, capture_output=True, check=True
    ).stdout.decode()
    for words in ("ASN1 OID: prime256v1", "ecdsa-with-SHA256", "CA:FALSE", "TLS Web Server Authentication"):
        assert words in text


def test_the_fingerprint_is_the_one_that_others_compute(release: Path) -> None:
    pair = certificate.self_signed(release, ("m",))
    said = subprocess.run(
        [system_openssl(), "x509", "-noout", "-fingerprint", "-sha256"],
        input=pair.certificate,
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert said.strip().partition("=")[2] == certificate.fingerprint(pair.certificate)


def test_a_client_that_trusts_it_connects_by_its_name_and_by_no_other(release: Path, tmp_path: Path) -> None:
    files = written(tmp_path, certificate.self_signed(release, ("localhost", "127.0.0.1")))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*files)
    asking = ssl.create_default_context(cafile=str(files[0]))

    assert _connects(serving, asking, "localhost")
    assert _connects(serving, asking, "127.0.0.1")
    assert not _connects(serving, asking, "m.example.org")


def _connects(serving: ssl.SSLContext, asking: ssl.SSLContext, name: str) -> bool:
    one, other = socket.socketpair()
    one.settimeout(30)
    other.settimeout(30)

    def serve() -> None:
        try:
            serving.wrap_socket(one, server_side=True).close()
        except OSError:
            one.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        asking.wrap_socket(other, server_hostname=name).close()
    except ssl.SSLCertVerificationError:
        return False
    finally:
        other.close()
        server.join()
        one.close()
    return True


def test_a_given_pair_is_taken_as_it_is(release: Path, tmp_path: Path) -> None:
    pair = certificate.self_signed(release, ("m",))
    above = certificate.self_signed(release, ("ca",)).certificate
    chain = certificate.Pair(pair.certificate + above, pair.key)
    assert certificate.given(*written(tmp_path, chain), release, time.time()) == chain
    assert certificate.fingerprint(chain.certificate) == certificate.fingerprint(pair.certificate)


def test_what_cannot_be_used_is_refused_with_the_reason(release: Path, tmp_path: Path) -> None:
    now = time.time()
    pair, other = (certificate.self_signed(release, ("m",), days=10) for _ in range(2))
    first, key = written(tmp_path / "first", pair)
    _second, other_key = written(tmp_path / "second", other)
    locked = tmp_path / "locked.pem"
    subprocess.run([system_openssl(), "pkey", "-in", key, "-aes128", "-passout", "pass:x", "-out", locked], check=True)
    (tmp_path / "empty").touch()

    with pytest.raises(CertificateError, match="is not the one of the certificate"):
        certificate.given(first, other_key, release, now)
    with pytest.raises(CertificateError, match="expired on"):
        certificate.given(first, key, release, now + YEAR_SECONDS)
    with pytest.raises(CertificateError, match="has a pass phrase"):
        certificate.given(first, locked, release, now)
    with pytest.raises(CertificateError, match="in PEM"):
        certificate.given(key, first, release, now)
    with pytest.raises(CertificateError, match="in PEM"):
        certificate.given(tmp_path / "empty", key, release, now)
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    with pytest.raises(CertificateError, match="more than 65536 bytes"):
        certificate.given(tmp_path / "large", key, release, now)
    with pytest.raises(CertificateError, match="cannot read"):
        certificate.given(tmp_path / "absent", key, release, now)


def test_an_openssl_that_does_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="bin/openssl does not run"):
        certificate.self_signed(tmp_path, ("m",))


@pytest.mark.parametrize("name", ["", "a b", "-m", "m,DNS:evil", "m\nIP:1", "1.2.3.4/8", "fe80::1%eth0"])
def test_no_name_says_more_than_a_name(name: str) -> None:
    with pytest.raises(CertificateError, match="neither"):
        certificate.checked([name])
