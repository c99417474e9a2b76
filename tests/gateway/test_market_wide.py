"""What watchers get of a whole market, from a real server with its simulated exchange."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.event_reader import EventReader
from tests.whole_server import whole_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with whole_server(tmp_path_factory.mktemp("market"), "market", 87) as found:
        end = time.monotonic() + 20
        while len(get(found, "/symbols?limit=1000")["symbols"]) < 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        yield found


def get(url: str, path: str) -> Any:
    with urllib.request.urlopen(url + path, timeout=10) as answer:
        return json.loads(answer.read())


def reader_of(url: str, query: str) -> EventReader:
    return EventReader(int(url.rpartition(":")[2]), f"/stream?{query}")


def test_second_bars_are_those_of_the_trades(url: str) -> None:
    """Open and close of whole seconds, from the trades that the channel of trades told."""
    trades, bars = (
        reader_of(url, f"symbols=AAPL&channel={rest}") for rest in ("trades", "bars&interval=1s")
    )
    told: dict[str, list[tuple[str, float]]] = {}
    final: dict[str, dict[str, Any]] = {}
    first = trades.until("snapshot")["timestamp"]
    while len(final) < 3:
        message = bars.until("bar")
        if message["state"] == "final" and message["start"] > first:
            final[message["start"]] = message
    last = max(final)
    while True:
        message = trades.until("update")
        if message["timestamp"] >= last[:19] + "~":
            break
        told.setdefault(message["timestamp"][:19], []).append(
            (message["timestamp"], message["price"])
        )
    for start, bar in final.items():
        own = told[start[:19]]
        assert (bar["open"], bar["close"]) == (own[0][1], own[-1][1])
        assert bar["low"] <= min(price for _, price in own)
        assert bar["high"] >= max(price for _, price in own)
        assert bar["trades"] >= len(own)
        assert (bar["exact"], bar["complete"]) == (True, True)
    trades.close()
    bars.close()


def test_all_symbols_movers_and_recent_trades(url: str) -> None:
    listed: list[str] = []
    after = ""
    while True:
        page = get(url, f"/symbols?limit=60{after}")
        listed += [each["symbol"] for each in page["symbols"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(listed) == page["total"] == len(set(listed))
    reader = reader_of(url, "symbols=*")
    traded = {
        each["symbol"]
        for start in range(0, len(listed), 100)
        for each in get(url, f"/prices?symbols={','.join(listed[start : start + 100])}")["prices"]
    }
    seen: set[str] = set()
    while not traded <= seen:
        message = reader.event()
        seen |= {message.get("symbol", "")}
    reader.close()
    movers = get(url, "/movers?limit=5")
    assert len(movers["most_active"]) == 5
    changes = [each["change_percent"] for each in movers["gainers"]]
    assert changes == sorted(changes, reverse=True)
    recent = get(url, "/trades/AAPL?limit=20")["trades"]
    assert len(recent) == 20
    times = [each["server_timestamp"] for each in recent]
    assert times == sorted(times, reverse=True)
