"""GET /movers, and /symbols page by page."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from tests.gateway.rest.test_gaps import get
from ticker.gateway.movers.ranking import percent
from ticker.gateway.prices.board import Board
from ticker.gateway.rest.movers import Movers
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter

E9 = 1_000_000_000
NOW = 1_774_794_600 * E9


def moved(rig: Any, symbol: str, base: int, price: int, volume: int) -> None:
    row = rig.row(symbol)
    rig.quote(row, previous_close=base * E9, volume=volume)
    rig.trade(row, price * E9)


def test_gainers_losers_and_most_active(rig: Any) -> None:
    for symbol, base, price, volume in (
        ("UP", 100, 110, 5), ("DOWN", 100, 95, 50), ("SAME", 100, 100, 500),
        ("FAR", 100, 150, 1), ("LOW", 100, 50, 7),
    ):  # fmt: skip
        moved(rig, symbol, base, price, volume)
    rig.row("NEW")
    row = rig.row("TODAY")  # no previous close: since its open
    rig.quote(row, open=200 * E9)
    rig.trade(row, 220 * E9)
    status, found = get(rig, "/movers")
    assert status == 200
    assert [each["symbol"] for each in found["gainers"]] == ["FAR", "UP", "TODAY"]
    assert [each["symbol"] for each in found["losers"]] == ["LOW", "DOWN"]
    assert [each["symbol"] for each in found["most_active"]] == ["SAME", "DOWN", "LOW", "UP", "FAR"]
    far = found["gainers"][0]
    assert (far["price"], far["base"], far["change"], far["change_percent"]) == (150, 100, 50, 50)
    assert found["losers"][1]["change_percent"] == -5
    assert len(get(rig, "/movers?limit=1")[1]["gainers"]) == 1
    for path, said in (("/movers?limit=0", "from 1 to 100"), ("/movers?top=1", "known: limit")):
        status, problem = get(rig, path)
        assert (status, said in problem["detail"]) == (400, True)


def test_of_many_equal_to_a_sort() -> None:
    chance = random.Random(3)
    feed = private_feed(Geometry(rows=512, rings=1, ring_capacity=8), 1, 1)
    table = TableWriter(feed)
    figures = {}
    for number in range(400):
        name = f"S{number}"
        base, price = chance.randrange(1, 500) * E9 // 7, chance.randrange(1, 500) * E9 // 7
        volume = chance.randrange(1, 10**6)
        row = table.add(name, "XNAS")
        table.put(row, previous_close=base, price=price, volume=volume, exchange_time=NOW, seq=1)
        figures[name] = (Decimal(price - base) / base, volume)
    times = iter([0, 10, 2 * E9])
    movers = Movers(Board([("f", feed)]), lambda: NOW, lambda: next(times))
    found: Any = movers.lists(20, lambda symbol: not symbol.endswith("7"))
    seen = [name for name in figures if not name.endswith("7")]
    by_change = sorted(seen, key=lambda name: figures[name][0])
    assert [each["symbol"] for each in found["gainers"]] == by_change[::-1][:20]
    assert [each["symbol"] for each in found["losers"]] == by_change[:20]
    by_volume = sorted(seen, key=lambda name: -figures[name][1])
    assert [each["symbol"] for each in found["most_active"]] == by_volume[:20]
    table.put(0, price=10**6 * E9)
    for expected in (False, True):  # ranked once a second
        first: Any = movers.lists(1, lambda _: True)
        assert (first["gainers"][0]["symbol"] == "S0") is expected


def test_a_symbol_that_turned_since_the_ranking_hides_no_other() -> None:
    feed = private_feed(Geometry(rows=16, rings=1, ring_capacity=8), 1, 1)
    table = TableWriter(feed)
    for number, price in enumerate((90, 80, 70, 60)):
        row = table.add(f"S{number}", "XNAS")
        table.put(row, previous_close=50 * E9, price=price * E9, exchange_time=NOW, seq=1)
    movers = Movers(Board([("f", feed)]), lambda: NOW, lambda: 0)
    assert len(ranked_names(movers)) == 4
    table.put(0, price=40 * E9)
    assert ranked_names(movers) == ["S1", "S2", "S3"]


def ranked_names(movers: Movers) -> list[str]:
    found: Any = movers.lists(10, lambda _: True)
    return [each["symbol"] for each in found["gainers"]]


@pytest.mark.parametrize(
    ("change", "base", "shown"),
    [
        (1, 3, "33.3333"),
        (-1, 3, "-33.3333"),
        (2, 3, "66.6667"),
        (0, 5, "0"),
        (7, 1, "700"),
        (9**11, 1, "3138105960900"),
    ],
)
def test_percents_have_four_decimals(change: int, base: int, shown: str) -> None:
    assert percent(change * E9, base * E9) == shown


def test_symbols_page_by_page(rig: Any) -> None:
    names = [*(f"A{number:02}" for number in range(37)), "BA", "CA1"]
    for name in random.Random(1).sample(names, len(names)):
        rig.row(name)
    for query in ("", "&q=a", "&q=A0"):
        whole = get(rig, f"/symbols?limit=1000{query}")[1]
        assert whole["next"] is None
        found: list[str] = []
        after = ""
        while True:
            status, page = get(rig, f"/symbols?limit=7{query}{after}")
            assert (status, page["total"]) == (200, whole["total"])
            found += [each["symbol"] for each in page["symbols"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert found == [each["symbol"] for each in whole["symbols"]]
    gone = get(rig, "/symbols?limit=2&after=A035")[1]  # between two that are there
    assert [each["symbol"] for each in gone["symbols"]] == ["A04", "A05"]
