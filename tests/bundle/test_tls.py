"""TLS of the installed bundle: on where other machines reach the pages, and `dkmadmin tls`."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.openssl import system_openssl
from tests.releases import snapshot
from tests.stack import Stack, free_port_range, install, run_installer, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICE = "daemon"


def _who() -> tuple[str, ...]:
    return ("--as-root",) if os.geteuid() == 0 else ()


def _shown_by(port: int, trusting: Path) -> str:
    """The certificate that a port shows to a client that trusts this one; empty where there is none."""
    context = ssl.create_default_context(cafile=str(trusting))
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            return ssl.DER_cert_to_PEM_cert(client.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""


@pytest.fixture
def installed(release: Path, workspace: Path) -> Iterator[Stack]:
    with free_port_range() as port:
        stack = install(release, workspace / "dkm", port)
        yield stack
        stack.stop()


def test_pages_that_other_machines_reach_have_tls_and_the_installer_says_by_which_certificate(
    release_with_grafana: Path, workspace: Path
) -> None:
    with free_port_range() as port:
        arguments = ("-d", str(workspace / "dkm"), "-p", str(port), "--listen", "0.0.0.0", *_who())
        outcome = run_installer(release_with_grafana, *arguments)
        stack = Stack(workspace / "dkm", port)
        certificate = stack.dir / "conf/tls/certificate.pem"
        fingerprint = subprocess.run(
            [system_openssl(), "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        try:
            stack.start()
            wait_for("both certificates", lambda: all(_shown_by(page, certificate) for page in (port, port + 6)))
        finally:
            stack.stop()

    assert f"https://0.0.0.0:{port}" in outcome.stdout
    assert f"https://0.0.0.0:{port + 6}" in outcome.stdout
    assert fingerprint.strip().partition("=")[2] in outcome.stdout
    assert outcome.stderr == ""
    assert certificate.stat().st_mode & 0o777 == 0o644
    assert (stack.dir / "conf/secrets/tls_key.pem").stat().st_mode & 0o777 == 0o600


def test_without_tls_the_installer_warns(release: Path, workspace: Path) -> None:
    with free_port_range() as port:
        arguments = ("-d", str(workspace / "dkm"), "-p", str(port), "--listen", "0.0.0.0", "--no-tls", *_who())
        outcome = run_installer(release, *arguments)
    assert outcome.returncode == 0
    assert "reads passwords" in outcome.stderr
    assert "http://0.0.0.0" in outcome.stdout
    assert not (workspace / "dkm/conf/tls").exists()


def test_dkmadmin_tls_turns_it_on_and_the_next_start_shows_the_certificate(installed: Stack) -> None:
    certificate = installed.dir / "conf/tls/certificate.pem"
    assert installed.run("dkmadmin", "tls", "--show", check=False).returncode == 4

    said = installed.run("dkmadmin", "tls", "--self-signed", "--days", "9", "--name", "localhost").stdout

    assert installed.installation["tls"] is True
    assert "restart console" in said
    shown = installed.run("dkmadmin", "tls", "--show").stdout
    assert "names     localhost\n" in shown
    assert re.search(r"^SHA-256   ([0-9A-F]{2}:){31}[0-9A-F]{2}$", shown, re.MULTILINE)
    assert shown in said
    installed.start()
    first = wait_for("the page", lambda: _shown_by(installed.port, certificate))
    assert first == certificate.read_text()

    installed.run("dkmadmin", "tls", "--self-signed", "--name", "localhost")
    installed.dkm("restart", "console")
    wait_for("the other certificate", lambda: _shown_by(installed.port, certificate) not in {"", first})


def test_a_pair_that_cannot_be_used_changes_nothing_and_one_that_can_is_taken_as_it_is(
    installed: Stack, workspace: Path
) -> None:
    for name in ("one", "two"):
        making = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-noenc",
            "-subj",
            f"/CN={name}",
        ]
        files = ["-keyout", str(workspace / f"{name}.key"), "-out", str(workspace / f"{name}.pem")]
        subprocess.run([system_openssl(), *making, *files], check=True, capture_output=True)
    before = snapshot(installed.dir)
    for arguments, code, says in (
        (("--cert", "one.pem", "--key", "two.key"), 9, "is not the one of the certificate"),
        (("--cert", "one.key", "--key", "one.pem"), 9, "in PEM"),
        (("--self-signed", "--name", "a b"), 9, "neither"),
        (("--cert", "one.pem"), 2, "--key FILE"),
        ((), 2, "say what to do"),
    ):
        files = [str(workspace / word) if word.endswith((".pem", ".key")) else word for word in arguments]
        refused = installed.run("dkmadmin", "tls", *files, check=False)
        assert (refused.returncode, says in refused.stderr) == (code, True), refused.stderr
    assert snapshot(installed.dir) == before

    installed.run("dkmadmin", "tls", "--cert", str(workspace / "one.pem"), "--key", str(workspace / "one.key"))

    assert (installed.dir / "conf/tls/certificate.pem").read_bytes() == (workspace / "one.pem").read_bytes()
    assert (installed.dir / "conf/secrets/tls_key.pem").read_bytes() == (workspace / "one.key").read_bytes()


def test_a_configuration_that_was_edited_is_kept_and_what_tls_needs_lies_beside_it(
    release_with_grafana: Path, workspace: Path
) -> None:
    with free_port_range() as port:
        stack = install(release_with_grafana, workspace / "dkm", port)
    ini = stack.dir / "conf/grafana/grafana.ini"
    edited = ini.read_text() + "; mine\n"
    ini.write_text(edited)

    outcome = stack.run("dkmadmin", "tls", "--self-signed")

    assert ini.read_text() == edited
    (beside,) = ini.parent.glob("grafana.ini.new-*")
    assert "protocol = https" in beside.read_text()
    assert "conf/grafana/grafana.ini is edited" in outcome.stderr


def test_the_key_is_the_accounts_and_only_roots_certificate_can_be_exchanged(release: Path, workspace: Path) -> None:
    assert os.geteuid() == 0, "this test becomes another user, so it needs root"
    with free_port_range() as port:
        stack = install(release, workspace / "dkm", port, "--user", SERVICE, "--listen", "0.0.0.0")
    key, certificate = stack.dir / "conf/secrets/tls_key.pem", stack.dir / "conf/tls/certificate.pem"
    for _ in range(2):
        assert (key.stat().st_uid, key.stat().st_mode & 0o777) == (1, 0o600)
        assert (certificate.stat().st_uid, certificate.stat().st_mode & 0o777) == (0, 0o644)
        stack.run("dkmadmin", "tls", "--self-signed")
    refused = subprocess.run(
        [stack.dir / "bin/dkmadmin", "tls", "--self-signed"],
        capture_output=True,
        text=True,
        check=False,
        user=SERVICE,
        group=SERVICE,
        extra_groups=[],
    )
    assert refused.returncode == 4
    assert "belongs to root" in refused.stderr
