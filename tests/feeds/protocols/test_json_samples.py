"""JSON by mapping: the two plain dialects, every sample by configuration alone."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.protocols.json_feed import E6, E8, JsonFeed, ns, price


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
    assert (aapl["price"], aapl["volume"]) == (price("161.87"), 300 * E6)
    assert aapl["exchange_time"] == 1_651_684_192_462_000_000
    # The first AMZN print is an odd lot: it counts for volume, and sets no price.
    assert (amzn["price"], amzn["volume"], amzn["size"]) == (price("161.87"), 101 * E6, 100 * E6)
    assert amzn["exchange_time"] == 1_651_684_192_717_000_000
    assert feed.protocol.taken["trade"] == 3
    assert feed.reasons() == {("", "no rule for it"): 4}


def test_polygon_rest(samples: Path) -> None:
    folder = samples / "json/polygon"
    feed = JsonFeed("polygon")
    feed.send((folder / "v2_last_nbbo_AAPL.json").read_bytes())
    row = feed.row("AAPL")
    assert (row["bid"], row["bid_size"]) == (price("155.65"), 100 * E6)
    assert (row["ask"], row["ask_size"]) == (price("155.66"), 1400 * E6)
    assert row["quote_time"] == 1_652_192_754_171_619_000

    feed = JsonFeed("polygon", raw=True)
    feed.send((folder / "v2_last_trade_AAPL.json").read_bytes())
    row = feed.row("AAPL")
    assert (row["price"], row["size"]) == (price("166.25"), 2 * E6)
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
        assert row["ask_size"] == quote["S"] * 100 * E6
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
    assert (row["price"], row["volume"], row["trades"]) == (0, 20 * E6, 2)

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
    lots = (last["bid_size"], last["ask_size"])
    assert (row["bid_size"], row["ask_size"]) == tuple(each * 100 * E6 for each in lots)

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
    assert feed.reasons() == {("", "no rule for it"): 1}


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
