"""From options to the description of the installation: programs, ports, addresses. Pure."""

import dataclasses
import re

from installer import database
from installer.address import ALL_ADDRESSES, LOOPBACK, MAX_PORT, Endpoint, is_loopback, join, reached_at
from installer.errors import InstallError, MachineError, UsageError
from installer.installation import Installation, Ports
from installer.options import AGENT_TYPES, BACKEND_TYPES, FRONTEND_TYPES, Options

RANGE = 10
CONSOLE_OFFSET = 6
DEFAULT_CARBON_PORT = 15001
MAX_HOST_BYTES = 100
_HOSTNAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_UNSAFE = frozenset("\"'\\`$%;#{}*?[]<>|&!")
_FORBIDDEN_IN_USER = (_UNSAFE - {"$", "\\"}) | {" ", ":", "/"}
# supervisord binds run/supervisord.sock.PID first; the kernel takes 107 bytes for a socket's path (unix(7)).
MAX_DIRECTORY_BYTES = 107 - len("/run/supervisord.sock.1234567")


def problems(options: Options) -> list[InstallError]:
    """All that is wrong with the options themselves, on any machine."""
    return [
        *_directory_problems(options),
        *port_problems(options),
        *_address_problems(options),
        *_server_problems(options),
        *_interval_problems(options),
        *_user_problems(options),
        *_database_problems(options),
    ]


def lay_out(
    options: Options, *, version: str, has_grafana: bool, hostname: str, user: str, system_collectd: str | None
) -> Installation:
    """The installation that the options describe; they have no ``problems``.

    Args:
        options: what was asked for.
        version: the release's.
        has_grafana: whether the release holds Grafana.
        hostname: the machine's, for where the options name none.
        user: the account that the programs will run as.
        system_collectd: the machine's collectd, where the options ask for it.
    """
    carbon_listen = options.carbon_listen or _default_carbon_listen(options.type)
    carbonapi_listen = options.carbonapi_listen or LOOPBACK
    grafana = has_grafana and options.has_frontend
    ports = _ports(options, grafana=grafana)
    return Installation(
        version=version,
        type=options.type,
        host=host_segment(options.hostname or hostname),
        user=user,
        interval_seconds=options.interval_seconds,
        programs=programs(options.type, grafana=grafana),
        listen=options.listen,
        carbon_listen=carbon_listen,
        carbonapi_listen=carbonapi_listen,
        ports=ports,
        carbon_server=_carbon_server(options, ports, carbon_listen),
        carbonapi_server=_carbonapi_server(options, ports, carbonapi_listen),
        grafana=grafana,
        system_collectd=system_collectd,
        tls=options.has_tls,
        database=options.database,
    )


def host_segment(hostname: str) -> str:
    """The one segment by which metric names hold this machine: dots as ``_``."""
    return hostname.rstrip(".").replace(".", "_")


def retentions(interval_seconds: int) -> str:
    """Whisper's archives where points come every ``interval_seconds``: each resolution divides the next one."""
    archives = ((60, "1m:7d"), (300, "5m:60d"), (3600, "1h:2y"))
    coarser = [text for seconds, text in archives if seconds >= interval_seconds]
    first = [] if interval_seconds in {seconds for seconds, _ in archives} else [f"{interval_seconds}s:6h"]
    return ",".join(first + coarser)


def is_interval(interval_seconds: int) -> bool:
    """Whether archives can be made of that interval."""
    return interval_seconds == 300 or (1 <= interval_seconds <= 60 and 60 % interval_seconds == 0)  # noqa: PLR2004  the archives' resolutions in seconds


def _default_carbon_listen(installation_type: str) -> str:
    return ALL_ADDRESSES if installation_type in {"server", "backend", "backend-agent"} else LOOPBACK


def programs(installation_type: str, *, grafana: bool) -> tuple[str, ...]:
    """The programs of a type, in the order in which they start."""
    backend = ("go-carbon", "carbonapi") if installation_type in BACKEND_TYPES else ()
    frontend = ("grafana",) if grafana else ()
    console = ("console",) if installation_type in FRONTEND_TYPES else ()
    agent = ("collectd", "collectors") if installation_type in AGENT_TYPES else ()
    return backend + frontend + console + agent


def with_pages(ports: Ports, first: int, *, grafana: bool) -> Ports:
    """The ports with those of the web pages: the first of the range is what a person opens."""
    return dataclasses.replace(ports, web=first, console=first + CONSOLE_OFFSET if grafana else first)


def _ports(options: Options, *, grafana: bool) -> Ports:
    if options.port is None:
        return Ports()
    ports = Ports()
    if options.has_backend:
        carbon, carbonapi, carbonserver, pickle = range(options.port + 1, options.port + 5)
        ports = Ports(None, carbon, carbonapi, carbonserver, pickle if options.pickle else None)
    return with_pages(ports, options.port, grafana=grafana) if options.has_frontend else ports


def _carbon_server(options: Options, ports: Ports, carbon_listen: str) -> str | None:
    if not options.has_agent:
        return None
    if options.carbon_server:
        default = DEFAULT_CARBON_PORT if options.port is None else options.port + 1
        return join(options.carbon_server.host, options.carbon_server.port or default)
    return join(reached_at(carbon_listen), ports.carbon) if ports.carbon else None


def _carbonapi_server(options: Options, ports: Ports, carbonapi_listen: str) -> str | None:
    if options.carbonapi_server:
        return str(options.carbonapi_server)
    return join(reached_at(carbonapi_listen), ports.carbonapi) if ports.carbonapi else None


def _directory_problems(options: Options) -> list[InstallError]:
    text = str(options.directory)
    found: list[InstallError] = []
    if not options.directory.name:
        found.append(
            UsageError(
                "DIR is the root folder, and an installation is made under another name in the folder above it",
                "Choose a folder, such as /opt/dkumonitor",
            )
        )
    bad = sorted({character for character in text if character in _UNSAFE or not character.isprintable()})
    if bad:
        shown = " ".join(repr(character) for character in bad)
        found.append(
            UsageError(
                f"the path {text!r} has characters that configuration files cannot hold safely: {shown}",
                "Choose a DIR without them; letters, digits, spaces and . _ - + , : = @ ~ ( ) are fine",
            )
        )
    size_bytes = len(text.encode("utf-8", "surrogateescape"))
    if size_bytes > MAX_DIRECTORY_BYTES:
        found.append(
            UsageError(
                f"the path {text} has {size_bytes} bytes; the sockets in DIR/run must be reachable by a path of 107",
                f"Choose a DIR of at most {MAX_DIRECTORY_BYTES} bytes",
            )
        )
    return found


def port_problems(options: Options) -> list[InstallError]:
    """Whether the range of ports is one."""
    if options.port is None:
        if options.type == "agent":
            return []
        return [UsageError(f"type {options.type} needs a port", "Add -p PORT, the first of ten, such as -p 15000")]
    if not 1 <= options.port <= MAX_PORT - RANGE + 1:
        last = MAX_PORT - RANGE + 1
        return [UsageError(f"-p {options.port} is not a port that nine more follow", f"Choose -p between 1 and {last}")]
    return []


def _address_problems(options: Options) -> list[InstallError]:
    found: list[InstallError] = []
    for flag, said in (("--listen", not is_loopback(options.listen)), ("--no-tls", options.no_tls)):
        if said and not options.has_frontend:
            found.append(
                UsageError(
                    f"{flag} has no meaning for type {options.type}, which has no web pages",
                    f"Leave {flag} out, or choose type all, server or frontend",
                )
            )
    for flag, value in (
        ("--carbon-listen", options.carbon_listen),
        ("--carbonapi-listen", options.carbonapi_listen),
        ("--pickle", options.pickle),
    ):
        if value and not options.has_backend:
            found.append(
                UsageError(
                    f"{flag} has no meaning for type {options.type}, which receives nothing",
                    f"Leave {flag} out, or choose type all, server, backend or backend-agent",
                )
            )
    return found


def _server_problems(options: Options) -> list[InstallError]:
    found: list[InstallError] = []
    if options.type == "agent" and not options.carbon_server:
        found.append(UsageError("an agent needs a server to send to", "Add --carbon-server HOST[:PORT]"))
    if options.carbon_server and not options.has_agent:
        found.append(
            UsageError(
                f"--carbon-server has no meaning for type {options.type}, which measures nothing",
                "Leave it out, or choose type agent, backend-agent or all",
            )
        )
    if options.type == "frontend" and not options.carbonapi_server:
        found.append(UsageError("a frontend needs a carbonapi to read", "Add --carbonapi-server HOST:PORT"))
    if options.carbonapi_server and options.type != "frontend":
        found.append(
            UsageError(
                f"--carbonapi-server has no meaning for type {options.type}", "Leave it out, or choose type frontend"
            )
        )
    if options.system_collectd and not options.has_agent:
        found.append(
            UsageError(
                f"--system-collectd has no meaning for type {options.type}, which measures nothing",
                "Leave it out, or choose type agent, backend-agent or all",
            )
        )
    return found


def _interval_problems(options: Options) -> list[InstallError]:
    if is_interval(options.interval_seconds):
        return []
    return [
        UsageError(
            f"--interval {options.interval_seconds} does not divide a minute, so the metrics could not be kept",
            "Choose 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60 or 300 seconds",
        )
    ]


def _user_problems(options: Options) -> list[InstallError]:
    if options.user is not None and options.as_root:
        return [UsageError("--user and --as-root exclude each other", "Leave one of them out")]
    return []


def _database_problems(options: Options) -> list[InstallError]:
    if options.database_password is not None and options.database is None:
        return [UsageError("--database-password-file is nothing without --database", "Add --database URL")]
    if options.database is None:
        return []
    if not (options.has_frontend or options.has_agent):
        return [
            UsageError(
                f"--database has no meaning for type {options.type}, which keeps metrics alone",
                "Leave --database out, or choose a type with a console or collectors",
            )
        ]
    return database.problems(options.database)


def name_problems(user: str, hostname: str) -> list[InstallError]:
    """What keeps an account's or the machine's name out of configuration and metric names."""
    found: list[InstallError] = []
    if not user or any(c in _FORBIDDEN_IN_USER or not c.isprintable() for c in user):
        found.append(
            MachineError(f"configuration cannot hold the account's name {user!r}", "Choose another with --user")
        )
    if not _HOSTNAME.match(hostname) or not host_segment(hostname):
        found.append(
            UsageError(
                f"{hostname!r} cannot name this machine in metrics", "Add --hostname NAME of letters, digits, . - and _"
            )
        )
    elif len(host_segment(hostname)) > MAX_HOST_BYTES:
        found.append(
            UsageError(f"the host name {hostname} is longer than {MAX_HOST_BYTES}", "Add a shorter --hostname NAME")
        )
    return found


def warnings(installation: Installation, endpoint: Endpoint | None) -> list[str]:
    """What the administrator should know, though it is what was asked for."""
    found = []
    if installation.ports.web and not is_loopback(installation.listen) and not installation.tls:
        found.append(
            f"--no-tls: whoever can listen in on the way to {installation.listen} port {installation.ports.web} reads "
            "passwords. Let nothing but a proxy with TLS reach it."
        )
    if installation.ports.carbonapi and not is_loopback(installation.carbonapi_listen):
        found.append(
            f"carbonapi has no login: whoever reaches {installation.carbonapi_listen} port "
            f"{installation.ports.carbonapi} reads every metric. Let a firewall decide who does."
        )
    if endpoint and endpoint.port is None and installation.carbon_server:
        found.append(f"--carbon-server names no port: {installation.carbon_server} is taken.")
    if installation.host in {"localhost", "localhost_localdomain"}:
        found.append("this machine calls itself localhost: --hostname NAME tells it from others in metrics.")
    return found
