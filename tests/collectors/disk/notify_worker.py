"""Tells one person of a run: `python -m tests.collectors.disk.notify_worker DIR RUN_ID NOW_SECONDS`. May be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from collectors.disk.notify import notify
from dkumonitor.installation import Installation
from dkumonitor.mail.settings import MailSettings
from dkumonitor.store.engine import open_store
from tests.collectors.disk.mail_occasion import occasion, scan, user

if __name__ == "__main__":
    installation = Installation.load(Path(sys.argv[1]))
    settings = MailSettings(server="localhost", from_address="dkm@example.org")
    told = occasion(scan(user(1001, 5)), run_id=int(sys.argv[2]))
    with open_store(installation) as store:
        print(*(row.state for row in notify(store, installation, settings, told, now_seconds=int(sys.argv[3]))))
