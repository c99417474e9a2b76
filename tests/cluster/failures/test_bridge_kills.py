"""The bridge is killed again and again while 200,000 trades a second come."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cluster.failures.clients import FEED, Clients, seqs, times, told
from tests.cluster.failures.synthetic import Synthetic
from tests.cluster.servers import Nats, gateway, running, wait_for
from tests.cluster.watching import Watch, same_rows
from tests.load.watcher import JSON, MSGPACK, Watcher

RATE = 200_000
SYMBOLS = 500
TIMES = int(os.environ.get("TICKER_KILLS", "50"))
CAUGHT_UP = 2.0


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


def play(nats: Nats, folder: Path, times_killed: int, rate: int) -> None:
    lines = Synthetic(folder, f'"{nats.url}"', symbols=SYMBOLS)
    served = gateway(folder, f'"{nats.url}"')
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
            clients.pump(1.0)
            print(
                f"{times_killed} kills: caught up {longest:.2f} s after at most; "
                f"{clients.count('update')} updates, {clients.count('lagged')} lagged"
            )
            assert not told(clients), told(clients)
        assert served.count(FEED, "bad_packets") == 0
        assert lines.relay("lapped") == lines.relay("dropped") == 0


def kill(lines: Synthetic, clients: Clients, watch: Watch) -> float:
    """How long it took until all was there again."""
    box = watch.box
    worker = box.worker(FEED)
    newest = seqs(lines)
    os.kill(worker, signal.SIGKILL)
    clients.wait(lambda: watch.look() and box.worker(FEED) != worker)
    back = time.monotonic()
    clients.wait(
        lambda: (
            watch.look()
            and box.state(FEED) == "live"
            and all(seqs(box).get(name, 0) >= seq for name, seq in newest.items())
        )
    )
    took = time.monotonic() - back
    assert took < CAUGHT_UP
    clients.pump(0.3)
    return took


@pytest.mark.stress
def test_fifty_kills_of_a_bridge(nats: Nats, tmp_path: Path) -> None:
    """Caught up within 2 s each time, nothing goes back, the rows are the same in the end, and
    `trades` is complete or says what is missing."""
    play(nats, tmp_path, TIMES, RATE)
