"""A proxy between the bus and a box harms frames: dropped, flipped, doubled, in another order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.failures.clients import FEED, Clients, times, told
from tests.cluster.failures.synthetic import Synthetic
from tests.cluster.proxy import Proxy
from tests.cluster.servers import Box, Nats, gateway, running, wait_for
from tests.cluster.watching import Watch, same_rows
from tests.load.watcher import Watcher

RATE = 20_000
SYMBOLS = 200
TIMES = 300


@pytest.mark.stress
def test_holes_that_are_told_are_those_that_were_made(nats: Nats, tmp_path: Path) -> None:
    """And every price belongs to its time, for clients of `trades` and of `price`."""
    proxy = Proxy(nats.port)
    lines = Synthetic(tmp_path, f'"{nats.url}"', symbols=SYMBOLS)
    served = gateway(tmp_path, f'"{proxy.url}"')
    with running(proxy, lines, served):
        lines.publish(RATE)
        wait_for(lambda: served.state(FEED) == "live" and served.count(FEED, "trades") > RATE)
        watch = Watch(served)
        names = lines.symbols
        people = [
            Watcher(
                number,
                [names[(number * 7 + step * 11) % len(names)] for step in range(4)],
                channel="price" if number % 3 else "trades",
            )
            for number in range(30)
        ]
        with Clients([served], people, lambda: times(served)) as clients:
            clients.come(clients.lines)
            clients.wait(clients.all_open)
            proxy.harm = True
            clients.wait(lambda: watch.look() and min(proxy.made.values()) >= TIMES, 120.0)
            proxy.harm = False
            clients.wait(lambda: watch.look() and lost(served) == holes(proxy))
            lines.publish(0)
            clients.wait(lambda: watch.look() and same_rows(lines, served))
            clients.pump(1.0)
            print(
                f"{proxy.made}, lost {lost(served)}; "
                f"{clients.count('update')} updates, {clients.count('lagged')} lagged"
            )
            assert lost(served) == holes(proxy)
            assert clients.count("lagged")
            assert not told(clients), told(clients)
        assert served.count(FEED, "bad_packets") == proxy.made["flipped"] + proxy.made["garbage"]


def lost(box: Box) -> int:
    return box.count(FEED, "lost_messages")


def holes(proxy: Proxy) -> int:
    return proxy.made["dropped"] + proxy.made["flipped"]
