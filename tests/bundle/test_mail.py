"""From files on disk to a mail server, by the installed bundle: scanned, warned, sent with TLS and a login, noted."""

from __future__ import annotations

import email
import email.policy
import json
import os
from typing import TYPE_CHECKING

import pytest

from tests import servers
from tests.conftest import RUN_FOLDER
from tests.mail_server import LOGIN, PASSWORD, mail_server
from tests.stack import free_port_range, install, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack import Stack

OWNER = 12345 if os.geteuid() == 0 else os.geteuid()
# what an old file may be called
NAME = b"old\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>".replace(b"/", b"_")
pytestmark = pytest.mark.filterwarnings("ignore:Session.login_data is deprecated:DeprecationWarning")


def scratch(folder: Path) -> Path:
    """A tree with an old file."""
    tree = folder / "scratch"
    tree.mkdir()
    path = os.path.join(os.fsencode(tree), NAME)  # noqa: PTH118  bytes
    with open(path, "wb") as file:  # noqa: PTH123  bytes
        file.write(b"x" * 200_000)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    os.chown(path, OWNER, -1)
    return tree


def notices(stack: Stack) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(stack.dkm("disk", "notices", "--json").stdout)
    return [row for row in found if row["uid"] == OWNER]


def test_the_owner_of_old_files_is_warned_by_mail(release: Path, workspace: Path) -> None:
    tree = scratch(workspace)
    with (
        free_port_range() as port,
        free_port_range() as mail_port,
        servers.server_folder(os.environ[RUN_FOLDER]) as folder,
    ):
        certificate = servers.make_certificate(folder)
        stack = install(release, workspace / "dkm", port)
        lines = (
            "[mail]",
            'server = "localhost"',
            f"port = {mail_port}",
            'tls = "starttls"',
            f'login = "{LOGIN}"',
            'from_address = "dkm@example.org"',
            f'ca_file = "{certificate.authority}"',
        )
        settings = stack.dir / "conf/dkumonitor.toml"
        settings.write_text(settings.read_text() + "\n".join(["", *lines, ""]))
        secret = stack.dir / "conf/secrets/mail_password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        people = workspace / "people.csv"
        people.write_text(f"login,uid,mail,real_name\nann,{OWNER},ann@example.org,Ann Smith\n")
        stack.dkm("people", "import", str(people))
        full = ("--usage-warning-percent", "0.001", "--usage-critical-percent", "100", "--delete-old-files")
        stack.dkm("disk", "task", "create", "scratch", "--path", str(tree), *full)
        stack.dkm("disk", "run", "full", "scratch")  # with the mail server down
        assert [row["state"] for row in notices(stack)] == ["spooled"]
        assert json.loads(stack.dkm("mail", "status", "--json").stdout)["waiting"] == 1
        with mail_server(mail_port, certificate, login=True) as server:
            stack.dkm("mail", "test", "me@example.org")
            stack.dkm("mail", "flush")
            try:  # what became of it is noted by the collector
                stack.start()
                wait_for("the notice to be settled", lambda: notices(stack)[0]["state"] == "sent", 120, 1.0)
            finally:
                stack.stop()
        assert [one.recipient for one in server.received] == ["me@example.org", "ann@example.org"]
        assert all(one.secret for one in server.received)
        message = email.message_from_bytes(server.received[1].content, policy=email.policy.default)
        assert message["Subject"].endswith(":".join((stack.host, f"{tree} will be deleted")))
        assert message["Bcc"] is None
        text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
        assert "Dear Ann Smith," in text
        assert "Your files that will be deleted: 1\r\n" in text
        assert "\\x0d\\x0aBcc: all@example.org" in text
        assert "<script" not in html
        for log in (stack.dir / "run").glob("*.log"):
            assert PASSWORD not in log.read_text(errors="replace")
