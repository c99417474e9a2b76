"""The cost of different rates: CPU of the gateway per delivery, next to one rate for all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.gateway.crowd import cpu_seconds, crowd, until

E9 = 1_000_000_000
CLIENTS = 1000
NAMES = [f"S{i}" for i in range(60)]
RATES = [10.0, 5.0, 3.0, 2.5, 2.0, 1.5, 1.0]


def wanted(rates: Sequence[float]) -> list[list[object]]:
    return [
        [
            {"action": "configure", "max_rate": rates[number % len(rates)]},
            {
                "action": "subscribe",
                "symbols": [NAMES[(number + 11 * step) % 60] for step in range(5)],
            },
        ]
        for number in range(CLIENTS)
    ]


def cost(rig: Any, rows: list[int], rates: Sequence[float], price: int, seconds: float) -> float:
    """CPU ns of the gateway per client flush, with every symbol trading all the time."""
    with crowd(rig.port, wanted(rates)):
        until(lambda: rig.counters["subscriptions"] == 5 * CLIENTS, 20)
        for phase in range(2):
            cpu, flushes = cpu_seconds(rig.pid), rig.counters["client_flushes"]
            end = time.monotonic() + (seconds if phase else 1.0)
            while time.monotonic() < end:
                price += 1
                for row in rows:
                    rig.trade(row, price * E9)
                time.sleep(0.02)
        cpu = cpu_seconds(rig.pid) - cpu
        flushes = rig.counters["client_flushes"] - flushes
    until(lambda: rig.counters["subscriptions"] == 0, 10)
    assert flushes > 0
    return float(cpu * 1e9 / flushes)


@pytest.mark.stress
@pytest.mark.parametrize("rig", [{"max_connections": 2000}], indirect=True)
def test_rates_of_their_own_cost_little_more_than_one(rig: Any) -> None:
    rows = [rig.row(name) for name in NAMES]
    for row in rows:
        rig.trade(row, E9)
    # the same deliveries a second: the mean of the rates that hold, as one rate
    mean = sum(10 / -(-10 // rate) for rate in RATES) / len(RATES)
    ratios = []
    for turn in range(5):
        mixed = cost(rig, rows, RATES, 10_000 * turn, 4.0)
        one = cost(rig, rows, [mean], 10_000 * turn + 5000, 4.0)
        ratios.append(mixed / one)
    print(f"own rates / one rate: {[round(ratio, 3) for ratio in ratios]}")
    assert sorted(ratios)[2] <= 1.10
