"""What can be set for mail, and which addresses are some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dkumonitor.errors import SettingsError
from dkumonitor.mail.settings import MailSettings, is_address
from dkumonitor.settings import Settings
from tests.conftest import ROOT
from tests.corpus import SURROGATED
from tests.readme_tables import table

if TYPE_CHECKING:
    from pathlib import Path

FROM = "dkm@example.org"


def mail(**values: Any) -> MailSettings:
    return MailSettings(**({"server": "smtp.example.org", "from_address": FROM} | values))


@pytest.mark.parametrize(
    ("values", "security", "port"),
    [
        ({}, "starttls", 587),
        ({"tls": "implicit"}, "implicit", 465),
        ({"tls": "none"}, "none", 25),
        ({"server": "localhost"}, "none", 25),
        ({"server": "::1", "tls": "starttls", "port": 2525}, "starttls", 2525),
    ],
)
def test_tls_is_on_wherever_another_machine_is_asked(values: dict[str, Any], security: str, port: int) -> None:
    read = mail(**values)
    assert (read.security, read.real_port) == (security, port)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("server = 'smtp.example.org'", "from_address: say whom mail comes from"),
        ("from_address = 'Ann <ann@example.org>'", "from_address: 'Ann <ann@example.org>' is no address"),
        ("reply_to = 'x'", "reply_to: 'x' is no address"),
        ("postfix = 'a b'", "postfix: 'a b' is no domain"),
        ("server = 'a\\r\\nb'\nfrom_address = 'a@b.org'", "mail"),
        ("tls = 'ssl'", "mail.tls"),
        ("tls = 'none'\nlogin = 'x'\nserver = 'mx.example.org'\nfrom_address = 'a@b.org'", "on this machine alone"),
        ("timeout = 1", "'timeout_seconds'"),
        ("password = 'x'", "'mail.password'"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_it(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "dkumonitor.toml"
    file.write_text(f"[mail]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        Settings.load(file, {}, 10)
    assert says in str(caught.value)


def test_a_login_becomes_an_address_by_the_postfix() -> None:
    assert mail(postfix="example.org").address_of("ann") == "ann@example.org"
    assert mail(postfix="@example.org").address_of("ann.smith") == "ann.smith@example.org"
    assert mail().address_of("ann") is None
    assert mail(postfix="example.org").address_of("no blank") is None


@pytest.mark.parametrize("text", ["a@b.org", "a.b+c=d@x-y.example", "A_B@localhost", f"{'a' * 64}@b.org"])
def test_plain_addresses_are_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "@", "a@", "@b", "a@b@c", "a b@c.org", ".a@b.org", "a..b@c.org", "a@-b.org", "a@b..org", "a@b.org."),
        *(
            "a@b.org\n",
            "a@b.org\r\nBcc: c@d.org",
            "<a@b.org>",
            "a,b@c.org",
            '"a"@b.org',
            "ä@b.org",
            "a@ä.org",
            "a@[::1]",
        ),
        f"{'a' * 65}@b.org",
        f"a@{'b' * 253}.org",
        *("-x@b.org", "all%c.org@b.org", "c.org!all@b.org"),
        *(f"{name}@example.org" for name in SURROGATED if not name.isalnum() and name != "=1+1"),
    ],
)
def test_what_could_be_taken_for_more_than_an_address_is_none(text: str) -> None:
    assert not is_address(text)


def test_every_setting_is_documented_with_its_default() -> None:
    told = {key: default for key, default, _ in table((ROOT / "docs/mail.md").read_text(), "key of `[mail]`")}
    assert list(told) == list(MailSettings.__struct_fields__)
    for name in ("timeout_seconds", "spool_max_bytes"):
        assert told[name] == str(getattr(MailSettings(), name))
