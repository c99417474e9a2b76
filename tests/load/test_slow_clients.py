"""Clients that stop reading: they cost little, are closed in time and told why, and nobody else
notices."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.load.crowd import Crowd
from tests.load.server import every_gateway
from tests.load.sock_diag import connection
from tests.load.watcher import JSON, MSGPACK, Watcher, next_frame
from ticker.bench.rig.rig import Clients, Load, Rig
from ticker.bench.swarm.symbols import symbol_names
from ticker.shm.table import PriceTable

MOST = 256 * 1024  # bytes for a client that has stopped reading
LATE = 2.0  # s: the gateway looks every 0.5, and the machine is not ours alone


class SlowRig(Rig):
    """A gateway with another `slow_timeout`; a table to compare with."""

    def __init__(self, load: Load, slow_timeout: float) -> None:
        super().__init__(load)
        self.slow_timeout = slow_timeout

    def _grants(self) -> dict[str, Any]:
        return {**super()._grants(), "slow_timeout": self.slow_timeout}

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def newest(self) -> dict[str, tuple[int, float]]:
        """(exchange time in us, price) of each symbol by the table."""
        table = PriceTable(self.feed)
        rows = [table.values(row) for row in range(len(table))]
        return {
            table.symbol(place): (row["exchange_time"] // 1000, row["price"] / 1e9)
            for place, row in enumerate(rows)
            if row is not None
        }


class Stopped:
    """A client that subscribes to a lot and never reads, until `reasons` looks what there is."""

    def __init__(self, address: tuple[str, int], watcher: Watcher) -> None:
        self.address = address
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(10)
        self.socket.connect(address)
        self.near = self.socket.getsockname()
        self.socket.sendall(watcher.request())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.socket.recv(1)
        self.socket.sendall(watcher.command(dict.fromkeys(watcher.symbols, 0)))
        self.watcher = watcher

    def memory(self) -> int:
        """Bytes that the kernel holds for the server's end."""
        told = connection(self.address, self.near)
        return told.memory if told is not None else 0

    def reasons(self) -> tuple[int, int]:
        """Read all: how many errors 407 there were, and the close code."""
        data, at = b"", 0
        while not self.watcher.close_code:
            more = self.socket.recv(65536)
            assert more, f"the end after {len(data)} bytes, without a close frame"
            data += more
            while (found := next_frame(data, at)) is not None:
                opcode, start, at = found
                self.watcher.take(opcode, data[start:at])
        return self.watcher.counts.get("error", 0), self.watcher.close_code


class Steps:
    """When a counter grew, by looking at it again and again."""

    def __init__(self, count: Callable[[], int]) -> None:
        self.count, self.before = count, count()
        self.times: list[float] = []

    def look(self) -> None:
        self.times += [time.monotonic()] * (self.count() - self.before - len(self.times))


class Bench:
    """A rig under load: readers that measure, a crowd that checks, and now and then `Stopped`."""

    def __init__(self, rig: SlowRig, readers: Clients, crowd: Crowd) -> None:
        self.rig, self.readers, self.crowd = rig, readers, crowd

    def p99(self, seconds: float) -> float:
        """Of the readers, in ms."""
        self.readers.ask("reset")
        self.crowd.pump(seconds)
        return self.readers.results().latency.percentile(99) / 1e6

    def stop_reading(self, count: int) -> list[Stopped]:
        names = symbol_names(self.rig.load.symbols)[:100]
        kinds = (JSON, MSGPACK)
        return [Stopped(self.rig.address, Watcher(n, names, kinds[n % 2])) for n in range(count)]

    def own_memory(self) -> int:
        """Bytes of the gateway's own: not of files and segments, which others map too or not."""
        text = Path(f"/proc/{self.rig.gateway.pid}/smaps_rollup").read_text()
        (line,) = (line for line in text.splitlines() if line.startswith("Anonymous:"))
        return int(line.split()[1]) * 1024

    def until_closed(
        self, stopped: list[Stopped], blocked: Steps, closed: Steps, base: int
    ) -> float:
        """Wait until all are closed; bytes per stopped client at the most, of the kernel's and
        of the gateway's beyond `base`."""
        most = 0.0

        def all_closed() -> bool:
            nonlocal most
            blocked.look()
            closed.look()
            own = max(0, self.own_memory() - base) / len(stopped)
            most = max(most, own + max(each.memory() for each in stopped))
            return len(closed.times) >= len(stopped)

        assert self.crowd.pump(90, all_closed), f"{len(closed.times)} closed"
        return most

    def check(self) -> None:
        """Silence, and nobody lacks anything."""
        times = self.rig.stop_ticks()
        now = self.rig.newest()
        assert self.crowd.pump(10, lambda: not self.crowd.behind(now)), self.crowd.behind(now)
        self.readers.ask("drain", quiet=0.3, timeout=10.0)
        assert sum(self.readers.ask("behind", times=times)) == 0
        found = self.readers.results()
        assert not found.violations, found.violations
        assert found.open == self.rig.load.clients
        assert not self.crowd.violations, self.crowd.violations[:20]
        assert not self.crowd.lost
        assert self.crowd.all_open()


def slow_clients(
    *,
    readers: int,
    checkers: int,
    stopped: int,
    timeout: float,
    hold: float,
    turns: int,
    gateway: dict[str, Any] | None = None,
) -> None:
    """`turns` times without and with `stopped` clients; the last ones read after `hold` s."""
    load = replace(Load(clients=readers, symbols=200, per_client=10), **(gateway or {}))
    names = symbol_names(load.symbols)
    watchers = [
        Watcher(n, [names[(n * 7 + step * 11) % 200] for step in range(5)], (JSON, MSGPACK)[n % 2])
        for n in range(checkers)
    ]
    without, beside, memory, waits = [], [], [], []
    with (
        SlowRig(load, timeout) as rig,
        Crowd(rig.address, watchers, lambda: {k: v[0] for k, v in rig.newest().items()}) as crowd,
    ):
        bench = Bench(rig, rig.swarm(), crowd)
        crowd.come(crowd.lines)
        assert crowd.pump(10, crowd.all_open)
        rig.start_ticks()
        for turn in range(turns):
            without.append(bench.p99(timeout))
            blocked = Steps(lambda: rig.counters["send_blocked"])
            closed = Steps(lambda: rig.counters["slow_closed"])
            bench.readers.ask("reset")
            begin, base = time.monotonic(), bench.own_memory()
            clients = bench.stop_reading(stopped)
            memory.append(bench.until_closed(clients, blocked, closed, base))
            beside.append(bench.readers.results().latency.percentile(99) / 1e6)
            assert len(blocked.times) >= stopped
            assert closed.times[0] - begin >= timeout
            pairs = zip(blocked.times[:stopped], closed.times, strict=True)
            waits += [end - start for start, end in pairs]
            if turn == turns - 1:
                crowd.pump(hold - (time.monotonic() - begin))
                reasons = [client.reasons() for client in clients]
                assert reasons == [(1, 4407)] * stopped
            for client in clients:
                client.socket.close()
        bench.check()
    ratio = statistics.median(beside) / statistics.median(without)
    print(
        f"{stopped} of {readers + checkers + stopped} stopped reading {turns} times: at most "
        f"{max(memory) / 1024:.0f} kB each; closed at most {max(waits):.1f} s after their sockets "
        f"were seen full; p99 of the others {rounded(without)} ms without, {rounded(beside)} ms "
        f"beside them, ratio {ratio:.3f}"
    )
    assert max(memory) <= MOST
    assert max(waits) <= timeout + LATE
    if turns > 1:
        assert ratio <= 1.1


def rounded(figures: list[float]) -> list[float]:
    return [round(each, 1) for each in figures]


@pytest.mark.slow
def test_clients_that_stop_reading_are_closed_and_told() -> None:
    slow_clients(readers=30, checkers=6, stopped=4, timeout=1.0, hold=0.0, turns=1)


@pytest.mark.stress
@every_gateway
def test_20_of_200_stop_reading_for_60_s(gateway: dict[str, Any]) -> None:
    slow_clients(
        readers=160, checkers=20, stopped=20, timeout=10.0, hold=60.0, turns=5, gateway=gateway
    )
