"""`trades`, `price` and `quote` after broken and corrected trades, at a single gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest

from tests.gateway.conftest import E9, TRADE, Rig
from ticker.shm.layout import RecordKind, TradeFlag
from ticker.units import format_timestamp

JSON = "ticker.v1.json"
SETS_LAST = int(TradeFlag.TRADE_REGULAR)
COUNTS_ONLY = int(TradeFlag.TRADE_COUNTS_VOLUME)
CANCELLED = int(RecordKind.RECORD_CANCELLED)
CORRECTED = int(RecordKind.RECORD_CORRECTED)
CORRECTION = int(RecordKind.RECORD_CORRECTION)
Connect = Callable[..., Any]


class Tape:
    """One row of the rig's feed, whose trades have numbers."""

    def __init__(self, rig: Rig, symbol: str = "AAPL") -> None:
        self.rig = rig
        self.row = rig.row(symbol)
        self.ring = rig.rings[self.row % len(rig.rings)]
        self.corrections = 0
        self.times: list[int] = []

    def trade(self, number: int, price: int, *, ring: bool = True) -> None:
        self.times.append(self.rig.trade(self.row, price * E9, ring=False))
        if ring:
            seq, now = self.rig.seq[self.row], self.times[-1]
            self.put(TRADE, price, number, now, seq, SETS_LAST)

    def put(
        self, kind: int, price: int, number: int, now: int, seq: int, flags: int = SETS_LAST
    ) -> None:
        self.ring.put(self.row, kind, price * E9, 100, now, number, now, seq, flags)
        self.rig.heartbeat.beat(now)
        self.rig.ringer.ring_from_python()

    def take_back(
        self, kind: int, number: int, price: int, left: int, *, new: int = 0,
        flags: int = SETS_LAST, ring: bool = True,
    ) -> int:  # fmt: skip
        """What the feed writes: the row, then what became of the print, then `read it again`.
        `left`: the price that holds then, at the time of the first trade; 0: none."""
        now = time.time_ns()
        self.corrections += 1
        values = {"price": left * E9, "exchange_time": self.times[0] if left else 0}
        self.rig.table.put(
            self.row, **values, correction_time=now, publish_time=now, corrections=self.corrections
        )
        if ring:
            self.put(kind, price, number, now, new or self.rig.seq[self.row], flags)
            self.put(CORRECTION, 0, 0, now, self.rig.seq[self.row])
        return now


def subscribed(connect: Connect, channel: str) -> Any:
    client = connect(protocol=JSON)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": channel})
    client.until("snapshot")
    return client


def said(message: dict[str, Any]) -> dict[str, Any]:
    names = ("type", "price", "trade_id", "new_trade_id", "eligible", "seq", "skipped")
    return {name: message[name] for name in names if name in message}


def test_trades_says_a_cancel_by_its_number(rig: Rig, connect: Connect) -> None:
    tape = Tape(rig)
    tape.trade(70, 5)
    client = subscribed(connect, "trades")
    tape.trade(71, 6)
    assert said(client.until("update")) == {
        "type": "update",
        "price": 6,
        "trade_id": "71",
        "seq": 2,
    }
    when = tape.take_back(CANCELLED, 71, 6, 5)
    cancel = client.until("cancel")
    assert said(cancel) == {"type": "cancel", "price": 6, "trade_id": "71", "seq": 2}
    assert (cancel["size"], cancel["timestamp"]) == (100, format_timestamp(when))
    assert (cancel["venue"], cancel["channel"]) == ("XNAS", "trades")


@pytest.mark.slow
def test_trades_says_what_a_print_became(rig: Rig, connect: Connect) -> None:
    tape = Tape(rig)
    tape.trade(70, 5)
    client = subscribed(connect, "trades")
    tape.take_back(CORRECTED, 70, 4, 4, new=70)
    first = {"type": "correction", "price": 4, "trade_id": "70", "seq": 1}
    assert said(client.until("correction")) == first
    tape.take_back(CORRECTED, 70, 3, 3, new=90)
    assert said(client.until("correction")) == first | {"price": 3, "new_trade_id": "90"}
    tape.take_back(CORRECTED, 90, 2, 0, new=91, flags=COUNTS_ONLY)
    assert said(client.until("correction")) == first | {
        "price": 2, "trade_id": "90", "new_trade_id": "91", "eligible": False,
    }  # fmt: skip


def test_a_print_that_was_not_told_is_not_taken_back(rig: Rig, connect: Connect) -> None:
    tape = Tape(rig)
    tape.trade(70, 5)
    client = subscribed(connect, "trades")
    tape.take_back(CANCELLED, 60, 9, 5, flags=COUNTS_ONLY)
    tape.trade(71, 6)
    message = client.receive()
    while message["type"] in ("subscribed", "status"):
        message = client.receive()
    assert said(message) == {"type": "update", "price": 6, "trade_id": "71", "seq": 2}


@pytest.mark.parametrize("channel", ["price", "quote"])
def test_no_price_is_told_and_the_next_one(rig: Rig, connect: Connect, channel: str) -> None:
    tape = Tape(rig)
    tape.trade(70, 5)
    client = subscribed(connect, channel)
    when = tape.take_back(CANCELLED, 70, 5, 0)
    gone = client.until("update")
    assert said(gone) == {"type": "update", "price": None, "seq": 1}
    assert gone["timestamp"] == format_timestamp(when)
    late = connect(protocol=JSON)
    late.send({"action": "subscribe", "symbols": ["AAPL"], "channel": channel})
    assert late.until("snapshot") == gone | {"type": "snapshot"}
    tape.trade(71, 6)
    for each in (client, late):
        assert said(each.until("update")) == {"type": "update", "price": 6, "seq": 2}


@pytest.mark.parametrize(
    ("protocol", "gone"), [("", None), (JSON, None), ("ticker.v1.msgpack", None)]
)
def test_no_price_in_every_dialect(rig: Rig, connect: Connect, protocol: str, gone: object) -> None:
    tape = Tape(rig)
    tape.trade(70, 5)
    client = connect(protocol=protocol)
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.until("snapshot")
    tape.take_back(CANCELLED, 70, 5, 0)
    message = client.until("update")
    assert "price" in message
    assert message["price"] is gone


@pytest.mark.slow
def test_who_comes_back_after_a_trade_was_taken_back_hears_of_it(
    rig: Rig, connect: Connect
) -> None:
    """With the time of the trade that is gone, of what holds again, and at a gateway that has
    only the rows."""
    tape = Tape(rig)
    tape.trade(70, 5)
    tape.trade(71, 6)
    client = subscribed(connect, "price")
    seen = format_timestamp(tape.times[1])
    tape.take_back(CANCELLED, 71, 6, 5)
    assert client.until("update")["price"] == 5
    for _ in range(2):
        back = connect(protocol=JSON)
        back.send({"action": "reconnect", "last_seen": {"AAPL": seen}})
        assert back.until("snapshot")["price"] == 5
        rig.restart()


def test_trades_that_are_lost_by_a_lap_are_counted_with_what_was_taken_back(
    rig: Rig, connect: Connect
) -> None:
    tape = Tape(rig)
    tape.trade(70, 5)
    client = subscribed(connect, "trades")
    tape.trade(71, 6, ring=False)
    tape.trade(72, 7, ring=False)
    tape.take_back(CANCELLED, 71, 6, 5, ring=False)
    other = Tape(rig, "MSFT")
    while other.ring is not tape.ring:
        other = Tape(rig, f"OTHER{other.row}")
    now = time.time_ns()
    while not rig.counters["laps"]:
        for _ in range(rig.geometry.ring_capacity + 10):
            other.ring.put(other.row, int(RecordKind.RECORD_QUOTE), 0, 0, now, 0, now, 0)
        rig.ringer.ring_from_python()
    assert client.until("lagged")["skipped"] == 3


def test_a_symbol_of_extended_hours_only_is_told_without_a_price(
    rig: Rig, connect: Connect
) -> None:
    row = rig.row("AAPL")
    client, price = connect(protocol=JSON), connect(protocol=JSON)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "quote"})
    price.send({"action": "subscribe", "symbols": ["AAPL"]})
    assert client.until("subscribed")["symbols"] == ["AAPL"]
    early = time.time_ns()
    rig.table.put(row, extended_price=7 * E9, extended_time=early, seq=1, publish_time=early)
    rig.record(row, int(RecordKind.RECORD_PRINT), 7 * E9, early, 1)
    told = client.until("snapshot")
    assert (told["price"], told["extended_price"], told["seq"]) == (None, 7, 1)
    assert told["timestamp"] == told["extended_timestamp"] == format_timestamp(early)
    with urlopen(f"http://127.0.0.1:{rig.port}/prices/AAPL", timeout=5) as answer:
        shown = json.load(answer)
    assert (shown["price"], shown["size"], shown["extended_price"]) == (None, None, 7)
    assert shown["exchange_timestamp"] == shown["extended_timestamp"] == told["timestamp"]
    later = time.time_ns()
    rig.table.put(row, extended_price=8 * E9, extended_time=later, seq=2, publish_time=later)
    rig.record(row, int(RecordKind.RECORD_PRINT), 8 * E9, later, 2)
    assert client.until("update")["extended_price"] == 8
    rig.seq[row] = 2
    rig.trade(row, 9 * E9)
    told = client.until("update")
    assert (told["price"], told["extended_price"], told["seq"]) == (9, 8, 3)
    assert price.until("snapshot")["price"] == 9, "the first that `price` tells"
