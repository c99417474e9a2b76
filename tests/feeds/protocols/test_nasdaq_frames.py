"""Real packets of Nasdaq, one message type each, against another decoder's reading of them.

What a message does is looked at in the market: the fields that count must have their effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ticker.feeds.transports.pcap import blocks
from ticker.units import parse_price

Case = tuple[bytes, dict[str, Any]]
SIZE = 1_000_000
"""Shares of the order that stands in for the one a frame's message refers to."""
STATUS = {"Trading (T)": 1, "Halted (H)": 2, "Paused (P)": 3, "Quotation Only (Q)": 4}


def frames(folder: Path) -> Iterator[tuple[str, list[Case]]]:
    """(name, messages with what they mean) of each capture."""
    for path in sorted(folder.glob("*/*.expected.json")):
        capture = path.with_name(path.name.replace(".expected.json", ".pcap"))
        expected = json.loads(path.read_text())
        payloads = [payload for payload, _, _ in blocks(capture)]
        assert len(payloads) == len(expected), capture
        cases = []
        for payload, frame in zip(payloads, expected, strict=True):
            messages = split(payload)
            assert len(messages) == len(frame["messages"]), capture
            cases += list(zip(messages, frame["messages"], strict=True))
        yield f"{path.parent.name}/{path.name}", cases


def split(payload: bytes) -> list[bytes]:
    """The message blocks of a MoldUDP64 packet; some headers here are all zero."""
    messages, rest = [], payload[20:]
    for _ in range(int.from_bytes(payload[18:20], "big")):
        length = int.from_bytes(rest[:2], "big")
        messages.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    assert not rest
    return messages


def number(case: dict[str, Any], name: str) -> int:
    return int(case[name])


class Effects:
    """A check per message type: prepares a market, sends the message, looks."""

    def __init__(self, itch: Any, feed: Any, message: bytes, case: dict[str, Any]) -> None:
        self.itch, self.feed, self.message, self.case = itch, feed, message, case
        self.locate = number(case, "Stock Locate") if "Stock Locate" in case else 0

    def check(self) -> None:
        kind = self.message[:1].decode()
        by_type = {
            "A": self.added,
            "F": self.added,
            "D": self.deleted,
            "X": self.cancelled,
            "E": self.executed,
            "C": self.executed_at,
            "U": self.replaced,
            "P": self.traded,
            "Q": self.crossed,
            "H": self.status,
        }
        if kind in by_type:
            by_type[kind]()
        else:
            self.feed.send(self.message)
        assert self.feed.decoder.message_counts[kind] >= 1
        for name in ("short_messages", "unknown_types", "unknown_orders", "unknown_symbols"):
            assert self.feed.counter(name) == 0

    def resting(self, name: str = "Order Reference Number") -> int:
        ref = number(self.case, name)
        self.feed.send(self.itch.add(self.locate, ref, "S", SIZE, 10_000, "REST"))
        self.feed.send(self.message)
        return ref

    def row(self, symbol: str) -> dict[str, int]:
        row: dict[str, int] = self.feed.row(symbol)
        return row

    def added(self) -> None:
        self.feed.send(self.message)
        side = "bid" if self.case["Buy Sell Indicator"].startswith("Buy") else "ask"
        row = self.row(self.case["Stock"])
        assert row[side] == parse_price(self.case["Price"])
        assert row[f"{side}_size"] == number(self.case, "Shares")
        assert row["quote_time"] == self.case["timestamp_ns"]
        self.feed.send(self.itch.delete(self.locate, number(self.case, "Order Reference Number")))
        assert self.feed.market.orders == 0

    def deleted(self) -> None:
        self.resting()
        assert self.feed.market.orders == 0
        assert self.row("REST")["quote_time"] == self.case["timestamp_ns"]

    def cancelled(self) -> None:
        self.resting()
        assert self.row("REST")["ask_size"] == SIZE - number(self.case, "Canceled Shares")

    def executed(self) -> None:
        self.resting()
        shares = number(self.case, "Executed Shares")
        row = self.row("REST")
        assert row["ask_size"] == SIZE - shares
        assert (row["price"], row["size"], row["volume"]) == (10**9, shares, shares)
        assert row["exchange_time"] == self.case["timestamp_ns"]
        self.taken_back(number(self.case, "Match Number"))

    def executed_at(self) -> None:
        self.resting()
        shares = number(self.case, "Executed Shares")
        row = self.row("REST")
        assert row["ask_size"] == SIZE - shares
        if self.case["Printable"].startswith("Non"):
            assert (row["price"], row["volume"], row["trades"]) == (0, 0, 0)
        else:
            price = parse_price(self.case["Execution Price"])
            assert (row["price"], row["size"], row["trades"]) == (price, shares, 1)
            self.taken_back(number(self.case, "Match Number"))

    def replaced(self) -> None:
        self.resting("Original Order Reference Number")
        row = self.row("REST")
        assert row["ask"] == parse_price(self.case["Price"])
        assert row["ask_size"] == number(self.case, "Shares")
        ref = number(self.case, "New Order Reference Number")
        self.feed.send(self.itch.delete(self.locate, ref))
        assert self.feed.market.orders == 0

    def traded(self) -> None:
        self.feed.send(self.message)
        row = self.row(self.case["Stock"])
        shares = number(self.case, "Shares")
        assert (row["price"], row["size"]) == (parse_price(self.case["Price"]), shares)
        assert row["exchange_time"] == self.case["timestamp_ns"]
        self.taken_back(number(self.case, "Match Number"))

    def crossed(self) -> None:
        self.feed.send(self.message)
        shares = number(self.case, "Cross Shares")
        if not shares:
            assert self.feed.counter("trades") == 0
            return
        row = self.row(self.case["Stock"])
        assert (row["price"], row["size"]) == (parse_price(self.case["Cross Price"]), shares)
        self.taken_back(number(self.case, "Match Number"))

    def status(self) -> None:
        self.feed.send(self.message)
        assert self.row(self.case["Stock"])["status"] == STATUS[self.case["Trading State"]]

    def taken_back(self, match: int) -> None:
        """The match number was read right if a break by it finds the trade."""
        self.feed.send(self.itch.broken(self.locate, match))
        assert self.feed.counter("breaks") == 1


def test_every_frame_has_its_effect(
    samples: Path, itch: Any, make_feed: Callable[..., Any]
) -> None:
    checked = 0
    for name, cases in frames(samples / "frames" / "nasdaq"):
        for message, case in cases:
            assert case.get("hex", message.hex()) == message.hex(), name
            Effects(itch, make_feed(), message, case).check()
            checked += 1
    assert checked > 60
