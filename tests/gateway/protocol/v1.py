"""The words of ticker.v1 that its tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

E9 = 1_000_000_000
V1 = "ticker.v1.json"
Connect = Callable[..., Any]


def hello(client: Any) -> Any:
    message = client.receive()
    assert message["type"] == "hello"
    return message


def watch_trades(rig: Any, connect: Connect) -> tuple[int, Any]:
    """The row of a symbol with one trade, and a client that has got it and waits for more."""
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "trades"})
    client.until("snapshot")
    return row, client


@contextmanager
def stopped(rig: Any) -> Iterator[None]:
    """The gateway's process stands still."""
    os.kill(rig.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(rig.pid, signal.SIGCONT)
