"""A load that jumps to twice what a core can do, and back, on a real worker: nothing is lost, no
client waits much longer than the ceiling, and the pace settles."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest

from bench.peers.sides import first_in_line
from ticker.bench.rig.rig import Clients, Load, Rig
from ticker.gateway.pacing.settings import CEILING

SETTLED = 5.0
"""s within which the interval comes to rest."""
REST = 4.0
"""s after that, in which it may move by BAND."""
BAND = 2.0
LOOKS = 0.05
"""s between two looks at the interval."""


class Jump:
    """A worker under clients of whom all are due something at every flush of a tick."""

    def __init__(self, rig: Rig, clients: Clients) -> None:
        self.rig, self.clients = rig, clients

    def interval(self) -> float:
        """s between two flushes of a client, as the worker tells."""
        return self.rig.counters["flush_interval_ns"] / 1e9

    def load(self) -> float:
        """Of the worker, as a share of a core."""
        return self.rig.counters["load_permille"] / 1e3

    def hold(self, every: float) -> dict[str, Any]:
        """A tick of each symbol `every` s, until the pace has settled and some time after it."""
        self.rig.publisher.ask("run", interval=every, ticks=1)
        self.clients.ask("reset")
        self._watch(SETTLED)
        intervals = self._watch(REST)
        middle = statistics.median(intervals)
        moved = max(max(intervals) / middle, middle / min(intervals))
        return {"interval": middle, "moved": moved, "load": self.load(), **self._seen()}

    def _watch(self, seconds: float) -> list[float]:
        end = time.monotonic() + seconds
        found = []
        while time.monotonic() < end:
            self.rig.gateway.check_alive()
            found.append(self.interval())
            time.sleep(LOOKS)
        return found

    def _seen(self) -> dict[str, Any]:
        found = self.clients.results()
        return {
            "p99": found.latency.percentile(99) / 1e9,
            "violations": found.violations,
            "lagged": found.counts["lagged"],
            "open": found.open,
        }


def jump(load: Load, *, slow: float, fast: float) -> list[dict[str, Any]]:
    """What is seen at `slow`, `fast` and `slow` s between two ticks of a symbol. After it, no price
    is missing."""
    with Rig(load) as rig:
        first_in_line(rig.publisher)
        clients = rig.swarm()
        bench = Jump(rig, clients)
        found = [bench.hold(every) for every in (slow, fast, slow)]
        times = rig.stop_ticks(quiet_intervals=2 * CEILING)
        clients.ask("drain", quiet=1.0, timeout=20.0)
        behind = sum(clients.ask("behind", times=times))
        assert behind == 0, f"{behind} prices are not the newest"
    return found


@pytest.mark.stress
@pytest.mark.parametrize("sender", ["io_uring", "send"])
@pytest.mark.parametrize(
    ("channel", "encoding", "clients"), [("price", "plain", 6000), ("trades", "json", 4000)]
)
def test_a_jump_from_5_to_200_percent_of_a_core_and_back(
    sender: str, channel: str, encoding: str, clients: int
) -> None:
    """At the floor of 10 ms, so many flushes in it take two cores; a tick in 4 s a twentieth."""
    load = Load(
        clients=clients, symbols=200, per_client=5, pace="adaptive", sender=sender,
        channel=channel, encoding=encoding, nap_us=1000,
    )  # fmt: skip
    found = jump(load, slow=4.0, fast=0.02)
    ceiling = CEILING * load.flush_interval
    print(*found, sep="\n")
    before, under, after = found
    assert under["load"] > 0.5, "this is no load for this machine"
    assert before["load"] < 0.25
    assert after["load"] < 0.25
    for each in found:
        assert each["p99"] <= 2 * ceiling, each
        assert each["moved"] <= BAND, each
        assert not each["violations"], each
        assert each["open"] == load.clients, each
        assert each["lagged"] == 0, each
    assert after["interval"] <= BAND * before["interval"], "it went back to where it was"
