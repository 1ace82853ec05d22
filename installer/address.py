"""Addresses and ports as options and configuration write them."""

import ipaddress
import re
from typing import NamedTuple

MAX_PORT = 65535
LOOPBACK = "127.0.0.1"
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104  what receivers listen on is the administrator's choice; this names it
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?\Z")


class Endpoint(NamedTuple):
    """A host name or IP address (IPv6 without brackets) and a port; None where it was left out."""

    host: str
    port: int | None

    def __str__(self) -> str:
        return self.host if self.port is None else join(self.host, self.port)


def join(host: str, port: int) -> str:
    """``HOST:PORT``, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_loopback(address: str) -> bool:
    """Whether an IP address reaches this machine only."""
    return ipaddress.ip_address(address).is_loopback


def reached_at(address: str) -> str:
    """The address by which this machine reaches a program that listens on ``address``."""
    return {ALL_ADDRESSES: LOOPBACK, "::": "::1"}.get(address, address)


def parse_listen(text: str) -> str:
    """An address to listen on: an IP address, or ``localhost`` for the loopback address.

    Raises:
        ValueError: it is neither; the text says so.
    """
    address = LOOPBACK if text == "localhost" else text.removeprefix("[").removesuffix("]")
    if not is_ip(address):
        raise ValueError(f"{text!r} is not an IP address; 0.0.0.0 means all of this machine's")
    return address


def parse_endpoint(text: str, *, needs_port: bool) -> Endpoint:
    """``HOST``, ``HOST:PORT``, ``IPV6`` or ``[IPV6]:PORT``.

    Raises:
        ValueError: it is not of that form, or the port is missing or outside 1 to 65535.
    """
    if is_ip(text):
        host, port = text, ""
    else:
        host, _, port = text.rpartition(":") if ":" in text and not text.endswith("]") else (text, "", "")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (is_ip(host) or _HOST.match(host)):
        raise ValueError(f"{text!r} does not name a host: write HOST:PORT, with an IPv6 address in brackets")
    if not port and not needs_port and not text.endswith(":"):
        return Endpoint(host, None)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= MAX_PORT):
        raise ValueError(f"{text!r} has no port between 1 and {MAX_PORT}: write HOST:PORT")
    return Endpoint(host, int(port))
