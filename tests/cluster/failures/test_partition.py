"""Cables are cut and joined again: what clients see of it, and when."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.failures.clients import FEED, Client, Clients, seqs, told
from tests.cluster.failures.faults import machine_of
from tests.cluster.failures.network import Network
from tests.cluster.servers import Box, Nats, gateway, ingest, running, wait_for
from tests.cluster.source import rows_of
from tests.cluster.watching import epoch

STALE = 1.0
"""s from the cut until clients are told."""
WHOLE = 0.6
"""s from the link's return until nothing is missing."""
BACK = 1.0
"""s until another box speaks, and all have its prices."""
CUTS = tuple(map(float, os.environ.get("TICKER_CUTS", "0.2 0.45 0.7 1.1 2 5 30").split()))
"""s that a cable is cut."""
CLIENTS = 30


@dataclass
class Site:
    """An exchange, two ingest boxes that hear it, and two gateway boxes, each a machine."""

    exchange: Box
    ingests: list[Box]
    gateways: list[Box]

    def speaker(self) -> Box:
        return self.ingests[(epoch(self.gateways[1]) & 0xFF) - 1]

    def live(self) -> bool:
        return all(box.state(FEED) == "live" for box in (*self.ingests, *self.gateways))


def site(network: Network, folder: Path, nats: Nats) -> Site:
    url = f'"{nats.url}"'
    on = network.machine()
    exchange = ingest(folder, url, network=81, rank=0, where=on)
    ingests = [
        ingest(folder, url, network=81, rank=rank, simulated=False, where=network.machine(),
               exchange=on.lines)
        for rank in (1, 2)
    ]  # fmt: skip
    gateways = [gateway(folder, url, where=network.machine()) for _ in range(2)]
    return Site(exchange, ingests, gateways)


def crowd(found: Site) -> Clients:
    return Clients.of_exchange(found.gateways, found.exchange, CLIENTS)


@pytest.mark.stress
def test_a_gateway_box_is_cut_off(network: Network, tmp_path: Path) -> None:
    nats = Nats(tmp_path, where=network.machine())
    found = site(network, tmp_path, nats)
    with running(nats, found.exchange, *found.ingests, *found.gateways):
        cut, other = found.gateways
        wait_for(lambda: found.live() and len(rows_of(found.exchange.feed(FEED))) >= 50)
        with crowd(found) as clients:
            clients.come(clients.lines)
            clients.wait(clients.all_open)
            for seconds in CUTS:
                cut_off(found, clients, cut, seconds)
                assert other.state(FEED) == "live"
                assert not told(clients), told(clients)


def cut_off(found: Site, clients: Clients, box: Box, seconds: float) -> None:
    """Its clients are told in time, and have all prices in time after."""
    there = [each for each in clients.people(box) if isinstance(each, Client)]
    gone = time.monotonic()
    machine_of(box).cut()
    clients.pump(seconds)
    if seconds > STALE + 0.5:
        late = max(each.fell - gone for each in there)
        assert all(each.fell > gone for each in there), "somebody was not told"
        print(f"cut for {seconds} s: stale {late:.2f} s after")
        assert late < STALE
    newest = seqs(found.exchange)
    machine_of(box).join()
    back = time.monotonic()
    clients.wait(lambda: box.state(FEED) == "live" and not behind(box, newest))
    here = time.monotonic() - back
    clients.wait(lambda: all(each.has(newest) and FEED not in each.stale for each in there))
    took = time.monotonic() - back
    print(f"cut for {seconds} s: whole {here:.2f} s after, clients {took:.2f} s")
    assert took < WHOLE


def behind(box: Box, newest: dict[str, int]) -> list[str]:
    here = seqs(box)
    return [name for name, seq in newest.items() if here.get(name, 0) < seq]


@pytest.mark.stress
def test_the_box_that_speaks_is_cut_off(network: Network, tmp_path: Path) -> None:
    """Another one speaks within a second, and the first one is quiet when it comes back."""
    nats = Nats(tmp_path, where=network.machine())
    found = site(network, tmp_path, nats)
    with running(nats, found.exchange, *found.ingests, *found.gateways):
        wait_for(lambda: found.live() and len(rows_of(found.exchange.feed(FEED))) >= 50)
        with crowd(found) as clients:
            clients.come(clients.lines)
            clients.wait(clients.all_open)
            for seconds in CUTS:
                cut_speaker(found, clients, seconds)
                assert not told(clients), told(clients)


def cut_speaker(found: Site, clients: Clients, seconds: float) -> None:
    speaker, before = found.speaker(), epoch(found.gateways[0])
    machine_of(speaker).cut()
    gone = time.monotonic()
    newest = seqs(found.exchange)

    def whole() -> bool:
        return not any(behind(box, newest) for box in found.gateways)

    if seconds > BACK:
        took = clients.wait(lambda: epoch(found.gateways[0]) > before and whole())
        print(f"the speaker is cut for {seconds} s: prices {took:.2f} s after")
        assert took < BACK
    clients.pump(gone + seconds - time.monotonic())
    newest = seqs(found.exchange)
    machine_of(speaker).join()
    took = clients.wait(
        lambda: whole() and all(box.state(FEED) == "live" for box in found.gateways)
    )
    print(f"the speaker was cut for {seconds} s: whole {took:.2f} s after")
    assert took < WHOLE
    clients.wait(found.live)
    clients.wait(speaker.relays)
    clients.wait(lambda: same_epoch(found))


def same_epoch(found: Site) -> bool:
    """One box speaks."""
    return sum(box.relay("speaking") for box in found.ingests) == 1
