"""Network addresses as the installation and the settings write them."""

from typing import NamedTuple

from dkumonitor.errors import AddressError

_MAX_PORT = 65535


class Address(NamedTuple):
    """A host name or IP address (IPv6 without brackets) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read ``HOST:PORT`` or ``[IPV6]:PORT``.

        Raises:
            AddressError: the text has another form or the port is not between 1 and 65535.
        """
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            host = ""
        if not (colon and host.isprintable() and host and not host.isspace() and port.isascii() and port.isdigit()):
            raise AddressError(f"{text!r} is not an address", "Write HOST:PORT, with an IPv6 address in brackets")
        if not 1 <= int(port) <= _MAX_PORT:
            raise AddressError(f"{text!r} has a port outside 1 to {_MAX_PORT}", "Write HOST:PORT")
        return cls(host, int(port))
