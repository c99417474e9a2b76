"""Thousands that come back at once: all are served soon, and those who are there hardly notice."""

from __future__ import annotations

import select
import threading
import time
from typing import Any

import pytest

from tests.gateway.crowd import crowd, say, until
from ticker.units import parse_timestamp

E9 = 1_000_000_000
RETURNING = 5000
NAMES = [f"S{i}" for i in range(60)]
MARK = b'"type":"update","symbol":"S0","price":'


class Witnesses:
    """Clients that are connected all the time, and how late each update of S0 came to them."""

    def __init__(self, port: int, count: int) -> None:
        command = {"action": "subscribe", "symbols": NAMES[:5]}
        self.clients = {client.fileno(): client for client in say(port, [[command]] * count)}
        self.rest = dict.fromkeys(self.clients, b"")
        self.delays: list[float] = []
        self.stopped = False
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        poll = select.epoll()
        for number in self.clients:
            poll.register(number, select.EPOLLIN)
        while not self.stopped:
            for number, _ in poll.poll(0.1):
                data = self.rest[number] + self.clients[number].recv(1 << 17)
                now = time.time_ns()
                *messages, self.rest[number] = data.split(MARK)
                for message in [*messages[1:], self.rest[number]]:
                    stamp = message.partition(b'"timestamp":"')[2][:27]
                    if len(stamp) == 27:
                        self.delays.append((now - parse_timestamp(stamp.decode())) / E9)
                self.rest[number] = b""
        poll.close()

    def p99(self) -> float:
        """Of what came since the last call; seconds."""
        found, self.delays = sorted(self.delays), []
        assert len(found) > 200, len(found)
        return found[int(len(found) * 0.99)]

    def close(self) -> None:
        self.stopped = True
        self.thread.join()
        for client in self.clients.values():
            client.close()


def trade(rig: Any, rows: list[int], seconds: float, price: int, done: Any = None) -> float:
    """Every symbol trades 25 times a second, until `done` or for a time; how long it took."""
    start = time.monotonic()
    while time.monotonic() < start + seconds and not (done and done()):
        price += 1
        for row in rows:
            rig.trade(row, price * E9)
        time.sleep(0.04)
    return time.monotonic() - start


@pytest.mark.stress
@pytest.mark.parametrize("rig", [{"max_connections": 6000}], indirect=True)
def test_five_thousand_come_back_at_once(rig: Any) -> None:
    rig.listener.listen(4096)
    rows = [rig.row(name) for name in NAMES]
    trade(rig, rows, 0.1, 1)
    witnesses = Witnesses(rig.port, 100)
    seen = dict.fromkeys(NAMES[:20], "2026-01-01T00:00:00Z")
    try:
        until(lambda: rig.counters["subscriptions"] == 500, 10)
        trade(rig, rows, 1.0, 100)
        witnesses.delays = []
        trade(rig, rows, 5.0, 1000)
        quiet = witnesses.p99()
        wanted = 500 + 20 * RETURNING
        with crowd(rig.port, [[{"action": "reconnect", "last_seen": seen}]] * RETURNING):
            took = trade(rig, rows, 30, 10_000, lambda: rig.counters["subscriptions"] == wanted)
            busy = witnesses.p99()
            assert rig.counters["subscriptions"] == wanted
        print(
            f"all back in {took:.1f} s; p99 {quiet * 1e3:.0f} ms before, {busy * 1e3:.0f} ms while"
        )
        assert took <= 20
        assert busy <= 2 * quiet
    finally:
        witnesses.close()
