"""ticker.v1's channel of bars: they form, are final, and may be updated."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.conftest import new_rig
from tests.gateway.crowd import until
from tests.gateway.protocol.v1 import E9, V1, Connect, stopped
from ticker.config import Config, GatewayConfig
from ticker.shm import segment
from ticker.shm.bars.published import BarFlag, BarState
from ticker.shm.header import KIND_GATEWAY
from ticker.shm.segment import BARS_RING
from ticker.shm.shards.watchers import WatchedBars
from ticker.units import format_timestamp

FORMING, FINAL, UPDATED = BarState
START = 1_774_794_600 * E9
ALL = BarFlag.BAR_HAS_PRICE | BarFlag.BAR_HAS_RANGE | BarFlag.BAR_HAS_VWAP
SECOND, MINUTE, FIVE, HOUR, DAY = range(5)


def bar(rig: Any, span: int, start: int, close: int, state: int = FORMING, **words: int) -> None:
    """A bar of AAPL, which is number 0."""
    given = {
        "open": E9, "high": 9 * E9, "low": E9, "close": close * E9, "volume": 10, "trades": 3,
        "vwap": 2 * E9, "time": start + 1, "flags": ALL, **words,
    }  # fmt: skip
    rig.bar(0, span, start=start, state=state, **given)


@pytest.fixture
def named(rig: Any) -> Any:
    """A rig with AAPL, in the table and in the segment of bars."""
    rig.trade(rig.row("AAPL"), E9)
    rig.bar_writer.add("AAPL")
    return rig


def subscribe(client: Any, interval: str = "1m", **more: Any) -> Any:
    client.send(
        {
            "action": "subscribe",
            "symbols": ["AAPL"],
            "channel": "bars",
            "interval": interval,
            **more,
        }
    )
    return client.until("subscribed")


def test_the_newest_bar_comes_at_once_and_then_its_changes(named: Any, connect: Connect) -> None:
    bar(named, MINUTE, START, 5)
    client = connect(protocol=V1)
    answer = subscribe(client, id=7)
    assert (answer["channel"], answer["interval"], answer["id"]) == ("bars", "1m", 7)
    assert client.until("bar") == {
        "type": "bar", "symbol": "AAPL", "channel": "bars", "interval": "1m",
        "start": format_timestamp(START), "state": "forming", "open": 1, "high": 9, "low": 1,
        "close": 5, "volume": 10, "trades": 3, "vwap": 2, "timestamp": format_timestamp(START),
        "revision": 0, "exact": True, "complete": True,
    }  # fmt: skip
    bar(named, MINUTE, START, 6)
    assert client.until("bar")["close"] == 6
    bar(named, SECOND, START, 7)  # of another interval
    bar(named, MINUTE, START, 8, FINAL)
    message = client.until("bar")
    assert (message["close"], message["state"]) == (8, "final")


def test_a_gateway_says_whether_bars_are_watched(named: Any, connect: Connect) -> None:
    watched = WatchedBars([segment.attach(named.gateway_name, KIND_GATEWAY)])
    client, other = connect(protocol=V1), connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.until("subscribed")
    assert not watched.any(), "prices are no bars"
    subscribe(client, "1d")
    assert watched.any()
    subscribe(other, "1s")
    client.send({"action": "unsubscribe", "symbols": ["AAPL"], "channel": "bars", "interval": "1d"})
    client.until("unsubscribed")
    assert watched.any(), "the other one still does"
    other.close()
    until(lambda: not watched.any(), 5)


def test_bars_that_were_written_quietly_come_once_readers_are_told(
    named: Any, connect: Connect
) -> None:
    bar(named, MINUTE, START, 5)
    client = connect(protocol=V1)
    subscribe(client)
    assert client.until("bar")["close"] == 5
    words = {"start": START, "state": FINAL, "open": E9, "close": 6 * E9, "flags": ALL}
    named.bar_writer.put_quietly(0, MINUTE, **words)
    named.bar_writer.put_quietly(0, HOUR, **words)  # nobody watches these
    named.bar_writer.tell()
    named.ringer.ring_from_python()
    message = client.until("bar")
    assert (message["interval"], message["close"], message["state"]) == ("1m", 6, "final")
    bar(named, MINUTE, START + 60 * E9, 7)
    assert client.until("bar")["close"] == 7, "the quiet one came once"


def test_a_symbol_without_bars_gets_its_first_one(named: Any, connect: Connect) -> None:
    client = connect(protocol=V1)
    assert subscribe(client, "1s")["symbols"] == ["AAPL"]
    bar(named, SECOND, START, 5)
    assert client.until("bar")["close"] == 5


def test_each_bar_that_changed_comes_in_its_newest_state(named: Any, connect: Connect) -> None:
    """A client that stood still for some seconds lacks no bar, and gets no state between."""
    bar(named, SECOND, START, 1)
    client = connect(protocol=V1)
    subscribe(client, "1s")
    client.until("bar")
    with stopped(named):
        for second in range(6):
            for close in range(2, 5):
                bar(named, SECOND, START + second * E9, close)
            bar(named, SECOND, START + second * E9, 9, FINAL)
        bar(named, SECOND, START + 2 * E9, 7, UPDATED, revision=1)
    got = [client.until("bar") for _ in range(6)]
    assert [(each["start"], each["close"], each["state"]) for each in got] == [
        (format_timestamp(START + second * E9), close, state)
        for second, close, state in (
            (0, 9, "final"), (1, 9, "final"), (3, 9, "final"), (4, 9, "final"), (5, 9, "final"),
            (2, 7, "updated"),
        )
    ]  # fmt: skip


def test_bars_that_are_forgotten_are_told(named: Any, connect: Connect) -> None:
    bar(named, SECOND, START, 1)
    client = connect(protocol=V1)
    subscribe(client, "1s")
    client.until("bar")
    with stopped(named):
        for second in range(1, 41):
            bar(named, SECOND, START + second * E9, second)
    assert client.receive() == {"type": "lagged", "symbol": "AAPL", "skipped": 24}
    assert [client.receive()["close"] for _ in range(16)] == list(range(25, 41))


def test_a_gateway_that_was_lapped_says_so_and_has_the_newest(named: Any, connect: Connect) -> None:
    bar(named, MINUTE, START, 1)
    client = connect(protocol=V1)
    subscribe(client)
    client.until("bar")
    with stopped(named):
        for close in range(BARS_RING + 10):
            bar(named, SECOND, START, close)
        bar(named, MINUTE, START, 7)
    bar(named, MINUTE, START, 8)
    assert client.until("lagged")["symbol"] == "AAPL"
    while client.until("bar")["close"] != 8:
        pass
    assert named.counters["laps"] == 1


def test_a_late_watcher_gets_the_newest_bar_not_the_one_that_changed_last(
    named: Any, connect: Connect
) -> None:
    first = connect(protocol=V1)
    subscribe(first)
    bar(named, MINUTE, START, 5, FINAL)
    bar(named, MINUTE, START + 60 * E9, 6)
    bar(named, MINUTE, START, 4, UPDATED)
    for _ in range(3):
        if first.until("bar")["state"] == "updated":
            break
    second = connect(protocol=V1)
    subscribe(second)
    assert second.until("bar")["close"] == 6
    first.close()
    second.close()
    # nobody watches: what changes now is found in the segment by the next one
    bar(named, MINUTE, START + 120 * E9, 7)
    third = connect(protocol=V1)
    subscribe(third)
    assert third.until("bar")["close"] == 7


def test_a_bar_is_encoded_once_for_all(named: Any, connect: Connect) -> None:
    bar(named, MINUTE, START, 5)
    clients = [connect(protocol=V1) for _ in range(4)]
    for client in clients:
        subscribe(client)
        client.until("bar")
    before = named.counters["encoded"]
    bar(named, MINUTE, START, 6)
    assert [client.until("bar")["close"] for client in clients] == [6] * 4
    assert named.counters["encoded"] == before + 1


def test_unsubscribe_is_of_one_interval(named: Any, connect: Connect) -> None:
    client = connect(protocol=V1)
    subscribe(client, "1m")
    subscribe(client, "5m")
    client.send({"action": "unsubscribe", "symbol": "AAPL", "channel": "bars", "interval": "1m"})
    assert client.until("unsubscribed")["interval"] == "1m"
    bar(named, MINUTE, START, 5)
    bar(named, FIVE, START, 6)
    assert client.until("bar")["interval"] == "5m"


def test_reconnect_sends_the_newest_bar(named: Any, connect: Connect) -> None:
    bar(named, HOUR, START, 5)
    client = connect(protocol=V1)
    client.send(
        {"action": "reconnect", "last_seen": {"AAPL": format_timestamp(START + 1)},
         "channel": "bars", "interval": "1h"}
    )  # fmt: skip
    assert client.until("recovered")["interval"] == "1h"
    assert client.until("bar")["close"] == 5


def test_the_bar_of_a_day(named: Any, connect: Connect) -> None:
    bar(named, DAY, START, 5)
    client = connect(protocol=V1)
    assert subscribe(client, "1d")["interval"] == "1d"
    assert client.until("bar")["state"] == "forming"
    bar(named, DAY, START, 6)
    message = client.until("bar")
    assert (message["interval"], message["close"]) == ("1d", 6)


@pytest.mark.parametrize("encoding", ["msgpack", "protobuf"])
def test_binary_encodings(named: Any, connect: Connect, encoding: str) -> None:
    bar(named, MINUTE, START, 5)
    client = connect(protocol=f"ticker.v1.{encoding}")
    client.send({"action": "subscribe", "symbol": "AAPL", "channel": "bars", "interval": "1m"})
    while True:
        message = client.receive()
        if encoding == "protobuf":
            if b"forming" in message:
                return
        elif message["type"] == "bar":
            assert (message["close"], message["start"]) == ("5", START // 1000)
            return


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ({"channel": "bars"}, 400, "interval: give one of 1s, 1m, 5m, 1h, 1d"),
        ({"channel": "price", "interval": "1m"}, 400, "only there"),
        ({"channel": "bars", "interval": "2m"}, 400, "interval"),
    ],
)
def test_what_is_wrong_is_named(
    rig: Any, connect: Connect, command: dict[str, str], code: int, said: str
) -> None:
    rig.row("AAPL")
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbol": "AAPL", **command})
    error = client.until("error")
    assert error["code"] == code
    assert said in error["message"]


def test_the_plain_dialect_has_no_bars(rig: Any, connect: Connect) -> None:
    rig.row("AAPL")
    client = connect()
    client.send({"action": "subscribe", "symbol": "AAPL", "channel": "bars", "interval": "1m"})
    assert "needs a ticker.v1 subprotocol" in client.receive()["message"]


def test_without_a_store_there_are_no_bars(client_type: Any) -> None:
    rig = new_rig(Config(gateway=GatewayConfig(max_connections=16)), with_bars=False)
    try:
        rig.row("AAPL")
        client = client_type(rig.port, protocol=V1)
        client.send({"action": "subscribe", "symbol": "AAPL", "channel": "bars", "interval": "1m"})
        error = client.until("error")
        assert (error["code"], "[store] enabled = true" in error["message"]) == (410, True)
        client.close()
    finally:
        assert rig.close() == 0


def test_a_gateway_that_is_replaced_shows_the_newest_bar(named: Any, connect: Connect) -> None:
    bar(named, MINUTE, START, 5)
    named.restart()
    client = connect(protocol=V1)
    subscribe(client)
    assert client.until("bar")["close"] == 5


def test_bars_as_events(named: Any, read: Any) -> None:
    bar(named, MINUTE, START, 5)
    reader = read("/stream?symbols=AAPL&channel=bars&interval=1m")
    assert reader.until("bar")["close"] == 5
    assert reader.last_id == format_timestamp(START)
    refused = read("/stream?symbols=AAPL&channel=bars")
    assert (refused.status, "must be one of 1s, 1m" in refused.body()["detail"]) == (400, True)
