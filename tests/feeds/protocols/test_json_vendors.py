"""Mappings after a vendor's documentation, on samples of our own in its form (tests/data/json)."""

from __future__ import annotations

from pathlib import Path

from tests.feeds.protocols.json_feed import E8, JsonFeed, price

DATA = Path(__file__).resolve().parents[2] / "data" / "json"


def fed(name: str) -> JsonFeed:
    feed = JsonFeed(name)
    feed.send(*(DATA / f"{name}.jsonl").read_bytes().splitlines())
    return feed


def test_databento() -> None:
    """Integer prices; the greatest integer is no price, of a trade and of one side of a quote."""
    feed = fed("databento")
    row = feed.row("ACME")
    assert (row["price"], row["volume"], row["trades"]) == (price("185.42"), 100, 1)
    assert row["exchange_time"] == 1774963800000000001
    assert (row["bid"], row["bid_size"], row["ask"]) == (price("185.41"), 30, 0)
    assert feed.reasons() == {("trade", "no usable price"): 1}


def test_finnhub() -> None:
    feed = fed("finnhub")
    row = feed.row("ACME")
    assert (row["price"], row["open"]) == (price("185.5"), price("185.42"))
    assert (row["volume"], row["trades"]) == (10_250_000_000, 2)
    assert [event.text for event in feed.protocol.take_events()] == [
        "Subscribing to too many symbols"
    ]


def test_binance() -> None:
    """Raw and combined streams; a trade that comes twice counts once."""
    feed = fed("binance")
    row, other = feed.row("ABCUSDT"), feed.row("XYZUSDT")
    assert (row["price"], row["volume"], row["trades"]) == (price("0.001"), 10_050_000_000, 1)
    assert (row["bid"], row["ask_size"]) == (price("0.00099"), 4_066_000_000)
    assert (other["price"], other["bid"]) == (price("25.3519"), price("25.35"))
    assert other["ask_size"] == 3 * E8
    assert [event.text for event in feed.protocol.take_events()] == [
        "Invalid request: unknown variant"
    ]
