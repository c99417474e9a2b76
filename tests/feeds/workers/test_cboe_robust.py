"""Cboe units under arbitrary packets, orders and losses."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.cboe_feed import GAP_LINE, LAST, Feed, numbered, packet, text
from tests.feeds.session_types import MS, SECOND, START, A, B
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.pitch import Pitch
from ticker.feeds.session import DEADLINE_NEVER
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed


@pytest.mark.parametrize(
    "data",
    [
        b"",
        packet(2)[:7],
        packet(2) + b"x",
        numbered(2, 3)[:-1],
        numbered(2, 3) + b"x",
        struct.pack("<HBBI", 8, 1, 1, 2),
        struct.pack("<HBBI", 9, 1, 1, 2) + b"\0",
        struct.pack("<HBBI", 9, 1, 1, 2) + b"\x01",
        struct.pack("<HBBI", 10, 2, 1, 2) + b"\x02\xf0",
        struct.pack("<HBBI", 12, 1, 1, 2) + b"\x02\xf0\x02\xf0",
        numbered(2, unit=0),
    ],
)
def test_a_broken_packet_changes_nothing(data: bytes) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(data)
    assert (feed["bad_packets"], feed["gaps"], feed["sessions"]) == (1, 0, 1)
    feed(numbered(2))
    assert feed.heard() == [1, 2]


def test_messages_without_a_sequence_are_of_no_stream() -> None:
    feed = Feed()
    feed(packet(0, text(9)))
    assert (feed.messages, feed["other_session_packets"]) == ([], 1)


@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 2)), max_size=8))
def test_arbitrary_datagrams_change_nothing(datagrams: list[tuple[bytes, int]]) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1, unit=200))
    for data, line in datagrams:
        feed(data, line)
    feed.session.data_to_send(feed.now)
    feed(numbered(2, unit=200))
    assert feed.heard(200) == [1, 2]


@given(st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 2)), max_size=20))
def test_random_datagrams_change_no_price(datagrams: list[tuple[bytes, int]]) -> None:
    mapping = private_feed(Geometry(16, 1, 64), 1, 1)
    market = Market(mapping)
    session = CboeUnit(Pitch(market), mapping)
    for data, line in datagrams:
        session.receive_data(data, line, START)
        market.publish(START)
    assert Counters(mapping)["trades"] == Counters(mapping)["quotes"] == 0


packets_of_any_kind = st.tuples(
    st.one_of(st.integers(1, 40), st.integers(LAST - 20, LAST)),
    st.integers(0, 6),
    st.integers(1, 2),
    st.integers(0, 2),
    st.booleans(),
)


@given(st.lists(packets_of_any_kind, max_size=60), st.booleans(), st.integers(0, 60))
def test_any_order_delivers_each_message_once(
    parts: list[tuple[int, int, int, int, bool]], image: bool, image_at: int
) -> None:
    feed = Feed(rerequest=True, image_timeout_ns=SECOND // 20 if image else 0)
    feed(numbered(1))
    feed(numbered(LAST - 10, unit=2))
    for index, (sequence, number, unit, line, ask) in enumerate(parts):
        feed(numbered(sequence, number, unit) if number else packet(sequence, unit=unit), line)
        feed.now += 2 * MS
        if ask:
            feed.wanted()
        if index == image_at:
            feed.session.apply_image(unit, sequence, b"", feed.now)
    feed.session.end_of_data(feed.now)
    assert feed.session.next_deadline(feed.now) == DEADLINE_NEVER
    positions = [s if s > 1000 else s + LAST for s in feed.heard(2)]
    for found in (feed.heard(1), positions):
        assert found == sorted(set(found))
    assert feed["messages"] == len(feed.heard(1)) + len(feed.heard(2))


# -- loss ----------------------------------------------------------------------------------------


class Proxy:
    """Answers Gap Requests on the gap line late, in packets of 37; it loses some."""

    def __init__(self, feed: Feed, totals: dict[int, int], loss: float) -> None:
        self.feed = feed
        self.totals = totals
        self.loss = loss
        self.random = random.Random(3)
        self.answers: list[tuple[int, bytes]] = []

    def step(self) -> None:
        while self.answers and self.answers[0][0] <= self.feed.now:
            self.feed(self.answers.pop(0)[1], GAP_LINE)
        if self.feed.session.next_deadline(self.feed.now) > self.feed.now:
            return
        for unit, first, count in self.feed.wanted():
            assert count <= 100
            end = min(first + count, self.totals[unit] + 1)
            for sequence in range(first, end, 37):
                if self.random.random() > self.loss:
                    due = self.feed.now + self.random.randint(50_000, 400_000)
                    part = numbered(sequence, min(37, end - sequence), unit)
                    self.answers.append((due, part))
        self.answers.sort()


def line_of(total: int, unit: int, loss: float, seed: int) -> list[tuple[float, bytes]]:
    """(time in packets, packet) of what comes over a lossy line that reorders up to 32 apart."""
    chance = random.Random(seed)
    found = []
    sequence, index = 1, 0
    while sequence <= total:
        number = min(chance.randint(1, 40), total + 1 - sequence)
        if chance.random() > loss:
            found.append((index + chance.uniform(0, 32), numbered(sequence, number, unit)))
        sequence += number
        index += 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.01, 0.05])
def test_two_lossy_lines_and_a_proxy_that_loses_too(loss: float) -> None:
    totals = {1: 60_000, 2: 40_000, 7: 20_000}
    feed = Feed(rerequest=True, join="start")
    proxy = Proxy(feed, totals, loss)
    events = [
        (at, line, data)
        for unit, total in totals.items()
        for line in (A, B)
        for at, data in line_of(total, unit, loss, 10 * unit + line)
    ]
    for at, line, data in sorted(events):
        feed.now = START + int(at * 35_000)
        feed(data, line)
        proxy.step()
    for unit, total in totals.items():
        feed(packet(total + 1, unit=unit))
    while feed.session.next_deadline(feed.now) != DEADLINE_NEVER or proxy.answers:
        feed.now += MS // 10
        proxy.step()
    for unit, total in totals.items():
        assert feed.heard(unit) == list(range(1, total + 1))
    assert feed["lost_messages"] == 0
    assert feed["gaps_filled_by_line"] > 0
    assert feed["recovered_messages"] > 0
