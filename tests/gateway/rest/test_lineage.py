"""GET /lineage/{symbol}: the row, its newest trades in the ring, and what the filter refused."""

from __future__ import annotations

from typing import Any

from tests.gateway.rest.test_gaps import get
from ticker.feeds.calls import TRADE_COUNTS_VOLUME, TRADE_EXTENDED, TRADE_REGULAR, Calls
from ticker.feeds.market.market import Market
from ticker.shm.lineage.lineage import KEPT, lineage
from ticker.shm.lineage.trail import rows_of, trail
from ticker.shm.segment import Geometry, private_feed
from ticker.units import format_timestamp

E9 = 1_000_000_000
DAY = 1_774_881_000 * E9


def test_of_a_served_price(rig: Any) -> None:
    rig.row("FIRST")  # the rig's ring of a row is by its number, a feed's by the symbol: both 1
    row, other = rig.row("AAPL"), rig.row("AAPLX")
    rig.trade(other, 7 * E9)
    times = [rig.trade(row, price * E9) for price in range(1, 41)]
    rig.trade(other, 8 * E9)
    status, found = get(rig, "/lineage/AAPL")
    assert (status, found["symbol"]) == (200, "AAPL")
    (price,) = found["prices"]
    assert (price["feed"], price["venue"], price["price"], price["seq"]) == ("f", "XNAS", "40", 40)
    assert price["trade"] == price["last"][0]
    assert (price["trade"]["seq"], price["trade"]["set_last"]) == (40, True)
    assert [trade["seq"] for trade in price["last"]] == list(range(40, 40 - KEPT, -1))
    assert [trade["exchange_timestamp"] for trade in price["last"]] == [
        format_timestamp(time) for time in times[::-1][:KEPT]
    ]
    assert get(rig, "/lineage/NOSUCH")[1]["code"] == "unknown_symbol"
    rig.row("NEW")
    assert get(rig, "/lineage/NEW")[1] == {"symbol": "NEW", "prices": []}


def test_conditions_positions_and_verdicts() -> None:
    mapping = private_feed(Geometry(rows=8, rings=4, ring_capacity=64), 1, 1)
    market = Market(mapping, venue="XNAS")
    calls = Calls(market)
    rows = [calls.define(key, f"SYM{key}") for key in range(6)]
    for step in range(3):
        for row in rows:
            time = DAY + step * E9
            calls.trade(row, (100 + step) * E9, 10, 50 + step, TRADE_REGULAR, time, time + 5)
        market.publish(DAY + step * E9 + 9)
    extended = DAY + 4 * E9
    calls.trade(rows[2], 120 * E9, 1, 60, TRADE_EXTENDED | TRADE_COUNTS_VOLUME, extended, extended)
    calls.trade(rows[2], 0, 1, 61, TRADE_REGULAR, extended, extended)
    market.publish(extended + 9)
    for row in rows:
        assert rows_of(mapping, f"SYM{row}") == [row]
        newest = trail(mapping, row, 2)[1 if row == rows[2] else 0]
        assert (newest["price"], newest["match"], newest["seq"]) == (102 * E9, 52, 3)
    (price,) = lineage([("one", mapping)], "SYM2")
    assert (price["price"], price["verdict"]) == ("102", "accepted")
    assert price["trade"]["counts_for"] == ["last", "open", "high_low", "volume"]
    assert price["receive_timestamp"] == format_timestamp(DAY + 2 * E9 + 5)
    newest = price["last"][0]
    assert (newest["conditions"], newest["counts_for"], newest["set_last"]) == (
        ["extended"], ["volume"], False
    )  # fmt: skip
    assert price["trade"]["position"] < newest["position"]
    assert [(one["rule"], one["trade"]) for one in price["refused"]] == [("bad_price", 61)]


def test_what_the_ring_no_longer_has_is_not_made_up() -> None:
    mapping = private_feed(Geometry(rows=2, rings=1, ring_capacity=8), 1, 1)
    market = Market(mapping, venue="XNAS")
    calls = Calls(market)
    old, busy = calls.define(1, "OLD"), calls.define(2, "BUSY")
    calls.trade(old, 5 * E9, 1, 1, TRADE_REGULAR, DAY, DAY)
    for step in range(20):
        calls.trade(busy, 5 * E9, 1, 2 + step, TRADE_REGULAR, DAY + step, DAY + step)
    market.publish(DAY + 100)
    (price,) = lineage([("one", mapping)], "OLD")
    assert (price["price"], price["trade"], price["last"]) == ("5", None, [])
    assert len(lineage([("one", mapping)], "BUSY")[0]["last"]) == 8
