"""The address of a database server, as ``--database`` gives it. Pure."""

import re
from urllib.parse import urlsplit

from installer.errors import InstallError, UsageError

SCHEMES = ("postgresql", "mysql", "mariadb")
MAX_PASSWORD_BYTES = 4096
_EXAMPLE = "such as postgresql://dkm@db.example.org/dkumonitor"
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_SAFE = re.compile(r"[A-Za-z0-9_.~:/?@&=%+,\[\]-]+\Z")


def problems(url: str) -> list[InstallError]:
    """What is wrong with an address of the form ``SCHEME://USER@HOST[:PORT]/DATABASE[?OPTION=VALUE...]``."""
    shown = _without_password(url)
    try:
        parts = urlsplit(url)
        host, user, _port = parts.hostname, parts.username, parts.port
    except ValueError as error:
        return [UsageError(f"--database {shown} is not an address: {error}", f"Write it {_EXAMPLE}")]
    if parts.scheme not in SCHEMES:
        return [UsageError(f"--database {shown} does not begin with {' or '.join(SCHEMES)}", f"Write it {_EXAMPLE}")]
    if parts.password is not None or "password" in parts.query.lower():
        return [
            UsageError(
                f"--database {shown} holds a password, which every account of this machine could read",
                "Take it out, and give it in a file: --database-password-file FILE",
            )
        ]
    if not _SAFE.match(url) or parts.fragment:
        return [UsageError(f"--database {shown!r} has characters that an address cannot hold", f"Write it {_EXAMPLE}")]
    name = parts.path.removeprefix("/")
    missing = [what for what, there in (("host", host), ("user", user), ("database", _NAME.match(name))) if not there]
    if missing:
        return [UsageError(f"--database {shown} names no {' and no '.join(missing)}", f"Write it {_EXAMPLE}")]
    return []


def password_in(data: bytes, name: str) -> bytes:
    """The password that a file holds: its one line, without the line's end.

    Raises:
        UsageError: it is empty, or more than one line, or too long.
    """
    password = data.removesuffix(b"\n").removesuffix(b"\r")
    if not password or b"\n" in password or b"\0" in password or len(password) > MAX_PASSWORD_BYTES:
        raise UsageError(
            f"--database-password-file {name} does not hold a password in one line", "Write the password alone into it"
        )
    return password


def _without_password(url: str) -> str:
    """The address as it may be shown: a password must not get into a log or onto a screen."""
    url = re.sub(r"(://[^/@]*?):[^/]*@", r"\1:***@", url)
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", url)
