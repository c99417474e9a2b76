"""Who stood in the wheel for long leaves nothing behind: not to the next client of its place, and
not to itself when it wants to be told more often."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

E9 = 1_000_000_000
NAMES = [f"S{i}" for i in range(20)]
JSON = "ticker.v1.json"


def newest_within(client: Any, rig: Any, rows: list[int], seconds: float) -> None:
    """Everything trades for a while; the last prices reach the client in time."""
    price = int(time.monotonic() * 100)
    for _ in range(50):
        price += 1
        for row in rows:
            rig.trade(row, price * E9)
        time.sleep(0.005)
    begin = time.monotonic()
    missing = set(NAMES)
    while missing:
        message = client.receive()
        assert time.monotonic() - begin < seconds, f"still without the newest of {missing}"
        if message.get("price") == price:
            missing.discard(message["symbol"])


@pytest.fixture
def rows(rig: Any) -> list[int]:
    found = [rig.row(name) for name in NAMES]
    for row in found:
        rig.trade(row, E9)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seldom", [0.05, 0.7])
def test_a_place_of_a_slow_client_serves_the_next_one_in_time(
    rig: Any, rows: list[int], connect: Callable[..., Any], seldom: float
) -> None:
    slow = connect(protocol=JSON)
    slow.send({"action": "configure", "max_rate": seldom})
    slow.send({"action": "subscribe", "symbols": NAMES})
    slow.until("snapshot")
    slow.close()
    wait_until(lambda: rig.counters["connections_closed"] == 1)
    client = connect(protocol=JSON)
    client.send({"action": "subscribe", "symbols": NAMES})
    newest_within(client, rig, rows, 0.5)


@pytest.mark.slow
def test_a_client_that_wants_more_gets_it_at_once(
    rig: Any, rows: list[int], connect: Callable[..., Any]
) -> None:
    client = connect(protocol=JSON)
    client.send({"action": "configure", "max_rate": 0.05})
    client.send({"action": "subscribe", "symbols": NAMES})
    client.until("snapshot")
    client.send({"action": "configure", "max_rate": 10})
    client.until("configured")
    newest_within(client, rig, rows, 0.5)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)
