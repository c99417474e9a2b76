"""A session with its decoder in memory, and the venue's side of the dialogue, on one clock."""

from __future__ import annotations

from typing import Any

from tests.feeds.tables import row_of
from ticker.feeds.fix.initiator import FixOptions
from ticker.feeds.fix.message import Message, utc_timestamp
from ticker.feeds.fix.requests import Subscription, symbols
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.fix import FixMarketData
from ticker.feeds.sessions.fix import Fix
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

SECOND = 1_000_000_000
START = 1_767_362_400 * SECOND


class Dialogue:
    """A client that is logged on; `say` is what the venue sends next."""

    def __init__(self, begin_string: str = "FIX.4.4", **options: Any) -> None:
        self.begin_string = begin_string.encode()
        self.mapping = private_feed(Geometry(rows=16, rings=1, ring_capacity=1024), 1, 1)
        self.market = Market(self.mapping, venue="XXXX")
        self.session = Fix(
            FixMarketData(self.market),
            self.mapping,
            FixOptions(
                sender="T",
                target="V",
                begin_string=begin_string,
                subscription=Subscription(instruments=symbols("S", "U")),
                **options,
            ),
        )
        self.now = START
        self.number = 1
        self.sent: list[Message] = []
        self.session.connected(self.now)
        self.collect()
        self.say("A|98=0|108=30")
        self.session.take_events()

    def frame(self, text: str, number: int) -> bytes:
        kind, *rest = text.split("|")
        head = [(35, kind.encode()), (34, b"%d" % number), (49, b"V")]
        head += [(52, utc_timestamp(self.now)), (56, b"T")]
        body = b"".join(b"%d=%b\x01" % field for field in head)
        body += b"".join(field.encode() + b"\x01" for field in rest)
        start = b"8=%b\x019=%d\x01" % (self.begin_string, len(body))
        return b"%b%b10=%03d\x01" % (start, body, sum(start + body) % 256)

    def say(self, text: str, number: int | None = None, again: bool = False) -> None:
        """The next message of the venue, or one of another number, maybe one that it says again."""
        if again:
            text = text.replace("|", "|43=Y|122=20260102-14:00:00|", 1)
        if number is None:
            number = self.number
            self.number += 1
        self.hear(self.frame(text, number))

    def hear(self, data: bytes) -> None:
        self.session.receive_data(data, 0, self.now)
        self.market.publish(self.now)
        self.collect()

    def collect(self) -> None:
        for out in self.session.data_to_send(self.now):
            body = out[out.index(b"35=") : out.rindex(b"10=")]
            self.sent.append(Message(self.begin_string, body, self.now))

    def wait(self, seconds: float) -> None:
        """Time goes on, with what the session does by itself."""
        end = self.now + round(seconds * SECOND)
        while (deadline := self.session.next_deadline(self.now)) <= end:
            self.now = max(self.now, deadline)
            self.collect()
            if self.session.next_deadline(self.now) <= self.now:
                break
        self.now = end
        self.collect()

    def of_kind(self, kind: str) -> list[Message]:
        """What the session sent of a type, all since the start."""
        return [message for message in self.sent if message.kind == kind]

    def asked(self, how: bytes = b"1") -> int:
        """Market data requests: 1 subscribes, 2 ends it."""
        return sum(message.get(263) == how for message in self.of_kind("V"))

    def counter(self, name: str) -> int:
        return Counters(self.mapping)[name]

    def row_count(self) -> int:
        return len(PriceTable(self.mapping))

    def row(self, symbol: str = "S") -> dict[str, int]:
        return row_of(PriceTable(self.mapping), symbol)
