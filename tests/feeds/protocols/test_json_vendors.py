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


def test_twelve_data() -> None:
    """Prices without sizes are no trades; a heartbeat is a sign of life, a refusal is told."""
    feed = fed("twelvedata")
    row = feed.row("ACME")
    assert (row["price"], row["open"]) == (price("185.47"), price("185.42"))
    assert (row["volume"], row["trades"], row["size"]) == (0, 0, 0)
    assert row["exchange_time"] == 1774963803 * 10**9
    assert feed.row("EUR/USD")["price"] == price("1.08153")
    assert feed.protocol.alive == 2
    assert [event.text for event in feed.protocol.take_events()] == [
        "The symbol is not in your plan", "The message cannot be read",
    ]  # fmt: skip
    assert feed.reasons() == {}


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


SALE = {"T": "t", "S": "ACME", "x": "N", "z": "A", "s": 100, "c": [" "]}
CORRECTION = {"T": "c", "S": "ACME", "x": "N", "z": "A", "oi": 2, "op": 40.5, "os": 100,
              "oc": [" "], "ci": 3, "cp": 40.25, "cs": 70, "cc": [" "],
              "t": "2026-03-30T14:00:02Z"}  # fmt: skip
CANCEL = {"T": "x", "S": "ACME", "x": "N", "z": "A", "a": "C", "t": "2026-03-30T14:00:03Z"}


def corrected(**changed: object) -> JsonFeed:
    """Two trades at Alpaca, the second of them corrected."""
    feed = JsonFeed("alpaca")
    feed.send(
        [{**SALE, "i": 1, "p": 40, "t": "2026-03-30T14:00:00Z"}],
        [{**SALE, "i": 2, "p": 40.5, "t": "2026-03-30T14:00:01Z"}],
        [{**CORRECTION, **changed}],
    )
    return feed


def state(feed: JsonFeed) -> tuple[int, int, int]:
    row = feed.row("ACME")
    return row["price"], row["volume"], row["trades"]


def test_a_correction_is_cancelled_by_its_own_id() -> None:
    feed = corrected()
    assert state(feed) == (price("40.25"), 170, 2)
    feed.send([{**CANCEL, "i": 2}])
    assert (state(feed), feed.counter("breaks_unmatched")) == ((price("40.25"), 170, 2), 1)
    feed.send([{**CANCEL, "i": 3}])
    assert (state(feed), feed.counter("breaks")) == ((price("40"), 100, 1), 1)


def test_a_correction_is_corrected_again() -> None:
    feed = corrected()
    feed.send([{**CORRECTION, "oi": 3, "ci": 4, "cp": 40.75, "cs": 10}], [{**CANCEL, "i": 3}])
    assert (state(feed), feed.counter("breaks_unmatched")) == ((price("40.75"), 110, 2), 1)


def test_a_correction_changes_the_conditions() -> None:
    """To form T: it no longer sets the last price, and counts for volume."""
    feed = corrected(cc=[" ", "T"])
    assert state(feed) == (price("40"), 170, 2)
    feed.send([{**CANCEL, "i": 3}])
    assert state(feed) == (price("40"), 100, 1)


def test_a_correction_without_conditions_keeps_them() -> None:
    feed = corrected(cc=None, ci=None)
    assert state(feed) == (price("40.25"), 170, 2)
    feed.send([{**CANCEL, "i": 2}])
    assert state(feed) == (price("40"), 100, 1)
