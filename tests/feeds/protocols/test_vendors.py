"""Polygon, Alpaca, Coinbase and Kraken, each by its shipped mapping alone, from WebSocket servers
that speak as theirs do: greeting, authentication, subscriptions, data, heartbeats, and an end.

The dialogues are written after the vendors' documentation; the data has the form of the samples.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from tests.feeds.json.kraken_books import book, checksum
from tests.feeds.protocols.json_feed import E6, E8
from tests.feeds.streams import config, listening, serving, until, websocket_app
from ticker import units
from ticker.shm.counters import Counters
from ticker.shm.table import PriceTable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_attempts")]


class Talk:
    """One connection from the server's side; what it hears that was not expected fails the test."""

    def __init__(self, socket: web.WebSocketResponse, number: int) -> None:
        self.socket = socket
        self.number = number
        """Of the connection, from 1."""

    async def say(self, *texts: Any) -> None:
        for text in texts:
            await self.socket.send_str(json.dumps(text))

    async def send(self, text: str) -> None:
        """A text as it is written."""
        await self.socket.send_str(text)

    async def hear(self, *expected: Any) -> None:
        for each in expected:
            heard = await self.socket.receive()
            assert heard.type is WSMsgType.TEXT, heard
            assert json.loads(heard.data) == each

    async def stay(self) -> None:
        """Until the other side leaves."""
        while not self.socket.closed:
            await self.socket.receive()


Speak = Callable[[Talk], Any]


class Vendor:
    """A server that speaks so; what went wrong on its side."""

    def __init__(self, speak: Speak) -> None:
        self.speak = speak
        self.connections = 0
        self.wrong: list[BaseException] = []

    def app(self) -> web.Application:
        async def talk(socket: web.WebSocketResponse) -> None:
            self.connections += 1
            try:
                await self.speak(Talk(socket, self.connections))
            except AssertionError as error:
                self.wrong.append(error)

        return websocket_app(talk)


def play(speak: Speak, done: Callable[[Any], bool], **keys: Any) -> tuple[dict[str, Any], Vendor]:
    """Connect a feed to a vendor until its rows are `done`; rows and counters at the end."""
    vendor = Vendor(speak)
    found: dict[str, Any] = {}

    async def run() -> None:
        async with serving(vendor.app()) as address:
            feed = config(f"ws://{address}/", **{"heartbeat": 5.0, **keys})
            async with listening(feed) as (stream, _):
                mapping = stream.pipeline.mapping
                counts = Counters(mapping)

                def look() -> bool:
                    if vendor.wrong:
                        raise vendor.wrong[0]
                    found.update(rows=dict(rows(PriceTable(mapping))), counts=counts.as_dict())
                    return done(found)

                await until(look)

    asyncio.run(run())
    return found, vendor


def rows(table: PriceTable) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in range(len(table)):
        values = table.values(row)
        assert values is not None
        prices = {
            name: units.format_price(values[name]) if values[name] else None
            for name in ("price", "bid", "ask", "high")
        }
        yield table.symbol(row), {**values, **prices}


def row(found: Any, symbol: str) -> Any:
    return found["rows"].get(symbol, {})


# Polygon


async def polygon(talk: Talk) -> None:
    status = {"ev": "status", "status": "success"}
    await talk.say([{"ev": "status", "status": "connected", "message": "Connected Successfully"}])
    await talk.hear({"action": "auth", "params": "K"})
    await talk.say([{"ev": "status", "status": "auth_success", "message": "authenticated"}])
    await talk.hear({"action": "subscribe", "params": "T.AAPL,Q.AAPL,T.MSFT,Q.MSFT"})
    await talk.say(
        [{**status, "message": f"subscribed to: {each}"} for each in ("T.AAPL", "Q.AAPL")]
    )
    n = talk.number
    time = 1_651_684_192_000 + n
    trade = {"ev": "T", "sym": "AAPL", "x": 4, "z": 3, "c": [14]}
    await talk.say(
        [
            {**trade, "i": f"a{n}", "p": 160 + n, "s": 100, "t": time, "q": 10 * n},
            {**trade, "i": f"b{n}", "p": 170 + n, "s": 7, "c": [37], "t": time, "q": 10 * n + 1},
        ],
        [{"ev": "Q", "sym": "AAPL", "bx": 4, "bp": 160.5, "bs": 3, "ax": 7, "ap": 161.25, "as": 2,
          "t": time, "q": 10 * n + 2, "z": 3}],
    )  # fmt: skip
    if n == 2:
        await talk.stay()


def test_polygon() -> None:
    """Data after the subscriptions, again on a second connection; an odd lot sets no price."""
    found, vendor = play(
        polygon,
        lambda found: row(found, "AAPL").get("volume") == 214 * E6 and row(found, "AAPL")["bid"],
        mapping="polygon",
        credentials={"key": "K"},
    )
    aapl = row(found, "AAPL")
    assert (aapl["price"], aapl["high"], aapl["trades"]) == ("162", "162", 4)
    assert (aapl["bid"], aapl["bid_size"], aapl["ask"], aapl["ask_size"]) == (
        "160.5", 300 * E6, "161.25", 200 * E6,
    )  # fmt: skip
    assert vendor.connections == 2


# Alpaca


async def alpaca(talk: Talk) -> None:
    await talk.say([{"T": "success", "msg": "connected"}])
    await talk.hear({"action": "auth", "key": "K", "secret": "S"})
    await talk.say([{"T": "success", "msg": "authenticated"}])
    symbols = ["AAPL", "MSFT"]
    await talk.hear(
        {"action": "subscribe", "trades": symbols, "quotes": symbols, "statuses": symbols}
    )
    await talk.say([{"T": "subscription", "trades": symbols, "quotes": symbols, "bars": []}])
    n = talk.number
    time = f"2022-05-04T17:0{n}:32.123456789Z"
    trade = {"T": "t", "S": "AAPL", "x": "V", "s": 100, "c": ["@"], "z": "C", "t": time}
    await talk.say(
        [{**trade, "i": 10 * n, "p": 160 + n}, {**trade, "i": 10 * n + 1, "p": 99.5}],
        [{"T": "q", "S": "AAPL", "bx": "U", "bp": 160.5, "bs": 1, "ax": "R", "ap": 161.25, "as": 2,
          "c": ["R"], "z": "C", "t": time}],
        [{"T": "x", "S": "AAPL", "i": 10 * n + 1, "x": "V", "p": 99.5, "s": 100, "a": "C", "z": "C",
          "t": time}],
        [{"T": "s", "S": "AAPL", "sc": "H", "sm": "Halt", "rc": "T12", "t": time, "z": "C"}],
    )  # fmt: skip
    if n == 2:
        await talk.stay()


def test_alpaca() -> None:
    """Trades, quotes, a cancelled trade that takes back what it gave, and a halt."""
    found, vendor = play(
        alpaca,
        lambda found: row(found, "AAPL").get("price") == "162" and row(found, "AAPL")["status"] == 2
        and row(found, "AAPL")["volume"] == 200,
        mapping="alpaca",
        credentials={"key": "K", "secret": "S"},
    )  # fmt: skip
    aapl = row(found, "AAPL")
    assert (aapl["bid_size"], aapl["ask_size"], aapl["high"]) == (100, 200, "162")
    assert aapl["exchange_time"] == units.parse_timestamp("2022-05-04T17:02:32.123456789Z")
    assert vendor.connections == 2


# Coinbase


def level(side: str, price: str, quantity: str) -> dict[str, str]:
    time = "2026-04-07T14:30:01.456789Z"
    return {"side": side, "event_time": time, "price_level": price, "new_quantity": quantity}


async def coinbase(talk: Talk) -> None:
    """Its first connection loses a text, the second one is whole."""
    await talk.hear(
        {"type": "subscribe", "channel": "heartbeats"},
        {"type": "subscribe", "channel": "market_trades", "product_ids": ["BTC-USD"]},
        {"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"]},
    )
    n = talk.number
    now = {"client_id": "", "timestamp": "2026-04-07T14:30:01.456789Z"}
    book = {**now, "channel": "l2_data"}
    trade = {"product_id": "BTC-USD", "price": "68900.01", "size": "0.05", "side": "BUY",
             "time": f"2026-04-07T14:30:0{n}.8Z", "trade_id": str(n)}  # fmt: skip
    snapshot = [level("bid", "68900", "1.5"), level("bid", "68899.5", "2"),
                level("offer", "68901", "0.5"), level("offer", "68902", "3")]  # fmt: skip
    texts = [
        {**now, "channel": "subscriptions", "events": [{"subscriptions": {"level2": ["BTC-USD"]}}]},
        {**book, "events": [{"type": "snapshot", "product_id": "BTC-USD", "updates": snapshot}]},
        {**now, "channel": "market_trades", "events": [{"type": "update", "trades": [trade]}]},
        {**now, "channel": "heartbeats", "events": [{"heartbeat_counter": 1}]},
        {**book, "events": [{"type": "update", "product_id": "BTC-USD", "updates": [
            level("offer", "68901", "0"), level("bid", "68900", "0.25")]}]},
        {**book, "events": [{"type": "update", "product_id": "BTC-USD", "updates": [
            level("bid", "68900.5", "0.125")]}]},
    ]  # fmt: skip
    for number, text in enumerate(texts):
        if n == 1 and number == 4:
            continue
        await talk.say({**text, "sequence_num": number})
    await talk.stay()


def test_coinbase() -> None:
    """A gap in its numbers makes the book unsure: a new connection brings it whole again."""
    found, vendor = play(
        coinbase,
        lambda found: (
            row(found, "BTC-USD").get("ask") == "68902" and found["counts"]["trades"] == 2
        ),
        mapping="coinbase",
        symbols=("BTC-USD",),
    )
    coin = row(found, "BTC-USD")
    assert (coin["bid"], coin["bid_size"]) == ("68900.5", 12_500_000)
    assert (coin["ask_size"], coin["price"]) == (300_000_000, "68900.01")
    assert (found["counts"]["gaps"], found["counts"]["lost_messages"]) == (1, 1)
    assert vendor.connections == 2


# Kraken


async def kraken(talk: Talk) -> None:
    """On its second connection an update is lost; the book begins anew when it is asked for."""
    symbols = {"symbol": ["BTC/USD"]}
    channels: list[dict[str, Any]] = [
        {"channel": "trade", **symbols}, {"channel": "book", "depth": 10, **symbols}
    ]  # fmt: skip
    await talk.hear(*({"method": "subscribe", "params": each} for each in channels))
    await talk.hear({"method": "ping"})
    await talk.say({"method": "pong", "time_in": "2023-10-06T17:35:55.4Z"})
    await talk.say(
        *({"method": "subscribe", "result": {**each, "symbol": "BTC/USD"}, "success": True}
          for each in channels)
    )  # fmt: skip
    n = talk.number
    bids = [("105944.2", "0.13600000"), ("105935.4", "0.02400000")]
    asks = [("105944.3", "0.13600000"), ("105946.9", "0.09500000")]
    await talk.say({"channel": "status", "type": "update", "data": [{"system": "online"}]})
    await talk.send(book("snapshot", bids, asks, checksum(bids, asks)))
    await talk.say(
        {"channel": "heartbeat"},
        {"channel": "trade", "type": "update", "data": [
            {"symbol": "BTC/USD", "side": "buy", "price": 105944.3, "qty": 0.01,
             "ord_type": "limit", "trade_id": n, "timestamp": f"2023-10-06T17:35:5{n}.123456Z"}]},
    )  # fmt: skip
    asks = [("105944.3", "0.50000000"), asks[1]]
    change = [("105944.2", "0.00000000")]
    await talk.send(book("update", change, asks[:1], checksum(bids[1:], asks)))
    if n == 2:
        lost = [("105940.0", "1.00000000"), *bids[1:]]
        await talk.send(book("update", [], asks[:1], checksum(lost, asks)))
        again = {"channel": "book", "depth": 10, **symbols}
        await talk.hear({"method": "unsubscribe", "params": again})
        await talk.hear({"method": "subscribe", "params": again})
        await talk.send(book("snapshot", lost, asks, checksum(lost, asks)))
        await talk.stay()


def test_kraken() -> None:
    """Its own ping on every connection; a level that goes gives way to the next one; a book that
    differs from its checksum is asked for anew, and nothing else is."""
    found, vendor = play(
        kraken,
        lambda found: found["counts"]["trades"] == 2 and row(found, "BTC/USD")["bid"] == "105940",
        mapping="kraken",
        symbols=("BTC/USD",),
    )
    coin = row(found, "BTC/USD")
    assert (coin["bid_size"], coin["ask"], coin["ask_size"]) == (E8, "105944.3", 50_000_000)
    assert (coin["price"], coin["volume"]) == ("105944.3", 2_000_000)
    assert (found["counts"]["bad_checksums"], found["counts"]["bad_records"]) == (1, 0)
    assert vendor.connections == 2
