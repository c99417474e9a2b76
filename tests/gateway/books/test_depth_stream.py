"""The channel `depth` of a real gateway, behind a real market."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.gateway.books.exchange import (
    ClientBook,
    Exchange,
    answered,
    define,
    get,
    take_until,
)
from tests.gateway.conftest import Client, Rig
from ticker.config import Config, DepthConfig, GatewayConfig
from ticker.feeds.calls import ASK, BID
from ticker.shm.depth.rows import DepthReader
from ticker.shm.segment import Geometry

Connect = Callable[..., Any]
JSON = "ticker.v1.json"
MSGPACK = "ticker.v1.msgpack"


def subscribed(connect: Connect, levels: int | None = None, **more: Any) -> Any:
    options = {name: more.pop(name) for name in ("protocol", "receive_buffer") if name in more}
    client = connect(**{"protocol": JSON, **options})
    wanted = {} if levels is None else {"levels": levels}
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "depth", **wanted, **more})
    return client


def test_the_whole_book_then_what_changes(exchange: Exchange, connect: Connect) -> None:
    row = define(exchange)
    references = exchange.fill(row, 3)
    client = subscribed(connect, 2)
    answer = client.until("subscribed")
    assert (answer["symbols"], answer["channel"], answer["levels"]) == (["AAPL"], "depth", 2)
    whole = client.until("depth")
    assert {name: whole[name] for name in ("symbol", "levels", "bids", "asks")} == {
        "symbol": "AAPL",
        "levels": 2,
        "bids": [[99.99, 101], [99.98, 102]],
        "asks": [[100.01, 101], [100.02, 102]],
    }
    with exchange.packet() as calls:
        calls.delete_order(references[0], 7)
    delta = client.until("delta")
    assert delta["previous_seq"] == whole["seq"] < delta["seq"]
    assert (delta["bids"], delta["asks"]) == ([[99.99, 0], [99.97, 103]], [])
    with exchange.packet() as calls:
        exchange.add(calls, row, ASK, 5, 10_000)
        exchange.add(calls, row, BID, 1, 9_998)
    delta = client.until("delta")
    assert delta["bids"] == [[99.98, 103]]
    assert delta["asks"] == [[100.0, 5], [100.02, 0]]
    assert "venue" not in delta


def test_a_change_behind_the_levels_is_not_told(exchange: Exchange, connect: Connect) -> None:
    row = define(exchange)
    references = exchange.fill(row, 5)
    shallow, deep = subscribed(connect, 2), subscribed(connect, 5)
    before = shallow.until("depth")
    deep.until("depth")
    with exchange.packet() as calls:
        calls.delete_order(references[-1], 7)
    assert deep.until("delta")["asks"] == [[100.05, 0]]
    with exchange.packet() as calls:
        calls.delete_order(references[0], 8)
    after = shallow.until("delta")
    assert after["previous_seq"] == before["seq"]
    assert after["bids"] == [[99.99, 0], [99.97, 103]]


def test_a_book_that_comes_later(exchange: Exchange, connect: Connect) -> None:
    row = define(exchange)
    client = subscribed(connect)
    client.until("subscribed")
    exchange.fill(row, 1)
    assert client.until("depth")["bids"] == [[99.99, 101]]


@pytest.mark.slow
def test_a_view_in_the_place_of_another(
    exchange: Exchange, rig: Any, connect: Connect, wait_for: Callable[..., None]
) -> None:
    """What a symbol's book was says nothing about the next symbol that is watched in its place."""
    row = define(exchange)
    exchange.fill(row, 3)
    client = subscribed(connect, 3)
    client.until("depth")
    client.send({"action": "unsubscribe", "symbol": "AAPL", "channel": "depth"})
    wait_for(lambda: DepthReader(rig.feed).book(row) is None)
    exchange.reference += 10
    other = define(exchange, "MSFT")
    client.send({"action": "subscribe", "symbol": "MSFT", "channel": "depth", "levels": 3})
    client.send({"action": "ping"})
    told = []
    while (message := client.receive())["type"] != "pong":
        told.append(message["type"])
    assert "depth" not in told
    exchange.fill(other, 1)
    assert client.until("depth")["symbol"] == "MSFT"


def test_clear_and_session_and_halt(exchange: Exchange, connect: Connect) -> None:
    row = define(exchange)
    exchange.fill(row, 3)
    client = subscribed(connect, 5)
    client.until("depth")
    with exchange.packet() as calls:
        calls.set_status(row, 2, 5)  # halted: the orders stay
        calls.clear_instrument(row, 6)
    empty = client.until("depth")
    assert (empty["bids"], empty["asks"]) == ([], [])
    exchange.fill(row, 1)
    assert client.until("delta")["asks"] == [[100.01, 101]]
    with exchange.packet() as calls:
        calls.start_session(1)
    assert client.until("depth")["bids"] == []


def test_other_levels_take_the_place(exchange: Exchange, connect: Connect) -> None:
    row = define(exchange)
    exchange.fill(row, 60)
    client = subscribed(connect, 1)
    assert len(client.until("depth")["bids"]) == 1
    client.send({"action": "subscribe", "symbol": "AAPL", "channel": "depth", "levels": 50})
    assert client.until("subscribed")["levels"] == 50
    book = client.until("depth")
    assert len(book["bids"]) == len(book["asks"]) == 50
    client.send({"action": "unsubscribe", "symbol": "AAPL", "channel": "depth"})
    assert client.until("unsubscribed")["symbols"] == ["AAPL"]
    client.send({"action": "unsubscribe", "symbol": "AAPL", "channel": "depth"})
    assert client.until("unsubscribed")["rejected"] == [{"symbol": "AAPL", "code": 460}]


def test_over_all_venues_and_on_one(exchange: Exchange, rig: Any, connect: Connect) -> None:
    rows = [define(exchange, venue="XNAS")]
    exchange.reference += 10
    rows.append(define(exchange, venue="ARCX"))
    with exchange.packet() as calls:
        for row, size in zip(rows, (100, 40), strict=True):
            exchange.add(calls, row, BID, size, 1000)
            exchange.add(calls, row, ASK, size, 1002 + size)
    everything, one = subscribed(connect, 5), subscribed(connect, 5, venue="ARCX")
    book = ClientBook()
    take_until(everything, book, lambda: len(book.asks) == 2)
    assert (book.bids, book.asks) == (
        [(Decimal(10), Decimal(140))],
        [(Decimal("10.42"), Decimal(40)), (Decimal("11.02"), Decimal(100))],
    )
    whole = one.until("depth")
    assert (whole["venue"], whole["bids"], whole["asks"]) == ("ARCX", [[10, 40]], [[10.42, 40]])
    assert answered(rig.port, "AAPL", 5) == (book.bids, book.asks)
    assert answered(rig.port, "AAPL", 5, "ARCX")[0] == [(Decimal(10), Decimal(40))]
    with exchange.packet() as calls:
        calls.clear_instrument(rows[1], 9)
    assert one.until("depth")["bids"] == []
    assert everything.until("delta")["bids"] == [[10, 100]]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "levels": ({"levels": 11}, "levels: 11 is none that this server has; one of 1, 2, 3"),
    "venue": ({"venue": "xnas"}, "venue: expected"),
    "channel": ({"channel": "price", "levels": 3}, "levels: only the channel `depth` has it"),
    "quote": ({"channel": "quote", "venue": "XNAS"}, "venue: only the channel `depth` has it"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(exchange: Exchange, connect: Connect, case: str) -> None:
    define(exchange)
    fields, said = REFUSED[case]
    error = subscribed(connect, **fields).until("error")
    assert error["code"] == 400
    assert error["message"].startswith(said)


def test_the_plain_dialect_has_no_depth(exchange: Exchange, connect: Connect) -> None:
    define(exchange)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "depth"})
    assert "`depth` needs a ticker.v1 subprotocol" in client.until("error")["message"]


def test_a_venue_that_has_it_not(exchange: Exchange, connect: Connect) -> None:
    define(exchange)
    answer = subscribed(connect, venue="BATS").until("subscribed")
    assert answer["rejected"] == [{"symbol": "AAPL", "code": 460}]
    assert (answer["symbols"], answer["venue"]) == ([], "BATS")


def shuffle(exchange: Exchange, row: int, random: random.Random, live: list[int]) -> None:
    """One packet of an ordinary market."""
    with exchange.packet() as calls:
        for _ in range(random.randrange(1, 6)):
            if live and random.random() < 0.45:
                calls.delete_order(live.pop(random.randrange(len(live))), 1)
            else:
                side = random.choice((BID, ASK))
                away = random.randrange(1, 30)
                live.append(
                    exchange.add(
                        calls, row, side, random.randrange(1, 500), 1000 + (away if side else -away)
                    )
                )


@pytest.mark.slow
@pytest.mark.parametrize(
    "rig", [Config(gateway=GatewayConfig(flush_interval=0.01, max_connections=64))], indirect=True
)
def test_every_client_has_the_book_in_the_end(
    exchange: Exchange, rig: Any, connect: Connect
) -> None:
    """Of all levels, in two encodings, quick and slow; some come in the middle."""
    row = define(exchange)
    dice, live = random.Random(7), [*exchange.fill(row, 12, 1000)]
    kinds = [(levels, protocol) for levels in (1, 3, 10, 50) for protocol in (JSON, MSGPACK)]
    pilot, newest = subscribed(connect, 50), ClientBook()
    clients = [(pilot, newest, 50)]
    for turn in range(100):
        if turn % 10 == 0 and turn // 10 < len(kinds):
            levels, protocol = kinds[turn // 10]
            client = subscribed(connect, levels, protocol=protocol)
            if levels == 3:
                client.send({"action": "configure", "max_rate": 1 if protocol == JSON else 20})
            clients.append((client, ClientBook(), levels))
        shuffle(exchange, row, dice, live)
        sides = exchange.sides("AAPL")
        take_until(pilot, newest, lambda: (newest.bids, newest.asks) == sides)  # noqa: B023
    for client, book, levels in clients:
        sides = answered(rig.port, "AAPL", levels)
        take_until(client, book, lambda: (book.bids, book.asks) == sides)  # noqa: B023
        assert client.quiet(0.03)
    assert newest.deltas > 80
    # a slow one may have had a first book alone
    while not all(book.deltas for _, book, _ in clients):
        shuffle(exchange, row, dice, live)
        for client, book, levels in clients:
            sides = answered(rig.port, "AAPL", levels)
            take_until(client, book, lambda: (book.bids, book.asks) == sides)  # noqa: B023


@pytest.mark.slow
@pytest.mark.parametrize("rig", [{"flush_interval": 0.001}], indirect=True)
def test_a_client_that_does_not_read_gets_the_newest_book(
    exchange: Exchange, rig: Any, connect: Connect, wait_for: Callable[..., None]
) -> None:
    """It gets what its socket had taken, then the newest book, and nothing of all between."""
    row = define(exchange)
    client = subscribed(connect, 50, receive_buffer=2048)
    client.until("subscribed")
    for turn in range(1000):
        told = rig.counters["updates_sent"]
        with exchange.packet() as calls:
            calls.clear_instrument(row, 1)
        exchange.fill(row, 50, 1000 + turn)
        wait_for(lambda: rig.counters["updates_sent"] > told or rig.counters["send_blocked"])  # noqa: B023
        if rig.counters["send_blocked"]:
            break
    queued, dice, live = rig.counters["updates_sent"], random.Random(3), list[int]()
    for _ in range(300):
        shuffle(exchange, row, dice, live)
    sides, book = answered(rig.port, "AAPL", 50), ClientBook()
    take_until(client, book, lambda: (book.bids, book.asks) == sides)
    assert book.wholes + book.deltas <= queued + 3


@pytest.mark.slow
def test_a_gateway_that_is_killed(exchange: Exchange, rig: Any, connect: Connect) -> None:
    row = define(exchange)
    exchange.fill(row, 3)
    seq = subscribed(connect, 5).until("depth")["seq"]
    rig.restart()
    exchange.fill(row, 2, 20_000)
    again = connect(protocol=JSON)
    seen = {"AAPL": "2026-01-05T00:00:00Z"}
    again.send({"action": "reconnect", "last_seen": seen, "channel": "depth", "levels": 5})
    assert again.until("recovered")["levels"] == 5
    whole = again.until("depth")
    assert whole["seq"] > seq
    assert len(whole["bids"]) == 5


@pytest.mark.slow
@pytest.mark.parametrize("rebuild", [False, True])
def test_a_feed_worker_that_is_replaced(rig: Any, connect: Connect, rebuild: bool) -> None:
    first = Exchange(rig)
    row = define(first)
    first.fill(row, 3)
    client, book = subscribed(connect, 5), ClientBook()
    take_until(client, book, lambda: len(book.bids) == 3)
    first.close()
    second = Exchange(rig, rebuild)
    if rebuild:
        with second.packet() as calls:
            calls.define(1, "AAPL")
        second.fill(row, 4)
        with second.lock:
            second.market.set_publishing(True)
    else:
        take_until(client, book, lambda: not book.bids)
        second.fill(row, 4)
    take_until(client, book, lambda: len(book.bids) == 4)
    assert answered(rig.port, "AAPL", 5) == (book.bids, book.asks)
    second.close()


@pytest.mark.parametrize(
    "rig", [Config(depth=DepthConfig(rows=2, symbols=("AAPL",), levels=(3,)))], indirect=True
)
@pytest.mark.usefixtures("rig")
def test_what_the_configuration_says(exchange: Exchange, connect: Connect) -> None:
    """Its symbols are there before anybody asks, its levels are all there are, and its rows too."""
    row = define(exchange)
    for number, symbol in enumerate(("MSFT", "IBM")):
        exchange.reference += number + 1
        define(exchange, symbol)
    exchange.fill(row, 9)
    client = connect(protocol=JSON)
    for wanted in (["AAPL"], ["MSFT"], ["IBM"]):
        client.send({"action": "subscribe", "symbols": wanted, "channel": "depth", "id": wanted[0]})
    assert len(client.until("depth")["bids"]) == 3
    error = client.until("error")
    assert (error["code"], error["id"]) == (405, "IBM")
    assert "the books of 2 symbols are watched, the most" in error["message"]


@pytest.fixture
def crowded() -> Iterator[Rig]:
    """A gateway that allows more books than its feed has rows of depth for."""
    rig = Rig(f"crowded{time.monotonic_ns()}", Config(), Geometry(64, 2, 1024, depth_rows=1))
    yield rig
    assert rig.close() == 0


def subscribe(client: Client, symbol: str) -> None:
    client.send({"action": "subscribe", "symbols": [symbol], "channel": "depth", "levels": 3})


@pytest.mark.slow
def test_more_books_are_wanted_than_the_feed_has_rows_for(crowded: Rig) -> None:
    """A gateway knows only what its own clients watch: several together may want too many."""
    exchange = Exchange(crowded)
    rows = [define(exchange, "AAPL")]
    exchange.reference += 10
    rows.append(define(exchange, "MSFT"))
    for row in rows:
        exchange.fill(row, 3)
    first, second = (Client(crowded.port, protocol=JSON) for _ in range(2))
    subscribe(first, "AAPL")
    assert first.until("depth")["symbol"] == "AAPL"
    subscribe(second, "MSFT")
    assert second.until("subscribed")["symbols"] == ["MSFT"]
    told = second.until("error")
    assert (told["code"], told["symbol"]) == (405, "MSFT")
    assert "raise `rows` of [depth]" in told["message"]
    status, problem = get(crowded.port, "/depth/MSFT?levels=3")
    assert (status, problem["code"]) == (503, "depth_full")
    first.send({"action": "unsubscribe", "symbols": ["AAPL"], "channel": "depth"})
    while (message := second.receive())["type"] != "depth":
        assert message["type"] != "error", "it is told once"
    assert (message["symbol"], len(message["bids"])) == ("MSFT", 3)
    first.close()
    second.close()
    exchange.close()
