"""People from a directory server, asked page by page over a connection that is secret and proven."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dkumonitor.errors import PeopleError
from dkumonitor.store.people import Entry
from dkumonitor.store.people_csv import canonical_addresses
from dkumonitor.text import printable
from dkumonitor.tls import trusting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from dkumonitor.store.settings import LdapAttributes, LdapSettings

PEOPLE_MAX = 500_000
SECRET = "ldap_password"  # noqa: S105  the name of a file
_SEARCH_DONE, _PAGED = "searchResEntry", "1.2.840.113556.1.4.319"


def fetch(settings: LdapSettings, password_file: Path, progress: Callable[[int], None] = lambda _: None) -> list[Entry]:
    """Everybody that the directory has.

    Args:
        settings: ``[people.ldap]``.
        password_file: holds the password alone; need not be there.
        progress: is told how many there are so far.

    Raises:
        PeopleError: the server cannot be reached, does not prove who it is, refuses us, or has nobody (which would
            remove everybody here, and is more likely a wrong base or filter).
    """
    from ldap3.core.exceptions import LDAPException  # noqa: PLC0415  only where there is a directory

    entries: dict[str, Entry] = {}
    try:
        for found in _search(settings, _password(password_file)):
            entry = _entry(found, settings.attributes)
            if entry is not None:
                entries.setdefault(entry.login, entry)
                progress(len(entries))
            if len(entries) > PEOPLE_MAX:
                raise PeopleError(f"{settings.url} has more than {PEOPLE_MAX} people", "Narrow base and filter")
    except (LDAPException, OSError) as error:
        said = printable(str(error)) or type(error).__name__
        raise PeopleError(
            f"the directory {settings.url} cannot be asked: {said}",
            "Look at [people.ldap] in dkumonitor.toml and conf/secrets/ldap_password",
        ) from error
    if not entries:
        raise PeopleError(
            f"the directory {settings.url} has nobody below {settings.base!r} that fits {settings.filter}",
            "Correct base, filter or attributes in [people.ldap]; nothing was changed",
        )
    return list(entries.values())


def _search(settings: LdapSettings, password: str | None) -> Iterator[Mapping[str, Any]]:
    import ldap3  # noqa: PLC0415  only where there is a directory

    parts = urlsplit(settings.url)
    server = ldap3.Server(
        parts.hostname,
        port=parts.port,
        use_ssl=parts.scheme == "ldaps",
        tls=_tls(settings, str(parts.hostname)) if settings.tls else None,
        get_info=ldap3.NONE,
        connect_timeout=settings.timeout_seconds,
    )
    connection = ldap3.Connection(
        server,
        user=settings.bind_dn or None,
        password=password if settings.bind_dn else None,
        authentication=ldap3.SIMPLE if settings.bind_dn else ldap3.ANONYMOUS,
        auto_referrals=False,  # no other server gets our password
        receive_timeout=settings.timeout_seconds,
        read_only=True,
        raise_exceptions=True,
        check_names=False,
    )
    names = [name for name in _names(settings.attributes).values() if name]
    try:
        connection.open()
        if settings.tls and parts.scheme == "ldap":
            connection.start_tls()
        connection.bind()
        found = connection.extend.standard.paged_search(
            settings.base,
            settings.filter,
            ldap3.SUBTREE,
            attributes=names,
            paged_size=settings.page_size,
            time_limit=settings.timeout_seconds,
            generator=True,
        )
        yield from (entry for entry in found if entry.get("type") == _SEARCH_DONE)
    finally:
        if connection.socket is not None:  # which its own unbind leaves open where something failed
            connection.socket.close()


def _tls(settings: LdapSettings, host: str) -> Any:
    import ldap3  # noqa: PLC0415  only where there is a directory

    context = trusting(settings.ca_file)

    def wrap_socket(connection: Any, do_handshake: bool = False) -> None:  # noqa: FBT001, FBT002  ldap3's
        connection.socket = context.wrap_socket(
            connection.socket, server_hostname=host, do_handshake_on_connect=do_handshake
        )

    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED)
    tls.wrap_socket = wrap_socket  # its own compares names itself, in a way that newer Pythons have given up
    return tls


def _entry(found: Mapping[str, Any], attributes: LdapAttributes) -> Entry | None:
    """What an entry says; None where it has no login or no value that can be kept."""
    raw = {name.casefold(): values for name, values in found.get("raw_attributes", {}).items()}
    texts = {
        field: values[0].decode("utf-8", "surrogateescape").strip() or None
        for field, name in _names(attributes).items()
        if name and (values := raw.get(name.casefold()))
    }
    login = texts.pop("login", None)
    if login is None:
        return None
    uid = texts.pop("uid", None)
    texts.pop("addresses", None)
    try:
        return Entry(
            login=login,
            uid=int(uid) if uid is not None and uid.isascii() and uid.isdigit() else None,
            addresses=_addresses(raw.get(attributes.addresses.casefold(), [])),
            **texts,
        )
    except ValueError:
        return None


def _addresses(values: list[bytes]) -> str | None:
    try:
        return canonical_addresses(" ".join(value.decode("ascii", "replace") for value in values)) or None
    except ValueError:  # a machine's name, or nonsense: a person without addresses is better than none
        return None


def _names(attributes: LdapAttributes) -> dict[str, str]:
    return {field: getattr(attributes, field) for field in attributes.__struct_fields__}


def _password(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PeopleError(f"cannot read the directory's password in {file}: {error}", "Correct that file") from None
