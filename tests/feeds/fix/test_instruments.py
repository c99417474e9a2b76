"""Which row an instrument has: two instruments are never one, and one is seldom two."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.fix.market_data import UNIT, Feed
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.fix import FixMarketData

APPLE = "48=US0378331005|22=4"
MICROSOFT = "48=US5949181045|22=4"


def trade(named: str, price: int) -> str:
    return f"X|268=1|279=0|269=2|{named}|270={price}|271=1"


def prices(feed: Feed) -> dict[str, float]:
    return {symbol: feed.row(symbol)["price"] / UNIT for symbol in feed.symbols}


def test_the_suffix_is_part_of_the_name() -> None:
    feed = Feed()
    for named, price in (("55=BRK|65=A", 7), ("65=B|55=BRK", 8), ("55=BRK", 9), ("55=BRK.B", 6)):
        feed.send(trade(named, price))
    assert prices(feed) == {"BRK.A": 7, "BRK.B": 6, "BRK": 9}


@pytest.mark.parametrize(
    ("symbology", "named", "symbol"),
    [
        ("cms", "55=BRK|65=A", "BRK.A"),
        ("cms", "55=BRK A", "BRK.A"),
        ("cms", "55=BAC|65=PR A", "BAC.PRA"),
        ("cms", "55=ABC|65=WI", "ABC.WI"),
        ("nasdaq", "55=BAC-A", "BAC.PRA"),
        ("nasdaq", "55=BRK.A|65=A", "BRK.A"),
        ("none", "55=BRK/A", "BRK/A"),
    ],
)
def test_the_name_is_canonical(symbology: str, named: str, symbol: str) -> None:
    feed = Feed(symbology=symbology)
    feed.send(trade(named, 7))
    feed.send(trade(named, 8))
    assert prices(feed) == {symbol: 8}


def test_a_security_id_names_what_has_no_symbol() -> None:
    feed = Feed()
    feed.send(f"W|55=[N/A]|{APPLE}|268=2|269=0|270=185|271=5|269=1|270=186|271=6")
    feed.send(f"W|55=[N/A]|{MICROSOFT}|268=1|269=0|270=410|271=7")
    feed.send(
        f"X|268=3|279=0|269=2|55=[N/A]|{APPLE}|270=185.5|271=1"
        f"|279=0|269=2|55=[N/A]|{MICROSOFT}|270=411|271=1|279=0|269=1|270=412|271=2"
    )
    assert prices(feed) == {"US0378331005": 185.5, "US5949181045": 411}
    assert feed.top("US0378331005") == (185 * UNIT, 5, 186 * UNIT, 6)
    assert feed.top("US5949181045") == (410 * UNIT, 7, 412 * UNIT, 2)


@pytest.mark.parametrize("named", ["55=[N/A]", "55=N/A", "55=", "65=A", "22=4", "200=202606"])
def test_what_names_nothing_has_no_price(named: str) -> None:
    """Nor the price of the entry before it."""
    feed = Feed()
    feed.send(f"X|268=2|279=0|269=2|55=S|270=9|271=1|279=0|269=2|{named}|270=10|271=1")
    assert prices(feed) == {"S": 9}
    assert feed.counter("unknown_symbols") == feed.counter("rejected_unknown_symbol") == 1


def test_an_entry_that_says_nothing_has_the_instrument_before_it() -> None:
    feed = Feed()
    feed.send(
        f"X|268=3|279=0|269=2|55=[N/A]|{APPLE}|270=9|271=1|279=0|269=2|270=10|271=1"
        "|279=0|269=0|55=S|270=3|271=1"
    )
    assert prices(feed) == {"US0378331005": 10, "S": 0}


def test_the_same_id_of_two_sources_is_two_instruments() -> None:
    feed = Feed()
    for source, price in ((8, 7), (99, 8), (8, 9)):
        feed.send(trade(f"55=[N/A]|48=1234567|22={source}", price))
    assert prices(feed) == {"1234567": 9, "1234567~99": 8}


def test_a_symbol_and_an_id_that_are_written_alike_are_two_instruments() -> None:
    feed = Feed()
    feed.send(trade(f"55=[N/A]|{APPLE}", 7))
    feed.send(trade("55=US0378331005", 8))
    assert prices(feed) == {"US0378331005": 7}
    assert feed.counter("unknown_symbols") == 1
    feed = Feed()
    feed.send(trade("55=US0378331005", 8))
    feed.send(trade(f"55=[N/A]|{APPLE}", 7))
    assert prices(feed) == {"US0378331005": 8, "US0378331005~4": 7}


def test_one_symbol_with_two_ids_is_two_instruments() -> None:
    feed = Feed()
    feed.send(trade(f"55=X|{APPLE}", 7))
    feed.send(trade(f"55=X|{MICROSOFT}", 8))
    feed.send(trade(f"55=X|{APPLE}", 9))
    assert prices(feed) == {"X": 9, "X~US5949181045": 8}
    feed.send(trade("55=X", 10))
    assert prices(feed) == {"X": 9, "X~US5949181045": 8}, "which of them is not said"
    assert feed.counter("unknown_symbols") == 1


def test_maturities_strikes_and_exchanges_tell_apart() -> None:
    feed = Feed()
    named = {
        "55=ES|200=202606|167=FUT": "ES",
        "55=ES|200=202609|167=FUT": "ES~202609~FUT",
        "55=AAPL|200=202606|205=19|201=1|202=150": "AAPL",
        "55=AAPL|200=202606|205=19|201=1|202=155": "AAPL~20260619~C155",
        "55=AAPL|541=20260619|201=0|202=155": "AAPL~20260619~P155",
        "55=VOD|207=XLON": "VOD",
        "55=VOD|207=XNAS": "VOD~XNAS",
    }
    for price, text in enumerate(named, 1):
        feed.send(trade(text, price))
    assert prices(feed) == {symbol: price for price, symbol in enumerate(named.values(), 1)}


def test_what_a_message_leaves_out_may_be_anything() -> None:
    """A venue says more of an instrument in its snapshot than in its updates, or less."""
    feed = Feed()
    feed.send("W|55=CL|48=00A0|22=99|200=201606|207=CME|268=1|269=2|270=32|271=3")
    feed.send(trade("55=CL", 33))
    feed.send(trade("55=CL|200=201606", 34))
    feed.send(trade("55=CL|48=00A0|22=99", 35))
    feed.send(trade("48=00A0|22=99", 36))
    assert prices(feed) == {"CL": 36}
    feed.send(trade("55=AAPL", 7))
    feed.send(trade(f"55=AAPL|{APPLE}", 8))
    feed.send(trade("55=AAPL|48=037833100|22=1", 9))
    assert prices(feed) == {"CL": 36, "AAPL": 9}


def test_a_name_that_two_have_is_refused_from_then_on() -> None:
    feed = Feed()
    feed.send(trade("55=ES", 1))
    feed.send(trade("55=ES|200=202606", 2))
    feed.send(trade("55=ES", 3))
    assert prices(feed) == {"ES": 3}, "it may be described better now"
    feed.send(trade("55=ES|200=202609", 4))
    feed.send(trade("55=ES", 5))
    assert prices(feed) == {"ES": 3, "ES~202609": 4}
    assert feed.counter("unknown_symbols") == 1


@pytest.mark.parametrize("symbol", ["A B", "\x7f", "ABCDEFGHIJKLMNOPQRSTUVWX", "Ä"])
def test_what_cannot_be_a_symbol(symbol: str) -> None:
    feed = Feed()
    feed.send(trade(f"55={symbol}", 1))
    assert feed.symbols == []
    assert (feed.counter("unknown_symbols"), feed.counter("bad_records")) == (1, 1)
    assert feed.counter("table_full") == 0


def test_a_full_table_refuses_the_rest_and_stays_quick() -> None:
    feed = Feed(rows=4)
    for number in range(5000):
        feed.send(trade(f"55=S{number}", 1))
    assert feed.symbols == ["S0", "S1", "S2", "S3"]
    assert feed.counter("unknown_symbols") == 4996
    feed.send(trade("55=S3", 2))
    assert prices(feed)["S3"] == 2


def successor(feed: Feed) -> Feed:
    """Another process goes on with the rows of this one."""
    other = Feed.__new__(Feed)
    other.mapping, other.table = feed.mapping, feed.table
    other.market = Market(feed.mapping, venue="XXXX")
    other.decoder = FixMarketData(other.market)
    other.market.adopt_rows(rebuild=False)
    return other


def test_a_successor_keeps_them_apart() -> None:
    """In whichever order it meets them."""
    feed = Feed()
    feed.send(trade("55=ES|200=202606", 1))
    feed.send(trade("55=ES|200=202609", 2))
    feed.send(trade(f"55=[N/A]|{APPLE}", 3))
    other = successor(feed)
    other.send(trade("55=ES", 9))
    other.send(trade("55=ES|200=202609", 4))
    other.send(trade("55=ES|200=202606", 5))
    other.send(trade("55=ES|200=202612", 6))
    other.send(trade(f"55=[N/A]|{APPLE}", 7))
    assert prices(other) == {"ES": 5, "ES~202609": 4, "US0378331005": 7, "ES~202612": 6}
    assert other.counter("unknown_symbols") == 1


PARTS = {
    55: ["A", "B", "[N/A]"],
    65: ["A", "B"],
    48: ["1", "2"],
    22: ["4", "8"],
    200: ["202606", "202609"],
    207: ["XNAS", "XLON"],
}
NAMES = st.fixed_dictionaries({}, optional={tag: st.sampled_from(PARTS[tag]) for tag in PARTS})


@settings(max_examples=400)
@given(st.lists(NAMES, min_size=1, max_size=8))
def test_two_that_differ_in_what_both_say_are_never_one_row(names: list[dict[int, str]]) -> None:
    feed = Feed()
    rows: dict[str, list[dict[int, str]]] = {}
    for price, name in enumerate(names, 1):
        before = prices(feed)
        feed.send(trade("|".join(f"{tag}={value}" for tag, value in name.items()) or "58=x", price))
        changed = [symbol for symbol, now in prices(feed).items() if before.get(symbol) != now]
        assert len(changed) <= 1
        for symbol in changed:
            for other in rows.setdefault(symbol, []):
                assert alike(name, other), (symbol, name, other)
            rows[symbol].append(name)


def alike(one: dict[int, str], other: dict[int, str]) -> bool:
    """Whether two messages may mean one instrument: by symbol and suffix, or by id and source."""
    by_symbol = [name.get(55, "[N/A]") != "[N/A]" for name in (one, other)]
    both = {tag for tag in one if tag in other}
    if all(by_symbol):
        if one[55] != other[55] or one.get(65) != other.get(65):
            return False
        if any(one[tag] != other[tag] for tag in both & {200, 207}):
            return False
        return 48 not in both or one[48] == other[48] or one.get(22) != other.get(22)
    if any(by_symbol):
        # One says the symbol, the other an id that the first has said.
        return True
    return one.get(48) == other.get(48) and (22 not in both or one[22] == other[22])
