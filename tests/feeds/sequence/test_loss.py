"""Two lines that lose and reorder: the table is the lossless one after re-requests (MoldUDP64) or
the gap proxy (PITCH); without them every gap is counted, in bounded time, and prices go on.

A simulated exchange speaks to two real workers: one hears its lines as they are, the other through
lossy_network.py. In the end both have the same table, or one that lacks what was counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.worker_process import LOOPBACK, Worker, wait_for
from ticker.bench.rig.ports import free_port
from ticker.shm.gaps import BECAME, GapReader

NETWORK = Path(__file__).with_name("lossy_network.py")
RATE = 100_000
REORDER = 32
WHOLE = 50  # packets of each line that begin it, neither lost nor late: a worker joins by them
BOTH = 40  # every so many packets one that no line brings: what the requests are for
REQUEST_TIMEOUT = 0.1
ATTEMPTS = 5


class Market:
    """One simulated exchange, the network, and both workers."""

    def __init__(
        self, protocol: str, loss: float, messages: int, server: bool, both: int = 0
    ) -> None:
        self.protocol = protocol
        self.messages = messages
        self.stack = ExitStack()
        host = f"239.192.{os.getpid() >> 8 & 127}.{os.getpid() & 255}"
        self.groups = [(host, free_port()), (host, free_port())]
        self.gap_group = (host, free_port())
        self.lossy_lines = [(LOOPBACK, free_port()), (LOOPBACK, free_port())]
        self.server = (LOOPBACK, free_port())
        self.way_there = (LOOPBACK, free_port())
        self.whole = self.worker(self.groups, self.server)
        self.lossy = self.worker(self.lossy_lines, self.way_there)
        name = "tcp" if protocol == "pitch" else "udp"
        how = {
            "lines": list(zip(self.groups, self.lossy_lines, strict=True)),
            "requests": [name, self.way_there[1], self.server] if server else None,
            "loss": loss,
            "both": both,
            "reorder": REORDER,
            "whole": WHOLE,
            "seed": 1,
        }
        self.network = subprocess.Popen(
            [sys.executable, str(NETWORK), json.dumps(how)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.stack.enter_context(self.network)
        self.stack.callback(self.network.kill)
        assert self.network.stdout is not None
        assert self.network.stdout.readline() == "ready\n"

    def worker(self, lines: list[tuple[str, int]], server: tuple[str, int]) -> Worker:
        named = json.dumps([f"{host}:{port}" for host, port in lines])
        toml = f'[[feeds]]\nname = "sim"\nvenue = "XNAS"\nlines = {named}\n'
        toml += f"request_timeout = {REQUEST_TIMEOUT}\nrequest_attempts = {ATTEMPTS}\n"
        there = "{}:{}".format(*server)
        if self.protocol == "pitch":
            toml += 'protocol = "pitch"\n[feeds.pitch]\nusername = "TICK"\n'
            toml += f'gap_proxy = "{there}"\ngap_lines = ["{self.gap_group[0]}:'
            toml += f'{self.gap_group[1]}"]\n'
        else:
            toml += f'protocol = "itch50"\nrerequest = "{there}"\nrebuild = false\n'
        made = Worker(toml)
        self.stack.callback(made.close)
        return made

    def open(self) -> None:
        """Let the exchange speak."""
        options = ["--symbols", "100", "--rate", str(RATE), "--seed", "3", "--linger", "4"]
        options += ["--duration", str(self.messages / RATE)]
        (host_a, port_a), (host_b, port_b) = self.groups
        options += ["--line-a", f"{host_a}:{port_a}", "--line-b", f"{host_b}:{port_b}"]
        there = "{}:{}".format(*self.server)
        if self.protocol == "pitch":
            gap = "{}:{}".format(*self.gap_group)
            options += ["--gap-proxy", there, "--gap-line", gap]
        else:
            options += ["--rerequest", there]
        name = "pitch" if self.protocol == "pitch" else "itch"
        self.exchange = subprocess.Popen(
            [sys.executable, "-m", "ticker", "simulate", name, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.stack.enter_context(self.exchange)
        self.stack.callback(self.exchange.kill)

    def end_requests(self) -> None:
        """From now on nobody answers the lossy worker."""
        assert self.network.stdin is not None
        self.network.stdin.write("die\n")
        self.network.stdin.flush()

    def lost(self) -> dict[str, list[int]]:
        """What the network did, in the end."""
        assert self.network.stdin is not None
        assert self.network.stdout is not None
        self.network.stdin.close()
        found: dict[str, list[int]] = json.loads(self.network.stdout.read())
        return found

    def run_whole(self) -> None:
        """Until the worker that loses nothing has it all."""
        wait_for(
            lambda: self.whole.heartbeat.state == "ended", seconds=20 + 3 * self.messages / RATE
        )
        assert self.whole["lost_messages"] == 0
        assert self.whole["messages"] >= 0.8 * self.messages

    def accounted(self) -> bool:
        """Every message came, or was counted as lost."""
        return self.lossy["messages"] + self.lossy["lost_messages"] == self.whole["messages"]


@pytest.fixture
def make_market() -> Iterator[Callable[..., Market]]:
    with ExitStack() as stack:

        def make(*args: Any) -> Market:
            made = Market(*args)
            stack.enter_context(made.stack)
            return made

        yield make


def ledger_of(worker: Worker) -> dict[str, int]:
    """What became of all numbers that a worker missed; each is in one of the counts."""
    reader = GapReader(worker.mapping)
    sums = reader.sums().sums()
    for each in (sums, *(gap.sums() for gap in reader.last())):
        assert each["missing"] == each["open"] + sum(each[name] for name in BECAME)
    return sums


def recovers(market: Market, loss: float) -> None:
    market.open()
    market.run_whole()
    wait_for(market.accounted)
    wait_for(lambda: market.lossy.heartbeat.state == "ended")
    lossy, done = market.lossy, market.lost()
    for line in range(2):
        assert done["lost"][line] > loss * 0.7 * done["heard"][line]
        assert done["reordered"][line] > 0
    assert lossy["recovered_messages"] > 0
    assert lossy["gaps_filled_by_line"] > 0
    assert (lossy["lost_messages"], lossy["bad_packets"], lossy["unknown_orders"]) == (0, 0, 0)
    assert lossy.rows() == market.whole.rows()
    assert len(lossy.rows()) == 100
    sums = ledger_of(lossy)
    assert (sums["open"], sums["lost_upstream"], sums["lost_downstream"]) == (0, 0, 0)
    assert sums["recovered"] == lossy["recovered_messages"]


def goes_on(market: Market, dies: bool) -> None:
    market.open()
    if dies:
        wait_for(lambda: market.lossy["recovered_messages"] > 0)
        market.end_requests()
    market.run_whole()
    ended = time.monotonic()
    wait_for(market.accounted, seconds=10)
    # A gap waits for all its attempts, the next ones for one.
    assert time.monotonic() - ended < 4 * REQUEST_TIMEOUT * ATTEMPTS + 1
    lossy, whole = market.lossy, market.whole
    assert lossy["lost_messages"] > 0
    assert lossy["gap_messages"] >= lossy["lost_messages"] + lossy["recovered_messages"]
    assert bool(lossy["recovered_messages"]) == dies
    times = [{s: row["exchange_time"] for s, row in each.rows().items()} for each in (lossy, whole)]
    assert sum(times[0][symbol] == time for symbol, time in times[1].items()) > 0.9 * len(times[1])
    assert lossy["trades"] > 0.9 * whole["trades"]
    sums = ledger_of(lossy)
    assert sums["open"] == 0
    assert sums["lost_upstream"] + sums["lost_downstream"] == lossy["lost_messages"]


Make = Callable[..., Market]


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["itch50", "pitch"])
def test_the_table_is_the_lossless_one(make_market: Make, protocol: str) -> None:
    recovers(make_market(protocol, 0.05, 150_000, True), 0.05)


@pytest.mark.stress
@pytest.mark.parametrize("loss", [0.01, 0.05])
@pytest.mark.parametrize("protocol", ["itch50", "pitch"])
def test_a_million_messages(make_market: Make, protocol: str, loss: float) -> None:
    market = make_market(protocol, loss, 1_050_000, True)
    recovers(market, loss)
    assert market.whole["messages"] >= 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("protocol", ["itch50", "pitch"])
def test_without_the_server_gaps_are_counted(make_market: Make, protocol: str, dies: bool) -> None:
    goes_on(make_market(protocol, 0.05, 80_000, dies, BOTH), dies)


@pytest.mark.stress
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("protocol", ["itch50", "pitch"])
def test_a_million_without_the_server(make_market: Make, protocol: str, dies: bool) -> None:
    goes_on(make_market(protocol, 0.05, 1_050_000, dies), dies)
