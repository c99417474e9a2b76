"""JSON by mapping: the two plain dialects, every sample by configuration alone, and any bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker import units
from ticker.errors import FeedError
from ticker.feeds.mapping import Mapping, load_mapping, parse_mapping, shipped
from ticker.feeds.market import Market
from ticker.feeds.protocols.json import Json
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

E8 = 10**8


class JsonFeed:
    """A market behind a mapping: texts in, rows out."""

    def __init__(self, mapping: str | Mapping, *, raw: bool = False) -> None:
        loaded = load_mapping(mapping) if isinstance(mapping, str) else mapping
        self.segment = private_feed(Geometry(rows=64, rings=1, ring_capacity=1 << 14), 1, 1)
        self.market = Market(self.segment, raw=raw, size_exponent=loaded.size_decimals)
        self.protocol = Json(self.market, mapping=loaded)
        self.table = PriceTable(self.segment)
        self.now = 1_700_000_000_000_000_000

    def send(self, *texts: bytes | str | Any) -> None:
        for text in texts:
            if not isinstance(text, (bytes, str)):
                text = json.dumps(text)
            self.protocol.decode(text if isinstance(text, bytes) else text.encode(), self.now)
        self.market.publish(self.now)

    def row(self, symbol: str) -> dict[str, int]:
        return dict(self.rows())[symbol]

    def rows(self) -> Iterator[tuple[str, dict[str, int]]]:
        for row in range(len(self.table)):
            values = self.table.values(row)
            assert values is not None
            yield self.table.symbol(row), values

    def counter(self, name: str) -> int:
        return Counters(self.segment)[name]

    def reasons(self) -> dict[tuple[str, str], int]:
        return {(skip.rule, skip.reason): skip.times for skip in self.protocol.skipped()}


def price(text: str) -> int:
    return units.parse_price(text)


def ns(text: str) -> int:
    return units.parse_timestamp(text)


# The two dialects of the mission


def test_plain_dialect() -> None:
    feed = JsonFeed("plain")
    feed.send('{"sym":"AAPL","px":178.52,"ts":1701432000000}')
    row = feed.row("AAPL")
    assert row["price"] == price("178.52")
    assert row["exchange_time"] == 1_701_432_000_000_000_000
    assert (row["volume"], row["seq"]) == (0, 1)


def test_last_price_dialect() -> None:
    """A REST snapshot is asked for again and again: the same sale counts once."""
    feed = JsonFeed("lastprice")
    text = '{"symbol":"AAPL","lastPrice":"178.52","timestamp":"2025-12-01T10:00:00Z"}'
    feed.send(text, text, f"[{text}]")
    row = feed.row("AAPL")
    assert row["price"] == price("178.52")
    assert row["exchange_time"] == ns("2025-12-01T10:00:00Z")
    assert (row["volume"], row["seq"]) == (0, 1)
    assert feed.reasons() == {("last", "repeated"): 2}


@given(st.decimals(min_value="0.000000001", max_value="100000", places=9))
def test_decimals_stay_exact(value: Decimal) -> None:
    feed = JsonFeed("plain")
    feed.send(f'{{"sym":"X","px":{value},"ts":1}}')
    assert feed.row("X")["price"] == int(value * 10**9)


# The samples


def test_polygon_stream(samples: Path) -> None:
    feed = JsonFeed("polygon")
    feed.send(*(samples / "json/polygon/ws_messages.jsonl").read_bytes().splitlines())
    aapl, amzn = feed.row("AAPL"), feed.row("AMZN")
    assert (aapl["price"], aapl["volume"]) == (price("161.87"), 300)
    assert aapl["exchange_time"] == 1_651_684_192_462_000_000
    # The first AMZN print is an odd lot: it counts for volume, and sets no price.
    assert (amzn["price"], amzn["volume"], amzn["size"]) == (price("161.87"), 101, 100)
    assert amzn["exchange_time"] == 1_651_684_192_717_000_000
    assert feed.protocol.taken["trade"] == 3
    assert feed.reasons() == {("", "no rule for it"): 4}


def test_polygon_rest(samples: Path) -> None:
    folder = samples / "json/polygon"
    feed = JsonFeed("polygon")
    feed.send((folder / "v2_last_nbbo_AAPL.json").read_bytes())
    row = feed.row("AAPL")
    assert (row["bid"], row["bid_size"]) == (price("155.65"), 100)
    assert (row["ask"], row["ask_size"]) == (price("155.66"), 1400)
    assert row["quote_time"] == 1_652_192_754_171_619_000

    feed = JsonFeed("polygon", raw=True)
    feed.send((folder / "v2_last_trade_AAPL.json").read_bytes())
    row = feed.row("AAPL")
    assert (row["price"], row["size"]) == (price("166.25"), 2)
    assert row["exchange_time"] == 1_651_179_319_308_000_000
    assert feed.protocol.taken["last quote"] == 0


@pytest.mark.parametrize(
    "name",
    [
        "v2_snapshot_locale_us_markets_stocks_gainers.json",
        "v2_snapshot_locale_us_markets_stocks_tickers_index.json",
        "v2_snapshot_locale_us_markets_stocks_tickers_AAPL.json",
    ],
)
def test_polygon_snapshots(samples: Path, name: str) -> None:
    text = (samples / "json/polygon" / name).read_bytes()
    feed = JsonFeed("polygon")
    feed.send(text)
    body = json.loads(text, parse_float=Decimal)
    tickers = body.get("tickers") or [body["ticker"]]
    assert len(dict(feed.rows())) == len(tickers)
    for each in tickers:
        row, last, quote = feed.row(each["ticker"]), each["lastTrade"], each["lastQuote"]
        assert row["price"] == int(last["p"] * 10**9)
        assert row["exchange_time"] == last["t"]
        assert row["bid"] == int(quote["p"] * 10**9)
        assert row["ask_size"] == quote["S"] * 100
        assert row["previous_close"] == int(each["prevDay"]["c"] * 10**9)


def test_polygon_pages(samples: Path) -> None:
    """Texts that don't say their symbol: it was asked for."""
    folder = samples / "json/polygon"
    text = (folder / "v3_trades_AAPL_limit_2.json").read_bytes()
    feed = JsonFeed("polygon")
    feed.send(text)
    assert feed.reasons() == {("trade of a page", "no usable symbol"): 2}
    feed.protocol.asked_for("AAPL")
    feed.send(text)
    # Form T and odd lots: for volume only. One id at two venues is two trades.
    row = feed.row("AAPL")
    assert (row["price"], row["volume"], row["trades"]) == (0, 20, 2)

    page = json.loads((folder / "v3_quotes_AAPL.json").read_bytes(), parse_float=Decimal)
    feed = JsonFeed("polygon")
    feed.protocol.asked_for("AAPL")
    feed.send((folder / "v3_quotes_AAPL.json").read_bytes())
    row, last = feed.row("AAPL"), page["results"][-1]
    assert feed.protocol.taken["quote of a page"] == len(page["results"])
    assert (row["bid"], row["ask"]) == (
        price(str(last["bid_price"])),
        price(str(last["ask_price"])),
    )
    assert (row["bid_size"], row["ask_size"]) == (last["bid_size"] * 100, last["ask_size"] * 100)

    feed = JsonFeed("polygon")
    feed.send((folder / "v2_aggs_ticker_AAPL_prev.json").read_bytes())
    assert feed.row("AAPL")["previous_close"] == price("156.8")
    assert feed.reasons() == {}


def test_every_polygon_sample_is_used(samples: Path) -> None:
    """All but the market's status, which is of no symbol, has a rule."""
    for path in (samples / "json/polygon").glob("*.json"):
        feed = JsonFeed("polygon")
        feed.protocol.asked_for("AAPL")
        feed.send(path.read_bytes())
        unused = feed.reasons() == {("", "no rule for it"): 1}
        assert unused == (path.name == "v1_marketstatus_now.json"), path.name


def test_alpaca_stream(samples: Path) -> None:
    feed = JsonFeed("alpaca", raw=True)
    feed.send(*(samples / "json/alpaca/ws_messages.jsonl").read_bytes().splitlines())
    row = feed.row("AAPL")
    assert (row["price"], row["volume"]) == (price("177.79"), 90)
    assert row["exchange_time"] == 10_000_000_010
    row = feed.row("SPIP")
    assert (row["bid"], row["bid_size"]) == (price("25.41"), 3500)
    assert (row["ask"], row["ask_size"]) == (price("25.43"), 3500)
    assert feed.row("STRR")["status"] == 1
    assert feed.protocol.taken["cancel"] == 1
    assert feed.reasons() == {("", "no rule for it"): 2}


def test_alpaca_odd_lots_set_no_price(samples: Path) -> None:
    feed = JsonFeed("alpaca")
    feed.send(*(samples / "json/alpaca/ws_messages.jsonl").read_bytes().splitlines())
    row = feed.row("AAPL")
    assert (row["price"], row["volume"]) == (0, 90)


def test_alpaca_cancels_and_corrections() -> None:
    trade = {"T": "t", "S": "A", "x": "V", "p": 10.5, "s": 100, "c": ["@"], "z": "C"}
    feed = JsonFeed("alpaca")
    feed.send(
        [{**trade, "i": 1, "t": "2026-01-05T15:00:00Z"}],
        [{**trade, "i": 2, "t": "2026-01-05T15:00:01Z", "p": 11}],
    )
    assert feed.row("A")["price"] == price("11")
    cancel = {"T": "x", "S": "A", "i": 2, "p": 11, "s": 100, "t": "2026-01-05T15:00:02Z"}
    feed.send([{**cancel, "x": "P"}])  # another venue's trade 2
    assert feed.row("A")["price"] == price("11")
    feed.send([{**cancel, "x": "V"}])
    assert (feed.row("A")["price"], feed.row("A")["volume"]) == (price("10.5"), 100)
    feed.send(
        [{"T": "c", "S": "A", "x": "V", "oi": 1, "op": 10.5, "os": 100, "ci": 3, "cp": 10.25,
          "cs": 50, "z": "C", "t": "2026-01-05T15:00:03Z"}]
    )  # fmt: skip
    assert (feed.row("A")["price"], feed.row("A")["volume"]) == (price("10.25"), 50)


def test_alpaca_rest(samples: Path) -> None:
    text = gzip.decompress((samples / "json/alpaca/rest_trades_AAPL.json.gz").read_bytes())
    feed = JsonFeed("alpaca", raw=True)
    feed.send(text)
    trades = json.loads(text)["trades"]["AAPL"]
    row = feed.row("AAPL")
    assert row["volume"] == sum(each["s"] for each in trades)
    assert (row["price"], row["trades"]) == (price("140"), len(trades))
    assert row["exchange_time"] == ns(trades[-1]["t"])


def test_coinbase(samples: Path) -> None:
    folder = samples / "json/nautilus"
    feed = JsonFeed("coinbase")
    feed.send((folder / "coinbase_ws_market_trades.json").read_bytes())
    row = feed.row("BTC-USD")
    assert (row["price"], row["size"]) == (price("68900"), 5_000_000)
    assert (row["volume"], row["trades"]) == (5_150_000, 2)
    assert row["exchange_time"] == ns("2026-04-07T14:30:02.8Z")
    assert feed.table.size_exponent(0) == 8

    feed.protocol.connected()
    feed.send((folder / "coinbase_ws_l2_data_snapshot.json").read_bytes())
    assert feed.market.depth("BTC-USD", 0) == [
        (price("68900"), 150_000_000), (price("68899.5"), 75_000_000),
        (price("68899"), 230_000_000),
    ]  # fmt: skip
    feed.send((folder / "coinbase_ws_l2_data_update.json").read_bytes())
    row = feed.row("BTC-USD")
    assert (row["bid"], row["bid_size"]) == (price("68900"), 2 * E8)
    assert (row["ask"], row["ask_size"]) == (price("68901.5"), 120_000_000)
    assert feed.counter("gaps") == 0

    feed = JsonFeed("coinbase")
    for name in ("subscriptions", "heartbeats", "ticker"):
        feed.protocol.connected()
        feed.send((folder / f"coinbase_ws_{name}.json").read_bytes())
    row = feed.row("BTC-USD")
    assert (row["price"], row["volume"]) == (price("68900.5"), 0)
    assert (row["bid"], row["ask"]) == (price("68900"), price("68901"))
    assert (row["bid_size"], row["ask_size"]) == (150_000_000, 50_000_000)
    assert feed.reasons() == {("", "no rule for it"): 2}


def test_kraken_stream(samples: Path) -> None:
    folder = samples / "json/nautilus"
    feed = JsonFeed("kraken")
    feed.send((folder / "kraken_ws_trade_update.json").read_bytes())
    row = feed.row("BTC/USD")
    assert (row["price"], row["size"]) == (price("105910.5"), 12_460)
    assert (row["volume"], row["high"]) == (40_085, price("105944.2"))
    assert row["exchange_time"] == ns("2023-10-06T17:35:56.123456Z")
    feed.send((folder / "kraken_ws_book_snapshot.json").read_bytes())
    row = feed.row("BTC/USD")
    assert (row["bid"], row["bid_size"]) == (price("105944.2"), 13_600_000)
    assert (row["ask"], row["ask_size"]) == (price("105944.3"), 13_600_000)
    feed.send((folder / "kraken_ws_book_update.json").read_bytes())
    assert feed.row("BTC/USD")["bid_size"] == 25_000_000

    feed = JsonFeed("kraken")
    feed.send((folder / "kraken_ws_ticker_snapshot.json").read_bytes())
    row = feed.row("BTC/USD")
    assert (row["price"], row["bid_size"]) == (price("105899.4"), 250_000_000)


def test_kraken_rest(samples: Path) -> None:
    text = (samples / "json/nautilus/kraken_http_trades.json").read_bytes()
    feed = JsonFeed("kraken")
    feed.send(text)
    trades = json.loads(text, parse_float=Decimal)["result"]["XBTUSDT"]
    row = feed.row("XBTUSDT")
    assert row["trades"] == len(trades)
    assert row["volume"] == int(sum(Decimal(each[1]) for each in trades) * E8)
    assert row["price"] == price(trades[-1][0])
    assert row["exchange_time"] == int(trades[-1][2] * 10**9)
    assert row["high"] == max(price(each[0]) for each in trades)
    assert row["low"] == min(price(each[0]) for each in trades)


# The mapping's own words


def mapping(text: str) -> Mapping:
    return parse_mapping(text)


FULL = """
sequence = "n"
[[records]]
name = "trade"
kind = "trade"
path = "d[]?"
where = { k = ["t", 7, true], gone = { present = false } }
symbol = ["s", "$.s"]
price = "p"
size = "q"
time = "t"
time_unit = "%s"
sequence = "i"
sequence_gaps = true
"""


@pytest.mark.parametrize(
    ("unit", "time", "expected"),
    [
        ("s", 1_700_000_000, 1_700_000_000 * 10**9),
        ("s", "1700000000.123456789", 1_700_000_000_123_456_789),
        ("ms", 1_700_000_000_123, 1_700_000_000_123 * 10**6),
        ("us", 1_700_000_000_123_456, 1_700_000_000_123_456 * 10**3),
        ("ns", "1700000000123456789", 1_700_000_000_123_456_789),
        ("iso", "2023-11-14T22:13:20.5Z", 1_700_000_000_500_000_000),
    ],
)
def test_units_of_time(unit: str, time: object, expected: int) -> None:
    feed = JsonFeed(mapping(FULL % unit))
    feed.send({"d": {"k": "t", "s": "A", "p": "1", "q": 1, "t": time, "i": 1}})
    assert feed.row("A")["exchange_time"] == expected


def test_rules_of_one_path_keep_the_order_of_the_text() -> None:
    """Trades of two rules in turn: none comes too late because the other rule was first."""
    feed = JsonFeed("alpaca")
    trade = {"T": "t", "S": "A", "x": "V", "s": 100, "c": ["@"]}
    feed.send(
        [
            {**trade, "i": n, "p": n, "z": tape, "t": f"2022-05-04T17:00:0{n}Z"}
            for n, tape in enumerate("CABCA", 1)
        ]
    )
    assert (feed.row("A")["trades"], feed.counter("rejected_older")) == (5, 0)


def test_where_and_fallbacks() -> None:
    feed = JsonFeed(mapping(FULL % "s"))
    record = {"p": 1, "q": 1, "t": 1}
    feed.send(
        {"s": "OUT", "d": [{**record, "k": 7, "i": 1}, {**record, "k": True, "s": "IN", "i": 1}]},
        {"s": "OUT", "d": {**record, "k": "t", "s": None, "i": 2}},
        {"s": "NO", "d": {**record, "k": "x"}},
        {"s": "NO", "d": {**record, "k": "t", "gone": 0}},
        {"s": "NO", "d": record},
    )
    assert {symbol: row["trades"] for symbol, row in feed.rows()} == {"OUT": 2, "IN": 1}
    assert feed.counter("unknown_types") == 3


def test_gaps_in_the_connection_are_counted() -> None:
    feed = JsonFeed(mapping(FULL % "s"))
    feed.send({"n": 5}, {"n": 6}, {"n": "9"}, {"n": 9}, {"n": 10}, {"other": 1})
    assert (feed.counter("gaps"), feed.counter("lost_messages")) == (1, 2)
    assert feed.counter("duplicate_messages") == 1
    feed.protocol.connected()
    feed.send({"n": 0}, {"n": 1})
    assert (feed.counter("gaps"), feed.counter("duplicate_messages")) == (1, 1)


def test_gaps_within_a_symbol_are_counted() -> None:
    feed = JsonFeed(mapping(FULL % "s"))
    for symbol, number in [("A", 1), ("B", 8), ("A", 2), ("A", 2), ("A", 5), ("B", 9)]:
        feed.send({"d": {"k": "t", "s": symbol, "p": 1, "q": 1, "t": number, "i": number}})
    assert (feed.counter("gaps"), feed.counter("gap_messages")) == (1, 2)
    assert feed.reasons() == {("trade", "repeated"): 1}
    assert {symbol: row["trades"] for symbol, row in feed.rows()} == {"A": 3, "B": 2}


def test_what_is_skipped_is_told() -> None:
    feed = JsonFeed(mapping(FULL % "s"))
    good = {"k": "t", "s": "A", "p": 1, "q": 1, "t": 1, "i": 1}
    bad: list[tuple[str, object]] = [
        ("symbol", None), ("symbol", ""), ("symbol", "A B"), ("symbol", "A" * 25),
        ("symbol", ["A"]), ("symbol", "Ä"), ("price", "x"), ("price", None), ("price", "1e-12"),
        ("size", -1), ("size", True), ("time", "soon"), ("time", None), ("sequence", "x"),
    ]  # fmt: skip
    keys = {"symbol": "s", "price": "p", "size": "q", "time": "t", "sequence": "i"}
    for field, value in bad:
        feed.send({"d": {**good, keys[field]: value}})
    feed.send(b"{", b"\xff", b"[]")
    expected = {("", "no JSON"): 2, ("", "no rule for it"): 1}
    for field, _ in bad:
        name = ("trade", f"no usable {field}")
        expected[name] = expected.get(name, 0) + 1
    assert feed.reasons() == expected
    assert feed.counter("bad_texts") == 2
    assert feed.counter("bad_records") == len(bad)
    assert sum(row["trades"] for _, row in feed.rows()) == 0
    example = next(skip.example for skip in feed.protocol.skipped() if "price" in skip.reason)
    assert '"1e-12"' in example


def test_a_broken_text_changes_nothing() -> None:
    """A text is taken whole or not at all, wherever it breaks."""
    text = b'[{"sym":"A","px":1,"ts":1},{"sym":"B","px":2,"ts":1}]'
    feed = JsonFeed("plain")
    for end in range(len(text)):
        feed.send(text[:end])
    assert dict(feed.rows()) == {}
    assert feed.counter("bad_texts") == len(text)
    feed.send(text)
    assert len(dict(feed.rows())) == 2


def test_symbols_with_escapes_and_order_of_fields() -> None:
    feed = JsonFeed("coinbase")
    feed.send(
        rb'{"events":[{"trades":[{"time":"2026-01-01T00:00:00Z","size":"1","price":"2.50",'
        rb'"product_id":"A\u0042C","trade_id":"1"}]}],"sequence_num":1,"channel":"market_trades"}'
    )
    assert feed.row("ABC")["price"] == price("2.5")


def test_a_mapping_is_needed() -> None:
    with pytest.raises(FeedError, match="needs a mapping"):
        Json(Market(private_feed(Geometry(rows=4, rings=1, ring_capacity=16), 1, 1)))


def test_full_table() -> None:
    feed = JsonFeed("plain")
    for number in range(70):
        feed.send({"sym": f"S{number}", "px": 1, "ts": 1})
    assert len(dict(feed.rows())) == 64
    assert feed.reasons() == {("trade", "table full"): 6}


# Any bytes

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(
    ["A", "1.5", "2026-01-01T00:00:00Z", "market_trades", "l2_data", "snapshot", "bid", "T", "t"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["ev", "sym", "p", "s", "t", "c", "T", "S", "events", "trades", "data", "channel", "type",
     "product_id", "price", "size", "time", "updates", "result", "tickers", "lastTrade", "bids"]
)  # fmt: skip
TEXTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)


@pytest.mark.parametrize("name", shipped())
def test_any_bytes_are_events_or_counted(name: str) -> None:
    feed = JsonFeed(name)
    sent = 0

    @given(st.binary(max_size=100) | TEXTS)
    def check(text: object) -> None:
        nonlocal sent
        sent += 1
        feed.send(text)

    check()
    counted = feed.counter("bad_texts") + feed.counter("unknown_types")
    assert 0 < counted <= sent


@given(st.binary(max_size=300))
def test_random_bytes_change_no_price(data: bytes) -> None:
    feed = JsonFeed("polygon")
    feed.send(b'[{"ev":"T","sym":"A","i":"1","x":1,"p":10,"s":1,"t":1}]')
    before = dict(feed.rows())
    feed.send(data)
    assert dict(feed.rows()) == before


# Venues


def venues_mapping(more: str = "") -> Mapping:
    """Trades and quotes that may name their venue."""
    return parse_mapping(f"""
[[records]]
name = "trade"
kind = "trade"
where = {{ k = "t" }}
symbol = "s"
price = "p"
size = "z"
id = "i"
venue = "v"
{more}
[[records]]
name = "quote"
kind = "quote"
where = {{ k = "q" }}
symbol = "s"
bid = "b"
ask = "a"
venue = "v"
[[records]]
name = "break"
kind = "break"
where = {{ k = "b" }}
symbol = "s"
id = "i"
venue = "v"
""")


def by_venue(more: str = "") -> JsonFeed:
    return JsonFeed(venues_mapping(more))


def sale(venue: str | None, number: int, paid: float = 10, symbol: str = "AAPL") -> dict[str, Any]:
    record = {"k": "t", "s": symbol, "p": paid, "z": 100, "i": number}
    return record if venue is None else {**record, "v": venue}


def places(feed: JsonFeed) -> list[tuple[str, str, int]]:
    table = feed.table
    return [
        (table.symbol(row), table.venue(row), (table.values(row) or {})["volume"])
        for row in range(len(table))
    ]


def test_a_symbol_has_a_row_on_each_venue_that_is_named() -> None:
    feed = by_venue()
    feed.send(sale("XNAS", 1), sale("BATS", 1, 11), sale("BATS", 2, 12), sale(None, 1))
    assert places(feed) == [("AAPL", "XNAS", 100), ("AAPL", "BATS", 200), ("AAPL", "", 100)]
    feed.send({"k": "q", "s": "AAPL", "b": 9, "a": 10, "v": "BATS"})
    bids = [(feed.table.values(row) or {})["bid"] for row in range(3)]
    assert bids == [0, price("9"), 0]


def test_a_break_is_of_the_venue_that_it_names() -> None:
    feed = by_venue()
    feed.send(sale("XNAS", 1), sale("BATS", 1), {"k": "b", "s": "AAPL", "i": 1, "v": "BATS"})
    assert places(feed) == [("AAPL", "XNAS", 100), ("AAPL", "BATS", 0)]
    assert feed.counter("breaks") == 1


@pytest.mark.parametrize("code", ["4", "Q", "nasd", "XNASX", ""])
def test_a_vendors_own_code_is_no_venue(code: str) -> None:
    feed = by_venue()
    feed.send(sale(code, 1), sale(None, 2))
    assert places(feed) == [("AAPL", "", 200)]


def test_numbers_over_all_venues_keep_one_row() -> None:
    feed = by_venue('sequence = "n"\nsequence_gaps = true')
    feed.send({**sale("XNAS", 1), "n": 1}, {**sale("BATS", 2), "n": 2})
    assert places(feed) == [("AAPL", "", 200)]
    assert feed.counter("lost_messages") == 0


def test_a_successor_finds_the_rows_of_each_venue() -> None:
    feed = by_venue()
    feed.send(sale("XNAS", 1), sale("BATS", 2))
    successor = Market(feed.segment)
    successor.adopt_rows(rebuild=False)
    feed.market = successor
    feed.protocol = Json(successor, mapping=venues_mapping())
    feed.send(sale("BATS", 3), sale("XNAS", 4))
    assert places(feed) == [("AAPL", "XNAS", 200), ("AAPL", "BATS", 200)]
