"""docs/console.md says what is: settings, acts of the audit log, verbs."""

from __future__ import annotations

import re
from pathlib import Path

from click import Group

from dkm import accounts
from dkumonitor.settings import ConsoleSettings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/console.md").read_text()


def test_every_setting_is_explained_with_its_default() -> None:
    table = TEXT.split("| key of `[console]` |")[1].split("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", table, re.MULTILINE))
    defaults = ConsoleSettings()
    assert told == {name: str(getattr(defaults, name) or "none") for name in ConsoleSettings.__struct_fields__}


def test_every_act_of_the_audit_log_is_explained() -> None:
    told = set(re.findall(r"`([a-z-]+)`", TEXT.split("| act | when |")[1].split("\n\n")[0]))
    noted: set[str] = set()
    for folder in ("console", "dkm", "dkumonitor"):
        for path in (ROOT / folder).rglob("*.py"):
            noted |= set(re.findall(r"\bnote\(connection, \w+, \"([a-z-]+)\"", path.read_text()))
    assert told == noted


def test_every_verb_and_option_of_accounts_is_listed() -> None:
    for group in (accounts.account, accounts.token):
        assert isinstance(group, Group)
        for name, command in group.commands.items():
            line = re.search(rf"^dkm {group.name} {name}\b.*$", TEXT, re.MULTILINE)
            assert line, name
            for option in command.params:
                if option.param_type_name == "option" and option.name != "form":
                    assert any(one in line[0] for one in option.opts), (name, option.opts)
    assert "dkm password [LOGIN]" in TEXT
