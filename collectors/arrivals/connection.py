"""A connection to Redis: found, opened, signed in. By address, Unix socket, TLS, or by asking Sentinels."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collectors.arrivals.errors import RedisError
from collectors.arrivals.protocol import Replies, ReplyError, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collectors.arrivals.configuration import Server

_RECEIVE_BYTES = 256 * 1024


def connect(server: Server) -> socket.socket:
    """A signed-in connection to a Redis that takes writes. Blocks for at most a few times the server's timeout.

    Raises:
        RedisError: it cannot be had.
    """
    try:
        if server.sentinels:
            return _by_sentinels(server)
        if server.redis_unix_socket:
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(server.timeout or None)
            made.connect(server.redis_unix_socket)
            return _signed_in(made, server)
        return _signed_in(_open(server.redis_server, server.redis_port, server), server)
    except (OSError, ReplyError) as error:  # ssl's errors are OSErrors
        raise RedisError(f"Redis at {server}: {error}", "Is it up, and is the configuration right?") from error


def ask(connection: socket.socket, commands: Sequence[bytes], replies: int) -> list[Any]:
    """Send commands on a connection that blocks, and wait for so many replies.

    Raises:
        OSError: it broke or did not answer in time.
        ReplyError: this is not Redis.
    """
    connection.sendall(b"".join(commands))
    parser = Replies()
    found: list[Any] = []
    while len(found) < replies:
        data = connection.recv(_RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError(104, "it closed the connection")
        found += parser.feed(data)
    return found


def _open(host: str, port: int, server: Server) -> socket.socket:
    made = socket.create_connection((host, port), timeout=server.timeout or None)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if not server.redis_tls:
        return made
    import ssl  # noqa: PLC0415  OpenSSL takes 6 MB, and few connections need it

    try:
        context = ssl.create_default_context(cafile=server.redis_tls_ca or None)
        if server.redis_tls_certificate:
            context.load_cert_chain(server.redis_tls_certificate, server.redis_tls_key or None)
        return context.wrap_socket(made, server_hostname=host)
    except BaseException:
        made.close()
        raise


def _signed_in(made: socket.socket, server: Server) -> socket.socket:
    with _closing_on_error(made):
        words = []
        if password := _password(server.redis_password_file):
            account = (server.redis_username.encode(),) if server.redis_username else ()
            words.append(command(b"AUTH", *account, password))
        if server.redis_db:
            words.append(command(b"SELECT", b"%d" % server.redis_db))
        words.append(command(b"PING"))
        for reply in ask(made, words, len(words)):
            if isinstance(reply, ReplyError):
                raise reply
        return made


def _by_sentinels(server: Server) -> socket.socket:
    """Ask one Sentinel after the other; what it names must be a master, since a failover may be under way."""
    failures = []
    for host, port in server.sentinels:
        try:
            address = _ask_sentinel(host, port, server)
            made = _signed_in(_open(*address, server), server)
            with _closing_on_error(made):
                role = ask(made, [command(b"ROLE")], 1)[0]
                if isinstance(role, ReplyError) or role[0] != b"master":
                    raise ConnectionRefusedError(111, f"{address[0]}:{address[1]} is not a master at the moment")
        except (OSError, ReplyError) as error:
            failures.append(f"{host}:{port}: {error}")
        else:
            return made
    raise ConnectionRefusedError(111, "; ".join(failures))


def _ask_sentinel(host: str, port: int, server: Server) -> tuple[str, int]:
    made = _open(host, port, server)
    with contextlib.closing(made):
        words = []
        if password := _password(server.sentinel_password_file):
            words.append(command(b"AUTH", password))
        words.append(command(b"SENTINEL", b"get-master-addr-by-name", server.sentinel_master.encode()))
        reply = ask(made, words, len(words))[-1]
    if isinstance(reply, ReplyError):
        raise reply
    if reply is None:
        raise ConnectionRefusedError(111, f"it knows no master named {server.sentinel_master}")
    return reply[0].decode(), int(reply[1])


def _password(file: str) -> bytes:
    """A secret, read anew at each connection, so that it may change."""
    return Path(file).read_bytes().strip() if file else b""


@contextlib.contextmanager
def _closing_on_error(made: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        made.close()
        raise
