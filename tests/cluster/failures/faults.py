"""What is done to a fleet: each fault begins, lasts for a while, and is mended.

A fault that starts a program again does so in a thread, as clients are to be served meanwhile.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.cluster.failures.clients import FEED
from tests.cluster.failures.network import Machine
from tests.cluster.servers import Box, Nats
from tests.cluster.watching import started

Fault = Iterator[float]
"""Its steps: each says how many seconds the next one is away."""


Thing = TypeVar("Thing", Nats, Box)


@dataclass
class Fleet:
    """`busy`: what some fault has taken, and others leave alone."""

    servers: list[Nats]
    exchange: Box
    ingests: list[Box]
    gateways: list[Box]
    busy: set[int] = field(default_factory=set)

    def take(self, chance: random.Random, them: list[Thing]) -> Thing | None:
        """One that no fault has, while another one of its kind is well; None: there is none."""
        free = [each for each in them if id(each) not in self.busy]
        if len(free) < 2:
            return None
        found = chance.choice(free)
        self.busy.add(id(found))
        return found

    def leave(self, it: Nats | Box) -> None:
        self.busy.discard(id(it))

    def well(self) -> bool:
        """No fault is under way, and every box is as it should be."""
        return not self.busy and all(
            box.state(FEED) == "live" for box in (*self.ingests, *self.gateways)
        )


def processes(box: Box) -> list[int]:
    """The supervisor of a box and all that it has started."""
    assert box.process is not None
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(words[1])
    found = [box.process.pid]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def signal_all(box: Box, number: signal.Signals) -> None:
    for pid in processes(box):
        os.kill(pid, number)


def in_a_thread(work: Callable[[], None]) -> Fault:
    """Until it is done."""
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        yield 0.1
    thread.join()


def start_again(it: Nats | Box) -> Fault:
    def work() -> None:
        it.kill()
        it.start()

    return in_a_thread(work)


def server_dies(fleet: Fleet, chance: random.Random) -> Fault:
    if (server := fleet.take(chance, fleet.servers)) is not None:
        assert server.process is not None
        server.process.kill()
        yield chance.uniform(0.2, 3.0)
        yield from start_again(server)
        fleet.leave(server)


def server_sleeps(fleet: Fleet, chance: random.Random) -> Fault:
    if (server := fleet.take(chance, fleet.servers)) is not None:
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        yield chance.uniform(0.1, 4.0)
        server.process.send_signal(signal.SIGCONT)
        fleet.leave(server)


def ingest_box_dies(fleet: Fleet, chance: random.Random) -> Fault:
    yield from _box_dies(fleet, chance, fleet.ingests)


def gateway_box_dies(fleet: Fleet, chance: random.Random) -> Fault:
    yield from _box_dies(fleet, chance, fleet.gateways)


def _box_dies(fleet: Fleet, chance: random.Random, boxes: list[Box]) -> Fault:
    if (box := fleet.take(chance, boxes)) is not None:
        signal_all(box, signal.SIGKILL)
        yield chance.uniform(0.1, 2.0)
        yield from start_again(box)
        fleet.leave(box)


def ingest_box_sleeps(fleet: Fleet, chance: random.Random) -> Fault:
    if (box := fleet.take(chance, fleet.ingests)) is not None:
        signal_all(box, signal.SIGSTOP)
        yield chance.uniform(0.2, 4.0)
        signal_all(box, signal.SIGCONT)
        fleet.leave(box)


def gateway_box_is_cut_off(fleet: Fleet, chance: random.Random) -> Fault:
    yield from _cut_off(fleet, chance, fleet.gateways)


def ingest_box_is_cut_off(fleet: Fleet, chance: random.Random) -> Fault:
    yield from _cut_off(fleet, chance, fleet.ingests)


def _cut_off(fleet: Fleet, chance: random.Random, boxes: list[Box]) -> Fault:
    if (box := fleet.take(chance, boxes)) is not None:
        machine_of(box).cut()
        yield chance.uniform(0.2, 6.0)
        machine_of(box).join()
        fleet.leave(box)


def bridge_dies(fleet: Fleet, chance: random.Random) -> Fault:
    yield from _worker_dies(fleet, chance, fleet.gateways, f"feed {FEED}")


def gateway_dies(fleet: Fleet, chance: random.Random) -> Fault:
    yield from _worker_dies(fleet, chance, fleet.gateways, "gateway 0")


def relay_dies(fleet: Fleet, chance: random.Random) -> Fault:
    yield from _worker_dies(fleet, chance, fleet.ingests, "relay")


def feed_worker_dies(fleet: Fleet, chance: random.Random) -> Fault:
    yield from _worker_dies(fleet, chance, fleet.ingests, f"feed {FEED}")


def _worker_dies(fleet: Fleet, chance: random.Random, boxes: list[Box], worker: str) -> Fault:
    if (box := fleet.take(chance, boxes)) is not None:
        pid = started(box, worker)
        os.kill(pid, signal.SIGKILL)
        yield 0.5
        while started(box, worker) == pid:
            yield 0.1
        fleet.leave(box)


def machine_of(box: Box) -> Machine:
    assert box.where is not None
    return box.where


FAULTS = (
    server_dies, server_sleeps, ingest_box_dies, ingest_box_sleeps, ingest_box_is_cut_off,
    gateway_box_dies, gateway_box_is_cut_off, bridge_dies, gateway_dies, relay_dies,
    feed_worker_dies,
)  # fmt: skip
