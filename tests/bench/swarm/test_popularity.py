"""Popularity of symbols: draws by weight, watchlists of clients, an order of trades."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.bench.swarm.popularity import Draw, parse, trade_order, weights
from ticker.bench.swarm.symbols import symbol_names
from ticker.bench.swarm.watchlist import Watchlists

POPULARITIES = ("uniform", "zipf", "zipf:1.4", "hot", "hot:3")


def test_what_a_popularity_may_be() -> None:
    assert parse("uniform") == ("uniform", 0.0)
    assert parse("zipf") == ("zipf", 1.0)
    assert parse("zipf:1.1") == ("zipf", 1.1)
    assert parse("hot") == ("hot", 0)
    assert parse("hot:250") == ("hot", 250)


@pytest.mark.parametrize(
    "text", ["", "zip", "zipf:", "zipf:0", "zipf:nan", "zipf:9", "uniform:2", "hot:0", "hot:x"]
)
def test_what_it_may_not_be(text: str) -> None:
    with pytest.raises(ValueError, match="uniform, zipf"):
        parse(text)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 1 << 40), min_size=1, max_size=40), st.integers(0, 1 << 63))
def test_draws_are_different_and_leave_nothing_behind(weights: list[int], seed: int) -> None:
    draw = Draw(weights)
    first = draw.take(seed, len(weights))
    assert sorted(first) == list(range(len(weights)))
    assert draw.take(seed, len(weights)) == first


def test_draws_follow_the_weights() -> None:
    draw = Draw([60, 30, 9, 1])
    counted = Counter(draw.take(seed, 1)[0] for seed in range(10_000))
    assert counted[0] == pytest.approx(6000, rel=0.05)
    assert counted[1] == pytest.approx(3000, rel=0.08)
    assert counted[3] == pytest.approx(100, rel=0.5)
    # the second of two, where the first one took away its weight: 60/100 * 30/40 + 30/100 * ...
    seconds = Counter(draw.take(seed, 2)[1] for seed in range(10_000))
    expected = 0.6 * 30 / 40 + 0.09 * 30 / 91 + 0.01 * 30 / 99
    assert seconds[1] / 10_000 == pytest.approx(expected, rel=0.06)


def test_more_symbols_than_there_are() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        Draw([1, 1, 1, 1]).take(1, 5)


@pytest.mark.parametrize("popularity", POPULARITIES)
@pytest.mark.parametrize(("symbols", "per_client"), [(40, 7), (9, 8), (2, 1)])
def test_a_list_has_different_symbols_and_their_places(
    popularity: str, symbols: int, per_client: int
) -> None:
    names = symbol_names(symbols)
    lists = Watchlists(names, 30, per_client, popularity=popularity)
    for client in range(30):
        mine = lists.symbols_of(client)
        assert len(set(mine)) == per_client
        assert [lists.place_of(client, symbol) for symbol in mine] == list(range(per_client))
        for other in {*names, "NONE"} - set(mine):
            assert lists.place_of(client, other) == -1


@pytest.mark.parametrize("popularity", POPULARITIES)
def test_lists_follow_from_a_clients_number(popularity: str) -> None:
    """However processes share the clients: the last ten are the same by themselves."""
    names = symbol_names(50)
    whole = Watchlists(names, 30, 4, popularity=popularity)
    part = Watchlists(names, 10, 4, first_client=20, popularity=popularity)
    assert [part.symbols_of(client) for client in range(10)] == [
        whole.symbols_of(client) for client in range(20, 30)
    ]


def test_zipf_subscribers_fall_with_rank() -> None:
    lists = Watchlists(symbol_names(100), 5000, 1, popularity="zipf:1.1")
    counted = Counter(lists.symbols_of(client)[0] for client in range(5000))
    names = symbol_names(100)
    share = [weight / sum(weights("zipf:1.1", 100)) for weight in weights("zipf:1.1", 100)]
    for rank in (0, 1, 4):
        assert counted[names[rank]] / 5000 == pytest.approx(share[rank], rel=0.15)
    assert counted[names[0]] > 8 * counted[names[9]]
    seeded = Watchlists(symbol_names(100), 5, 3, popularity="zipf:1.1", seed=2)
    other = Watchlists(symbol_names(100), 5, 3, popularity="zipf:1.1", seed=1)
    assert [seeded.symbols_of(c) for c in range(5)] != [other.symbols_of(c) for c in range(5)]


def test_one_hot_symbol_has_the_subscribers_that_were_asked_for() -> None:
    names = symbol_names(31)
    everyone = Watchlists(names, 60, 1, popularity="hot")
    assert Counter(everyone.symbols_of(c)[0] for c in range(60)) == {names[0]: 60}
    some = Watchlists(names, 60, 2, popularity="hot:20")
    counted = Counter(symbol for c in range(60) for symbol in some.symbols_of(c))
    assert counted.pop(names[0]) == 20
    assert sum(counted.values()) == 100
    assert max(counted.values()) - min(counted.values()) <= 2
    with pytest.raises(ValueError, match="3 of 2 symbols that are not the hot one"):
        Watchlists(symbol_names(3), 60, 3, popularity="hot:20")


def test_trades_come_in_the_order_of_their_weight() -> None:
    order = trade_order([8, 4, 2, 1, 1])
    counted = Counter(order)
    assert [counted[symbol] for symbol in range(5)] == [160, 80, 40, 20, 20]
    places = [place for place, symbol in enumerate(order) if symbol == 0]
    gaps = [after - before for before, after in pairwise(places)]
    assert max(gaps) <= 4, "a symbol's trades are evenly spread"


def test_a_symbol_that_hardly_trades_still_does() -> None:
    counted = Counter(trade_order(weights("zipf:2", 500)))
    assert counted.keys() == set(range(500))
    assert counted[0] > 10_000
