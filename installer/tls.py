"""The web pages get another certificate, or TLS where they had none: key, certificate and configuration, or nothing."""

import dataclasses
from pathlib import Path

from installer import apply, journal, machine
from installer.certificate import Pair
from installer.changes import Act
from installer.decision import Alteration, carry_out, changes_of
from installer.errors import DirectoryError, MachineError
from installer.installation import Installation
from installer.lock import locked
from installer.plan import CERTIFICATE, TLS_KEY
from installer.release import Release
from installer.render import render


def use_certificate(directory: Path, installation: Installation, pair: Pair) -> tuple[str, ...]:
    """Have the web pages use a certificate from their next start on. Killed anywhere, it is the old or the new one.

    Returns:
        Files that were edited, so that what TLS asks of them is laid beside them.

    Raises:
        InstallError: another installer works there, or there are no web pages.
    """
    if not installation.ports.web:
        raise DirectoryError(
            f"type {installation.type} has no web pages, and nothing else has TLS", "Do this where the console runs"
        )
    account = machine.account(installation.user)
    if account is None:
        raise MachineError(f"there is no account {installation.user} any more", "Create it again")
    with locked(directory):
        if journal.is_pending(directory):
            journal.complete(directory)
        journal.remove_left_over(directory)
        release = Release.read((directory / "lib").resolve())
        after = dataclasses.replace(installation, tls=True)
        rendered = render(release.templates, after, directory)
        changes = changes_of(directory, rendered, release.version)
        owners = apply.owner(account), apply.caller()
        given = {TLS_KEY: (pair.key, 0o600, owners[0]), CERTIFICATE: (pair.certificate, 0o644, owners[1])}
        carry_out(Alteration(directory, installation, after, account, rendered, changes, given), release.root.name)
    return tuple(change.path for change in changes if change.act is Act.BESIDE)
