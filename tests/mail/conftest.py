"""An installation whose mail goes to a server of the test's own."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from dkumonitor.mail.settings import MailSettings
from dkumonitor.mail.spool import Envelope, MailSpool, spool_of
from tests import servers
from tests.conftest import RUN_FOLDER
from tests.installations import an_installation
from tests.stack import free_port_range

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dkumonitor.installation import Installation
    from tests.servers import Certificate

NOW_SECONDS = int(time.time())  # files are as old as they are


@pytest.fixture
def port() -> Iterator[int]:
    with free_port_range() as first:
        yield first


@pytest.fixture(scope="module")
def certificate() -> Iterator[Certificate]:
    with servers.server_folder(os.environ[RUN_FOLDER]) as folder:
        yield servers.make_certificate(folder)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = an_installation(tmp_path / "dkm")
    (made.conf / "secrets").mkdir(parents=True)
    return made


def settings(port: int, **changes: Any) -> MailSettings:
    plain: dict[str, Any] = {
        "server": "localhost",
        "port": port,
        "from_address": "dkm@example.org",
        "timeout_seconds": 10,
    }
    return MailSettings(**(plain | changes))


def spooled(installation: Installation, name: str, recipient: str, message: bytes = b"", **changes: Any) -> MailSpool:
    """Put a message into the spool."""
    spool = spool_of(installation, 2**28)
    about: dict[str, Any] = {"sender": "dkm@example.org", "created_seconds": NOW_SECONDS, "topic": "test"}
    envelope = Envelope(id=name, recipient=recipient, **(about | changes))
    spool.put(envelope, message or f"Subject: {name}\r\n\r\n{name}\r\n".encode())
    return spool
