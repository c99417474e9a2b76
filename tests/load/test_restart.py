"""A rolling restart, and workers killed with connections in their accept queue: nobody is refused,
everybody comes back, and nobody misses a price."""

from __future__ import annotations

import os
import signal
import socket
import time
from functools import partial
from pathlib import Path

import pytest

from tests.load.crowd import Crowd
from tests.load.server import LoadServer, every_gateway, until
from tests.load.sock_diag import listening
from tests.load.watcher import JSON, Watcher


def watchers(server: LoadServer, count: int) -> list[Watcher]:
    names = server.symbols
    return [
        Watcher(number, [names[(number * 7 + step * 11) % len(names)] for step in range(5)], JSON)
        for number in range(count)
    ]


def restart_under(
    folder: Path,
    *,
    clients: int,
    spread: float,
    rate: float,
    within: float,
    gateway: dict[str, str] | None = None,
) -> None:
    """`ticker restart` of two workers under `clients`, all of whom obey their goodbye."""
    keys = {"restart_spread": spread, **(gateway or {})}
    with LoadServer(folder, symbols=100, gateways=2, gateway=keys) as server:

        def times() -> dict[str, int]:
            return {name: at for name, (at, _) in server.newest().items()}

        with Crowd(server.address, watchers(server, clients), times) as crowd:
            crowd.come(crowd.lines)
            assert crowd.pump(60, crowd.all_open), "not all were connected"
            assert not crowd.refused, crowd.refused
            old = {server.worker(0), server.worker(1)}
            server.publish(rate)
            begin = time.monotonic()
            command = server.restart()
            assert crowd.pump(120, lambda: command.poll() is not None), "no end of the restart"
            replaced = time.monotonic() - begin
            output, _ = command.communicate()
            assert command.returncode == 0, output
            assert crowd.pump(30, crowd.all_open), "somebody did not come back"
            back = time.monotonic() - begin
            server.publish(0)
            assert crowd.pump(10, lambda: not crowd.behind(server.newest())), "prices are missing"
            assert not old & {server.worker(1), server.worker(2)}
            assert not crowd.refused, crowd.refused
            assert not crowd.lost, crowd.lost
            assert not crowd.violations, crowd.violations[:20]
            assert crowd.count("goodbye") == crowd.closed[1012] == len(crowd.away) >= clients
            print(
                f"{clients} clients, {crowd.closed[1012]} goodbyes: replaced in {replaced:.1f} s, "
                f"all back after {back:.1f} s, a client after {max(crowd.away):.2f} s at most; "
                f"{crowd.count('snapshot')} snapshots, {crowd.count('update')} updates"
            )
            assert back <= within


@pytest.mark.slow
def test_a_rolling_restart_refuses_nobody_and_all_come_back(tmp_path: Path) -> None:
    restart_under(tmp_path, clients=120, spread=0.5, rate=500, within=30)


@pytest.mark.stress
@every_gateway
def test_a_rolling_restart_under_5000_clients(tmp_path: Path, gateway: dict[str, str]) -> None:
    restart_under(tmp_path, clients=5000, spread=10.0, rate=100, within=30, gateway=gateway)


def kills(folder: Path, *, times: int, waiting: int) -> None:
    """`times`, a worker is stopped, `waiting` connections gather in its queue, it is killed."""
    gateway = {"max_connections": 4000}
    with LoadServer(folder, symbols=10, gateways=2, gateway=gateway) as server:
        server.publish(100)
        slowest = 0.0
        for turn in range(times):
            slot = turn % 2
            victim, epoch = server.worker(slot), server.epoch(slot)
            queue = server.queue(victim)
            os.kill(victim, signal.SIGSTOP)
            clients: list[socket.socket] = []
            try:
                gather(server, queue, clients, waiting)
                os.kill(victim, signal.SIGKILL)
                begin = time.monotonic()
                answers = [answer(client) for client in clients]
                slowest = max(slowest, time.monotonic() - begin)
            finally:
                for client in clients:
                    client.close()
            assert answers == ["hello"] * len(clients), f"kill {turn + 1}"
            until(partial(is_replaced, server, slot, epoch), 5)
        print(
            f"{times} kills with {waiting} connections or more waiting in the queue: 0 resets, "
            f"all answered {slowest:.2f} s after the kill at the latest"
        )


def is_replaced(server: LoadServer, slot: int, epoch: int) -> bool:
    return server.epoch(slot) > epoch


def gather(server: LoadServer, queue: int, clients: list[socket.socket], waiting: int) -> None:
    """Connect, and send the handshake, until so many wait in the queue of a stopped worker."""
    request = Watcher(0, [], JSON).request()
    while (missing := waiting - listening()[queue].queue) > 0:
        assert len(clients) < 20 * waiting + 100, "they all went to the other worker"
        for _ in range(missing):
            client = socket.create_connection(server.address, 5)
            clients.append(client)
            client.settimeout(15)
            client.sendall(request)


def answer(client: socket.socket) -> str:
    """What a client is told: "hello", or what went wrong instead."""
    data = b""
    try:
        while b'"type":"hello"' not in data:
            more = client.recv(4096)
            if not more:
                return f"end of stream after {data[:100]!r}"
            data += more
    except OSError as error:
        return f"{error!r} after {data[:100]!r}"
    return "hello" if data.startswith(b"HTTP/1.1 101 ") else repr(data[:100])


@pytest.mark.slow
def test_a_killed_worker_loses_nobody_who_waited(tmp_path: Path) -> None:
    kills(tmp_path, times=2, waiting=50)


@pytest.mark.stress
def test_50_kills_lose_none_of_200_who_waited(tmp_path: Path) -> None:
    kills(tmp_path, times=50, waiting=200)
