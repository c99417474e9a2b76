"""A capture decoded again, to find the packet and the message of each trade.

In: the packets of a capture. Out: trades with their origins, and the trade of each current price.
The pipeline is that of `ticker serve`, but its messages are decoded one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from ticker.errors import FeedError
from ticker.feeds.lineage.tap import Tap, next_number, numbers_packets
from ticker.feeds.workers.pipeline import Pipeline
from ticker.shm.counters import Counters
from ticker.shm.layout import RecordKind
from ticker.shm.rejects import RejectReader
from ticker.shm.ring import RingReader
from ticker.shm.table import PriceTable

KEPT = 1024
"""Newest trades of a symbol. One of them made its price."""
WAITING = 4096
"""Newest packets. One that waited behind a gap until its turn came is among them."""
RECORDS = 65_536
LINES = "ab"
TRADES = (RecordKind.RECORD_TRADE, RecordKind.RECORD_PRINT)


@dataclass(frozen=True)
class Origin:
    """The origin of a trade.

    `packet` counts those of the capture from 1; `sequence` is the message's number in its
    `session`, and `channel` the stream that counts it (0: there is one); times are ns.
    """

    packet: int
    line: str
    session: bytes
    channel: int
    sequence: int
    receive_time: int
    message: bytes


@dataclass(frozen=True)
class TracedTrade:
    """A trade as it was published. Price in 1e-9 units, times in ns; `position` is that of its
    record in the ring, `held` whether the filter let it wait before it was confirmed."""

    symbol: str
    venue: str
    price: int
    size: int
    size_exponent: int
    exchange_time: int
    publish_time: int
    match: int
    conditions: int
    seq: int
    position: int
    held: bool
    origin: Origin


class Tracer:
    """Looks on while a pipeline decodes, and keeps the newest trades: of `symbol`, or of all.

    Raises:
        FeedError: the session's packets have no numbers.
    """

    def __init__(self, pipeline: Pipeline, symbol: str | None = None) -> None:
        if not numbers_packets(pipeline.session):
            raise FeedError(
                f"{type(pipeline.session).__name__}: its messages are in no numbered packets; "
                "lineage of a recording is for MoldUDP64, IEX-TP, Cboe PITCH and NYSE Pillar"
            )
        self.mapping = pipeline.mapping
        self.market = pipeline.market
        self.symbol = symbol
        self.table = PriceTable(pipeline.mapping)
        self.session = type(pipeline.session)(Tap(pipeline.protocol, self._heard), pipeline.mapping)
        self.trades: dict[str, deque[TracedTrade]] = {}
        self._counters = Counters(pipeline.mapping)
        self._rejects = RejectReader(pipeline.mapping)
        self._rings = [
            RingReader(pipeline.mapping, ring) for ring in range(pipeline.mapping.ring_count)
        ]
        self._packets: deque[tuple[int, str, int, bytes]] = deque(maxlen=WAITING)
        self._count = 0
        self._first = (0, 0)
        """Channel and number of the first message of the packet that is decoded."""
        self._behind = 0
        """Messages of it that came since."""
        self._seen_held = 0
        self._held: dict[tuple[str, int, int, int], Origin] = {}

    def run(self, blocks: Iterable[tuple[bytes, int, int]]) -> None:
        """All packets, and what waits behind gaps at their end."""
        receive_time = 0
        for block, receive_time, line in blocks:
            self._count += 1
            self._packets.append((self._count, LINES[line & 1], receive_time, block))
            self.session.receive_data(block, line, receive_time)
            self.market.publish(receive_time)
            self._drop_records()
        self.session.end_of_data(receive_time)

    def shown(self, symbol: str) -> list[TracedTrade]:
        """Of each row of a symbol the trade that made the price that it shows, if it has one."""
        found: list[TracedTrade] = []
        for row in range(len(self.table)):
            if self.table.symbol(row) == symbol:
                values = self.table.values(row) or {}
                found += islice(
                    (
                        trade
                        for trade in reversed(self.trades.get(symbol, ()))
                        if trade.venue == self.table.venue(row)
                        and trade.price == values.get("price")
                        and trade.exchange_time == values.get("exchange_time")
                        and trade.origin.receive_time == values.get("receive_time")
                    ),
                    1,
                )
        return found

    def _heard(self, message: bytes, channel: int, receive_time: int) -> None:
        first = channel, next_number(self.session, channel)
        if first != self._first:
            self._first, self._behind = first, 0
        number = first[1] + self._behind
        self._behind += 1
        self.market.publish(receive_time)
        held = self._counters["jumps_held"]
        taken = [
            (reader.position - left, record)
            for reader in self._rings
            for records in [reader.take(RECORDS)]
            for left, record in zip(range(len(records), 0, -1), records, strict=True)
            if record["kind"] in TRADES
        ]
        if not taken and held == self._seen_held:
            return
        origin = self._origin(message, channel, number, receive_time)
        if origin is None:
            return
        if held != self._seen_held:
            self._seen_held = held
            for one in self._rejects.held():
                self._held.setdefault((one.symbol, one.exchange_time, one.price, one.match), origin)
        for position, record in taken:
            self._keep(position, record, origin)

    def _keep(self, position: int, record: dict[str, int], origin: Origin) -> None:
        row = record["row"]
        symbol = self.table.symbol(row)
        if self.symbol not in (None, symbol):
            return
        key = symbol, record["exchange_time"], record["price"], record["match"]
        waited = self._held.pop(key, None)
        trade = TracedTrade(
            symbol,
            self.table.venue(row),
            record["price"],
            record["size"],
            self.table.size_exponent(row),
            record["exchange_time"],
            record["publish_time"],
            record["match"],
            record["conditions"],
            record["seq"],
            position,
            waited is not None and waited != origin,
            waited or origin,
        )
        self.trades.setdefault(symbol, deque(maxlen=KEPT)).append(trade)

    def _origin(
        self, message: bytes, channel: int, number: int, receive_time: int
    ) -> Origin | None:
        """The newest packet that came then and has the message: it may have waited for its turn.
        None: the session itself made the message, as when it clears a book."""
        for packet, line, came, block in reversed(self._packets):
            if came == receive_time and message in block:
                name = self.session.session_id
                return Origin(packet, line, name, channel, number, came, message)
        return None

    def _drop_records(self) -> None:
        """What no message made: of a day that began, of a held trade that was given up."""
        for reader in self._rings:
            reader.take(RECORDS)
