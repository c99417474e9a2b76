"""Says a simulated market as a vendor's JSON, in the dialect of mappings/alpaca.toml.

The market is the one of `ticker simulate itch`, read back through ticker's own decoder and book:
what a vendor sends is what an exchange's feed amounts to. Trades of less than a round lot say so
(condition I), sizes of quotes are in shares, breaks and states are passed on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from ticker.feeds.market.market import Market
from ticker.feeds.protocols.itch50 import Itch50
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.simulate.speakers.itch import ItchMarket
from ticker.units import format_price

RING = 4096
BUFFER = 1 << 16
TRADE, QUOTE = 1, 3
"""Record kinds (ticker/shm/layout.pxd)."""
EXCHANGE = "V"
MATCHES = {ord("E"): 23, ord("C"): 23, ord("P"): 36, ord("Q"): 31, ord("B"): 11}
"""Where the match number of each ITCH message that has one is."""
TAPES = {ord("N"): "A", ord("Q"): "C", ord("G"): "C", ord("S"): "C"}
"""Of a market category; B for all others."""

Event = tuple[str, str, bytes]
"""Channel, symbol, and the record as JSON."""


def timestamp(ns: int) -> str:
    """RFC 3339 with all nine digits, as the vendor has it."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


class AlpacaMarket:
    """A simulated market of `symbols` instruments, endless, as events.

    Args:
        seed: the same seed gives the same trades.
        rate: ITCH messages per second of the market below; about one in two makes an event.
        start, midnight: ns since midnight US/Eastern, and that midnight since the epoch.
    """

    def __init__(self, symbols: int, seed: int, rate: float, start: int, midnight: int) -> None:
        self._itch = ItchMarket(
            symbols, seed, rate=rate, start=start, visit_round=max(1, int(rate * 120))
        )
        mapping = private_feed(Geometry(rows=symbols, rings=1, ring_capacity=RING), 1, 1)
        self._market = Market(mapping, raw=True)
        self._decoder = Itch50(self._market, midnight_ns=midnight)
        self._table = PriceTable(mapping)
        self._ring = RingReader(mapping, 0)
        self._midnight = midnight
        self._symbols: dict[int, str] = {}
        self._tapes: dict[str, str] = {}
        self._lots: dict[str, int] = {}
        self._buffer = bytearray(BUFFER)
        self.said = 0

    def events(self, messages: int) -> list[Event]:
        """The vendor's events for the market's next messages."""
        found: list[Event] = []
        while messages > 0:
            said, used = self._itch.generate(min(messages, 500), self._buffer)
            messages -= said
            self.said += said
            at = 0
            while at < used:
                length = int.from_bytes(self._buffer[at : at + 2], "big")
                found += self._message(bytes(self._buffer[at + 2 : at + 2 + length]))
                at += 2 + length
        return found

    def _message(self, message: bytes) -> list[Event]:
        """One ITCH message (section 4): locate@1, time@5; what changed is in the ring."""
        kind = message[0]
        locate = int.from_bytes(message[1:3], "big")
        time = timestamp(self._midnight + int.from_bytes(message[5:11], "big"))
        self._decoder.decode(message)
        self._market.publish(1)
        if kind == ord("R"):
            symbol = message[11:19].decode().rstrip()
            self._symbols[locate] = symbol
            self._tapes[symbol] = TAPES.get(message[19], "B")
            self._lots[symbol] = int.from_bytes(message[21:25], "big")
        match = 0
        if kind in MATCHES:
            match = int.from_bytes(message[MATCHES[kind] :][:8], "big")
        found = [self._event(record, match, time) for record in self._ring.take(RING)]
        symbol = self._symbols.get(locate, "")
        if kind == ord("B"):
            found.append(self._record("trades", symbol, time, T="x", i=match, x=EXCHANGE, a="C"))
        elif kind == ord("H"):
            state = chr(message[19])
            found.append(self._record("statuses", symbol, time, T="s", sc=state, rc=""))
        return [event for event in found if event is not None]

    def _event(self, record: dict[str, int], match: int, time: str) -> Event | None:
        row = record["row"]
        symbol = self._table.symbol(row)
        if record["kind"] == TRADE:
            odd = record["size"] < self._lots.get(symbol, 100)
            return self._record(
                "trades", symbol, time, T="t", i=match, x=EXCHANGE, p=_price(record["price"]),
                s=record["size"], c=["@", "I"] if odd else ["@"],
            )  # fmt: skip
        values = self._table.values(row)
        if record["kind"] != QUOTE or values is None:
            return None
        return self._record(
            "quotes", symbol, time, T="q", bx=EXCHANGE, bp=_price(values["bid"]),
            bs=values["bid_size"], ax=EXCHANGE, ap=_price(values["ask"]),
            **{"as": values["ask_size"]}, c=["R"],
        )  # fmt: skip

    def _record(self, channel: str, symbol: str, time: str, **fields: Any) -> Event:
        fields = {**fields, "S": symbol, "t": time, "z": self._tapes.get(symbol, "C")}
        return channel, symbol, msgspec.json.encode(fields)


def _price(price: int) -> msgspec.Raw:
    """The exact decimals as a JSON number; 0 where there is none."""
    return msgspec.Raw(format_price(price).encode() if price else b"0")
