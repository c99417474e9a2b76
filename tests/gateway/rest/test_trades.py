"""GET /trades/{symbol}: the newest trades of the rings, and what became of each."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.gateway.rest.test_gaps import get
from ticker.feeds.calls import (
    TRADE_COUNTS_VOLUME,
    TRADE_EXTENDED,
    TRADE_REGULAR,
    TRADE_SETS_RANGE,
    Calls,
)
from ticker.feeds.market.market import Market
from ticker.shm.lineage.recent import recent_trades
from ticker.shm.segment import Geometry, private_feed
from ticker.units import format_timestamp

E9 = 1_000_000_000
DAY = 1_774_881_000 * E9
TRADE, PRINT, QUOTE, CANCELLED, CORRECTED = 1, 2, 3, 6, 7


def put(rig: Any, row: int, kind: int, price: int, match: int, **words: int) -> int:
    """A record of a row into the ring that the rig has for it; its time."""
    now = words.pop("time", DAY)
    ring = rig.rings[row % len(rig.rings)]
    size = words.pop("size", 100)
    ring.put(row, kind, price * E9, size, now, match, now, **{"conditions": 15, **words})
    return now


def test_newest_first_with_what_became_of_each(rig: Any) -> None:
    rig.row("FIRST")  # the rig's ring of a row is by its number, a feed's by the symbol: both 1
    row = rig.row("AAPL")
    times = [put(rig, row, TRADE, 100 + n, 10 + n, time=DAY + n * E9) for n in range(5)]
    put(rig, row, QUOTE, 99, 0)
    put(rig, row, CANCELLED, 101, 11, time=DAY + 6 * E9)
    put(rig, row, CORRECTED, 250, 12, time=DAY + 7 * E9, size=7, seq=50, conditions=8)
    status, found = get(rig, "/trades/AAPL")
    assert (status, found["symbol"]) == (200, "AAPL")
    trades = found["trades"]
    assert [trade["trade_id"] for trade in trades] == ["14", "13", "12", "11", "10"]
    assert [trade["exchange_timestamp"] for trade in trades] == [
        format_timestamp(time) for time in times[::-1]
    ]
    assert [trade["state"] for trade in trades] == [
        "valid", "valid", "corrected", "cancelled", "valid",
    ]  # fmt: skip
    assert trades[0] == {
        "trade_id": "14", "price": 104, "size": 100, "venue": "XNAS", "feed": "f",
        "exchange_timestamp": format_timestamp(times[4]),
        "server_timestamp": format_timestamp(times[4]),
        "conditions": [], "counts_for": ["last", "open", "high_low", "volume"], "state": "valid",
        "new_trade_id": None, "original_price": None, "original_size": None,
        "changed_timestamp": None,
    }  # fmt: skip
    corrected, cancelled = trades[2], trades[3]
    assert (corrected["price"], corrected["size"], corrected["new_trade_id"]) == (250, 7, "50")
    assert (corrected["original_price"], corrected["original_size"]) == (102, 100)
    assert corrected["counts_for"] == ["volume"]
    assert corrected["changed_timestamp"] == format_timestamp(DAY + 7 * E9)
    assert (cancelled["price"], cancelled["changed_timestamp"]) == (
        101,
        format_timestamp(DAY + 6 * E9),
    )
    assert [one["trade_id"] for one in get(rig, "/trades/AAPL?limit=2")[1]["trades"]] == [
        "14",
        "13",
    ]
    assert get(rig, "/trades/AAPL?venue=ARCX")[1]["trades"] == []
    assert len(get(rig, "/trades/AAPL?venue=XNAS")[1]["trades"]) == 5


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/trades/NOSUCH", 404, "No feed has 'NOSUCH'"),
        ("/trades/AAPL?limit=0", 400, "from 1 to 1000"),
        ("/trades/AAPL?limit=1001", 400, "from 1 to 1000"),
        ("/trades/AAPL?venue=nasdaq", 400, "like XNAS"),
        ("/trades/AAPL?since=1", 400, "known: limit, venue"),
    ],
)
def test_what_is_wrong_is_named(rig: Any, path: str, status: int, said: str) -> None:
    rig.row("AAPL")
    code, problem = get(rig, path)
    assert code == status
    assert said in problem["detail"]


def test_a_symbol_without_trades_has_none(rig: Any) -> None:
    rig.row("NEW")
    assert get(rig, "/trades/NEW") == (200, {"symbol": "NEW", "trades": []})


def of_feeds(*count: int) -> list[tuple[str, Any, Calls, Market]]:
    made = []
    for number in count:
        mapping = private_feed(Geometry(rows=8, rings=2, ring_capacity=4096), 1, number)
        market = Market(mapping, venue=("XNAS", "ARCX")[number])
        made.append((f"feed{number}", mapping, Calls(market), market))
    return made


@pytest.mark.parametrize("seed", range(20))
def test_equal_to_trades_that_are_kept_beside(seed: int) -> None:
    """Random trades, cancels and corrections of two venues, with changes of changed trades."""
    chance = random.Random(seed)
    feeds = of_feeds(0, 1)
    rows = [calls.define(1, "AAPL") for _, _, calls, _ in feeds]
    others = [calls.define(2, "MSFT") for _, _, calls, _ in feeds]
    kept: list[dict[str, Any]] = []
    for step in range(300):
        number = chance.randrange(2)
        _, _, calls, market = feeds[number]
        now = DAY + step * E9
        mine = [one for one in kept if one["feed"] == number and one["state"] != "cancelled"]
        if mine and chance.random() < 0.3:
            one = chance.choice(mine)
            if chance.random() < 0.5:
                calls.break_trade(rows[number], one["id"], now)
                one["state"] = "cancelled"
            else:
                one["original"] = one.get("original", one["figures"])
                one["figures"] = (chance.randrange(90, 110) * E9, chance.randrange(1, 900))
                price, size = one["figures"]
                calls.correct_trade(rows[number], one["id"], price, size, now)
                one["state"] = "corrected"
        else:
            figures = (chance.randrange(90, 110) * E9, chance.randrange(1, 900))
            flags = chance.choice(
                [TRADE_REGULAR, TRADE_EXTENDED | TRADE_COUNTS_VOLUME | TRADE_SETS_RANGE]
            )
            calls.trade(rows[number], *figures, 1000 + step, flags, now, now)
            kept.append({"feed": number, "id": 1000 + step, "figures": figures, "state": "valid"})
        calls.trade(others[number], 5 * E9, 1, 5000 + step, TRADE_REGULAR, now, now)
        market.publish(now)
    found = recent_trades([(name, mapping) for name, mapping, _, _ in feeds], "AAPL", 1000)
    assert [(one["feed"], one["trade_id"], one["state"]) for one in found] == [
        (f"feed{one['feed']}", one["id"], one["state"]) for one in kept[::-1]
    ]
    for one, expected in zip(found, kept[::-1], strict=True):
        assert (one["price"], one["size"]) == expected["figures"]
        if expected["state"] == "corrected":
            assert (one["original_price"], one["original_size"]) == expected["original"]


def test_a_trade_is_followed_through_its_numbers(rig: Any) -> None:
    """Each correction gives it another number; the cancel names the last one."""
    rig.row("FIRST")
    row = rig.row("AAPL")
    for match in (1, 2):
        put(rig, row, TRADE, 100, match)
    for match, new in ((1, 11), (2, 22)):
        put(rig, row, CORRECTED, 101, match, seq=new)
    put(rig, row, CORRECTED, 102, 22, seq=222)
    put(rig, row, CANCELLED, 101, 11)
    second, first = get(rig, "/trades/AAPL")[1]["trades"]
    assert (second["trade_id"], second["state"], second["price"]) == ("2", "corrected", 102)
    assert second["new_trade_id"] == "222"
    assert (first["trade_id"], first["state"], first["price"]) == ("1", "cancelled", 101)
