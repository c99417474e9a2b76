"""The sends of a turn, by io_uring and one by one: the same bytes, whatever sockets do; and a
kernel that refuses io_uring."""

from __future__ import annotations

import itertools
import json
import os
import socket
import struct
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.conftest import Require
from tests.gateway.conftest import Client, Rig, new_rig, wait_for
from tests.seccomp import IO_URING_ENTER, IO_URING_SETUP, refuse
from ticker.config import Config, GatewayConfig
from ticker.errors import GatewayError
from ticker.gateway.sockets.sender import check, refusal_here
from ticker.supervisor.surroundings import server_faults

E9 = 1_000_000_000
NAMES = [f"S{i}" for i in range(60)]
V1 = "ticker.v1.json"
MANY = 40
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: no goodbye."""
Connect = Callable[..., Client]
Sender = Literal["auto", "send", "io_uring"]


@pytest.fixture(params=["send", "io_uring"])
def sender(request: pytest.FixtureRequest, require: Require) -> Sender:
    if request.param == "io_uring":
        require(refusal_here() is None, f"this kernel refuses io_uring: {refusal_here()}")
    chosen: Sender = request.param
    return chosen


@pytest.fixture
def rig(sender: Sender) -> Iterator[Rig]:
    gateway = GatewayConfig(max_connections=512, flush_interval=0.02, sender=sender)
    made = new_rig(Config(gateway=gateway))
    yield made
    assert made.close() == 0


def watching(connect: Connect, count: int, **options: Any) -> list[Client]:
    """Clients that have the snapshots of all NAMES."""
    clients = [connect(protocol=V1, **options) for _ in range(count)]
    for client in clients:
        client.send({"action": "subscribe", "symbols": NAMES})
    for client in clients:
        for _ in NAMES:
            client.until("snapshot")
    return clients


def newest(client: Client, price: int) -> None:
    """Until the client has this price of all NAMES; no price goes back."""
    latest: dict[str, float] = {}
    while len(latest) < len(NAMES) or set(latest.values()) != {price}:
        message = client.receive()
        if message["type"] == "update":
            assert message["price"] >= latest.get(message["symbol"], 0)
            latest[message["symbol"]] = message["price"]


def tick(rig: Rig, rows: list[int], price: int) -> None:
    for row in rows:
        rig.trade(row, price * E9)


@pytest.fixture
def rows(rig: Rig) -> list[int]:
    found = [rig.row(name) for name in NAMES]
    tick(rig, found, 1)
    return found


def test_each_client_of_a_turn_gets_its_own(
    rig: Rig, rows: list[int], connect: Connect, sender: Sender
) -> None:
    """In encodings and batches of their own, so that no two neighbours are sent the same."""
    clients = []
    for number in range(MANY):
        client = connect(protocol=V1 if number % 2 else "ticker.v1.msgpack")
        client.send({"action": "configure", "batch": number % 3 == 0})
        client.send({"action": "subscribe", "symbols": [NAMES[number]]})
        until_price(client, NAMES[number], 1)
        clients.append(client)
    for price in (2, 3, 4):
        tick(rig, rows, price)
        for number, client in enumerate(clients):
            until_price(client, NAMES[number], price)
    wait_for(lambda: rig.counters["client_flushes"] >= 3 * MANY)
    assert rig.counters["io_uring"] == (sender == "io_uring")
    assert not rig.counters["send_blocked"]


def until_price(client: Client, symbol: str, price: int) -> None:
    """Until the client has this price; it hears of no other symbol."""
    while True:
        said = client.receive()
        for message in said if isinstance(said, list) else [said]:
            if message["type"] in ("snapshot", "update"):
                assert message["symbol"] == symbol
                if float(message["price"]) == price:
                    return


@pytest.mark.slow
def test_a_full_socket_amid_a_turn_gets_every_byte_in_order(
    rig: Rig, rows: list[int], connect: Connect
) -> None:
    readers = watching(connect, 8)
    stopped = watching(connect, 3, receive_buffer=4096)
    price = 1
    while rig.counters["send_blocked"] < len(stopped):
        price += 1
        tick(rig, rows, price)
        for client in readers:
            newest(client, price)
    for client in stopped:
        newest(client, price)
    tick(rig, rows, price + 1)
    for client in [*readers, *stopped]:
        newest(client, price + 1)
    assert not rig.counters["slow_closed"]


@pytest.mark.slow
def test_connections_that_break_amid_a_turn_cost_nobody_else_a_price(
    rig: Rig, rows: list[int], connect: Connect
) -> None:
    readers = watching(connect, 8)
    price = 1
    for how in ("reset", "half", "reset", "close"):
        leaving = watching(connect, 6)
        for client in leaving:
            price += 1
            tick(rig, rows, price)
            if how == "half":
                client.socket.shutdown(socket.SHUT_RD)
            elif how == "reset":
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            if how != "half":
                client.close()
        price += 1
        tick(rig, rows, price)
        for client in readers:
            newest(client, price)
        for client in leaving:
            client.close()
    wait_for(lambda: rig.counters["connections_open"] == len(readers))


def test_status_and_metrics_name_the_sender(rig: Rig, sender: Sender) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{rig.port}/status", timeout=5) as answer:
        (gateway,) = json.load(answer)["gateways"]
    assert gateway["sender"] == sender
    with urllib.request.urlopen(f"http://127.0.0.1:{rig.port}/metrics", timeout=5) as answer:
        shown = answer.read().decode()
    assert f'ticker_gateway_io_uring{{gateway="0"}} {float(sender == "io_uring")}' in shown


def events(rig: Rig) -> list[dict[str, Any]]:
    assert rig.said is not None
    return [json.loads(line) for line in rig.said.read_text().splitlines()]


def refusing(said: Path, sender: Sender, call: int, least: int = 0) -> Rig:
    """A worker on a kernel that refuses this call (seccomp.refuse)."""
    config = Config(gateway=GatewayConfig(max_connections=64, flush_interval=0.02, sender=sender))
    return new_rig(config, said, first=partial(refuse, call, least))


def served(rig: Rig) -> None:
    """Some clients get a few turns' prices."""
    clients = [Client(rig.port, protocol=V1) for _ in range(16)]
    try:
        rows = [rig.row(name) for name in NAMES]
        tick(rig, rows, 1)
        for client in clients:
            client.send({"action": "subscribe", "symbols": NAMES})
            client.until("snapshot")
        for price in itertools.count(2):
            tick(rig, rows, price)
            for client in clients:
                newest(client, price)
            if price > 5 and not rig.counters["io_uring"]:
                break
            assert price < 200
    finally:
        for client in clients:
            client.close()


def test_where_io_uring_is_refused_auto_sends_and_says_so(tmp_path: Path) -> None:
    rig = refusing(tmp_path / "log", "auto", IO_URING_SETUP)
    try:
        served(rig)
    finally:
        assert rig.close() == 0
    start = events(rig)[0]
    assert (start["event"], start["sender"]) == ("gateway serves", "send")
    assert "seccomp" in start["refusal"]


@pytest.mark.slow
def test_a_ring_that_fails_later_loses_nothing(tmp_path: Path, require: Require) -> None:
    """The kernel opens a ring, and refuses every large batch. (libuv has a ring of its own, for a
    few calls at a time.)"""
    require(refusal_here() is None, f"this kernel refuses io_uring: {refusal_here()}")
    rig = refusing(tmp_path / "log", "auto", IO_URING_ENTER, least=9)
    try:
        served(rig)
        wait_for(lambda: len(events(rig)) > 1)
    finally:
        assert rig.close() == 0
    start, failed = events(rig)[:2]
    assert start["sender"] == "io_uring"
    assert failed["event"].startswith("io_uring has failed: Operation not permitted")


def test_io_uring_alone_is_refused_with_its_key(tmp_path: Path) -> None:
    """In a process of its own, as a filter of seccomp stays."""
    said = tmp_path / "said"
    if in_child(lambda: refuse(IO_URING_SETUP), said):
        pytest.fail(said.read_text())
    (fault,) = json.loads(said.read_text())
    assert fault.startswith("gateway.sender: io_uring is refused: Operation not permitted")
    assert 'take "auto" or "send"' in fault
    check("auto")
    check("send")


def in_child(first: Callable[[], None], said: Path) -> int:
    """The faults of a configuration that wants io_uring, as a forked process finds them."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            first()
            config = Config(gateway=GatewayConfig(sender="io_uring"))
            with pytest.raises(GatewayError):
                check("io_uring")
            said.write_text(json.dumps(list(server_faults(config))))
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]
