"""`ticker rejects`, and /status beside it: read by another process while a feed serves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ticker.cli import main
from ticker.config.filter import FilterConfig
from ticker.feeds.calls import TRADE_REGULAR, Calls
from ticker.feeds.market.market import Market
from ticker.gateway.rest.status import SHOWN_REJECTS, Status
from ticker.shm.header import KIND_FEED
from ticker.shm.segment import Geometry, attach, create_feed, feed_name, remove
from ticker.supervisor.names import take_name

E9 = 1_000_000_000
CONFIG = """
[server]
instance = "{instance}"
[[feeds]]
name = "one"
protocol = "itch50"
venue = "XNAS"
lines = ["239.192.0.1:26477"]
[[feeds]]
name = "two"
protocol = "itch50"
venue = "XBOS"
lines = ["239.192.0.3:26477"]
"""


@pytest.fixture
def instance() -> Iterator[str]:
    """Two feeds' segments; the first has refused 30 older trades, a bad price and an unknown."""
    name = f"rejects{os.getpid()}"
    segments = [feed_name(name, feed) for feed in ("one", "two")]
    try:
        for segment in segments:
            create_feed(segment, Geometry(rows=4, rings=1, ring_capacity=8), 7, 1)
        market = Market(attach(segments[0], KIND_FEED, writable=True), venue="XNAS")
        calls = Calls(market)
        calls.trade(calls.define(1, "AAPL"), 5 * E9, 1, 0, TRADE_REGULAR, 100 * E9, 100 * E9)
        for second in range(30):
            calls.trade(0, 4 * E9, 3, 0, TRADE_REGULAR, second * E9, 200 * E9)
        calls.trade(0, 0, 3, 0, TRADE_REGULAR, 300 * E9, 200 * E9)
        calls.refuse_unknown("NOSUCH", E9, 2, 8, E9, E9)
        with take_name(name):
            yield name
    finally:
        for segment in segments:
            remove(segment)


def rejects(tmp_path: Path, instance: str, *options: str) -> Result:
    config = tmp_path / "ticker.toml"
    config.write_text(CONFIG.format(instance=instance))
    return CliRunner().invoke(main, ["rejects", "--config", str(config), *options])


def test_table(tmp_path: Path, instance: str) -> None:
    lines = rejects(tmp_path, instance, "--last", "2").output.splitlines()
    older = "AAPL 4 3 the last sale was at 1970-01-01T00:01:40.000000Z"
    assert [" ".join(line.split()) for line in lines] == [
        "one: 1 bad_price",
        "1970-01-01T00:05:00.000000Z AAPL 0 3 not more than 0",
        "one: 30 older",
        f"1970-01-01T00:00:28.000000Z {older}",
        f"1970-01-01T00:00:29.000000Z {older}",
        "one: 1 unknown_symbol",
        "1970-01-01T00:00:01.000000Z NOSUCH 1 2 not a symbol that this feed has, or has room for",
        "two: nothing refused or held",
    ]


def test_what_is_held_is_seen_until_it_is_settled(tmp_path: Path, instance: str) -> None:
    segment = attach(feed_name(instance, "two"), KIND_FEED, writable=True)
    market = Market(segment, venue="XBOS", rules=FilterConfig(max_ahead=0))
    calls = Calls(market)
    for key, symbol in enumerate(("IBM", "MSFT")):
        calls.define(key, symbol)
        calls.trade(key, 5 * E9, 1, 0, TRADE_REGULAR, 100 * E9, 100 * E9)
        calls.trade(key, 9 * E9, 4, 0, TRADE_REGULAR, 101 * E9, 101 * E9)
    market.publish(101 * E9)

    def held() -> list[str]:
        table = rejects(tmp_path, instance, "--feed", "two").output.splitlines()
        return [" ".join(line.split()) for line in table]

    waits = "9 4 from 5: waits for a trade or a quote that agrees"
    assert held() == [
        "two: 2 held",
        f"1970-01-01T00:01:41.000000Z IBM {waits}",
        f"1970-01-01T00:01:41.000000Z MSFT {waits}",
    ]
    calls.trade(0, 9 * E9, 4, 0, TRADE_REGULAR, 102 * E9, 102 * E9)
    calls.trade(1, 5 * E9, 4, 0, TRADE_REGULAR, 102 * E9, 102 * E9)
    market.publish(102 * E9)
    assert held() == [
        "two: 1 unconfirmed_jump",
        "1970-01-01T00:01:41.000000Z MSFT 9 4 from 5, and the next was 5",
    ]
    shown = rejects(tmp_path, instance, "--feed", "two", "--rule", "held", "--json").output
    assert json.loads(shown) == {"two": {}}


def test_json_of_one_feed_and_rule(tmp_path: Path, instance: str) -> None:
    options = ("--json", "--feed", "one", "--rule", "older", "--last", "100")
    found = json.loads(rejects(tmp_path, instance, *options).output)
    assert list(found) == ["one"]
    assert list(found["one"]) == ["older"]
    older = found["one"]["older"]
    assert (older["count"], len(older["last"])) == (30, 30)
    assert older["last"][-1] == {
        "rule": "older",
        "symbol": "AAPL",
        "price": "4",
        "size": "3",
        "exchange_timestamp": "1970-01-01T00:00:29.000000Z",
        "server_timestamp": "1970-01-01T00:03:20.000000Z",
        "trade": 0,
        "reason": "the last sale was at 1970-01-01T00:01:40.000000Z",
    }


def test_what_is_not_there_is_named(tmp_path: Path, instance: str) -> None:
    result = rejects(tmp_path, instance, "--feed", "three")
    assert result.exit_code == 3
    assert "no such feed; known: one, two" in result.output
    result = rejects(tmp_path, instance, "--instance", "nobody")
    assert result.exit_code == 4
    assert "no server runs as instance 'nobody'" in result.output


def test_status_shows_the_newest(instance: str) -> None:
    mapping = attach(feed_name(instance, "one"), KIND_FEED)
    (report,) = Status([("one", mapping)], version="1", epoch=7).feed_reports(300 * E9)
    counts = {rule: said["count"] for rule, said in report.rejects.items()}
    assert counts == {"bad_price": 1, "older": 30, "unknown_symbol": 1}
    newest = report.rejects["older"]["last"]
    assert isinstance(newest, list)
    assert len(newest) == SHOWN_REJECTS
    assert newest[-1]["exchange_timestamp"] == "1970-01-01T00:00:29.000000Z"
