"""The bridge is killed again and again while 200,000 trades a second come."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cluster.failures.clients import FEED, Clients, seqs, times, told
from tests.cluster.failures.synthetic import Synthetic
from tests.cluster.servers import Box, Nats, gateway, running, wait_for
from tests.cluster.watching import Watch, same_rows
from tests.load.watcher import JSON, MSGPACK, Watcher
from ticker.shm.table import PriceTable

RATE = 200_000
SYMBOLS = 500
TIMES = int(os.environ.get("TICKER_KILLS", "50"))
CAUGHT_UP = 2.0
"""s from the kill on."""


def watchers(names: list[str]) -> list[Watcher]:
    """Some on `trades`, who hold each number against the one before, the others on `price`."""
    return [
        Watcher(
            number,
            [names[(number * 7 + step * 11) % len(names)] for step in range(2)],
            MSGPACK if number % 2 else JSON,
            "trades" if number < 8 else "price",
        )
        for number in range(24)
    ]


def play(nats: Nats, folder: Path, times_killed: int, rate: int, more: str = "") -> Clients:
    lines = Synthetic(folder, f'"{nats.url}"', symbols=SYMBOLS, more=more)
    served = gateway(folder, f'"{nats.url}"', more)
    with running(lines, served):
        lines.publish(rate)
        wait_for(lambda: served.state(FEED) == "live" and served.count(FEED, "trades") > rate / 10)
        watch = Watch(served)
        with Clients([served], watchers(lines.symbols), lambda: times(served)) as clients:
            clients.come(clients.lines)
            clients.wait(clients.all_open)
            longest = max(kill(lines, clients, watch) for _ in range(times_killed))
            lines.publish(0)
            clients.wait(lambda: watch.look() and same_rows(lines, served))
            newest = seqs(lines)
            clients.wait(lambda: not unsaid(clients, newest))
            print(
                f"{times_killed} kills: caught up {longest:.2f} s after at most; "
                f"{clients.count('update')} updates, {clients.count('lagged')} lagged"
            )
            assert not told(clients), told(clients)
        assert served.count(FEED, "bad_packets") == 0
        assert lines.relay("lapped") == lines.relay("dropped") == 0
    return clients


def unsaid(clients: Clients, newest: dict[str, int]) -> list[str]:
    """Of `trades`: who has neither the newest one nor a word that it is missing."""
    return [
        f"client {each.number}: {name}"
        for each in (line.watcher for line in clients.lines)
        if each.channel == "trades"
        for name in each.symbols
        if each.last[name].seq + each.lagged.get(name, 0) != newest[name]
    ]


class Few:
    """Some rows of a box, which are looked at often."""

    def __init__(self, box: Box) -> None:
        self.table = PriceTable(box.feed(FEED))
        self.rows = {self.table.symbol(row): row for row in range(0, len(self.table), 20)}

    def seqs(self) -> dict[str, int]:
        found = {name: self.table.values(row) for name, row in self.rows.items()}
        return {name: values["seq"] for name, values in found.items() if values is not None}


def kill(lines: Synthetic, clients: Clients, watch: Watch) -> float:
    """How long it took until all was there again."""
    box, here, there = watch.box, Few(watch.box), Few(lines)
    worker = box.worker(FEED)
    newest, killed = there.seqs(), time.monotonic()
    os.kill(worker, signal.SIGKILL)
    clients.wait(lambda: box.worker(FEED) != worker and box.state(FEED) == "live")
    clients.wait(lambda: all(seq >= newest.get(name, 0) for name, seq in here.seqs().items()))
    took = time.monotonic() - killed
    assert took < CAUGHT_UP
    watch.look()
    clients.pump(0.3)
    return took


@pytest.mark.stress
def test_fifty_kills_of_a_bridge(nats: Nats, tmp_path: Path) -> None:
    """Caught up within 2 s each time, nothing goes back, the rows are the same in the end, and
    `trades` is complete or says what is missing."""
    play(nats, tmp_path, TIMES, RATE)


@pytest.mark.stress
def test_with_a_log_no_trade_is_missing(jetstream: Nats, tmp_path: Path) -> None:
    """What came while there was no bridge is told from the log, in order."""
    clients = play(jetstream, tmp_path, max(1, TIMES // 5), RATE // 10, "[cluster.log]")
    assert clients.count("lagged") == 0
