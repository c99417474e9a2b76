"""Clients dropped at random while ticks pass: nobody ends with a wrong price or gets an older."""

from __future__ import annotations

import random
import select
import socket
import time
from typing import Any

import orjson
import pytest

from tests.gateway.crowd import UPGRADE, frame, until

E9 = 1_000_000_000
NAMES = [f"S{i}" for i in range(60)]


class Follower:
    """One client: what it was told last of each symbol, over all its connections."""

    def __init__(self, port: int, symbols: list[str]) -> None:
        self.port = port
        self.symbols = symbols
        self.told: dict[str, tuple[str, int, float]] = {}  # time, seq, price
        self.holes: set[str] = set()
        self.connect({"action": "subscribe", "symbols": symbols})

    def connect(self, command: dict[str, Any]) -> None:
        self.holes = set(self.symbols)
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.sendall(UPGRADE)
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.data += self.socket.recv(4096)
        self.data = self.data.partition(b"\r\n\r\n")[2]
        self.socket.sendall(frame(command))

    def drop(self) -> None:
        """Lose the connection in the middle of anything, and come back."""
        self.socket.close()
        seen = {name: self.told[name][0] if name in self.told else None for name in self.symbols}
        self.connect({"action": "reconnect", "last_seen": seen})

    def read(self) -> None:
        self.data += self.socket.recv(1 << 18)
        at = 0
        while len(self.data) >= at + 4:
            size, begin = self.data[at + 1], at + 2
            if size == 126:
                size, begin = int.from_bytes(self.data[at + 2 : at + 4], "big"), at + 4
            if len(self.data) < begin + size:
                break
            if self.data[at] == 0x81:
                self.take(orjson.loads(self.data[begin : begin + size]))
            at = begin + size
        self.data = self.data[at:]

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] not in ("snapshot", "update"):
            return
        name = message["symbol"]
        new = (message["timestamp"], message["seq"], message["price"])
        old = self.told.get(name)
        if old is not None:
            assert new[0] >= old[0], "a price went back in time"
            assert new[1] >= old[1], "a count of trades went back"
        if name in self.holes:
            # an update right after a reconnect is only right if nothing was missed before it
            assert message["type"] == "snapshot" or old is not None
            self.holes.discard(name)
        self.told[name] = new


@pytest.mark.stress
@pytest.mark.parametrize(
    ("clients", "rounds", "ticks"), [(500, 10, 1_000_000)], ids=["500 clients, 1M ticks"]
)
def test_dropped_clients_end_with_the_prices_of_the_table(
    rig: Any, clients: int, rounds: int, ticks: int
) -> None:
    chance = random.Random(1)
    rows = [rig.row(name) for name in NAMES]
    followers = [Follower(rig.port, chance.sample(NAMES, 5)) for _ in range(clients)]
    price = 0

    def drain(seconds: float) -> None:
        poll = select.poll()
        by_number = {follower.socket.fileno(): follower for follower in followers}
        for number in by_number:
            poll.register(number, select.POLLIN)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for number, _ in poll.poll(10):
                by_number[number].read()

    for _ in range(rounds):
        for _ in range(ticks // rounds // 2000):
            for _ in range(2000):
                price += 1
                rig.trade(rows[price % 60], price * E9)
            drain(0.001)
        for follower in chance.sample(followers, clients // 5):
            follower.drop()
        drain(0.05)
    latest = {NAMES[number % 60]: number for number in range(price - 59, price + 1)}

    def done() -> bool:
        drain(0.05)
        return all(
            follower.told[name][2] == latest[name]
            for follower in followers
            for name in follower.symbols
        )

    until(done, 20)
    told = {name: rig.counters[name] for name in ("records_read", "updates_sent", "snapshots_sent")}
    print(f"{price:,} ticks, {told}")
    assert price == ticks
    for follower in followers:
        follower.socket.close()
