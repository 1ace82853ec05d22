"""A process that sends what waits, and may be killed: `python -m tests.mail.worker DIR PORT TIMEOUT_SECONDS`."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from dkumonitor.mail.drain import drain
from dkumonitor.mail.settings import MailSettings
from tests.installations import an_installation

MEMORY_BYTES = 512 * 1024 * 1024

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    settings = MailSettings(
        server="localhost", port=int(sys.argv[2]), from_address="dkm@example.org", timeout_seconds=float(sys.argv[3])
    )
    print(drain(an_installation(Path(sys.argv[1])), settings, time.time(), at_once=True))
