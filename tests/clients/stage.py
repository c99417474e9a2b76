"""A dialogue on a real server: what a feed does there, and what the server then says.

The dialogues of clients/conformance that have steps `feed` were recorded so (record_dialogues.py),
and test_server_conformance.py holds the server to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.gateway.conftest import E9, Client, Rig, new_rig
from ticker.config import Config, GatewayConfig
from ticker.shm.bars.published import BarFlag, BarState
from ticker.shm.depth.rows import DepthWriter
from ticker.units import parse_timestamp

SYMBOLS = ("AAPL", "MSFT")
SPANS = ("1s", "1m", "5m", "1h", "1d")
STATES = {"forming": BarState.BAR_FORMING, "final": BarState.BAR_FINAL,
          "updated": BarState.BAR_UPDATED}  # fmt: skip
WHOLE = BarFlag.BAR_HAS_PRICE | BarFlag.BAR_HAS_RANGE | BarFlag.BAR_HAS_VWAP
CONNECTION = 1 << 44
EPOCH = 77012
MOMENT = "2026-03-31T14:30:59.000000Z"
LEFT_OUT = ("status", "heartbeat")
"""Messages that come when they come."""


class Stage:
    """One gateway with a feed that does as a dialogue says; close it."""

    def __init__(self) -> None:
        config = Config(
            gateway=GatewayConfig(max_connections=16, heartbeat=5.0), watchlists={"tech": SYMBOLS}
        )
        self.rig: Rig = new_rig(config)
        self.rows = {symbol: self.rig.row(symbol) for symbol in SYMBOLS}
        for symbol in SYMBOLS:
            self.rig.bar_writer.add(symbol)
        self.books = DepthWriter(self.rig.feed)
        self.client: Client | None = None
        self.acts: dict[str, Callable[..., None]] = {
            "trade": self.trade,
            "bar": self.bar,
            "book": self.book,
            "close_before": self.close_before,
        }

    def feed(self, step: list[Any]) -> None:
        """Do what a step says: its name, then its values."""
        name, *values = step
        self.acts[name](*values)

    def trade(self, symbol: str, price: str, time: str) -> None:
        self.rig.trade(self.rows[symbol], units(price), time_ns=parse_timestamp(time))

    def close_before(self, symbol: str, price: str, volume: int) -> None:
        self.rig.quote(self.rows[symbol], previous_close=units(price), volume=volume)

    def bar(self, symbol: str, interval: str, start: str, state: str, close: str) -> None:
        begun = parse_timestamp(start)
        self.rig.bar(
            SYMBOLS.index(symbol), SPANS.index(interval), state=STATES[state], start=begun,
            time=begun + 1000, open=185 * E9, high=190 * E9, low=E9 // 3, close=units(close),
            vwap=186 * E9 + 1, volume=1500, trades=3, flags=WHOLE,
            revision=int(state == "updated"),
        )  # fmt: skip

    def book(self, symbol: str, bids: list[list[Any]], asks: list[list[Any]], time: str) -> None:
        sides = [[(units(price), size) for price, size in side] for side in (bids, asks)]
        self.books.put(self.rows[symbol], 10, sides[0], sides[1], parse_timestamp(time))
        self.rig.ringer.ring_from_python()

    # -- the connection --------------------------------------------------------------------

    def open(self) -> None:
        """Another connection."""
        if self.client is not None:
            self.client.close()
        self.client = Client(self.rig.port, protocol="ticker.v1.json")

    def send(self, command: dict[str, Any]) -> None:
        assert self.client is not None
        self.client.send(command)

    def receive(self) -> str:
        """The next text of the server, with what differs from run to run made the same."""
        assert self.client is not None
        while True:
            opcode, payload = self.client.receive_frame()
            message = json.loads(payload) if opcode == 1 else {"type": "heartbeat"}
            if message["type"] not in LEFT_OUT:
                return same(payload.decode(), message)

    def close(self) -> None:
        if self.client is not None:
            self.client.close()
        assert self.rig.close() == 0


def units(price: str) -> int:
    """A price in 1e-9 units."""
    return int(Decimal(price).scaleb(9))


def same(text: str, message: dict[str, Any]) -> str:
    """A text with one epoch and one connection, and lists of movers of one moment."""
    if message["type"] == "hello":
        text = text.replace(f'"epoch":{message["epoch"]}', f'"epoch":{EPOCH}')
        return text.replace(f'"connection":{message["connection"]}', f'"connection":{CONNECTION}')
    if message["type"] == "movers":
        return text.replace(f'"timestamp":"{message["timestamp"]}"', f'"timestamp":"{MOMENT}"', 1)
    return text
