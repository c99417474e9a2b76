"""REST over a real server and a real board, by the client protocol."""

import asyncio
import json
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from ticker.gateway.prices.board import Board
from ticker.gateway.prices.directory import SymbolDirectory
from ticker.gateway.rest.http import make_app
from ticker.gateway.rest.page import FILES
from ticker.gateway.rest.serving.runner import Runner
from ticker.gateway.rest.status import Status
from ticker.shm import segment
from ticker.shm.counters import LIVE, STALE, Counters, Heartbeat
from ticker.shm.header import KIND_GATEWAY
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter
from ticker.units import parse_price, parse_timestamp

NOW = parse_timestamp("2026-03-30T14:30:02Z")
TRADED = parse_timestamp("2026-03-30T14:30:01.234567891Z")
GEOMETRY = Geometry(rows=64, rings=1, ring_capacity=8)
FIELDS = [
    "symbol",
    "price",
    "currency",
    "exchange_timestamp",
    "server_timestamp",
    "size",
    "venue",
    "volume",
    "trades",
    "open",
    "high",
    "low",
    "official_close",
    "previous_close",
    "extended_price",
    "extended_timestamp",
    "bid",
    "bid_size",
    "bid_venue",
    "ask",
    "ask_size",
    "ask_venue",
    "seq",
    "status",
    "stale",
    "trading_status",
]


class Box:
    """Two feeds with a few symbols in private memory, and the application over them."""

    def __init__(self) -> None:
        self.nasdaq = private_feed(GEOMETRY, 7, NOW)
        self.arca = private_feed(GEOMETRY, 7, NOW)
        self.feeds = [("nasdaq", self.nasdaq), ("arca", self.arca)]
        self.writer = TableWriter(self.nasdaq)
        other = TableWriter(self.arca)
        for mapping in (self.nasdaq, self.arca):
            heartbeat = Heartbeat(mapping)
            heartbeat.take_over(1, NOW)
            heartbeat.set_state(LIVE)
        self.add(
            "AAPL",
            price="185.43",
            size=100,
            volume=9_007_199_254_740_993,
            trades=41,
            seq=42,
            open="185",
            high="186.1",
            low="184.123456789",
            previous_close="184.9",
            bid="185.42",
            bid_size=300,
            ask="185.44",
            ask_size=200,
            status=1,
        )
        self.add("MSFT", price="0.0001")
        self.add("MSFU")
        row = other.add("AAPL", "ARCX")
        other.put(row, price=parse_price("185.4"), exchange_time=TRADED - 10**9, seq=8)
        self.board = Board(self.feeds)
        self.board.look(NOW)
        self.counters: Counters | None = None
        self.directory: SymbolDirectory | None = None
        self.status = Status(self.feeds, required=["nasdaq"], version="1.2.3", epoch=7)

    def add(self, symbol: str, **values: int | str) -> None:
        row = self.writer.add(symbol, "XNAS")
        numbers = {
            name: parse_price(value) if isinstance(value, str) else value
            for name, value in values.items()
        }
        if "price" in numbers:
            numbers.update(exchange_time=TRADED, receive_time=TRADED + 1000, publish_time=NOW)
        self.writer.put(row, **numbers)

    def ask(self, path: str, method: str = "GET", **options: object) -> "Answer":
        return self.ask_all([(method, path, options)])[0]

    def ask_all(self, requests: list[tuple[str, str, dict[str, Any]]]) -> "list[Answer]":
        async def run() -> list[Answer]:
            app = make_app(
                self.board,
                self.status,
                counters=self.counters,
                clock=lambda: NOW,
                max_symbols=5,
                directory=self.directory,
            )
            runner = Runner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            try:
                async with ClientSession(f"http://{host}:{port}") as client:
                    return [await self._one(client, *request) for request in requests]
            finally:
                await runner.cleanup()

        return asyncio.run(run())

    async def _one(
        self, client: ClientSession, method: str, path: str, options: dict[str, Any]
    ) -> "Answer":
        async with client.request(method, path, **options) as response:
            return Answer(response.status, response.headers, await response.read())


class Answer:
    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> dict[str, Any]:
        """The body with every number as the Decimal of its digits."""
        found: dict[str, Any] = json.loads(self.body, parse_float=Decimal, parse_int=Decimal)
        return found

    def problem(self) -> tuple[int, str]:
        """Status and code, after a look at the form of RFC 9457."""
        content = self.json()
        assert self.headers["Content-Type"] == "application/problem+json"
        assert content["status"] == self.status
        assert content["type"] == f"urn:ticker:problem:{content['code']}"
        assert content["title"] and len(content["detail"]) > 15
        return self.status, content["code"]


@pytest.fixture
def box() -> Box:
    return Box()


def test_a_price_has_every_field_and_the_digits_of_the_tick(box: Box) -> None:
    answer = box.ask("/prices/AAPL")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    price = answer.json()
    assert list(price) == FIELDS
    assert b'"price":185.43,' in answer.body
    assert b'"low":184.123456789,' in answer.body
    assert b'"open":185,' in answer.body
    assert price["exchange_timestamp"] == "2026-03-30T14:30:01.234567Z"
    assert price["server_timestamp"] == "2026-03-30T14:30:01.234568Z"
    assert (price["venue"], price["currency"], price["status"]) == ("XNAS", "USD", "live")
    assert price["trading_status"] == "trading"
    assert (price["seq"], price["stale"]) == (50, False)
    assert price["volume"] == 9_007_199_254_740_993  # beyond what a float can hold


def test_what_is_not_known_is_null(box: Box) -> None:
    price = box.ask("/prices/MSFT").json()
    assert price["price"] == Decimal("0.0001")
    absent = {"open", "high", "low", "previous_close"}
    absent |= {"bid", "bid_size", "bid_venue", "ask", "ask_size", "ask_venue"}
    assert {name: price[name] for name in absent} == dict.fromkeys(absent)


def test_one_venue_by_itself(box: Box) -> None:
    answers = box.ask_all(
        [
            ("GET", "/prices/AAPL?venue=ARCX", {}),
            ("GET", "/prices/MSFT?venue=ARCX", {}),
            ("GET", "/prices/AAPL?venue=arcx", {}),
            ("GET", "/prices?symbols=AAPL,MSFT&venue=ARCX", {}),
        ]
    )
    assert answers[0].json()["price"] == Decimal("185.4")
    assert answers[0].json()["venue"] == "ARCX"
    assert answers[1].problem() == (404, "not_on_venue")
    assert answers[2].problem() == (400, "bad_parameter")
    assert answers[2].json()["field"] == "venue"
    several = answers[3].json()
    assert [price["symbol"] for price in several["prices"]] == ["AAPL"]
    assert (several["unknown"], several["not_on_venue"]) == ([], ["MSFT"])


def test_an_unknown_symbol_is_not_one_without_a_price(box: Box) -> None:
    answers = box.ask_all(
        [
            ("GET", "/prices/NOPE", {}),
            ("GET", "/prices/MSFU", {}),
            ("GET", "/prices/aapl", {}),
        ]
    )
    assert answers[0].problem() == (404, "unknown_symbol")
    assert answers[1].problem() == (404, "no_price_yet")
    assert answers[2].problem() == (404, "unknown_symbol")
    assert "did you mean AAPL?" in answers[2].json()["detail"]


def test_several_prices_keep_their_order(box: Box) -> None:
    answer = box.ask("/prices?symbols=MSFT,NOPE,AAPL,MSFU,MSFT").json()
    assert [price["symbol"] for price in answer["prices"]] == ["MSFT", "AAPL"]
    assert answer["unknown"] == ["NOPE"]
    assert answer["no_price_yet"] == ["MSFU"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/prices", "symbols"),
        ("/prices?symbols=", "symbols"),
        ("/prices?symbols=AAPL,,MSFT", "symbols"),
        ("/prices?symbols=A,B,C,D,E,F", "symbols"),
        ("/prices?symbols=A&symbols=B", "symbols"),
        ("/prices?symbol=AAPL", "symbol"),
        ("/prices/AAPL?venu=XNAS", "venu"),
        ("/prices/AAPL?venue=", "venue"),
        ("/symbols?limit=0", "limit"),
        ("/symbols?symbols=", "symbols"),
        ("/symbols?limit=1e3", "limit"),
        ("/symbols?limit=99999999999999999999", "limit"),
        ("/symbols?limit=%D9%A3", "limit"),
        ("/symbols?q=" + "A" * 65, "q"),
        ("/status?pretty=1", "pretty"),
        ("/healthz?x", "x"),
    ],
)
def test_a_wrong_parameter_is_named(box: Box, path: str, field: str) -> None:
    answer = box.ask(path)
    assert answer.problem() == (400, "bad_parameter")
    assert answer.json()["field"] == field
    assert answer.json()["detail"].startswith(field)


def test_symbols_are_found_by_their_letters(box: Box) -> None:
    def found(query: str) -> list[str]:
        return [entry["symbol"] for entry in box.ask("/symbols" + query).json()["symbols"]]

    for symbol in ("SF", "ASF"):
        box.add(symbol)
    assert found("?q=sf") == ["SF", "ASF", "MSFT", "MSFU"]
    assert found("?q=sf&limit=1") == ["SF"]
    assert found("?q=zz") == []
    assert found("") == ["AAPL", "ASF", "MSFT", "MSFU", "SF"]


def test_a_symbol_that_comes_later_is_found(box: Box) -> None:
    box.add("LATE", price="1")
    assert box.ask("/prices/LATE").json()["price"] == 1


def test_status_tells_of_feeds_and_readiness(box: Box) -> None:
    status = box.ask("/status").json()
    assert (status["version"], status["epoch"], status["ready"]) == ("1.2.3", 7, True)
    feed = status["feeds"][0]
    assert (feed["name"], feed["state"], feed["required"]) == ("nasdaq", "live", True)
    assert (feed["symbols"], feed["heartbeat_age"], feed["lag"]) == (3, 0, None)


def test_ready_when_every_required_feed_is(box: Box) -> None:
    assert box.ask("/healthz").status == 200
    assert box.ask("/readyz").status == 200
    heartbeat = Heartbeat(box.nasdaq)
    heartbeat.set_state(STALE)
    assert box.ask("/readyz").status == 200, "its last prices are served, marked stale"
    empty = private_feed(GEOMETRY, 7, NOW)
    box.status = Status([("nasdaq", empty)], required=["nasdaq"], version="1", epoch=7)
    answer = box.ask("/readyz")
    assert answer.problem() == (503, "not_ready")
    assert answer.json()["feeds"] == {"nasdaq": "starting"}
    assert answer.headers["Retry-After"] == "1"
    box.status = Status([("nasdaq", empty)], version="1", epoch=7)
    assert box.ask("/readyz").status == 200, "this feed is not required"


def test_other_methods_paths_and_bodies(box: Box) -> None:
    answers = box.ask_all(
        [
            ("HEAD", "/prices/AAPL", {}),
            ("POST", "/prices/AAPL", {}),
            ("GET", "/nowhere", {}),
            ("GET", "/prices/AAPL", {"data": b"x" * 5000}),
            ("GET", "/healthz", {}),
        ]
    )
    assert (answers[0].status, answers[0].body) == (200, b"")
    assert int(answers[0].headers["Content-Length"]) > 300
    assert answers[1].problem() == (405, "method_not_allowed")
    assert answers[1].headers["Allow"] == "GET, HEAD"
    assert answers[2].problem() == (404, "not_found")
    assert answers[3].problem() == (413, "content_too_large")
    assert answers[4].status == 200


def test_a_head_that_is_too_long(box: Box) -> None:
    answers = box.ask_all(
        [
            ("GET", "/healthz", {}),
            ("GET", "/prices/" + "A" * 9000, {}),
            ("GET", "/healthz", {"headers": {"X-Long": "A" * 9000}}),
            ("GET", "/healthz", {"headers": {f"X-{number}": "" for number in range(200)}}),
            ("GET", "/healthz", {}),
        ]
    )
    assert [answer.status for answer in answers] == [200, 431, 431, 400, 200]
    assert answers[1].problem() == (431, "head_too_large")
    assert answers[3].problem() == (400, "bad_request")


def test_requests_are_counted(box: Box) -> None:
    name = segment.gateway_name(f"test-http-{os.getpid()}", 0)
    box.counters = Counters(segment.create_worker(name, KIND_GATEWAY, 7, NOW))
    try:
        box.ask_all([("GET", "/healthz", {}), ("GET", "/nowhere", {})])
    finally:
        segment.remove(name)
    assert box.counters["http_requests"] == 2


def test_the_page_comes_from_the_package_with_strict_headers(box: Box) -> None:
    answers = box.ask_all([("GET", path, {}) for path in FILES])
    for (name, (_, content_type)), answer in zip(FILES.items(), answers, strict=True):
        assert answer.status == 200, name
        assert answer.headers["Content-Type"] == f"{content_type}; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Server"] == "ticker"
        # a namespace, those whom the chart is credited to, and the address that the client has
        # without one; nothing is loaded from them
        named = rb"https?://(www\.(w3|apache|tradingview)\.(org|com)/|localhost:8700)"
        found = re.sub(named, b"", answer.body)
        assert b"://" not in found, f"{name} names another server"


def test_an_unchanged_file_is_not_sent_again(box: Box) -> None:
    first = box.ask("/watch.js")
    again, other = box.ask_all(
        [
            ("GET", "/watch.js", {"headers": {"If-None-Match": first.headers["ETag"]}}),
            ("GET", "/watch.js", {"headers": {"If-None-Match": '"older"'}}),
        ]
    )
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (other.status, other.body) == (200, first.body)


def test_a_directory_gives_names_and_currencies(box: Box, tmp_path: Path) -> None:
    path = tmp_path / "symbols.csv"
    path.write_text(
        "symbol,name,venue,currency,tick_size\nAAPL,Pear Inc.,XNAS,EUR,0.01\nMSFT,Big Pear,,,\n"
    )
    box.directory = SymbolDirectory(path)
    listed = {"symbol": "AAPL", "name": "Pear Inc.", "venue": "XNAS", "currency": "EUR"}
    found = box.ask("/symbols?q=pear").json()
    assert found["symbols"] == [
        {**listed, "tick_size": Decimal("0.01")},
        {"symbol": "MSFT", "name": "Big Pear"},
    ]
    assert [each["symbol"] for each in box.ask("/symbols?q=ms").json()["symbols"]] == [
        "MSFT",
        "MSFU",
    ]
    found = box.ask("/symbols?symbols=MSFT,NOPE,AAPL,MSFT").json()
    assert [each["symbol"] for each in found["symbols"]] == ["AAPL", "MSFT"]
    assert (found["symbols"][0]["name"], found["total"]) == ("Pear Inc.", 2)
    found = box.ask("/symbols?symbols=MSFT,AAPL&q=big&limit=1").json()
    assert [each["symbol"] for each in found["symbols"]] == ["MSFT"]
    assert box.ask("/prices/AAPL").json()["currency"] == "EUR"
    assert box.ask("/prices/MSFT").json()["currency"] == "USD"
