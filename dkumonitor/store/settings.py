"""What can be set for the store and for the people in it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

Days = Annotated[int, msgspec.Meta(ge=0, le=36500)]
Attribute = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9;.-]*$", max_length=100)]


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[store]``.

    Attributes:
        retention_days: how many days each kind of record is kept, 0 for ever; `dkm store status` lists the kinds.
    """

    retention_days: dict[str, Days] = {}


class LdapAttributes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[people.ldap.attributes]``: the attribute of each field; empty where the directory has none."""

    login: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9;.-]+$", max_length=100)] = "uid"
    uid: Attribute = "uidNumber"
    mail: Attribute = "mail"
    real_name: Attribute = "cn"
    student_id: Attribute = "employeeNumber"
    addresses: Attribute = ""


class LdapSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[people.ldap]``; the password, if any, is alone in DIR/conf/secrets/ldap_password.

    Attributes:
        url: ``ldaps://HOST[:PORT]`` or ``ldap://HOST[:PORT]``, which is made secret by StartTLS.
        base: where to search, below it all.
        filter: which entries are people.
        bind_dn: who we are; empty for nobody.
        tls: whether the server must prove who it is. Only on this machine's loopback it may be false.
        ca_file: certificates to trust in place of the machine's own.
        page_size: how many entries to ask for at once.
        timeout_seconds: how long to wait for an answer.
        attributes: see :class:`LdapAttributes`.
    """

    url: str
    base: str
    filter: str = "(objectClass=posixAccount)"
    bind_dn: str = ""
    tls: bool = True
    ca_file: str | None = None
    page_size: Annotated[int, msgspec.Meta(ge=1, le=10000)] = 500
    timeout_seconds: Annotated[int, msgspec.Meta(ge=1, le=300)] = 10
    attributes: LdapAttributes = LdapAttributes()

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            host, _port = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"url: {error}") from None
        if parts.scheme not in ("ldap", "ldaps") or not host:
            raise ValueError("url: write ldaps://HOST or ldap://HOST")
        if parts.password is not None:
            raise ValueError("url: the password belongs into conf/secrets/ldap_password")
        if not self.tls and host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("tls: it can be false for a server on this machine alone")


class PeopleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[people]``.

    Attributes:
        getent: whether the accounts that this machine lists are people.
        ldap: a directory to ask; None for none.
    """

    getent: bool = True
    ldap: LdapSettings | None = None
