"""From options to programs, ports and addresses, and what is refused before the machine is looked at."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.address import Endpoint, parse_endpoint, parse_listen
from installer.database import password_in
from installer.errors import UsageError
from installer.installation import Installation, Ports
from installer.layout import MAX_DIRECTORY_BYTES, is_interval, lay_out, name_problems, problems, retentions, warnings
from installer.options import TYPES, Options

DIR = Path("/opt/dkm")


def laid_out(**options: Any) -> Installation:
    grafana = options.pop("has_grafana", False)
    return lay_out(
        Options(DIR, **{"port": 15000, **options}),
        version="0.1.0",
        has_grafana=grafana,
        hostname="one.example.org",
        user="alice",
        system_collectd=None,
    )


def refusals(*, directory: Path = DIR, **options: Any) -> list[str]:
    return [str(problem) for problem in problems(Options(directory, **options))]


@pytest.mark.parametrize(
    ("kind", "has_grafana", "programs"),
    [
        ("all", True, "go-carbon carbonapi grafana console collectd collectors"),
        ("all", False, "go-carbon carbonapi console collectd collectors"),
        ("server", True, "go-carbon carbonapi grafana console"),
        ("server", False, "go-carbon carbonapi console"),
        ("agent", True, "collectd collectors"),
        ("backend", True, "go-carbon carbonapi"),
        ("frontend", True, "grafana console"),
        ("frontend", False, "console"),
        ("backend-agent", True, "go-carbon carbonapi collectd collectors"),
    ],
)
def test_each_type_has_its_programs_in_start_order(kind: str, has_grafana: bool, programs: str) -> None:
    assert laid_out(type=kind, has_grafana=has_grafana).programs == tuple(programs.split())


@pytest.mark.parametrize("has_grafana", [True, False])
@pytest.mark.parametrize("kind", TYPES)
def test_what_listens_follows_from_the_type(kind: str, has_grafana: bool) -> None:
    found = {(s.purpose, s.address, s.port) for s in laid_out(type=kind, has_grafana=has_grafana).sockets()}

    carbon = "127.0.0.1" if kind == "all" else "0.0.0.0"
    backend = {
        ("carbon", carbon, 15001),
        ("carbonapi", "127.0.0.1", 15002),
        ("carbonserver", "127.0.0.1", 15003),
    }
    web = {("web", "127.0.0.1", 15000)} | ({("console", "127.0.0.1", 15006)} if has_grafana else set())
    expected = {
        "all": backend | web,
        "server": backend | web,
        "agent": set(),
        "backend": backend,
        "frontend": web,
        "backend-agent": backend,
    }
    assert found == expected[kind]


def test_pickle_listens_only_when_asked_and_where_carbon_does() -> None:
    installation = laid_out(pickle=True, carbon_listen="10.0.0.1")

    assert installation.ports == Ports(15000, 15001, 15002, 15003, 15004, 15000)
    assert ("pickle", "10.0.0.1", 15004) in {(s.purpose, s.address, s.port) for s in installation.sockets()}


@pytest.mark.parametrize(
    ("options", "carbon_server"),
    [
        ({"type": "all"}, "127.0.0.1:15001"),
        ({"type": "backend-agent"}, "127.0.0.1:15001"),
        ({"type": "backend-agent", "carbon_listen": "::"}, "[::1]:15001"),
        ({"type": "all", "carbon_listen": "10.0.0.1"}, "10.0.0.1:15001"),
        ({"type": "backend-agent", "carbon_server": Endpoint("m.example.org", None)}, "m.example.org:15001"),
        ({"type": "agent", "port": None, "carbon_server": Endpoint("m.example.org", None)}, "m.example.org:15001"),
        ({"type": "agent", "port": 16000, "carbon_server": Endpoint("m.example.org", None)}, "m.example.org:16001"),
        ({"type": "agent", "carbon_server": Endpoint("2001:db8::1", 2003)}, "[2001:db8::1]:2003"),
        ({"type": "server"}, None),
    ],
)
def test_the_agent_sends_to_its_own_carbon_unless_told_otherwise(
    options: dict[str, Any], carbon_server: str | None
) -> None:
    assert laid_out(**options).carbon_server == carbon_server


def test_a_reader_asks_the_carbonapi_here_or_the_one_that_was_named() -> None:
    assert laid_out().carbonapi_server == "127.0.0.1:15002"
    assert laid_out(carbonapi_listen="0.0.0.0").carbonapi_server == "127.0.0.1:15002"
    named = Endpoint("m.example.org", 15002)
    assert laid_out(type="frontend", has_grafana=True, carbonapi_server=named).carbonapi_server == "m.example.org:15002"
    assert laid_out(type="agent", carbon_server=named).carbonapi_server is None


def test_the_host_is_one_segment() -> None:
    assert laid_out().host == "one_example_org"
    assert laid_out(hostname="two.example.org.").host == "two_example_org"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs a port"),
        ({"port": 0}, "-p 0"),
        ({"port": 65530}, "65526"),
        ({"port": 1, "type": "backend", "listen": "10.0.0.1"}, "--listen has no meaning"),
        ({"port": 1, "type": "backend", "no_tls": True}, "--no-tls has no meaning"),
        ({"port": 1, "type": "backend", "database": "mysql://u@h/d"}, "--database has no meaning"),
        ({"port": 1, "database_password": b"x"}, "Add --database URL"),
        ({"port": 1, "database": "sqlite:///x"}, "postgresql or mysql or mariadb"),
        ({"port": 1, "type": "agent"}, "--carbon-server"),
        ({"port": 1, "type": "agent", "carbon_server": Endpoint("a", 1), "pickle": True}, "--pickle"),
        ({"port": 1, "type": "agent", "carbon_server": Endpoint("a", 1), "carbon_listen": "::"}, "--carbon-listen"),
        ({"port": 1, "type": "server", "carbon_server": Endpoint("a", 1)}, "--carbon-server has no meaning"),
        ({"port": 1, "type": "server", "system_collectd": True}, "--system-collectd"),
        ({"port": 1, "carbonapi_server": Endpoint("a", 1)}, "--carbonapi-server has no meaning"),
        ({"port": 1, "type": "frontend"}, "--carbonapi-server"),
        ({"port": 1, "interval_seconds": 7}, "--interval 7"),
        ({"port": 1, "interval_seconds": 0}, "--interval 0"),
        ({"port": 1, "user": "alice", "as_root": True}, "exclude each other"),
        ({"port": 1, "directory": Path("/")}, "root folder"),
        ({"port": 1, "directory": Path("/opt/50%")}, "'%'"),
        ({"port": 1, "directory": Path("/opt/a\nb")}, "'\\n'"),
        ({"port": 1, "directory": Path('/opt/a"b')}, "'\"'"),
        ({"port": 1, "directory": Path("/opt/$HOME")}, "'$'"),
        ({"port": 1, "directory": Path("/" + "a" * MAX_DIRECTORY_BYTES)}, f"at most {MAX_DIRECTORY_BYTES} bytes"),
    ],
)
def test_options_that_do_not_fit_are_refused_one_message_each(options: dict[str, Any], says: str) -> None:
    (found,) = refusals(**options)

    assert says in found
    assert found.count("\n") == 1, "what failed, and what to do"


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(refusals(type="agent", pickle=True, interval_seconds=7, listen="10.0.0.1")) == 4


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ({}, False),
        ({"listen": "::1"}, False),
        ({"listen": "127.0.0.2"}, False),
        ({"listen": "0.0.0.0"}, True),
        ({"listen": "2001:db8::1"}, True),
        ({"listen": "10.0.0.1", "no_tls": True}, False),
        ({"type": "agent", "listen": "10.0.0.1"}, False),
    ],
)
def test_pages_that_other_machines_reach_have_tls_unless_that_is_declined(options: dict[str, Any], tls: bool) -> None:
    assert laid_out(**options).tls is tls


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://dkm@db.example.org/dkumonitor", ""),
        ("postgresql://dkm@db.example.org:5433/dkumonitor?sslmode=require", ""),
        ("mysql://dkm@[2001:db8::1]/dkm", ""),
        ("mariadb://dkm@db/dkm", ""),
        ("postgres://dkm@db/dkm", "does not begin with"),
        ("postgresql+psycopg://dkm@db/dkm", "does not begin with"),
        ("db.example.org", "does not begin with"),
        ("postgresql://dkm:geheim@db/dkm", "holds a password"),
        ("postgresql://dkm@db/dkm?password=geheim", "holds a password"),
        ("postgresql://dkm:geheim@[db/dkm", "is not an address"),
        ("postgresql://dkm@db:port/dkm", "is not an address"),
        ("postgresql://dkm@db", "names no database"),
        ("postgresql://db/dkm", "names no user"),
        ("postgresql:///dkm", "names no host and no user"),
        ("postgresql://dkm@db/dkm\nx", "characters"),
        ("postgresql://dkm@db/dkm#x", "characters"),
        ("mysql://dkm@db/a b", "characters"),
    ],
)
def test_the_address_of_a_database_has_all_it_needs_and_no_password(url: str, says: str) -> None:
    found = refusals(port=1, database=url)

    assert len(found) == bool(says)
    assert not says or says in found[0]
    assert "geheim" not in "".join(found)


@pytest.mark.parametrize("data", [b"", b"\n", b"a\nb\n", b"a\0", b"a" * 5000])
def test_what_is_no_password_in_one_line_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match="one line"):
        password_in(data, "file")


def test_a_password_is_taken_without_the_end_of_its_line() -> None:
    assert password_in(b" p w \r\n", "file") == b" p w "


def test_an_agent_needs_no_port() -> None:
    assert refusals(type="agent", carbon_server=Endpoint("m", None)) == []


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_no_directory_that_passes_has_a_character_that_configuration_gives_a_meaning_to(name: str) -> None:
    if not refusals(port=1, directory=Path("/opt") / name.replace("/", "_").replace("\0", "_")):
        assert not set(name) & set("%$\"'\\`;#{}*?[]\n\r\t")


@pytest.mark.parametrize(
    ("user", "hostname", "problem_count"),
    [
        ("alice", "a.b", 0),
        ("a b", "a", 1),
        ("a%", "a", 1),
        ("alice", "a b", 1),
        ("alice", "a" * 101, 1),
        ("alice", "", 1),
    ],
)
def test_names_that_configuration_or_metrics_cannot_hold_are_refused(
    user: str, hostname: str, problem_count: int
) -> None:
    assert len(name_problems(user, hostname)) == problem_count


def test_the_archives_of_every_allowed_interval_divide_each_other() -> None:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
    for interval in filter(is_interval, range(400)):
        archives = [
            tuple(int(part[:-1]) * units[part[-1]] for part in text.split(":"))
            for text in retentions(interval).split(",")
        ]
        assert archives[0][0] == interval
        for (fine, fine_kept), (coarse, coarse_kept) in itertools.pairwise(archives):
            assert coarse % fine == 0
            assert coarse > fine
            assert coarse_kept > fine_kept
            assert fine_kept // fine >= coarse // fine
    assert retentions(10) == "10s:6h,1m:7d,5m:60d,1h:2y"
    assert retentions(60) == "1m:7d,5m:60d,1h:2y"
    assert retentions(300) == "5m:60d,1h:2y"


@pytest.mark.parametrize(
    ("options", "endpoint", "says"),
    [
        ({"carbonapi_listen": "0.0.0.0"}, None, "no login"),
        ({"listen": "0.0.0.0", "no_tls": True}, None, "reads passwords"),
        ({"type": "agent", "carbon_server": Endpoint("m", None)}, Endpoint("m", None), "m:15001"),
        ({"hostname": "localhost"}, None, "--hostname"),
    ],
)
def test_what_is_allowed_but_surprising_is_said(options: dict[str, Any], endpoint: Endpoint | None, says: str) -> None:
    (found,) = warnings(laid_out(**options), endpoint)
    assert says in found


def test_the_usual_installation_has_no_warning() -> None:
    assert warnings(laid_out(), None) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m", Endpoint("m", None)),
        ("m.example.org:2003", Endpoint("m.example.org", 2003)),
        ("10.0.0.1:2003", Endpoint("10.0.0.1", 2003)),
        ("2001:db8::1", Endpoint("2001:db8::1", None)),
        ("[2001:db8::1]", Endpoint("2001:db8::1", None)),
        ("[2001:db8::1]:2003", Endpoint("2001:db8::1", 2003)),
    ],
)
def test_endpoints_are_read_in_all_their_forms(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text, needs_port=False) == expected


@pytest.mark.parametrize("text", ["", ":", "m:", "m:x", "m:0", "m:65536", "a b:1", "m:1:2", "[m:1", "-m:1", "m\n:1"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_endpoint(text, needs_port=False)


def test_a_missing_port_is_refused_where_it_is_needed() -> None:
    with pytest.raises(ValueError, match="no port"):
        parse_endpoint("m", needs_port=True)


def test_listen_addresses_are_ip_addresses() -> None:
    assert parse_listen("localhost") == "127.0.0.1"
    assert parse_listen("[::]") == "::"
    with pytest.raises(ValueError, match="not an IP address"):
        parse_listen("eth0")


def test_installation_json_is_read_as_it_was_written() -> None:
    installation = laid_out(type="all", has_grafana=True, pickle=True)
    assert Installation.from_json(installation.to_json(), DIR) == installation
