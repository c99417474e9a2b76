"""A row that changes step by step, and what a client is told of it."""

from __future__ import annotations

import time
from typing import Any

E9 = 1_000_000_000


def trades_each(rig: Any, milliseconds: float, count: int) -> None:
    """Trades of row 0 at the prices 2, 3 and so on."""
    for price in range(2, count + 2):
        time.sleep(milliseconds / 1000)
        rig.trade(0, price * E9)


def received(client: Any, last: int) -> list[int]:
    """The prices of the updates up to the last one."""
    prices: list[int] = []
    while not prices or prices[-1] != last:
        prices.append(round(client.until("update")["price"]))
    return prices
