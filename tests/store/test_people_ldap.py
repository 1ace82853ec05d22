"""People from a real directory server: all of them, over a connection that proves who it is with, or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dkumonitor.errors import PeopleError
from dkumonitor.store.people import Entry
from dkumonitor.store.people_ldap import fetch
from dkumonitor.store.settings import LdapAttributes, LdapSettings
from tests import servers
from tests.conftest import RUN_FOLDER
from tests.stack import free_port_range

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Directory

COUNT = 230
# ldap3 2.9.1 is the newest there is, and uses names that pyasn1 has given others
pytestmark = pytest.mark.filterwarnings("ignore:(tagMap|typeMap) is deprecated:DeprecationWarning")


def ldif() -> str:
    parts = [
        f"dn: {servers.BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
        f"dn: ou=people,{servers.BASE}\nobjectClass: organizationalUnit\nou: people\n",
        (
            f"dn: ou=other,{servers.BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: other\n"
            "ref: ldap://192.0.2.1/dc=elsewhere\n"
        ),
    ]
    return "\n".join([*parts, *map(account, range(COUNT))])


def account(number: int) -> str:
    return (
        f"dn: uid=user{number},ou=people,{servers.BASE}\n"
        "objectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: ipHost\n"
        f"uid: user{number}\nuidNumber: {10000 + number}\ngidNumber: 100\nhomeDirectory: /home/user{number}\n"
        f"cn: User Nümber {number}\nsn: {number}\nmail: user{number}@example.org\nemployeeNumber: S{number}\n"
        f"ipHostNumber: 10.0.0.{number}\n"
    )


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with servers.slapd(os.environ[RUN_FOLDER], ldif()) as running:
        yield running


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "ldap_password"
    path.write_text("reader-secret\n")
    return path


def settings(directory: Directory, scheme: str = "ldap", **changes: object) -> LdapSettings:
    port = directory.secure_port if scheme == "ldaps" else directory.port
    plain = {
        "url": f"{scheme}://localhost:{port}",
        "base": servers.BASE,
        "bind_dn": servers.READER,
        "ca_file": str(directory.certificate.authority),
        "page_size": 40,
        "attributes": LdapAttributes(addresses="ipHostNumber"),
    }
    return LdapSettings(**(plain | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_everybody_is_fetched_page_by_page_over_a_secret_connection(
    directory: Directory, password_file: Path, scheme: str
) -> None:
    told: list[int] = []
    found = {entry.login: entry for entry in fetch(settings(directory, scheme), password_file, told.append)}
    assert len(found) == COUNT
    assert found["user7"] == Entry(
        login="user7",
        uid=10007,
        mail="user7@example.org",
        real_name="User Nümber 7",
        student_id="S7",
        addresses="10.0.0.7",
    )
    assert told[-1] == COUNT


def test_attributes_and_filter_can_be_others(directory: Directory, password_file: Path) -> None:
    mine = LdapAttributes(login="mail", uid="", mail="", real_name="sn", student_id="")
    found = fetch(settings(directory, filter="(uid=user1*)", attributes=mine), password_file)
    assert Entry(login="user11@example.org", real_name="11") in found
    assert len(found) == 111


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_a_server_that_does_not_prove_who_it_is_gets_no_password(
    directory: Directory, password_file: Path, scheme: str
) -> None:
    with pytest.raises(PeopleError, match=r"cannot be asked: .*certificate verify failed"):
        fetch(settings(directory, scheme, ca_file=None), password_file)
    port = directory.secure_port if scheme == "ldaps" else directory.port
    other_name = settings(directory, scheme, url=f"{scheme}://127.0.0.1:{port}")
    with pytest.raises(PeopleError, match=r"cannot be asked: .*certificate verify failed"):
        fetch(other_name, password_file)


def test_a_wrong_password_is_told_without_showing_it(directory: Directory, password_file: Path) -> None:
    password_file.write_text("wrong-secret")
    with pytest.raises(PeopleError, match=r"invalidCredentials.*conf/secrets/ldap_password") as caught:
        fetch(settings(directory), password_file)
    assert "wrong-secret" not in str(caught.value)


def test_an_answer_with_nobody_is_an_error_since_it_would_remove_everybody(
    directory: Directory, password_file: Path
) -> None:
    with pytest.raises(PeopleError, match=r"has nobody below .* nothing was changed"):
        fetch(settings(directory, filter="(uid=nobody-has-this)"), password_file)
    with pytest.raises(PeopleError, match=r"cannot be asked: .*noSuchObject"):
        fetch(settings(directory, base="dc=nowhere,dc=org"), password_file)


def test_a_server_that_is_not_there_is_told(password_file: Path) -> None:
    with free_port_range() as port, pytest.raises(PeopleError, match=rf"ldaps://localhost:{port} cannot be asked"):
        fetch(LdapSettings(url=f"ldaps://localhost:{port}", base="dc=x"), password_file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "http://x"}, "write ldaps://HOST"),
        ({"url": "ldap://u:secret@x"}, "the password belongs into"),
        ({"url": "ldap://directory.example.org", "tls": False}, "on this machine alone"),
    ],
)
def test_settings_that_would_give_something_away_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LdapSettings(**({"url": "ldap://localhost", "base": "dc=x"} | changes))  # type: ignore[arg-type]
