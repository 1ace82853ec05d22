"""What the account's own program, run by root's installer, can do to root's terminal: nothing."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from installer.errors import SetupError
from installer.machine import Account
from installer.setup import run_setup

if TYPE_CHECKING:
    from pathlib import Path

SAID = r"""#!/bin/sh
cut -d' ' -f6 /proc/$$/stat >"$DKM_DIR/session"
printf '\033[31mred\033]0;title\007\n'
exit 3
"""


def test_the_setup_has_no_terminal_and_what_it_says_cannot_act_on_one(tmp_path: Path) -> None:
    python = tmp_path / "lib/python/bin/python3"
    python.parent.mkdir(parents=True)
    python.write_text(SAID)
    python.chmod(0o755)
    me = pwd.getpwuid(os.geteuid())
    account = Account(me.pw_name, me.pw_uid, me.pw_gid, frozenset({me.pw_gid}))

    with pytest.raises(SetupError) as raised:
        run_setup(tmp_path, account)

    assert int((tmp_path / "session").read_text()) != os.getsid(0)
    assert raised.value.what == r"\u001b[31mred\u001b]0;title\u0007"
