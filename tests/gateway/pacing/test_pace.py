"""The pace of a real worker: at once while it has time, as configured when it is fixed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.gateway.pacing.changes import E9, received, trades_each
from ticker.config import GatewayConfig, parse
from ticker.errors import ConfigError
from ticker.gateway.pacing.law import LEAST_GAP
from ticker.gateway.pacing.rates import Rates
from ticker.gateway.pacing.settings import law_of, rates_of

JSON = "ticker.v1.json"
Connect = Callable[..., Any]


def subscribed(rig: Any, connect: Connect) -> Any:
    """A client that has the snapshot of one symbol, row 0."""
    rig.trade(rig.row("AAPL"), E9)
    client = connect(protocol=JSON)
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.until("snapshot")
    return client


@pytest.mark.parametrize("rig", [{"pace": "adaptive"}], indirect=True)
def test_with_time_to_spare_each_change_goes_out_at_once(rig: Any, connect: Connect) -> None:
    client = subscribed(rig, connect)
    trades_each(rig, 25, 8)
    prices = received(client, 9)
    assert len(prices) >= 6, "a flush interval of 100 ms would have merged them"


@pytest.mark.parametrize("rig", [{"pace": "fixed"}], indirect=True)
def test_at_a_fixed_pace_they_are_merged(rig: Any, connect: Connect) -> None:
    client = subscribed(rig, connect)
    trades_each(rig, 25, 8)
    assert len(received(client, 9)) <= 4


@pytest.mark.parametrize("rig", [{"pace": "adaptive", "flush_floor": 0.05}], indirect=True)
def test_the_floor_protects_the_client(rig: Any, connect: Connect) -> None:
    client = subscribed(rig, connect)
    begin = time.monotonic()
    trades_each(rig, 5, 40)
    prices = received(client, 41)
    assert len(prices) <= (time.monotonic() - begin) / 0.05 + 2


@pytest.mark.parametrize(
    ("rig", "interval", "most"),
    [
        ({"pace": "adaptive"}, 0.01, 100),
        ({"pace": "fixed"}, 0.1, 10),
        ({"pace": "adaptive", "flush_interval": 0.005}, 0.005, 200),
    ],
    indirect=["rig"],
)
def test_the_worker_tells_its_pace(
    rig: Any, connect: Connect, wait_for: Callable[..., None], interval: float, most: int
) -> None:
    client = connect(protocol=JSON)
    assert client.until("hello")["limits"]["max_rate"] == most
    wait_for(lambda: rig.counters["flush_interval_ns"])
    asking = connect(handshake=False)
    asking.socket.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = asking.read_until(b"\r\n\r\n").decode().lower()
    length = int(head.partition("content-length: ")[2].split()[0])
    (gateway,) = msgspec.json.decode(asking.read(length))["gateways"]
    assert gateway["flush_interval"] == interval
    assert gateway["burst_gap"] == LEAST_GAP / E9
    assert 0 <= gateway["load"] <= 1


@pytest.mark.parametrize("rig", [{"pace": "adaptive"}], indirect=True)
def test_a_rate_above_the_configured_interval_is_a_number_of_its_quarters(
    connect: Connect,
) -> None:
    client = connect(protocol=JSON)
    found = {}
    for wanted in (1000, 100, 50, 20, 14, 10, 9.9, 3):
        client.send({"action": "configure", "max_rate": wanted})
        found[wanted] = client.until("configured")["max_rate"]
    assert found == {
        1000: 100, 100: 100, 50: 40, 20: 20, 14: 13.333333, 10: 10, 9.9: 5, 3: 2.5,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("rig", [{"pace": "adaptive"}], indirect=True)
def test_a_client_with_a_rate_of_its_own_is_held_to_it(rig: Any, connect: Connect) -> None:
    client = subscribed(rig, connect)
    client.send({"action": "configure", "max_rate": 20})
    client.until("configured")
    begin = time.monotonic()
    trades_each(rig, 4, 120)
    count = len(received(client, 121))
    seconds = time.monotonic() - begin
    assert 0.6 * 20 * seconds - 1 <= count <= 20 * seconds + 2


def test_the_pace_of_a_configuration() -> None:
    rates = rates_of(GatewayConfig())
    assert rates == Rates(100_000_000, 10_000_000, paced=True)
    law = law_of(GatewayConfig())
    assert (law.floor, law.configured, law.ceiling) == (10**7, 10**8, 4 * 10**8)
    short = law_of(GatewayConfig(flush_interval=0.002, flush_ceiling=1.0))
    assert (short.floor, short.configured, short.ceiling) == (2 * 10**6, 2 * 10**6, 10**9)
    fixed = GatewayConfig(pace="fixed")
    assert rates_of(fixed) == Rates(10**8, 10**8, paced=False)
    assert law_of(fixed).ceiling == 10**8


def test_a_ceiling_below_the_interval_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gateway.flush_ceiling: shorter than flush_interval"):
        parse("[gateway]\nflush_ceiling = 0.05\n")
