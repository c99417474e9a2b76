"""Loss, reordering and duplication of any pattern, without a socket or a clock: the table is the
lossless one as long as somebody answers, and what nobody answers is counted in bounded time."""

from __future__ import annotations

import heapq
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.feeds.session import DEADLINE_NEVER, SessionOptions
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.feeds.workers.pipeline import Pipeline, build
from ticker.shm.counters import Counters
from ticker.shm.gaps import BECAME, GapReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.simulate.speakers.itch import ItchMarket
from ticker.simulate.speakers.pitch import PitchMarket

DAY = date(2026, 1, 5)
START = 1_767_625_200_000_000_000  # 10:00 that day in New York
GEOMETRY = Geometry(rows=16, rings=1, ring_capacity=1024)
MESSAGES = 700
SLOT = 100_000  # ns from one packet of a line to the next
TIMEOUT = 100_000_000
ATTEMPTS = 3
MOST_LATE = 32
A, B, ANSWER = 0, 1, 2
OF_THE_MOMENT = {"receive_time", "publish_time", "quotes", "quote_time"}

WHOLE, LOST, TWICE = 0, -1, -2
FATE = st.one_of(st.sampled_from([WHOLE, LOST, TWICE]), st.integers(1, MOST_LATE))
FATES = st.lists(FATE, min_size=1, max_size=250)
"""Of the packets of a line, one after the other, and again from the first."""

Packet = tuple[int, int, bytes]
"""First sequence, unit and bytes."""


class Itch:
    """ITCH over MoldUDP64: one stream, the same packets on both lines."""

    protocol = "itch50"

    def __init__(self) -> None:
        buffer = bytearray(64 * MESSAGES)
        count, size = ItchMarket(8, 5, messages=MESSAGES).generate(MESSAGES, buffer)
        self.streams = {0: split(bytes(buffer[:size]), lambda at: 2 + (at[0] << 8 | at[1]))}
        assert len(self.streams[0]) == count

    def packet(self, stream: int, first: int, number: int) -> bytes:
        blocks = self.streams[stream][first - 1 : first - 1 + number]
        return b"SESSION001" + struct.pack(">QH", first, len(blocks)) + b"".join(blocks)

    def sizes(self, _line: int) -> Iterable[int]:
        while True:
            yield from (9, 4, 1, 12)

    def asked(self, request: bytes) -> tuple[int, int, int]:
        first, number = struct.unpack_from(">QH", request, 10)
        return 0, first, number


class Pitch:
    """PITCH: three units, framed differently on each line."""

    protocol = "pitch"

    def __init__(self) -> None:
        buffer = bytearray(64 * MESSAGES)
        _, size = PitchMarket(8, 5, units=3, messages=MESSAGES).generate(10 * MESSAGES, buffer)
        self.streams = defaultdict(list)
        for frame in split(bytes(buffer[:size]), lambda at: 1 + at[1]):
            self.streams[frame[0]].append(frame[1:])

    def packet(self, stream: int, first: int, number: int) -> bytes:
        messages = self.streams[stream][first - 1 : first - 1 + number]
        body = b"".join(messages)
        return struct.pack("<HBBI", 8 + len(body), len(messages), stream, first) + body

    def sizes(self, line: int) -> Iterable[int]:
        while True:
            yield from ((9, 4, 1, 12) if line == A else (5, 7, 2))

    def asked(self, request: bytes) -> tuple[int, int, int]:
        length, _, unit, first, number = struct.unpack_from("<BBBIH", request, 8)
        assert len(request) == 17
        assert length == 9
        return unit, first, number


Wire = Itch | Pitch


def split(data: bytes, length: object) -> list[bytes]:
    assert callable(length)
    found, at = [], 0
    while at < len(data):
        size = length(data[at : at + 3])
        found.append(data[at : at + size])
        at += size
    return found


@cache
def wire_of(protocol: str) -> Wire:
    return Itch() if protocol == "itch50" else Pitch()


class Receiver:
    """A pipeline and its clock."""

    def __init__(self, wire: Wire, server: bool) -> None:
        self.wire = wire
        mapping = private_feed(GEOMETRY, 1, 1)
        options = SessionOptions(
            rerequest=server, request_timeout_ns=TIMEOUT, request_attempts=ATTEMPTS
        )
        self.pipeline: Pipeline = build(
            mapping, wire.protocol, None, DAY, venue="XNAS", session_options=options
        )
        if isinstance(self.pipeline.session, CboeUnit):
            self.pipeline.session.set_reachable(server)
        self.counters = Counters(mapping)
        self.table = PriceTable(mapping)
        self.now = START

    def take(self, data: bytes, line: int) -> None:
        self.pipeline.session.receive_data(data, line, self.now)

    def announce(self, at_end: bool) -> None:
        """Heartbeats of all streams: where they begin, or how far they went."""
        for stream, messages in self.wire.streams.items():
            first = len(messages) + 1 if at_end else 1
            for line in (A, B):
                self.take(self.wire.packet(stream, first, 0), line)

    def ledger(self) -> dict[str, int]:
        """What became of all missing numbers; each is in one of the counts."""
        reader = GapReader(self.pipeline.mapping)
        sums = reader.sums().sums()
        for each in (sums, *(gap.sums() for gap in reader.last())):
            assert each["missing"] == each["open"] + sum(each[name] for name in BECAME)
        assert sums["missing"] == self.counters["gap_messages"]
        assert sums["recovered"] == self.counters["recovered_messages"]
        assert sums["requests"] == self.counters["requests"]
        return sums

    def rows(self) -> dict[str, dict[str, int]]:
        self.pipeline.market.publish(self.now)
        return {
            self.table.symbol(row): {
                name: value
                for name, value in (self.table.values(row) or {}).items()
                if name not in OF_THE_MOMENT
            }
            for row in range(len(self.table))
        }


def packets(wire: Wire, line: int) -> list[bytes]:
    """All packets of a line: the streams' in turn."""
    sizes = iter(wire.sizes(line))
    left = dict.fromkeys(wire.streams, 1)
    found = []
    while left:
        for stream in list(left):
            number = min(next(sizes), len(wire.streams[stream]) + 1 - left[stream])
            found.append(wire.packet(stream, left[stream], number))
            left[stream] += number
            if left[stream] > len(wire.streams[stream]):
                del left[stream]
    return found


def arrivals(wire: Wire, fates: Sequence[Sequence[int]]) -> list[tuple[int, int, bytes]]:
    """(slot, line, packet) in the order in which they come."""
    found: list[tuple[int, int, int, bytes]] = []
    for line in (A, B):
        for slot, packet in enumerate(packets(wire, line)):
            fate = fates[line][slot % len(fates[line])]
            if fate != LOST:
                found.append((slot + max(fate, 0), line, slot, packet))
            if fate == TWICE:
                found.append((slot + 3, line, slot, packet))
    return [(slot, line, packet) for slot, line, _, packet in sorted(found)]


@cache
def lossless(protocol: str) -> dict[str, dict[str, int]]:
    wire = wire_of(protocol)
    receiver = Receiver(wire, False)
    receiver.announce(False)
    for packet in packets(wire, A):
        receiver.take(packet, A)
    assert receiver.counters["gaps"] == 0
    return receiver.rows()


class Server:
    """Answers after a while, in packets of its own; it may be deaf to the first request for a
    message, not to the second."""

    def __init__(self, receiver: Receiver, answers: Sequence[int]) -> None:
        self.receiver = receiver
        self.answers = answers
        self.requests = 0
        self.asked: set[tuple[int, int]] = set()
        self.due: list[tuple[int, int, bytes]] = []

    def turn(self) -> None:
        """What is due: answers that arrive, requests that are made."""
        receiver = self.receiver
        while self.due and self.due[0][0] <= receiver.now:
            receiver.take(heapq.heappop(self.due)[2], ANSWER)
        if receiver.pipeline.session.next_deadline(receiver.now) <= receiver.now:
            for request in receiver.pipeline.session.data_to_send(receiver.now):
                self.answer(request)

    def answer(self, request: bytes) -> None:
        stream, first, number = self.receiver.wire.asked(request)
        fate = self.answers[self.requests % len(self.answers)]
        self.requests += 1
        wanted = {(stream, at) for at in range(first, first + number)}
        again = bool(self.asked & wanted)
        self.asked |= wanted
        if fate == LOST and not again:
            return
        for at in range(first, first + number, 6):
            packet = self.receiver.wire.packet(stream, at, min(6, first + number - at))
            delay = SLOT * (1 + max(fate, 0) * (at % 3))
            heapq.heappush(self.due, (self.receiver.now + delay, at, packet))


def play(receiver: Receiver, server: Server | None, fates: Sequence[Sequence[int]]) -> int:
    """Everything arrives, and is waited for; ns from the last packet until nothing is missing."""
    session = receiver.pipeline.session
    receiver.announce(False)
    for slot, line, packet in arrivals(receiver.wire, fates):
        receiver.now = START + slot * SLOT
        turn(receiver, server)
        receiver.take(packet, line)
    receiver.announce(True)
    last = receiver.now
    while session.next_deadline(receiver.now) != DEADLINE_NEVER:
        deadline = session.next_deadline(receiver.now)
        if server is not None and server.due:
            deadline = min(deadline, server.due[0][0])
        receiver.now = max(receiver.now, deadline)
        turn(receiver, server)
        assert receiver.now - last < 1_000 * TIMEOUT, "for ever"
    return receiver.now - last


def turn(receiver: Receiver, server: Server | None) -> None:
    if server is not None:
        server.turn()
    elif receiver.pipeline.session.next_deadline(receiver.now) <= receiver.now:
        receiver.pipeline.session.data_to_send(receiver.now)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["itch50", "pitch"])
@settings(max_examples=40)
@given(fates=st.tuples(FATES, FATES), answers=FATES)
def test_whatever_is_answered_is_as_if_never_lost(
    protocol: str, fates: tuple[list[int], list[int]], answers: list[int]
) -> None:
    receiver = Receiver(wire_of(protocol), True)
    play(receiver, Server(receiver, answers), fates)
    assert receiver.counters["lost_messages"] == 0
    assert receiver.counters["unknown_orders"] == 0
    assert receiver.rows() == lossless(protocol)
    sums = receiver.ledger()
    assert (sums["open"], sums["lost_upstream"], sums["lost_downstream"]) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["itch50", "pitch"])
@pytest.mark.parametrize("asks", [False, True])
@settings(max_examples=40)
@given(fates=st.tuples(FATES, FATES))
def test_whatever_nobody_answers_is_counted_in_time(
    protocol: str, asks: bool, fates: tuple[list[int], list[int]]
) -> None:
    wire = wire_of(protocol)
    receiver = Receiver(wire, asks)
    took = play(receiver, None, fates)
    total = sum(map(len, wire.streams.values()))
    counters = receiver.counters
    assert counters["messages"] + counters["lost_messages"] == total
    assert counters["gap_messages"] >= counters["lost_messages"]
    sums = receiver.ledger()
    assert sums["lost_upstream"] + sums["lost_downstream"] == counters["lost_messages"]
    assert (sums["open"], sums["recovered"]) == (0, 0)
    assert took <= (ATTEMPTS + 2) * TIMEOUT
    assert receiver.rows().keys() <= lossless(protocol).keys()
