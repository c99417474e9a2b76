"""`*` for all symbols, `@name` for a watchlist of the configuration."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.conftest import Rig
from tests.gateway.protocol.v1 import E9, V1, Connect
from ticker.config import Config, GatewayConfig, parse
from ticker.config.access import AuthConfig, TokenConfig
from ticker.errors import ConfigError
from ticker.gateway.access.auth import hash_token
from ticker.units import format_timestamp


def token(name: str, **rights: Any) -> TokenConfig:
    return TokenConfig(name=name, sha256=hash_token(f"{name}-token"), **rights)


LISTS = Config(
    gateway=GatewayConfig(max_connections=64, max_symbols=5),
    watchlists={"tech": ("AAPL", "MSFT", "GONE"), "long": tuple(f"S{n}" for n in range(9))},
)
ASKING = Config(
    gateway=GatewayConfig(max_connections=64, max_symbols=3),
    auth=AuthConfig(
        tokens=(token("all", symbols=("A*",), wildcard=True), token("few", symbols=("A*",)))
    ),
)


def snapshots(client: Any, count: int) -> list[str]:
    return sorted(client.until("snapshot")["symbol"] for _ in range(count))


@pytest.mark.parametrize("rig", [LISTS], indirect=True)
def test_all_symbols_and_those_that_come_later(rig: Any, connect: Connect) -> None:
    names = sorted(f"S{number}" for number in range(20))  # more than max_symbols
    rows = [rig.row(name) for name in names]
    for row in rows:
        rig.trade(row, E9)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["*"], "id": 1})
    answer = client.until("subscribed")
    assert (answer["symbols"], answer["rejected"]) == (["*"], [])
    assert snapshots(client, 20) == names
    rig.trade(rows[7], 2 * E9)
    assert client.until("update")["symbol"] == names[7]
    late = rig.row("LATE")
    rig.trade(late, 3 * E9)
    assert client.until("snapshot")["symbol"] == "LATE"
    rig.trade(late, 4 * E9)
    assert client.until("update")["price"] == 4
    # what is named besides counts towards the limit, what `*` brought does not
    client.send({"action": "subscribe", "symbols": names[:5], "channel": "trades"})
    assert client.until("subscribed")["channel"] == "trades"
    client.send({"action": "unsubscribe", "symbol": "*"})
    assert client.until("unsubscribed")["symbols"] == ["*"]
    rig.trade(rig.row("NEXT"), E9)
    rig.trade(late, 5 * E9)
    client.send({"action": "ping"})
    while (message := client.receive())["type"] != "pong":
        assert message.get("channel") == "trades" or message["type"] == "status"
    assert rig.counters["subscriptions"] == 5


@pytest.mark.parametrize("rig", [LISTS], indirect=True)
def test_all_in_batches(rig: Any, connect: Connect) -> None:
    rows = [rig.row(f"S{number}") for number in range(60)]
    for row in rows:
        rig.trade(row, E9)
    client = connect(protocol=V1)
    client.send({"action": "configure", "batch": True})
    client.send({"action": "subscribe", "symbol": "*"})
    seen: set[str] = set()
    while len(seen) < 60:
        message = client.receive()
        if isinstance(message, list):
            seen |= {one["symbol"] for one in message if one["type"] == "snapshot"}
    for row in rows:
        rig.trade(row, 2 * E9)
    seen = set()
    while len(seen) < 60:
        message = client.receive()
        if isinstance(message, list):
            seen |= {one["symbol"] for one in message if one["price"] == 2}


@pytest.mark.parametrize("rig", [LISTS], indirect=True)
def test_a_watchlist_is_its_symbols(rig: Any, connect: Connect) -> None:
    for symbol in ("AAPL", "MSFT", "IBM"):
        rig.trade(rig.row(symbol), E9)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["IBM", "@tech", "@nope", "AAPL"]})
    answer = client.until("subscribed")
    assert answer["symbols"] == ["IBM", "AAPL", "MSFT"]
    assert [each["symbol"] for each in answer["rejected"]] == ["GONE", "@nope"]
    assert snapshots(client, 3) == ["AAPL", "IBM", "MSFT"]
    client.send({"action": "unsubscribe", "symbol": "@tech"})
    assert client.until("unsubscribed")["symbols"] == ["AAPL", "MSFT"]
    client.send({"action": "subscribe", "symbol": "@long"})
    assert client.until("error")["code"] == 405


@pytest.mark.parametrize("rig", [LISTS], indirect=True)
def test_reconnect_by_a_group_has_one_time_for_all(rig: Any, connect: Connect) -> None:
    first = rig.trade(rig.row("AAPL"), E9)
    rig.trade(rig.row("MSFT"), E9)
    client = connect(protocol=V1)
    client.send({"action": "reconnect", "last_seen": {"@tech": format_timestamp(first)}})
    assert client.until("recovered")["symbols"] == ["AAPL", "MSFT"]
    assert client.until("snapshot")["symbol"] == "MSFT"


@pytest.mark.parametrize("rig", [LISTS], indirect=True)
def test_a_symbol_that_is_called_so_is_that_symbol(rig: Any, connect: Connect) -> None:
    for symbol in ("*", "@tech", "AAPL"):
        rig.trade(rig.row(symbol), E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["*", "@tech"]})
    assert {client.receive()["symbol"] for _ in range(2)} == {"*", "@tech"}


@pytest.mark.parametrize("rig", [ASKING], indirect=True)
def test_only_a_token_that_may(rig: Any, connect: Connect, read: Any) -> None:
    for symbol in ("AAPL", "ABNB", "AMZN", "ADBE", "MSFT"):
        rig.trade(rig.row(symbol), E9)
    few = connect(protocol=V1, headers=("Authorization: Bearer few-token",))
    few.send({"action": "subscribe", "symbol": "*"})
    error = few.until("error")
    assert (error["code"], "does not open `*`" in error["message"]) == (401, True)
    every = connect(protocol=V1, headers=("Authorization: Bearer all-token",))
    every.send({"action": "subscribe", "symbol": "*"})
    assert snapshots(every, 4) == ["AAPL", "ABNB", "ADBE", "AMZN"], "those that the token sees"
    rig.trade(rig.row("MSTR"), E9)
    rig.trade(rig.row("ARM"), E9)
    assert every.until("snapshot")["symbol"] == "ARM"
    assert read("/stream?symbols=*&token=few-token").status == 403
    reader = read("/stream?symbols=*&token=all-token")
    assert len({reader.until("snapshot")["symbol"] for _ in range(5)}) == 5


def test_a_reload_changes_watchlists(client_type: Any, wait_for: Callable[..., None]) -> None:
    before = Config(gateway=GatewayConfig(max_connections=16), watchlists={"one": ("AAPL",)})
    after = Config(gateway=GatewayConfig(max_connections=16), watchlists={"one": ("MSFT",)})
    rig = Rig(f"lists{os.getpid()}", before, reload=lambda: after)
    try:
        for symbol in ("AAPL", "MSFT"):
            rig.trade(rig.row(symbol), E9)
        client = client_type(rig.port, protocol=V1)
        client.send({"action": "subscribe", "symbol": "@one"})
        assert client.until("subscribed")["symbols"] == ["AAPL"]
        os.kill(rig.pid, signal.SIGHUP)

        def changed() -> bool:
            client.send({"action": "subscribe", "symbol": "@one"})
            return bool(client.until("subscribed")["symbols"] == ["MSFT"])

        wait_for(changed)
        client.close()
    finally:
        assert rig.close() == 0


def test_the_configuration_of_watchlists() -> None:
    assert parse('[watchlists]\ntech = ["AAPL"]\n').watchlists == {"tech": ("AAPL",)}
    for text in ('tech = "AAPL"', "tech = []", 'Tech = ["A"]', 'tech = [""]'):
        with pytest.raises(ConfigError, match="watchlists"):
            parse(f"[watchlists]\n{text}\n")
