"""A unit that lost messages: its book is an image's once one comes, its trades are counted once."""

from __future__ import annotations

import struct
from datetime import date
from typing import Any

import pytest

from tests.feeds.tables import rows_of
from ticker.feeds.session import SessionOptions
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.feeds.workers.pipeline import build
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.simulate.speakers.pitch import PitchMarket, parted

DAY = date(2026, 1, 5)
SECOND = 1_000_000_000
START = 1_767_625_200 * SECOND  # 10:00 that day in New York
PACKET = 10
BOOK = ("bid", "bid_size", "ask", "ask_size", "status")


class Feed:
    """One unit's session into a table."""

    def __init__(self, **options: Any) -> None:
        self.mapping = private_feed(Geometry(rows=16, rings=1, ring_capacity=1024), 1, 1)
        self.pipeline = build(
            self.mapping, "pitch", None, DAY, session_options=SessionOptions(**options)
        )
        assert isinstance(self.pipeline.session, CboeUnit)
        self.session = self.pipeline.session
        self.now = START

    def __getitem__(self, counter: str) -> int:
        return Counters(self.mapping)[counter]

    def hear(self, messages: list[bytes], first: int, lost: range = range(0)) -> None:
        """All packets but those of which a message is lost; then the gap is given up."""
        for at in range(0, len(messages), PACKET):
            some = messages[at : at + PACKET]
            if not set(range(first + at, first + at + len(some))) & set(lost):
                body = b"".join(some)
                head = struct.pack("<HBBI", 8 + len(body), len(some), 1, first + at)
                self.session.receive_data(head + body, 0, self.now)
        self.now += SECOND
        assert self.session.data_to_send(self.now) == []

    def rows(self, *names: str) -> dict[str, dict[str, int]]:
        self.pipeline.market.publish(self.now)
        found = rows_of(PriceTable(self.mapping))
        return {symbol: {name: row[name] for name in names} for symbol, row in found.items()}


class Stream:
    """A market of one unit that rests between its portions, so that an image can be taken."""

    def __init__(self) -> None:
        self.market = PitchMarket(10, 4, units=1, start=36_000 * SECOND)
        self.said = 0

    def portion(self, number: int) -> tuple[int, list[bytes]]:
        """Sequence of the first message, and the messages."""
        buffer = bytearray(64 * number + 2048)
        count, size = self.market.generate(number, buffer)
        first, self.said = self.said + 1, self.said + count
        return first, parted(bytes(buffer[:size]))

    def image(self) -> tuple[int, list[bytes]]:
        return self.said, self.market.image(1)


@pytest.mark.parametrize("behind", [0, 1, 300])
def test_an_image_heals_what_a_lost_gap_did(behind: int) -> None:
    stream = Stream()
    whole, hurt = Feed(), Feed(image_timeout_ns=SECOND // 10)
    portions = [stream.portion(900), stream.portion(400)]
    sequence, image = stream.image()
    later = stream.portion(behind) if behind else (stream.said + 1, [])
    for first, messages in [*portions, later]:
        whole.hear(messages, first)
    hurt.hear(portions[0][1], 1)  # no image in time: it goes on
    assert hurt.session.apply_image(1, 0, b"", hurt.now)
    hurt.hear(portions[1][1], portions[1][0], range(1000, 1100))
    assert 100 <= hurt["lost_messages"] <= 120
    assert hurt["unknown_orders"] > 0
    hurt.hear(later[1], later[0])
    assert hurt.rows(*BOOK) != whole.rows(*BOOK)
    before = hurt.rows("price", "volume", "trades", "seq", "high", "low", "exchange_time")
    assert hurt.session.wants_image(1) is not None
    assert hurt.session.apply_image(1, sequence, b"".join(image), hurt.now)
    assert hurt.rows(*BOOK) == whole.rows(*BOOK)
    after = hurt.rows("price", "volume", "trades", "seq", "high", "low", "exchange_time")
    assert after == before
    assert hurt.session.wants_image(1) is None
    unknown = hurt["unknown_orders"]
    more = stream.portion(500)
    for feed in (whole, hurt):
        feed.hear(more[1], more[0])
    assert hurt.rows(*BOOK) == whole.rows(*BOOK)
    assert hurt["unknown_orders"] == unknown


def damaged(**options: int) -> tuple[Stream, Feed]:
    stream, feed = Stream(), Feed(image_timeout_ns=SECOND // 10, **options)
    first, messages = stream.portion(1000)
    feed.hear(messages, first)
    assert feed.session.apply_image(1, 0, b"", feed.now)
    first, messages = stream.portion(300)
    feed.hear(messages, first, range(first + 50, first + 60))
    return stream, feed


def test_an_image_from_before_the_loss_or_from_what_is_not_here_yet_is_not_taken() -> None:
    stream, feed = damaged()
    needed = feed.session.wants_image(1)
    assert needed is not None
    image = b"".join(stream.image()[1])
    assert not feed.session.apply_image(1, needed - 1, image, feed.now)
    assert not feed.session.apply_image(1, stream.said + 1, image, feed.now)
    assert feed.session.apply_image(1, stream.said, image, feed.now)


def test_another_loss_needs_a_later_image() -> None:
    stream, feed = damaged()
    sequence, image = stream.image()
    first, messages = stream.portion(100)
    feed.hear(messages, first, range(first + 20, first + 30))
    assert not feed.session.apply_image(1, sequence, b"".join(image), feed.now)
    sequence, image = stream.image()
    assert feed.session.apply_image(1, sequence, b"".join(image), feed.now)


def test_what_is_kept_is_bounded() -> None:
    """With no room left, what was kept is forgotten: a later image is needed."""
    stream, feed = damaged(buffer_bytes=1)  # a unit has no less than 256 kB
    before = feed.session.wants_image(1)
    for _ in range(12):
        first, messages = stream.portion(1000)
        feed.hear(messages, first)
    after = feed.session.wants_image(1)
    assert before is not None
    assert after is not None
    assert after > before + 5000
    sequence, image = stream.image()
    assert feed.session.apply_image(1, sequence, b"".join(image), feed.now)


def test_without_a_spin_server_nothing_is_kept() -> None:
    stream, feed = Stream(), Feed()
    first, messages = stream.portion(1000)
    feed.hear(messages, first, range(500, 510))
    assert feed["lost_messages"] > 0
    assert feed.session.wants_image(1) is None
