import contextlib
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from dkumonitor.address import Address
from dkumonitor.carbon import CarbonSender
from dkumonitor.link import Link, State, resolve
from dkumonitor.metrics import Point
from dkumonitor.spool import Spool

Senders = Callable[[Address], CarbonSender]


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        yield listening


def address_of(server: socket.socket) -> Address:
    return Address(*server.getsockname())


def everything(connection: socket.socket) -> bytes:
    connection.settimeout(20)
    data = b""
    while part := connection.recv(65536):
        data += part
    return data


def test_a_receipt_comes_when_the_server_has_read_all_and_not_before(server: socket.socket) -> None:
    link = Link(address_of(server), 5)
    link.send(b"a 1 2\n")
    link.finish()
    connection, _ = server.accept()
    assert link.wait(0.1) is State.OPEN
    with connection:
        assert everything(connection) == b"a 1 2\n"
        assert link.state() is State.OPEN
    assert link.wait(20) is State.ENDED
    link.close()


def test_a_server_that_goes_without_reading_gives_no_receipt(server: socket.socket) -> None:
    link = Link(address_of(server), 5)
    link.send(b"a 1 2\n")
    connection, _ = server.accept()
    connection.close()  # with data unread: the kernel answers with a reset
    assert link.wait(20) is State.BROKEN
    link.close()


def test_a_server_that_does_not_read_cannot_hold_the_sender_for_long(server: socket.socket) -> None:
    link = Link(address_of(server), 0.2)
    with pytest.raises(TimeoutError):
        link.send(b"x" * 50_000_000)
    link.close()


def test_names_and_addresses_are_resolved() -> None:
    for host in ("localhost", "127.0.0.1"):
        assert (socket.AF_INET, ("127.0.0.1", 80)) in resolve(Address(host, 80), 20)


def test_a_name_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(OSError, match=r"no-such-host\.invalid"):
        resolve(Address("no-such-host.invalid", 80), 20)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def senders(tmp_path: Path, clock: Clock) -> Iterator[Senders]:
    """Makes the test's sender, and closes it afterwards."""
    made = []

    def make(address: Address) -> CarbonSender:
        spool = Spool(tmp_path, 1024 * 1024)
        made.append(
            CarbonSender(address, spool, timeout_seconds=5, replay_seconds=60, monotonic=clock, jitter=lambda: 0.0)
        )
        return made[-1]

    yield make
    for sender in made:
        sender.close(0)


def values(points: tuple[Point, ...]) -> dict[str, float]:
    return {point.name.rpartition(".")[2]: point.value for point in points}


def test_one_connection_serves_many_sends(server: socket.socket, senders: Senders) -> None:
    sender = senders(address_of(server))
    for time_seconds in range(3):
        sender.send([Point("a", 1, time_seconds)])
    connection, _ = server.accept()
    assert connection.recv(100).startswith(b"a 1 0\n")
    connection.close()
    told = values(sender.points("h", 0))
    assert (told["reconnects_total"], told["sent_total"], told["failures_total"], told["spool_bytes"]) == (1, 3, 0, 0)


def test_a_connection_is_replaced_for_its_receipt_and_the_new_one_is_made_first(
    server: socket.socket, clock: Clock, senders: Senders
) -> None:
    sender = senders(address_of(server))
    sender.send([Point("a", 1, 1)])
    first, _ = server.accept()
    clock.now += 61
    sender.send([Point("a", 2, 2)])
    second, _ = server.accept()
    assert everything(first) == b"a 1 1\n"
    assert sender.is_busy
    first.close()
    sender.tick()
    assert values(sender.points("h", 0))["failures_total"] == 0
    second.close()


def test_what_was_sent_within_the_replay_is_sent_again_after_a_break(server: socket.socket, senders: Senders) -> None:
    sender = senders(address_of(server))
    sender.send([Point("a", 1, 1)])
    first, _ = server.accept()
    first.recv(100)
    first.close()
    sender.send([Point("a", 2, 2)])  # notices, reconnects at once
    second, _ = server.accept()
    assert second.recv(100) == b"a 2 2\n"
    sender.tick()
    portion, _ = server.accept()
    assert everything(portion) == b"a 1 1\n"
    portion.close()
    with contextlib.closing(second):
        sender.tick()
        assert not sender.is_busy


def test_a_server_that_is_down_is_asked_less_and_less_often(clock: Clock, senders: Senders) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = address_of(gone)
    sender = senders(address)
    attempts = []
    for _ in range(600):
        before = values(sender.points("h", 0))["failures_total"]
        sender.tick()
        sender.send([Point("a", 1, int(clock.now))])
        if values(sender.points("h", 0))["failures_total"] > before:
            attempts.append(clock.now - 1000)
        clock.now += 1
    pauses = [later - earlier for earlier, later in pairwise(attempts)]
    assert attempts[0] == 0
    assert max(pauses) == 60
    assert pauses == sorted(pauses)
    assert len(attempts) < 20
    assert values(sender.points("h", 0))["dropped_total"] == 0


def test_points_that_found_no_server_are_sent_before_long_when_it_is_back(clock: Clock, senders: Senders) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = address_of(gone)
    sender = senders(address)
    sender.send([Point("a", 1, 1)])
    with socket.create_server(address) as back:
        back.settimeout(20)
        clock.now += 60
        sender.tick()
        live, _ = back.accept()
        sender.tick()
        portion, _ = back.accept()
        assert everything(portion) == b"a 1 1\n"
        portion.close()
        sender.tick()
        assert not sender.is_busy
        live.close()
