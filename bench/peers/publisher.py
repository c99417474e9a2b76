"""The ticks that the peers are given: those of ticker.bench.swarm.publisher, as our update JSON of
the same bytes, at the same even pace, sent in the way that each peer takes publications.

The pace is open-loop: tick k is due at start + k * interval / (symbols * ticks); a price follows
from its time, so the swarm can check the pair. Commands come by line on stdin, see
ticker/bench/rig/part.py.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.peers.sinks import SINKS, Tick
from ticker.bench.rig.actor import hear, say
from ticker.bench.swarm.publisher import price_at
from ticker.bench.swarm.symbols import symbol_names
from ticker.units import format_price, format_timestamp

STEP_MS = 1


class Ticks:
    """Ticks of `symbols` for `send`."""

    def __init__(self, symbols: list[str], send: Callable[[list[Tick]], None]) -> None:
        self.published = 0
        self.times = [0] * len(symbols)
        self._heads = [f'{{"type":"update","symbol":"{name}","price":'.encode() for name in symbols]
        self._symbols = [name.encode() for name in symbols]
        self._next = 0
        self._send = send
        self.publish(len(symbols))

    def publish(self, count: int) -> None:
        """The next `count` ticks, symbol after symbol, all of now."""
        now = time.time_ns() // 1000 * 1000
        tail = f'{format_price(price_at(now))},"timestamp":"{format_timestamp(now)}"}}'.encode()
        batch = []
        for _ in range(count):
            row = self._next
            batch.append((self._symbols[row], self._heads[row] + tail))
            self.times[row] = now
            self._next = (row + 1) % len(self.times)
        if batch:
            self._send(batch)
        self.published += count

    def run(self, interval: float, ticks: float) -> None:
        """Until there is a command."""
        per_ns = ticks * len(self.times) / interval / 1e9
        start = time.time_ns()
        done = 0
        control = select.poll()
        control.register(0, select.POLLIN)
        while not control.poll(STEP_MS):
            due = int((time.time_ns() - start) * per_ns)
            self.publish(due - done)
            done = due


def main(settings: dict[str, Any]) -> None:
    """Send the first price of every symbol, then do what is said."""
    os.sched_setaffinity(0, settings["cores"])
    sink = SINKS[settings["sink"]](settings["port"])
    ticks = Ticks(symbol_names(settings["symbols"]), sink.send)
    say({"published": ticks.published})
    while True:
        command = hear()
        if command.pop("do") == "run":
            say({"published": ticks.published})
            ticks.run(**command)
        else:
            say({"published": ticks.published, "times": ticks.times})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
