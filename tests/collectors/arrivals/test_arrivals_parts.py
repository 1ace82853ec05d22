"""Names, filters, the spool and the protocol, each by itself."""

from __future__ import annotations

import json
import os
import re
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.arrivals.announcements import Wording, decode, filter_of
from collectors.arrivals.inotify import Event, parse
from collectors.arrivals.outbox import BATCH_EVENTS, Outbox
from collectors.arrivals.protocol import Queue, Replies, ReplyError, contents
from collectors.arrivals.spool import START, EventSpool, Position
from dkumonitor.errors import SpoolError
from tests import corpus

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = Queue("a queue", "", "list", 0)
NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name)


@given(NAMES, NAMES)
def test_an_event_is_what_json_dumps_makes_of_the_decoded_name(folder: bytes, name: bytes) -> None:
    text = Wording(b"/" + folder).event(decode(name), "created", "1795629863.177168")
    event = {
        "directory": os.fsdecode(b"/" + folder),
        "filename": os.fsdecode(name),
        "event": "created",
        "event_timestamp": 1795629863.177168,
    }
    assert text == json.dumps(event)
    assert os.fsencode(json.loads(text)["filename"]) == name


@pytest.mark.parametrize(
    ("only", "ignore"),
    [
        (("^.*$",), ()),
        (("^.*$",), (r"^.*\.tmp$", r"^.*\.[0-9]+$")),
        (("data", "(a)(b)"), (r"(x)\1", "(?i)SECRET")),
        (("(?P<first>a)",), (r"^.*\.working$",)),
    ],
)
def test_a_filter_says_what_its_expressions_say_one_by_one(only: tuple[str, ...], ignore: tuple[str, ...]) -> None:
    accepts = filter_of(only, ignore)
    names = ("a", "ab", "data.tmp", "b.12", "xx", "secret", "a.working", "\nb", *corpus.SURROGATED)
    for name in names:
        left_out = any(re.match(pattern, name, re.DOTALL) for pattern in (*ignore, r"^.*\.working$"))
        assert accepts(name) == (not left_out and any(re.match(pattern, name, re.DOTALL) for pattern in only)), name


@given(st.lists(st.tuples(st.integers(1, 2**31 - 1), st.integers(0, 2**32 - 1), NAMES), max_size=20))
def test_events_are_read_as_the_kernel_writes_them(events: list[tuple[int, int, bytes]]) -> None:
    data = b""
    for watch, mask, name in events:
        padded = name + b"\0" * (16 - len(name) % 16)
        data += struct.pack("iIII", watch, mask, 7, len(padded)) + padded
    assert parse(data) == [Event(watch, mask, 7, name) for watch, mask, name in events]


def filled(spool: EventSpool, count: int, size: int = 100) -> list[bytes]:
    """Append batches of one event each; their contents."""
    batches = [b'=["q","","list",0]\n{"n": %d, "x": "%b"}' % (number, b"x" * size) for number in range(count)]
    for number, content in enumerate(batches):
        spool.append(content, 1, spool.next_sequence + number, 1.5)
    return batches


def read(spool: EventSpool, position: Position) -> list[bytes]:
    found = []
    while (batch := spool.after(position)) is not None:
        assert batch.end is not None
        position = batch.end
        found.append(batch.content)
    return found


def test_what_was_appended_is_read_in_order_by_the_next_process(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path, 2**30, 2**30)
    written = filled(spool, 30, 2**19)  # several segments
    assert len(list(tmp_path.glob("*.events"))) > 3
    assert read(spool, START) == written
    spool.close()
    again = EventSpool(tmp_path, 2**30, 2**30)
    assert (read(again, START), again.next_sequence, again.acknowledged) == (written, 31, START)
    assert filled(again, 1) == read(again, spool.end)


@settings(max_examples=60)
@given(st.data())
def test_a_torn_or_damaged_batch_costs_what_is_behind_it_in_its_segment_alone(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = EventSpool(folder, 2**30, 2**30)
    written = filled(spool, 20)
    spool.close()
    [path] = folder.glob("*.events")
    whole = path.read_bytes()
    place = data.draw(st.integers(60, len(whole) - 1))
    path.write_bytes(whole[:place] if data.draw(st.booleans()) else whole[:place] + b"\xff" + whole[place + 1 :])
    again = EventSpool(folder, 2**30, 2**30)
    left = read(again, START)
    assert left == written[: len(left)]
    assert again.waiting_bytes <= place
    more = filled(again, 2)
    assert read(again, START) == left + more
    again.close()


def test_a_position_is_understood_by_its_own_spool_alone(tmp_path: Path) -> None:
    first, second = (EventSpool(tmp_path / name, 2**30, 2**30) for name in ("a", "b"))
    for spool in (first, second):
        filled(spool, 3)
    told = first.told(first.end)
    assert first.understood(told) == first.end
    for text in (b"", b"1", b"1-:5", b"x-y:z", b"1-1-1:1", told.replace(b"1-", b"9-"), second.told(second.end)):
        assert first.understood(text) is None
    assert first.id != second.id


def test_acknowledged_segments_are_removed_beyond_what_is_kept(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path, 2**30, 5 * 2**20)
    written = filled(spool, 40, 2**19)
    before = len(list(tmp_path.glob("*.events")))
    spool.acknowledge(spool.end)
    assert spool.waiting_bytes == 0
    assert 1 < len(list(tmp_path.glob("*.events"))) < before
    kept = read(spool, START)
    assert kept == written[-len(kept) :]
    spool.close()
    assert EventSpool(tmp_path, 2**30, 0).acknowledged == spool.end


def test_the_bound_refuses_and_keeps_what_is_there(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path, 2000, 0)
    with pytest.raises(OSError, match="2000 are allowed"):
        filled(spool, 100)
    assert len(read(spool, START)) > 5
    spool.acknowledge(spool.end)
    filled(spool, 5)


def test_one_process_uses_a_spool(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path, 2000, 0)
    with pytest.raises(SpoolError, match="in use"):
        EventSpool(tmp_path, 2000, 0)
    spool.close()
    EventSpool(tmp_path, 2000, 0).close()


def test_batches_hold_every_event_under_its_queue_in_order() -> None:
    outbox = Outbox(1)
    queues = [Queue(name, "", "list", 0) for name in ("a", "b")]
    wanted: dict[Queue, list[bytes]] = {queue: [] for queue in queues}
    for number in range(3 * BATCH_EVENTS):
        queue = queues[number % 3 == 0]
        outbox.lane(queue).add(f'{{"n": {number}}}')
        wanted[queue].append(b'{"n": %d}' % number)
    found: dict[Queue, list[bytes]] = {queue: [] for queue in queues}
    next_sequence = 1
    for content, count, sequence in outbox.take():
        assert sequence == next_sequence
        assert count <= BATCH_EVENTS
        next_sequence += count
        for queue, values in contents(content):
            found[queue] += values
    assert found == wanted
    assert (outbox.count, outbox.sequence) == (0, 3 * BATCH_EVENTS + 1)


REPLY = b"+OK\r\n-ERR no\r\n:12\r\n$-1\r\n$4\r\na\r\nb\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n*-1\r\n"


@given(st.lists(st.integers(1, len(REPLY)), max_size=8))
def test_replies_are_taken_wherever_they_are_cut(cuts: list[int]) -> None:
    parser, found, last = Replies(), [], 0
    for cut in [*sorted(cuts), len(REPLY)]:
        found += list(parser.feed(REPLY[last:cut]))
        last = cut
    assert isinstance(found.pop(1), ReplyError)
    assert found == [b"OK", 12, None, b"a\r\nb", [[1], b""], None]


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\n", b"$x\r\n", b"!3\r\nabc\r\n"])
def test_what_does_not_speak_redis_protocol_is_noticed(data: bytes) -> None:
    with pytest.raises(ReplyError, match="does not speak"):
        list(Replies().feed(data))
